"""Tables in general: of two writes for one key the higher version stays, in whatever order they arrive."""

from typing import Protocol

import polars as pl

from domain.batch import Batch


class Table(Protocol):
    """One table. Its contract suite is tests/contract/table_contract.py."""

    def upsert(self, rows: Batch) -> None:
        """
        Keep each row unless one with a higher version of the same key is already there. Durable when this returns.

        Raises:
            StoreUnavailable: Nothing is promised about the batch; write it again.
        """

    def final(self) -> pl.DataFrame:
        """All rows, one a key, at their highest version, with the columns the table stores."""
