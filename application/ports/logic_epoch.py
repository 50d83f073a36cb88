"""Which version of the formulas owns the tables."""

from typing import Protocol


class LogicEpoch(Protocol):
    """
    The highest logic epoch any process has marked. It only rises.

    A service marks its own before its first assignment; where it later finds a higher one, a newer program computes
    these tables and the service must stop without committing.
    """

    def highest(self) -> int:
        """Return the highest epoch marked, 0 where none is. Raises StoreUnavailable."""

    def mark(self, epoch: int) -> None:
        """Mark an epoch durably. Raises StoreUnavailable: mark it again."""
