"""Load raw messages from elsewhere into the log, so that an interrupted load can simply be repeated."""

from collections.abc import Iterator

import attrs

from application.ports.event_log import TopicPartition
from application.ports.raw_log import RawLog
from application.ports.raw_source import BadInput, Lines, RawSource
from domain.bronze.raw_event import RawEvents


@attrs.define
class LoadRaw:
    """
    This will append the messages of a source to the log, a batch at a time.

    A message keeps its coordinate, and one that is in the log already is skipped. With `as_new` every message gets a
    fresh offset instead: the same input twice is then a re-delivery of everything.
    """

    source: RawSource
    log: RawLog
    as_new: bool = False
    read: int = attrs.field(init=False, default=0)
    skipped: int = attrs.field(init=False, default=0)
    ids: dict[tuple[str, int, int], str] = attrs.field(init=False, factory=dict)
    """The `id` of each message that has one, by its coordinate in the log."""

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
        ends: dict[TopicPartition, int] = {}
        taken: set[tuple[TopicPartition, int]] = set()
        kept: list[int] = []
        offsets: list[int] = []
        for at, (topic, partition, offset) in enumerate(_coordinates(lines.events)):
            where = TopicPartition(topic, partition)
            end = ends[where] if where in ends else self.log.end(where)
            if self.as_new or not lines.placed[at]:
                offset = end  # noqa: PLW2901  (the next one instead of its own)
            elif offset < end:
                if (where, offset) not in taken and not self.log.holds(where, offset):
                    raise BadInput(_out_of_order(lines.places[at], where, offset, end))
                continue
            ends[where] = offset + 1
            taken.add((where, offset))
            kept.append(at)
            offsets.append(offset)
            if at in lines.ids:
                self.ids[topic, partition, offset] = lines.ids[at]
        self.skipped += len(lines.events) - len(kept)
        if kept:
            part = lines.events if len(kept) == len(lines.events) else lines.events.taken(kept)
            self.log.append(attrs.evolve(part, offsets=offsets))


def _out_of_order(place: str, where: TopicPartition, offset: int, end: int) -> str:
    return (
        f"{place}: {where.topic}/{where.partition}/{offset} lies below the end {end} of its partition and is not in the "
        "log; give all files in one command so that they are merged, or load with --as-new, which gives every line a "
        "fresh offset"
    )


def _coordinates(events: RawEvents) -> Iterator[tuple[str, int, int]]:
    return zip(events.topics, events.partitions, events.offsets, strict=True)
