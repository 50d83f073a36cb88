"""Time as the application sees it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for intervals. Nothing a fact consists of depends on either."""

    def now(self) -> datetime:
        """The wall clock, UTC, µs."""

    def monotonic_s(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
