"""What every stage is to the loop that runs it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from application.outcome import Outcome
from application.ports.event_log import Polled, TopicPartition


@attrs.frozen
class Share:
    """A partition as it is assigned."""

    floor: int | None = None
    """The offset from which the group resumes; None where it never committed."""
    end: int = 0
    """The offset after its last record. What lies before it may have been read by an owner that only stands still."""


class Stage(Protocol):
    """
    Decides, and performs nothing. It takes records and its own memory, may read through ports, and returns outcomes.

    Its memory changes only when the loop calls an outcome's `kept`; an outcome that could not be stored is forgotten,
    and the same records come to `run` again.
    """

    name: str
    """E.g. normalization."""

    consumes: Sequence[str]
    """Topics it reads."""

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        """Take over partitions: load what is durable about them, forget what is remembered."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let partitions go, and with them all state that belongs to them."""

    def run(self, polled: Polled) -> Outcome:
        """Decide about these records; with none, about what time alone makes due."""

    def finish(self) -> Outcome:
        """Decide about what is still open at the end of an input."""
