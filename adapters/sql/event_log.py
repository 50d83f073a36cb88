"""
The event log of one process that keeps its data on disk.

Records lie in an EventFile until every group that reads their topic has committed past them. What was appended last is
also held in memory, so that a stage that keeps up gets the batch itself and nothing is decoded. After the end of a
process, in whatever way, its groups resume from their committed offsets and get the records from the file.

Topics that nobody in this process subscribes to are not kept, unless everything is to be retained.
"""

import zlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import attrs
import polars as pl

from adapters.sql.directory_lock import DirectoryLock
from adapters.sql.event_file import EventFile, Stored, frame_of
from adapters.sql.event_records import Decoded, Undecoded, together
from adapters.wire.events import EventCodec
from application.ports.event_log import Listener, Polled, Progress, Records, TopicPartition, Unreadable
from domain.batch import Batch
from domain.bronze.offsets import Offsets, runs_of
from domain.bronze.raw_event import RawEvents


@attrs.define(eq=False)
class Group:
    """Consumers that share partitions, and how far they have come."""

    name: str
    progress: dict[TopicPartition, Progress] = attrs.field(factory=dict)
    members: "list[SqliteConsumer]" = attrs.field(factory=list)
    topics: set[str] = attrs.field(factory=set)

    def floors(self) -> dict[TopicPartition, int]:
        """The offset from which it resumes, for each partition it has committed."""
        return {where: progress.floor for where, progress in self.progress.items()}


class SqliteEventLog:
    """Topics in a file of one process. Safe for any number of its threads."""

    def __init__(
        self,
        folder: Path,
        codec: EventCodec,
        partitions_of: Callable[[str], int],
        *,
        retain: bool = False,
        held_records: int = 200_000,
        poll_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """
        Open the log, making it where it is absent, and hold its directory.

        Args:
            folder: Where it lies; one process at a time.
            codec: Writes and reads what typed topics hold.
            partitions_of: Partitions of each topic.
            retain: Keep what every group has read, and what nobody reads.
            held_records: Most records held in memory beside the file; 0 reads everything from the file.
            poll_bytes: Stored bytes after which a poll takes no further segment.

        Raises:
            DirectoryInUse: Another process has the directory.
            Fatal: The file is no event log of this program.
        """
        self._lock = RLock()
        self._directory = DirectoryLock(folder).take()
        try:
            self._file = EventFile(folder)
        except BaseException:
            self._directory.release()
            raise
        self.codec, self.partitions_of, self.poll_bytes, self._retain = codec, partitions_of, poll_bytes, retain
        self._room, self._held = held_records, OrderedDict[int, Decoded]()
        self._read_last: tuple[int, Undecoded] | None = None
        self._segments: dict[str, list[Stored]] = {}
        self._offsets: dict[TopicPartition, Offsets] = {}
        self._groups: dict[str, Group] = {}
        self._resume()

    def _resume(self) -> None:
        for segment in self._file.segments():
            self._segments.setdefault(segment.topic, []).append(segment)
        for where, run in self._file.runs():
            self._offsets.setdefault(where, Offsets()).take([run])
        for group, where, progress in self._file.commits():
            self._groups.setdefault(group, Group(group)).progress[where] = progress

    def close(self) -> None:
        """Let the file and the directory go."""
        with self._lock:
            self._file.close()
            self._directory.release()

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        """Append each fact under its key, in order."""
        if not len(facts) or not self._is_kept(topic):
            return
        encoded, count = self.codec.encode(topic, facts), self.partitions_of(topic)
        partition = pl.Series([zlib.crc32(key) % count for key in encoded.keys], dtype=pl.Int32)
        with self._lock:
            offset = self._next_offsets(topic, partition)
            records = frame_of(partition, offset, None, encoded.values)
            self._append(topic, records, Decoded(records["partition"], records["offset"], facts))

    def append(self, events: RawEvents) -> None:
        """
        Append raw events under the coordinates they carry, each at or above the end of its partition.

        Raises:
            ValueError: One lies below the end.
        """
        for topic, rows in events.by_topic().items():
            part = events if len(rows) == len(events) else events.taken(rows)
            records = frame_of(part.partitions, part.offsets, part.timestamps_us, part.values)
            with self._lock:
                self._append(topic, records, Decoded(records["partition"], records["offset"], part))

    def holds(self, where: TopicPartition, offset: int) -> bool:
        """Whether a record was ever appended under this coordinate."""
        with self._lock:
            return where in self._offsets and offset in self._offsets[where]

    def end(self, where: TopicPartition) -> int:
        """The offset the next record gets at least."""
        with self._lock:
            return self._offsets[where].end if where in self._offsets else 0

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> "SqliteConsumer":
        """Join a group; its partitions are dealt anew by partition number, so equal numbers go to one member."""
        with self._lock:
            joined = self._groups.setdefault(group, Group(group))
            joined.topics.update(topics)
            consumer = SqliteConsumer(self, joined, tuple(topics), listener)
            joined.members.append(consumer)
            return consumer

    def end_offsets(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset the next record of each partition will get."""
        with self._lock:
            return {where: self.end(where) for where in self.partitions(topics)}

    def committed(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset from which the group resumes, for each partition it has committed."""
        return {where: progress.floor for where, progress in self.progress(group, topics).items()}

    def progress(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, Progress]:
        """How far the group has come, for each partition it has committed."""
        with self._lock:
            known = self._groups[group].progress if group in self._groups else {}
            return {where: progress for where, progress in known.items() if where.topic in topics}

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """The offset of the first record at or behind each of these; where none is left, of the next one."""
        with self._lock:
            return {where: self._next_record(where, at or 0) for where, at in positions.items()}

    def _next_record(self, where: TopicPartition, at: int) -> int:
        for segment in self._segments.get(where.topic, ()):
            if segment.bounds.get(where.partition, (0, -1))[1] >= at:
                return int(self.taken(segment, {where.partition: at}, 1).offset[0])
        return max(at, self.end(where))

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Every partition of these topics, ascending."""
        wanted = set(topics)
        declared = {TopicPartition(topic, number) for topic in wanted for number in range(self.partitions_of(topic))}
        with self._lock:
            return sorted(declared | {where for where in self._offsets if where.topic in wanted})

    def segments(self, topic: str, begin: int) -> list[Stored]:
        """The segments of a topic from this id on, in order of arrival."""
        with self._lock:
            known = self._segments.get(topic, [])
            return known[bisect_left(known, begin, key=_id) :]

    def taken(self, segment: Stored, unread: Mapping[int, int], room: int) -> Decoded | Undecoded:
        """Of a segment the records at or above these offsets by partition, at most so many."""
        with self._lock:
            return self._records(segment).unread(unread, room)

    def commit(self, group: Group, come: Mapping[TopicPartition, Progress]) -> None:
        """Write down how far a group has come, and let go what nobody needs any more."""
        with self._lock:
            floors = {**group.floors(), **{where: progress.floor for where, progress in come.items()}}
            done = [] if self._retain else list(self._unneeded({where.topic for where in come}, group, floors))
            self._file.commit(group.name, come, done)
            group.progress.update(come)
            for segment in done:
                self._drop(segment)

    def _unneeded(self, topics: Iterable[str], group: Group, floors: Mapping[TopicPartition, int]) -> Iterator[Stored]:
        """The oldest segments of these topics that every group that reads them has passed, given this one's floors."""
        for topic in topics:
            readers = [other for other in self._groups.values() if topic in other.topics]
            committed = [floors if other is group else other.floors() for other in readers]
            for segment in self._segments.get(topic, ()):
                if not all(segment.passed(own) for own in committed):
                    break
                yield segment

    def _is_kept(self, topic: str) -> bool:
        with self._lock:
            return self._retain or any(topic in group.topics for group in self._groups.values())

    def _next_offsets(self, topic: str, partition: pl.Series) -> pl.Series:
        """The offset of each record."""
        ends = {number: self.end(TopicPartition(topic, number)) for number in partition.unique()}
        frame = partition.alias("partition").to_frame()
        before = pl.col("partition").replace_strict(ends, return_dtype=pl.Int64)
        return frame.select((before + pl.int_range(pl.len()).over("partition")).alias("offset")).to_series()

    def _append(self, topic: str, records: pl.DataFrame, segment: Decoded) -> None:
        runs, bounds = {}, {}
        for (number,), rows in records.select("partition", "offset").group_by("partition"):
            offset, partition = rows["offset"], int(number)
            offsets = self._offsets.setdefault(TopicPartition(topic, partition), Offsets())
            if offset[0] < offsets.end or not offset.is_sorted():
                raise ValueError(
                    f"{topic}/{partition}/{offset[0]} and after do not ascend from the end {offsets.end} of their partition"
                )
            runs[partition] = offsets.extended(runs_of(offset))
            bounds[partition] = (offset[0], offset[-1])
        stored = self._file.append(topic, bounds, records, runs)
        for partition, own in runs.items():
            self._offsets[TopicPartition(topic, partition)].take(own)
        self._segments.setdefault(topic, []).append(stored)
        self._hold(stored, segment)

    def _hold(self, stored: Stored, segment: Decoded) -> None:
        self._held[stored.id] = segment
        self._room -= len(segment)
        while self._room < 0:
            self._room += len(self._held.popitem(last=False)[1])

    def _drop(self, stored: Stored) -> None:
        self._segments[stored.topic].remove(stored)
        if stored.id in self._held:
            self._room += len(self._held.pop(stored.id))

    def _records(self, segment: Stored) -> Decoded | Undecoded:
        if segment.id in self._held:
            return self._held[segment.id]
        if self._read_last is None or self._read_last[0] != segment.id:
            self._read_last = segment.id, Undecoded(segment.topic, self._file.records(segment))
        return self._read_last[1]


def _id(segment: Stored) -> int:
    return segment.id


@attrs.define(eq=False)
class SqliteConsumer:
    """One member of a group."""

    log: SqliteEventLog
    group: Group
    topics: tuple[str, ...]
    listener: Listener
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    _begin: dict[str, int] = attrs.field(init=False, factory=dict)
    """By topic, the id of the first segment that may hold something unread."""
    _turn: int = attrs.field(init=False, default=0)

    def poll(self, max_records: int, timeout_s: float) -> Polled:  # noqa: ARG002  (nothing can arrive while it waits)
        """Return what is there, at most `max_records`; never waits."""
        self._settle()
        found = _Found(self.log.codec, max_records, self.log.poll_bytes)
        self._turn += 1
        begin = self._turn % len(self.topics)
        # Each poll begins with the next topic, so that a full one starves no other.
        for topic in (*self.topics[begin:], *self.topics[:begin]):
            self._read(topic, found)
        self._positions.update(found.after)
        return found.polled()

    def commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        """Keep how far the group has come; partitions no longer owned are left out."""
        mine = self._positions.keys() & self._share()
        owned = {where: progress for where, progress in come.items() if where in mine}
        if owned:
            self.log.commit(self.group, owned)

    def stay(self) -> None:
        """Nobody ends a membership in process but its member."""

    def close(self) -> None:
        """Leave the group; what was not committed comes again to the next owner."""
        if self in self.group.members:
            self.group.members.remove(self)
        self._positions.clear()

    def _read(self, topic: str, found: "_Found") -> None:
        """Take unread records of this member's partitions, in order of arrival."""
        all_read = True
        for segment in self.log.segments(topic, self._begin.get(topic, 0)):
            unread = self._unread(segment)
            if unread and not found.room():
                return
            if unread:
                found.take(segment, self.log.taken(segment, unread, found.records))
                all_read = all_read and found.read_to_the_end(segment, unread)
            if all_read:
                self._begin[topic] = segment.id + 1

    def _unread(self, segment: Stored) -> dict[int, int]:
        """By partition that this member owns and has not read to the segment's end, where it stands."""
        owned = {n: self._positions.get(TopicPartition(segment.topic, n)) for n in segment.bounds}
        return {n: at for n, at in owned.items() if at is not None and at <= segment.bounds[n][1]}

    def _settle(self) -> None:
        """Take over or let go what the group's membership makes due."""
        mine = self._share()
        gone = [where for where in self._positions if where not in mine]
        new = sorted(where for where in mine if where not in self._positions)
        if gone:
            self.listener.revoked(gone)
            for where in gone:
                del self._positions[where]
        if new:
            # Told first: a listener that fails is told again by the next poll.
            committed = self.group.floors()
            self.listener.assigned({where: self.group.progress.get(where) for where in new})
            self._positions.update({where: committed.get(where, 0) for where in new})
            self._begin.clear()

    def _share(self) -> set[TopicPartition]:
        if self not in self.group.members:
            return set()
        at, of = self.group.members.index(self), len(self.group.members)
        return {where for where in self.log.partitions(self.topics) if where.partition % of == at}


@attrs.define
class _Found:
    """What a poll has taken so far."""

    codec: EventCodec
    records: int
    """How many more it may take."""
    size: int
    """How many more stored bytes."""
    after: dict[TopicPartition, int] = attrs.field(factory=dict)
    _raw: list[RawEvents] = attrs.field(factory=list)
    _typed: list[Records] = attrs.field(factory=list)
    _unreadable: list[Unreadable] = attrs.field(factory=list)

    def room(self) -> bool:
        """Whether it may take more."""
        return self.records > 0 and self.size > 0

    def take(self, segment: Stored, part: Decoded | Undecoded) -> None:
        """Take records of a segment."""
        self.records -= len(part)
        self.size -= segment.size
        self.after.update({TopicPartition(segment.topic, n): last + 1 for n, last in part.last().items()})
        facts, unreadable = part.read(segment.topic, self.codec)
        if isinstance(facts, RawEvents):
            self._raw.append(facts)
        elif len(facts):
            self._typed.append(facts)
        if unreadable is not None:
            self._unreadable.append(unreadable)

    def read_to_the_end(self, segment: Stored, partitions: Iterable[int]) -> bool:
        """Whether these partitions of a segment are read now."""
        return all(self.after.get(TopicPartition(segment.topic, n), 0) > segment.bounds[n][1] for n in partitions)

    def polled(self) -> Polled:
        """All of it."""
        raw = RawEvents.concat(self._raw) if self._raw else None
        return Polled(raw, tuple(self._typed), self.after, together(self._unreadable))
