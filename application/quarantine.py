"""
Records that end the process, found by running ever fewer of them at once, and then set aside.

What ends a process (a crash of native code, too little memory) is heard of by nobody: the next process knows only what
was made durable before. So before a loop runs records of a partition of which it has performed none yet, it writes beside
the committed offset which ones it begins with: a `Doubt`. The commit of what was performed takes it back, and so does an
orderly end. Whoever is assigned a partition in doubt knows that a process ended there, and runs

    many records                       in pieces of the root of their number, each put in doubt before it is run
    few records                        one by one, likewise
    one record                         alone again
    one record that is found guilty    never again: it becomes a dead letter

Guilty is what `attempts` processes that ran it alone did not live to decide about. Once it is decided what becomes of it,
its process says so in the log, and what is left is to wait for servers: a process that ends then was more likely killed
from outside, and it takes many of those.

Records before and behind a doubt are run as ever. A group that resumes from a floor far behind meets a quarantined record
again, so its offset travels with the commits until the floor has passed it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import isqrt

import attrs
import polars as pl

from application.ports.event_log import Doubt, Polled, Progress, Records, TopicPartition, Unreadable
from application.ports.journal import Journal
from application.ports.meter import Meter
from domain.bronze.raw_event import RawEvents, Refusal, Refusals
from domain.errors import Reason

ATTEMPTS = 3
"""Of a record run alone: a kill from outside may hit the moment in which it is decided, but hardly thrice in a row."""
LENIENCE = 4
"""So many times the attempts are granted where processes ended only after they had decided."""

RAW, UNREADABLE, TYPED = 0, 1, 2
"""Parts of what was polled: raw events, what can't be read, and from the third on the records of each typed topic."""

_ROW = {"offset": pl.Int64, "part": pl.Int32, "at": pl.UInt32}
"""Where a record lies: its offset, which part of what was polled it is in, and its row there."""


@attrs.frozen
class Piece:
    """Records to run together, and which of them must be put in doubt before."""

    polled: Polled
    begun: Mapping[TopicPartition, Doubt] = attrs.field(factory=dict)


@attrs.define
class Caution:
    """What one loop must be careful about in the partitions it is assigned."""

    stage: str
    few: int
    """So many records in doubt are run one by one."""
    attempts: int
    journal: Journal
    meter: Meter
    _doubts: dict[TopicPartition, Doubt] = attrs.field(init=False, factory=dict)
    _unproven: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    """The offset from which on this process has performed nothing."""
    _aside: dict[TopicPartition, tuple[int, ...]] = attrs.field(init=False, factory=dict)
    """Offsets of quarantined records, ascending."""
    _to_meet: dict[TopicPartition, tuple[int, ...]] = attrs.field(init=False, factory=dict)
    """Those of them that will be read again."""
    _told: dict[TopicPartition, Doubt] = attrs.field(init=False, factory=dict)
    """What the log says of partitions; kept when they go."""

    def assigned(self, committed: Mapping[TopicPartition, Progress | None]) -> None:
        """Take over what the log says of partitions."""
        for where, come in committed.items():
            self._unproven[where] = come.position if come else 0
            if come and come.aside:
                self._aside[where] = self._to_meet[where] = come.aside
            if come and come.doubt:
                self._doubts[where] = come.doubt
        self._tell({where: self._doubts[where] for where in committed if where in self._doubts})

    def _tell(self, doubts: Mapping[TopicPartition, Doubt]) -> None:
        """In one line, and not again where partitions only went and came."""
        news = {where: doubt for where, doubt in doubts.items() if self._told.get(where) != doubt}
        self._told.update(news)
        if news:
            self.journal.warning(
                "taking few records at a time: earlier attempts ended before these were performed",
                stage=self.stage,
                records=[_place(where, doubt) for where, doubt in news.items()],
            )

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Partitions are another's now."""
        for where in partitions:
            for known in (self._doubts, self._unproven, self._aside, self._to_meet):
                known.pop(where, None)

    def doubt(self, where: TopicPartition) -> Doubt | None:
        """What of a partition is still in doubt."""
        return self._doubts.get(where)

    def aside(self, where: TopicPartition, floor: int) -> tuple[int, ...]:
        """Which offsets from the floor on must never be run again."""
        return tuple(offset for offset in self._aside.get(where, ()) if offset >= floor)

    def pieces(self, polled: Polled) -> Iterator[Piece]:
        """
        Cut what was polled into what may be run together; ask for the next piece once the one before is performed.

        Within a partition offsets ascend over the pieces. What must not be run is missing, or is unreadable in one.
        """
        if not any(map(self._concerned, polled.next_offsets, polled.next_offsets.values())):
            yield Piece(polled)
            return
        cut = _Cut.of(polled, self._to_meet)
        doubts = {where: doubt for where in sorted(cut.rows) if (doubt := self._doubts.get(where))}
        inside = {where: (cut.at(where, doubt.since), cut.at(where, doubt.until)) for where, doubt in doubts.items()}
        before = {where: (0, inside[where][0] if where in inside else len(rows)) for where, rows in cut.rows.items()}
        yield from self._together(cut, before, marked=cut.rows.keys() - inside.keys())
        for where, (begin, end) in inside.items():
            yield from self._apart(cut, where, begin, end)
        behind = {where: (end, len(cut.rows[where])) for where, (_, end) in inside.items()}
        yield from self._together(cut, behind, marked=inside)

    def advance(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Records before these offsets are about to count as performed: no commit carries a doubt of them any more."""
        if not (self._doubts or self._unproven or self._to_meet):
            return
        for where, offset in next_offsets.items():
            doubt = self._doubts.get(where)
            if doubt and offset > doubt.since:
                self._doubts[where] = Doubt(offset, doubt.until)
                if offset >= doubt.until:
                    del self._doubts[where]
            if offset > self._unproven.get(where, offset):
                del self._unproven[where]
            if where in self._to_meet and offset > self._to_meet[where][-1]:
                del self._to_meet[where]

    def _concerned(self, where: TopicPartition, offset: int) -> bool:
        """Whether anything before this offset is to be looked at."""
        doubt = self._doubts.get(where)
        begun = offset > doubt.since if doubt else offset > self._unproven.get(where, offset)
        return begun or where in self._to_meet

    def _together(
        self, cut: "_Cut", bounds: Mapping[TopicPartition, tuple[int, int]], marked: Collection[TopicPartition]
    ) -> Iterator[Piece]:
        """One piece of all these rows; of marked partitions nobody knows yet whether theirs can be performed."""
        wanted = {
            where: (begin, end) for where, (begin, end) in bounds.items() if begin < end or not len(cut.rows[where])
        }
        if not wanted:
            return
        begun = {}
        alone = sum(end - begin for begin, end in wanted.values()) == 1
        for where in marked & wanted.keys() & self._unproven.keys():
            begin, end = wanted[where]
            fresh = cut.offsets(where, max(begin, cut.at(where, self._unproven[where])), end)
            if len(fresh):
                begun[where] = _doubt(fresh, tries=int(alone))
        yield Piece(cut.polled_of(wanted), begun)

    def _apart(self, cut: "_Cut", where: TopicPartition, begin: int, end: int) -> Iterator[Piece]:
        """Rows in doubt, few at a time."""
        count = end - begin
        size = 1 if count <= self.few else isqrt(count)
        doubt = self._doubts[where]
        for first in range(begin, end, size):
            after = min(first + size, end)
            begun = _doubt(cut.offsets(where, first, after), tries=int(size == 1))
            same = (begun.since, begun.until) == (doubt.since, doubt.until)
            if same and self._guilty(doubt):
                yield self._quarantined(cut, where, first, doubt)
                continue
            if same:
                begun = attrs.evolve(doubt, tries=doubt.tries + 1)
            yield Piece(cut.polled_of({where: (first, after)}), {where: begun})

    def _guilty(self, doubt: Doubt) -> bool:
        return doubt.tries - doubt.survived >= self.attempts or doubt.tries >= LENIENCE * self.attempts

    def _quarantined(self, cut: "_Cut", where: TopicPartition, at: int, doubt: Doubt) -> Piece:
        """A record that is never run again, as one that can't be read; what lies behind it is as unknown as it was."""
        polled = cut.refused(where, at, _judgement(doubt))
        offset = cut.offsets(where, at, at + 1).item()
        self.journal.error(
            "a record was quarantined: every process that ran it ended; it is among the dead letters",
            stage=self.stage,
            topic=where.topic,
            partition=where.partition,
            offset=offset,
        )
        self.meter.count("quarantined_records_total", stage=self.stage)
        self._aside[where] = (*self._aside.get(where, ()), offset)
        self._unproven[where] = polled.next_offsets[where]
        return Piece(polled)


@attrs.frozen
class _Cut:
    """What was polled, by partition."""

    polled: Polled
    rows: Mapping[TopicPartition, pl.DataFrame]
    """Columns of _ROW in offset order; none where all of a partition's were quarantined before."""

    @classmethod
    def of(cls, polled: Polled, aside: Mapping[TopicPartition, Collection[int]]) -> "_Cut":
        """All rows but those that are set aside."""
        by_partition = pl.concat(_parts(polled)).partition_by("topic", "partition", as_dict=True, include_key=False)
        rows = {where: pl.DataFrame(schema=_ROW) for where in polled.next_offsets}
        for (topic, number), own in by_partition.items():
            where = TopicPartition(topic, number)
            rows[where] = own.filter(~own["offset"].is_in(list(aside.get(where, ())))).sort("offset")
        return cls(polled, rows)

    def offsets(self, where: TopicPartition, begin: int, end: int) -> pl.Series:
        """Offsets of the rows between these positions."""
        return self.rows[where]["offset"].slice(begin, max(end - begin, 0))

    def at(self, where: TopicPartition, offset: int) -> int:
        """Position of the first row at or behind an offset."""
        return self.rows[where]["offset"].search_sorted(offset, side="left")

    def after(self, where: TopicPartition, end: int) -> int:
        """The offset of the row at this position; behind the last one, where the partition goes on."""
        offsets = self.rows[where]["offset"]
        return int(offsets[end]) if end < len(offsets) else self.polled.next_offsets[where]

    def polled_of(self, bounds: Mapping[TopicPartition, tuple[int, int]]) -> Polled:
        """Only the rows between these positions, in the order in which they came."""
        within = pl.concat([self.rows[where].slice(begin, end - begin) for where, (begin, end) in bounds.items()])
        wanted = {part: own["at"].sort() for (part,), own in within.partition_by("part", as_dict=True).items()}
        raw, unreadable = self.polled.raw, self.polled.unreadable
        return Polled(
            raw.taken(wanted[RAW]) if raw and RAW in wanted else None,
            tuple(_records(own, wanted[part]) for part, own in enumerate(self.polled.records, TYPED) if part in wanted),
            {where: self.after(where, end) for where, (_, end) in bounds.items()},
            _unreadable(unreadable, wanted[UNREADABLE]) if unreadable and UNREADABLE in wanted else None,
        )

    def refused(self, where: TopicPartition, at: int, message: str) -> Polled:
        """One row, refused."""
        one = self.polled_of({where: (at, at + 1)})
        events = one.raw or (one.unreadable.events if one.unreadable else _as_events(one.records[0]))
        refusal = Refusal(event=0, index=-1, reason=Reason.QUARANTINE, field="", message=message)
        return Polled(next_offsets=one.next_offsets, unreadable=Unreadable(events, Refusals.of([refusal])))


def _parts(polled: Polled) -> Iterator[pl.DataFrame]:
    """Where each record of each part lies: `topic`, `partition` and _ROW."""
    for part, events in ((RAW, polled.raw), (UNREADABLE, polled.unreadable and polled.unreadable.events)):
        if events:
            yield _part(part, events.topics, events.partitions, events.offsets)
    for part, records in enumerate(polled.records, TYPED):
        topics = pl.Series([records.topic]).new_from_index(0, len(records))
        yield _part(part, topics, records.partition, records.offset)


def _part(part: int, topics: pl.Series, partitions: pl.Series, offsets: pl.Series) -> pl.DataFrame:
    rows = pl.DataFrame({"topic": topics, "partition": partitions, "offset": offsets})
    return rows.with_columns(pl.lit(part, pl.Int32).alias("part"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"))


def _place(where: TopicPartition, doubt: Doubt) -> dict[str, object]:
    """Which records are in doubt, as a log line has it."""
    records = {"since": doubt.since, "until": doubt.until, "tries": doubt.tries}
    return {"topic": where.topic, "partition": where.partition, **records}


def _doubt(offsets: pl.Series, tries: int) -> Doubt:
    return Doubt(int(offsets[0]), int(offsets[-1]) + 1, tries)


def _judgement(doubt: Doubt) -> str:
    return (
        f"{doubt.tries} processes in a row ended while they ran this record alone, so it was set aside; "
        "replay it once what ends them is mended"
    )


def _records(records: Records, rows: pl.Series) -> Records:
    facts = type(records.facts)(records.facts.frame[rows])
    return Records(records.topic, records.partition[rows], records.offset[rows], facts)


def _unreadable(unreadable: Unreadable, rows: pl.Series) -> Unreadable:
    refused = unreadable.refusals.frame.filter(pl.col("event").is_in(rows.to_list()))
    moved = pl.col("event").replace_strict({row: at for at, row in enumerate(rows)}, return_dtype=pl.Int32)
    return Unreadable(unreadable.events.taken(rows), Refusals(refused.with_columns(moved)))


def _as_events(records: Records) -> RawEvents:
    """Facts as JSON, since their bytes are the log's own."""
    lines = records.facts.frame.write_ndjson().encode().splitlines()
    return RawEvents(
        topics=[records.topic] * len(lines),
        partitions=records.partition,
        offsets=records.offset,
        timestamps_us=[0] * len(lines),
        values=lines,
    )
