"""Records of a segment: as they were appended, or as bytes out of the file that are decoded only when they are taken."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Self

import attrs
import polars as pl

from adapters.wire.events import EventCodec
from application.ports.event_log import Records, Unreadable
from domain.batch import Batch
from domain.bronze.raw_event import RawEvents, Refusals

Read = tuple[RawEvents | Records, Unreadable | None]


def _wanted(partition: pl.Series, offset: pl.Series, unread: Mapping[int, int], room: int) -> pl.Series | None:
    """Rows of those at or above these offsets, at most so many; None for all."""
    begin = partition.replace_strict(unread, default=None, return_dtype=pl.Int64)
    wanted = (offset >= begin).fill_null(value=False)
    if wanted.all() and len(wanted) <= room:
        return None
    return wanted.arg_true().head(room)


def _last(partition: pl.Series, offset: pl.Series) -> dict[int, int]:
    """The highest offset of each partition."""
    rows = pl.DataFrame([partition, offset]).group_by("partition").agg(pl.col("offset").max())
    return dict(rows.iter_rows())


@attrs.frozen(eq=False)
class Decoded:
    """Records as they were appended."""

    partition: pl.Series
    offset: pl.Series
    facts: Batch[Any] | RawEvents

    def __len__(self) -> int:
        return len(self.partition)

    def unread(self, unread: Mapping[int, int], room: int) -> Self:
        """Those at or above these offsets by partition, at most so many."""
        at = _wanted(self.partition, self.offset, unread, room)
        if at is None:
            return self
        facts = self.facts.taken(at) if isinstance(self.facts, RawEvents) else type(self.facts)(self.facts.frame[at])
        return type(self)(self.partition[at], self.offset[at], facts)

    def last(self) -> dict[int, int]:
        """The highest offset of each partition."""
        return _last(self.partition, self.offset)

    def read(self, topic: str, _: EventCodec) -> Read:
        """What a poll returns of them."""
        if isinstance(self.facts, RawEvents):
            return self.facts, None
        return Records(topic, self.partition, self.offset, self.facts), None


@attrs.frozen(eq=False)
class Undecoded:
    """Records as they lie in the file: columns `partition`, `offset`, `time` and `value`."""

    topic: str
    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @property
    def offset(self) -> pl.Series:
        """Of each record."""
        return self.frame["offset"]

    def unread(self, unread: Mapping[int, int], room: int) -> Self:
        """Those at or above these offsets by partition, at most so many."""
        at = _wanted(self.frame["partition"], self.frame["offset"], unread, room)
        return self if at is None else type(self)(self.topic, self.frame[at])

    def last(self) -> dict[int, int]:
        """The highest offset of each partition."""
        return _last(self.frame["partition"], self.frame["offset"])

    def read(self, topic: str, codec: EventCodec) -> Read:
        """What a poll returns of them."""
        if not codec.carries(topic):
            return self._events(), None
        found = codec.decode(topic, self.frame["value"].to_list())
        if len(found.kept) == len(self):
            return Records(topic, self.frame["partition"], self.frame["offset"], found.facts), None
        kept = self.frame[list(found.kept)]
        return Records(topic, kept["partition"], kept["offset"], found.facts), self._refused(found.refusals)

    def _refused(self, refusals: Refusals) -> Unreadable:
        rows = refusals.frame["event"].unique(maintain_order=True).sort()
        events = type(self)(self.topic, self.frame[rows])._events()  # noqa: SLF001  (its own kind)
        places = {row: at for at, row in enumerate(rows)}
        event = refusals.frame["event"].replace_strict(places, return_dtype=pl.Int32)
        return Unreadable(events, Refusals(refusals.frame.with_columns(event)))

    def _events(self) -> RawEvents:
        return RawEvents(
            topics=[self.topic] * len(self),
            partitions=self.frame["partition"],
            offsets=self.frame["offset"],
            timestamps_us=self.frame["time"].fill_null(0),
            values=self.frame["value"].to_list(),
        )


def together(parts: Sequence[Unreadable]) -> Unreadable | None:
    """All of them as one; None for none."""
    if not parts:
        return None
    starts = accumulate((len(part) for part in parts), initial=0)
    refusals = [
        part.refusals.frame.with_columns(pl.col("event") + start) for part, start in zip(parts, starts, strict=False)
    ]
    return Unreadable(RawEvents.concat([part.events for part in parts]), Refusals(pl.concat(refusals)))
