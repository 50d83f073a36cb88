"""
The event log in process: topics, partitions, offsets, groups with commits, and redelivery after a crash.

Raw topics hold bytes. Typed topics hand on the batch itself, or, given a codec, what the wire makes of it. Appended
segments stay until every group that reads their topic has committed past them, so memory doesn't grow with what has
passed; `retain` keeps everything.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import polars as pl

from application.ports.event_log import Listener, Polled, Progress, Records, TopicPartition
from domain.batch import Batch
from domain.bronze.offsets import Offsets, runs_of
from domain.bronze.raw_event import RawEvents
from domain.identity import ByCode

_NO_PARTITION = pl.Series([-1], dtype=pl.Int32)


@attrs.frozen
class Segment:
    """Records appended together. Offsets ascend within each partition."""

    topic: str
    partition: pl.Series
    offset: pl.Series
    facts: Batch[Any] | RawEvents
    first: Mapping[int, int]
    """Lowest offset of each partition in it."""
    last: Mapping[int, int]
    """Highest offset of each partition in it."""

    def __len__(self) -> int:
        return len(self.partition)

    def where(self, wanted: pl.Series) -> "Segment":
        """Only these rows."""
        rows = wanted.arg_true()
        facts = (
            self.facts.taken(rows) if isinstance(self.facts, RawEvents) else type(self.facts)(self.facts.frame[rows])
        )
        partition, offset = self.partition[rows], self.offset[rows]
        bounds = (
            pl.DataFrame([partition, offset])
            .group_by("partition")
            .agg(first=pl.col("offset").min(), last=pl.col("offset").max())
        )
        first, last = ({n: row[at] for n, *row in bounds.iter_rows()} for at in (0, 1))
        return Segment(self.topic, partition, offset, facts, first, last)

    def after(self) -> dict[TopicPartition, int]:
        """The offset after the last record of each partition."""
        return {TopicPartition(self.topic, number): offset + 1 for number, offset in self.last.items()}


@attrs.define
class Group:
    """Consumers that share partitions, and how far they have come."""

    committed: dict[TopicPartition, int] = attrs.field(factory=dict)
    progress: dict[TopicPartition, Progress] = attrs.field(factory=dict)
    members: "list[MemoryConsumer]" = attrs.field(factory=list)
    topics: set[str] = attrs.field(factory=set)


@attrs.define
class MemoryEventLog:
    """Topics in process. `codec`, if given, turns facts to bytes and back between stages."""

    partitions_of: Callable[[str], int]
    retain: bool = False
    codec: "Callable[[str, Batch[Any]], Batch[Any]] | None" = None
    _segments: dict[str, list[Segment]] = attrs.field(init=False, factory=dict)
    _offsets: dict[TopicPartition, Offsets] = attrs.field(init=False, factory=dict)
    _groups: dict[str, Group] = attrs.field(init=False, factory=dict)
    _partition_of_series: dict[int, ByCode] = attrs.field(init=False, factory=dict)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        """Append each fact under its key, in order."""
        if not len(facts):
            return
        if not self.retain and not any(topic in group.topics for group in self._groups.values()):
            return
        if self.codec:
            facts = self.codec(topic, facts)
        partition = self._partitions(topic, facts)
        offset, first, last = self._next_offsets(topic, partition)
        self._append(Segment(topic, partition, offset, facts, first, last))

    def append(self, events: RawEvents) -> None:
        """
        Append raw events under the coordinates they carry, each at or above the end of its partition.

        Raises:
            ValueError: One lies below the end.
        """
        for topic, rows in events.by_topic().items():
            part = events if len(rows) == len(events) else events.taken(rows)
            partition, offset = part.partitions.alias("partition"), part.offsets.alias("offset")
            self._append(Segment(topic, partition, offset, part, *self._claim(topic, partition, offset)))

    def holds(self, where: TopicPartition, offset: int) -> bool:
        """Whether a record was ever appended under this coordinate."""
        return where in self._offsets and offset in self._offsets[where]

    def end(self, where: TopicPartition) -> int:
        """The offset the next record gets at least."""
        return self._offsets[where].end if where in self._offsets else 0

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> "MemoryConsumer":
        """Join a group; its partitions are dealt anew by partition number, so equal numbers go to one member."""
        joined = self._groups.setdefault(group, Group())
        joined.topics.update(topics)
        consumer = MemoryConsumer(self, joined, tuple(topics), listener)
        joined.members.append(consumer)
        return consumer

    def end_offsets(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset the next record of each partition will get."""
        return {where: self.end(where) for where in self._all(topics)}

    def committed(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset from which the group resumes, for each partition it has committed."""
        known = self._groups.get(group, Group()).committed
        return {where: offset for where, offset in known.items() if where.topic in topics}

    def progress(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, Progress]:
        """How far the group has come, for each partition it has committed."""
        known = self._groups.get(group, Group()).progress
        return {where: progress for where, progress in known.items() if where.topic in topics}

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """The offset of the first record at or behind each of these; where none is left, of the next one."""
        return {where: self._next_record(where, at or 0) for where, at in positions.items()}

    def _next_record(self, where: TopicPartition, at: int) -> int:
        for segment in self._segments.get(where.topic, ()):
            if segment.last.get(where.partition, -1) >= at:
                own = (segment.partition == where.partition) & (segment.offset >= at)
                return int(segment.offset.filter(own)[0])
        return max(at, self.end(where))

    def _all(self, topics: Iterable[str]) -> list[TopicPartition]:
        wanted = set(topics)
        declared = {TopicPartition(topic, number) for topic in wanted for number in range(self.partitions_of(topic))}
        return sorted(declared | {where for where in self._offsets if where.topic in wanted})

    def _claim(self, topic: str, partition: pl.Series, offset: pl.Series) -> tuple[dict[int, int], dict[int, int]]:
        """Take these offsets; returns the first and last of each partition."""
        first_of: dict[int, int] = {}
        last_of: dict[int, int] = {}
        for (number,), rows in pl.DataFrame([partition, offset]).group_by("partition"):
            where, taken = TopicPartition(topic, int(number)), rows["offset"]
            offsets = self._offsets.setdefault(where, Offsets())
            if taken[0] < offsets.end:
                raise ValueError(f"{topic}/{number}/{taken[0]} lies below the end {offsets.end} of its partition")
            offsets.take(offsets.extended(runs_of(taken)))
            first_of[where.partition], last_of[where.partition] = taken[0], taken[-1]
        return first_of, last_of

    def _partitions(self, topic: str, facts: Batch[Any]) -> pl.Series:
        count = self.partitions_of(topic)
        if count == 1 or "series" not in facts.schema:
            return pl.Series("partition", [0], dtype=pl.Int32).new_from_index(0, len(facts))
        if count not in self._partition_of_series:
            self._partition_of_series[count] = ByCode(lambda key: zlib.crc32(key.encode()) % count, _NO_PARTITION)
        return self._partition_of_series[count].of(facts.frame["series"]).alias("partition")

    def _next_offsets(self, topic: str, partition: pl.Series) -> tuple[pl.Series, dict[int, int], dict[int, int]]:
        """The offset of each record, and the first and last of each partition."""
        starts, first, last = [], {}, {}
        for number, count in partition.value_counts().sort("partition").iter_rows():
            offsets = self._offsets.setdefault(TopicPartition(topic, number), Offsets())
            first[number], last[number] = offsets.end, offsets.end + count - 1
            offsets.take(offsets.extended([(offsets.end, offsets.end + count)]))
            starts.append(pl.int_range(first[number], last[number] + 1, eager=True))
        # Order within a partition is order of arrival: the sort must be stable.
        order = (partition.cast(pl.Int64) * len(partition) + pl.int_range(len(partition), eager=True)).arg_sort()
        offset = pl.zeros(len(partition), dtype=pl.Int64, eager=True)
        return offset.scatter(order, pl.concat(starts)).alias("offset"), first, last

    def _append(self, segment: Segment) -> None:
        self._segments.setdefault(segment.topic, []).append(segment)

    def _let_go(self, topic: str) -> None:
        if self.retain:
            return
        readers = [group.committed for group in self._groups.values() if topic in group.topics]
        segments = self._segments.get(topic, [])
        while segments and all(_passed(segments[0], committed) for committed in readers):
            segments.pop(0)


def _passed(segment: Segment, committed: Mapping[TopicPartition, int]) -> bool:
    return all(committed.get(TopicPartition(segment.topic, number), 0) > last for number, last in segment.last.items())


@attrs.define(eq=False)
class MemoryConsumer:
    """One member of a group."""

    log: MemoryEventLog
    group: Group
    topics: tuple[str, ...]
    listener: Listener
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    _turn: int = attrs.field(init=False, default=0)
    _settled_for: tuple[tuple[int, ...], int] | None = attrs.field(init=False, default=None)
    """The members and partitions of which its share was made."""

    def poll(self, max_records: int, timeout_s: float) -> Polled:  # noqa: ARG002  (nothing can arrive while it waits)
        """Return what is there, at most `max_records`; never waits."""
        self._settle()
        raw: list[RawEvents] = []
        records: list[Records] = []
        after: dict[TopicPartition, int] = {}
        room = max_records
        self._turn += 1
        begin = self._turn % len(self.topics)
        # Each poll begins with the next topic, so that a full one starves no other.
        for topic in (*self.topics[begin:], *self.topics[:begin]):
            for segment in self._ahead(topic):
                if room <= 0:
                    break
                taken = (
                    segment if len(segment) <= room else segment.where(pl.int_range(len(segment), eager=True) < room)
                )
                room -= len(taken)
                if isinstance(taken.facts, RawEvents):
                    raw.append(taken.facts)
                else:
                    records.append(Records(topic, taken.partition, taken.offset, taken.facts))
                after.update(taken.after())
        self._positions.update(after)
        return Polled(RawEvents.concat(raw) if raw else None, tuple(records), after)

    def commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        """Keep how far the group has come; partitions no longer owned are left out."""
        mine = self._positions.keys() & self._share()
        owned = {where: progress for where, progress in come.items() if where in mine}
        self.group.committed.update({where: progress.floor for where, progress in owned.items()})
        self.group.progress.update(owned)
        for topic in {where.topic for where in owned}:
            self.log._let_go(topic)  # noqa: SLF001  (a consumer is its log's other half)

    def stay(self) -> None:
        """Nobody ends a membership in process but its member."""

    def close(self) -> None:
        """Leave the group; what was not committed comes again to the next owner."""
        if self in self.group.members:
            self.group.members.remove(self)
        self._positions.clear()

    def _ahead(self, topic: str) -> Iterable[Segment]:
        """Unread records of this member's partitions, in order of arrival."""
        for segment in list(self.log._segments.get(topic, ())):  # noqa: SLF001
            owned = {n: self._positions.get(TopicPartition(topic, n)) for n in segment.last}
            unread = {n: at for n, at in owned.items() if at is not None and at <= segment.last[n]}
            if len(unread) == len(segment.last) and all(unread[n] <= first for n, first in segment.first.items()):
                yield segment
            elif unread:
                at = segment.partition.replace_strict(unread, default=None, return_dtype=pl.Int64)
                yield segment.where((segment.offset >= at).fill_null(value=False))

    def _settle(self) -> None:
        """Take over or let go what the group's membership makes due."""
        known = (tuple(map(id, self.group.members)), len(self.log._offsets))  # noqa: SLF001
        if known == self._settled_for:
            return
        mine = self._share()
        gone = [where for where in self._positions if where not in mine]
        new = [where for where in mine if where not in self._positions]
        if gone:
            self.listener.revoked(gone)
            for where in gone:
                del self._positions[where]
        if new:
            # Told first: a listener that fails is told again by the next poll.
            self.listener.assigned({where: self.group.progress.get(where) for where in new})
            self._positions.update({where: self.group.committed.get(where, 0) for where in new})
        self._settled_for = known

    def _share(self) -> set[TopicPartition]:
        if self not in self.group.members:
            return set()
        at, of = self.group.members.index(self), len(self.group.members)
        return {where for where in self.log._all(self.topics) if where.partition % of == at}  # noqa: SLF001
