"""Putting raw messages onto their topics, as a connector would."""

from collections.abc import Sequence
from typing import Protocol

from domain.bronze.raw_event import RawEvents


class RawFeed(Protocol):
    """Raw topics that take messages in. The log gives each a new offset."""

    def append(self, events: RawEvents, keys: Sequence[bytes | None]) -> None:
        """
        Append messages in order, each to its partition, with its time. When this returns they are durable.

        Args:
            events: The messages; their offsets are not looked at. A timestamp that is null is the log's to say.
            keys: The key of each.

        Raises:
            Retryable: Some may be appended, some not.
            Fatal: The log will never take them, e.g. a partition that does not exist.
        """
