"""Counting and timing what happens. Names are fixed by contracts.md §8."""

from typing import Protocol


class Meter(Protocol):
    """Never raises, never blocks: a lost figure harms nobody."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""

    def forget(self, name: str, **labels: str) -> None:
        """Tell a gauge no more, until it is set again."""
