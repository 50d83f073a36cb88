"""Where raw messages come from when they do not come from a log: files, or the sample feed."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs

from domain.bronze.raw_event import RawEvents
from domain.errors import DataprocError

STANDARD_INPUT = "/dev/stdin"


def called(path: str) -> str:
    """What a person calls an input."""
    return "standard input" if path == STANDARD_INPUT else path


class BadInput(DataprocError):
    """An input can't be read as raw messages; the text says which line, why, and what to do."""


@attrs.frozen
class Lines:
    """Raw messages of an input, and what was written beside them."""

    events: RawEvents
    """Null timestamps are those of messages that say nothing about when they were recorded: the log's clock shall say."""
    ids: dict[int, str]
    """The `id` of a line that has one, by its position in `events`."""
    places: list[str]
    """Where each message stood, for error messages: FILE:LINE."""
    placed: list[bool]
    """Whether the line carried its partition and offset; otherwise it gets the next ones."""
    keys: Sequence[bytes | None] = ()
    """The key of each message, for logs that keep keys; empty where the source has none."""

    def part(self, begin: int, end: int) -> "Lines":
        """The messages from position `begin` to before `end`."""
        if (begin, end) == (0, len(self.events)):
            return self
        return Lines(
            self.events.taken(range(begin, end)),
            {at - begin: name for at, name in self.ids.items() if begin <= at < end},
            self.places[begin:end],
            self.placed[begin:end],
            self.keys[begin:end],
        )


class RawSource(Protocol):
    """Raw messages in an order in which a log takes them: offsets ascend within a partition."""

    def lines(self, at_most: int) -> Iterator[Lines]:
        """
        Yield all messages, `at_most` at a time; fewer where somebody asked to stop while nothing came.

        Raises:
            BadInput: A line is no raw message. What was yielded before stands.
        """
