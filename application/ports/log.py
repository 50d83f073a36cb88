"""Telling an operator what happens."""

from typing import Protocol


class Log(Protocol):
    """
    Never raises. A message is one plain sentence; what varies goes beside it as fields, never into it.

    Nothing secret is given to it, and what looks secret is masked all the same.
    """

    def info(self, message: str, **extra: object) -> None:
        """Something an operator may want to know."""

    def warning(self, message: str, **extra: object) -> None:
        """Something went wrong that the service copes with."""

    def error(self, message: str, **extra: object) -> None:
        """Something went wrong that needs a person."""
