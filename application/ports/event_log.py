"""The event log: topics, partitions, offsets, and groups of consumers that share them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs
import polars as pl

from domain.batch import Batch
from domain.bronze.raw_event import RawEvents


@attrs.frozen(order=True)
class TopicPartition:
    """One partition of one topic."""

    topic: str
    partition: int


@attrs.frozen
class Records:
    """
    Records of one typed topic, as a poll returned them: in offset order within each partition.

    `partition` (Int32) and `offset` (Int64) stand beside the rows of `facts`.
    """

    topic: str
    partition: pl.Series
    offset: pl.Series
    facts: Batch

    def __len__(self) -> int:
        return len(self.facts)


@attrs.frozen
class Polled:
    """What one poll brought: raw events of any raw topics in order of arrival, and records of typed topics."""

    raw: RawEvents | None = None
    records: tuple[Records, ...] = ()
    next_offsets: Mapping[TopicPartition, int] = attrs.field(factory=dict)
    """For each partition that brought something, the offset after the last record returned."""

    def __len__(self) -> int:
        return (len(self.raw) if self.raw else 0) + sum(len(records) for records in self.records)


@attrs.frozen
class Listener:
    """Who is told of assignments. `assigned` gets each partition's committed offset (None: never committed)."""

    assigned: Callable[[Mapping[TopicPartition, int | None]], None]
    revoked: Callable[[Sequence[TopicPartition]], None]


class Consumer(Protocol):
    """
    One member of a group. Delivery is at least once, in offset order within a partition; gaps in offsets are legal.

    After a crash, or when a partition moves, records after the committed offset come again.
    """

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        """
        Return what is there, at most `max_records`, waiting up to `timeout_s` for the first record.

        Assignment changes are told to the listener from within this call.

        Raises:
            Retryable: Nothing was consumed; call again.
            OffsetLost: The group's position is outside the log.
        """

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """
        Make these the positions from which the group resumes. A partition that is no longer owned is left out.

        Raises:
            Retryable: Nothing is promised; the records may come again.
        """

    def close(self) -> None:
        """Leave the group. What was not committed comes again to the next owner."""


class EventLog(Protocol):
    """Topics of records. A record stays until retention removes it, under one offset that grows within its partition."""

    def publish(self, topic: str, facts: Batch) -> None:
        """
        Append each fact under its key, in order. When this returns they are durable; repeated calls append again.

        Raises:
            Retryable: Some may be appended, some not; publish all again.
        """

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> Consumer:
        """Join a group that shares the partitions of these topics; equal partition numbers go to one member."""

    def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """For each partition of these topics, the offset the next record will get."""

    def committed(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """For each partition of these topics that the group has committed, the offset from which it resumes."""
