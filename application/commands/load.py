"""Load raw messages from elsewhere into the log, so that an interrupted load can simply be repeated."""

from collections.abc import Iterator

import attrs
import polars as pl

from application import topics
from application.ports.clock import Clock
from application.ports.event_log import TopicPartition
from application.ports.raw_log import RawLog
from application.ports.raw_source import BadInput, Lines, RawSource
from domain.batch import INSTANT, micros

PLACE = ("topic", "partition")


@attrs.define
class LoadRaw:
    """
    This will append the messages of a source to the log, a batch at a time.

    A message keeps its coordinate, and one that is in the log already is skipped. With `as_new` every message gets a
    fresh offset instead: the same input twice is then a re-delivery of everything. One that doesn't say when it was
    recorded is recorded when it is loaded, as a broker stamps a producer's record.
    """

    source: RawSource
    log: RawLog
    clock: Clock
    as_new: bool = False
    read: int = attrs.field(init=False, default=0)
    skipped: int = attrs.field(init=False, default=0)
    ids: dict[tuple[str, int, int], str] = attrs.field(init=False, factory=dict)
    """The `id` of each message that has one, by its coordinate in the log."""
    _begun: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    """Where each partition's end was before anything was appended to it here."""

    def batches(self, at_most: int) -> Iterator[int]:
        """
        Append `at_most` messages at a time, and yield how many were read each time.

        Raises:
            BadInput: A line is no raw message, or lies below the log's end and is not in the log.
        """
        for lines in self.source.lines(at_most):
            self._append(lines)
            self.read += len(lines.events)
            yield len(lines.events)

    def _append(self, lines: Lines) -> None:
        self._refuse_unknown_topics(lines)
        offsets = self._placed(lines)
        self._note_ids(lines, offsets)
        kept = offsets.is_not_null().arg_true()
        self.skipped += len(offsets) - len(kept)
        if not len(kept):
            return
        part = lines.events if len(kept) == len(offsets) else lines.events.taken(kept)
        stamps = part.timestamps_us.fill_null(self._now_us())
        self.log.append(attrs.evolve(part, offsets=offsets.drop_nulls(), timestamps_us=stamps))

    def _note_ids(self, lines: Lines, offsets: pl.Series) -> None:
        """Ids by where the messages go, those that are skipped by where the log holds them; of several the first counts."""
        where = offsets.zip_with(offsets.is_not_null(), lines.events.offsets)
        for at, name in lines.ids.items():
            self.ids.setdefault((lines.events.topics[at], lines.events.partitions[at], where[at]), name)

    def _now_us(self) -> int:
        return int(micros(pl.Series([self.clock.now()], dtype=INSTANT))[0])

    @staticmethod
    def _refuse_unknown_topics(lines: Lines) -> None:
        known = lines.events.topics.is_in(topics.RAW)
        if not known.all():
            at = (~known).arg_true()[0]
            raise BadInput(
                f"{lines.places[at]}: nobody reads the topic {lines.events.topics[at]!r}, so its messages would be lost; "
                f"raw topics are {', '.join(topics.RAW)}"
            )

    def _placed(self, lines: Lines) -> pl.Series:
        """The offset each message goes to; null for one that is in the log already."""
        events = lines.events
        frame = pl.DataFrame({"topic": events.topics, "partition": events.partitions, "offset": events.offsets})
        places = frame.unique(PLACE).select(PLACE)
        ends = places.with_columns(end=pl.Series([self._end(TopicPartition(*place)) for place in places.iter_rows()]))
        frame = frame.join(ends, on=PLACE, how="left", maintain_order="left")
        if self.as_new:
            return frame.select(pl.col("end") + pl.int_range(pl.len()).over(PLACE)).to_series()
        before = pl.max_horizontal(pl.col("end") - 1, pl.col("offset").cum_max().shift(1).over(PLACE))
        if all(lines.placed) and frame.select((pl.col("offset") > before).all()).item():
            return events.offsets
        return pl.Series(self._one_by_one(lines, frame["end"]), dtype=pl.Int64)

    def _one_by_one(self, lines: Lines, ends: pl.Series) -> list[int | None]:
        """The same for messages that lie below an end, or carry no offset."""
        following: dict[tuple[str, int], int] = {}
        taken: set[tuple[str, int, int]] = set()
        offsets: list[int | None] = []
        events = lines.events
        for at, (topic, partition, own, log_end) in enumerate(
            zip(events.topics, events.partitions, events.offsets, ends, strict=True)
        ):
            end = following.get((topic, partition), log_end)
            offset = own if lines.placed[at] else end
            if offset < end:
                where = TopicPartition(topic, partition)
                if (topic, partition, offset) not in taken and not self.log.holds(where, offset):
                    raise BadInput(self._out_of_order(lines.places[at], where, offset, end))
                offsets.append(None)
                continue
            following[topic, partition] = offset + 1
            taken.add((topic, partition, offset))
            offsets.append(offset)
        return offsets

    def _end(self, where: TopicPartition) -> int:
        end = self.log.end(where)
        self._begun.setdefault(where, end)
        return end

    def _out_of_order(self, place: str, where: TopicPartition, offset: int, end: int) -> str:
        if offset < self._begun[where]:
            why = "which an earlier load has reached; load everything in one command into a new folder"
        else:
            why = (
                "which an earlier line has reached; load a file whose lines all carry offsets, for that is put in order"
            )
        return (
            f"{place}: {where.topic}/{where.partition}/{offset} is not in the log and lies below the end {end} of its "
            f"partition, {why}, or load with --as-new, which gives every line a fresh offset"
        )
