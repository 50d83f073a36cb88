"""The raw side of the event log: taking in messages under the coordinates they had where they come from."""

from typing import Protocol

from application.ports.event_log import TopicPartition
from domain.bronze.raw_event import RawEvents


class RawLog(Protocol):
    """Raw topics that can be loaded from elsewhere."""

    def append(self, events: RawEvents) -> None:
        """
        Append messages under their coordinates; within a partition each lies at or above the end.

        Raises:
            ValueError: One lies below the end of its partition.
            StoreUnavailable: Some may be appended, some not.
        """

    def holds(self, where: TopicPartition, offset: int) -> bool:
        """Whether a message was ever appended under this coordinate."""

    def end(self, where: TopicPartition) -> int:
        """The offset the next message gets at least."""
