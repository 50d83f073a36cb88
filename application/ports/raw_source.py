"""Where raw messages come from when they do not come from a log: files, or the sample feed."""

from collections.abc import Iterator
from typing import Protocol

import attrs

from domain.bronze.raw_event import RawEvents
from domain.errors import DataprocError


class BadInput(DataprocError):
    """An input can't be read as raw messages; the text says which line, why, and what to do."""


@attrs.frozen
class Lines:
    """Raw messages of an input, and what was written beside them."""

    events: RawEvents
    ids: dict[int, str]
    """The `id` of a line that has one, by its position in `events`."""
    places: list[str]
    """Where each message stood, for error messages: FILE:LINE."""
    placed: list[bool]
    """Whether the line carried its partition and offset; otherwise it gets the next ones."""


class RawSource(Protocol):
    """Raw messages in an order in which a log takes them: offsets ascend within a partition."""

    def lines(self, at_most: int) -> Iterator[Lines]:
        """
        Yield all messages, `at_most` at a time.

        Raises:
            BadInput: A line is no raw message. What was yielded before stands.
        """
