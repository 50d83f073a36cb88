"""What a service tells the person who runs it."""

from typing import Protocol


class Journal(Protocol):
    """
    Log lines. Never raises, never blocks. A message is one plain sentence; what varies goes beside it as fields.

    Nothing secret is given to it, and what looks secret is masked all the same.
    """

    def info(self, message: str, **extra: object) -> None:
        """Say what happened."""

    def warning(self, message: str, **extra: object) -> None:
        """Say what goes wrong but is being handled."""

    def error(self, message: str, **extra: object) -> None:
        """Say what needs a person."""
