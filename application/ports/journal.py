"""What a service tells the person who runs it."""

from typing import Protocol


class Journal(Protocol):
    """Log lines. Never raises, never blocks."""

    def info(self, message: str, **extra: object) -> None:
        """Say what happened."""

    def warning(self, message: str, **extra: object) -> None:
        """Say what goes wrong but is being handled."""

    def error(self, message: str, **extra: object) -> None:
        """Say what needs a person."""
