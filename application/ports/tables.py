"""Tables in general: of two writes for one key the higher version stays, in whatever order they arrive."""

from typing import Any, Protocol


class Table(Protocol):
    """One table. Its contract suite is tests/contract/table_contract.py."""

    def upsert(self, rows: Any) -> None:
        """
        Keep each row of a batch of the table's own kind unless one with a higher version of the same key is already there. Durable when this returns.

        Raises:
            StoreUnavailable: Nothing is promised about the batch; write it again.
        """
