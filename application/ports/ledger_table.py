"""Where the conservation ledger lives."""

from typing import Protocol

import polars as pl

from domain.bronze.ledger import Ledger


class LedgerTable(Protocol):
    """
    Rows by key (topic, partition, hour). Of two writes for one key the one with the higher `counted_to` stays.

    Its contract suite is tests/contract/test_ledger_table.py.
    """

    def upsert(self, rows: Ledger) -> None:
        """Keep each row unless a higher `counted_to` of its key is there. Raises StoreUnavailable: write the batch again."""

    def stored(self, keys: pl.DataFrame) -> Ledger:
        """Return the rows with these keys (columns `topic`, `partition`, `hour`) that exist. Raises StoreUnavailable."""

    def final(self) -> pl.DataFrame:
        """All rows, with the columns the table stores. Raises StoreUnavailable."""
