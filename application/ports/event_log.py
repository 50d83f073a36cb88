"""The event log: topics, partitions, offsets, and groups of consumers that share them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import polars as pl

from domain.batch import Batch
from domain.bronze.raw_event import RawEvents, Refusals


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
    facts: Batch[Any]

    def __len__(self) -> int:
        return len(self.facts)


@attrs.frozen
class Unreadable:
    """Records of typed topics that are no facts of ours: as they lie in the log, and why each was refused."""

    events: RawEvents
    refusals: Refusals
    """`event` is a position in `events`, `index` -1; each event has at least one."""

    def __len__(self) -> int:
        return len(self.events)


@attrs.frozen
class Polled:
    """What one poll brought: raw events of any raw topics in order of arrival, and records of typed topics."""

    raw: RawEvents | None = None
    records: tuple[Records, ...] = ()
    next_offsets: Mapping[TopicPartition, int] = attrs.field(factory=dict)
    """For each partition that brought something, the offset after the last record returned."""
    unreadable: Unreadable | None = None
    """Records of typed topics that must end as dead letters of the stage that polled them."""

    def __len__(self) -> int:
        parts = (self.raw, self.unreadable, *self.records)
        return sum(len(part) for part in parts if part is not None)


@attrs.frozen
class Doubt:
    """Records that a process began with and that were not heard of again: one of them may be what ended it."""

    since: int
    """The first offset in doubt."""
    until: int
    """The offset after the last one."""
    tries: int = 0
    """How many processes began with exactly these, one record alone; 0 while several are in doubt."""
    survived: int = 0
    """How many of them decided about it, or met a server that failed them: they ended later."""


@attrs.frozen
class Progress:
    """How far a group has come in one partition."""

    floor: int
    """Committed: the offset from which the group resumes."""
    position: int
    """The offset after the last record whose effects are stored and announced; at or above the floor."""
    owed: int = 0
    """What the member still had to tell of what it had taken: ticks of open windows, and windows asked for anew, whose bars
    were not announced yet."""
    doubt: Doubt | None = None
    """What was begun and, as far as the log knows, never ended."""
    aside: tuple[int, ...] = ()
    """Offsets at or above the floor that must never be run again: quarantined, ascending."""


@attrs.frozen
class Listener:
    """Who is told of assignments. `assigned` gets each partition's progress as committed (None: never committed)."""

    assigned: Callable[[Mapping[TopicPartition, Progress | None]], None]
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

    def commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        """
        Make these the floors from which the group resumes, and keep all of its progress beside them.

        A partition that is no longer owned is left out. What is kept is told to the next owner as it is.

        Raises:
            Retryable: Nothing is promised; the records may come again.
        """

    def stay(self) -> None:
        """
        Remain a member while no poll is due, because what was polled last is still being performed.

        Takes no records, tells the listener nothing and never raises Retryable; what it learns, the next poll tells.
        """

    def close(self) -> None:
        """Leave the group. What was not committed comes again to the next owner."""


class EventLog(Protocol):
    """Topics of records. A record stays until retention removes it, under one offset that grows within its partition."""

    def publish(self, topic: str, facts: Batch[Any]) -> None:
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

    def progress(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Progress]:
        """For each partition of these topics that the group has committed, how far it has come."""

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        """
        For each partition the offset of the first record at or behind an offset; where none is left, of the next one.

        Offsets between hold nothing that anybody will read: retention took it, or it is the log's own, such as the end
        of a transaction. None asks from the beginning. An offset that lies before it stands as it is: what it names is lost.

        Raises:
            Retryable: The log can't be reached.
        """
