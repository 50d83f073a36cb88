"""
Requests to compute windows anew: for late and corrected ticks, and for backfills.

They wait in the order in which they came, and only some are served a turn: a burst of a day's late data must not keep
the live path waiting. What was asked for together waits instrument by instrument, each from its first window on: a turn
then folds few coarser bars, whole stretches of them, and reads ticks that lie together. Asked for again while it waits,
a window waits once. What waits is remembered by its offset, so that a restart asks again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column, micros
from domain.gold.bar import Cause
from domain.gold.interval import MINUTE_US, Interval, minute_of, period_code
from domain.identity import SERIES


@attrs.frozen(kw_only=True)
class RecomputeRequest:
    """One base window of one instrument that must be computed from stored ticks. Source: contracts.md §3."""

    tenant_id: str = column(pl.String, "Whose data.")
    instrument_id: str = column(pl.String, "The price series.")
    interval: str = column(pl.String, "The base interval, e.g. 5m.")
    interval_start: datetime = column(INSTANT, "First instant of the window.")
    reason: str = column(pl.String, "late, correction or backfill.")
    cause: str = column(pl.String, "What asked for it: raw coordinates of the tick, or a job id.")
    series: str = column(SERIES, "Key of the event: tenant_id|instrument_id.", stored=False)


class RecomputeRequests(Batch[RecomputeRequest]):
    """Windows to compute anew. Order and repetition mean nothing."""

    fact = RecomputeRequest


def requests_for(late: pl.DataFrame, corrects: pl.Series, base: Interval) -> RecomputeRequests:
    """
    Ask for the windows of late ticks, once each.

    Args:
        late: Open-tick columns of domain.gold.window, in order of arrival.
        corrects: Whether each is known to change a tick that is in its bar; a window any tick corrects is a correction.
        base: The finest interval.
    """
    windows = (
        late.with_columns(corrects=corrects)
        .group_by("window", maintain_order=True)
        .agg(
            pl.col("tenant_id", "instrument_id", "series", "raw_topic", "raw_partition", "raw_offset").first(),
            pl.col("corrects").any(),
        )
    )
    return RecomputeRequests(
        windows.select(
            "tenant_id",
            "instrument_id",
            pl.lit(base.name).alias("interval"),
            (minute_of(pl.col("window")) * MINUTE_US).cast(INSTANT).alias("interval_start"),
            pl.when("corrects")
            .then(pl.lit(Cause.CORRECTION.value))
            .otherwise(pl.lit(Cause.LATE.value))
            .alias("reason"),
            pl.concat_str("raw_topic", pl.lit("/"), "raw_partition", pl.lit("/"), "raw_offset").alias("cause"),
            "series",
        )
    )


WAITING: dict[str, Any] = {
    "series": SERIES,
    "start": INSTANT,
    "end": INSTANT,
    "cause": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
}
"""A window to compute anew, why, and where the request was read."""


@attrs.frozen
class Served:
    """Windows to compute anew in this turn, and what goes on waiting."""

    windows: pl.DataFrame
    rest: "Waiting"
    due: int
    """How many of those that go on waiting do so for their turn, and not for their window's end."""


@attrs.frozen
class Waiting:
    """Windows that wait for their turn, first come, first served. A value; changes return the next."""

    windows: pl.DataFrame = attrs.field(factory=lambda: pl.DataFrame(schema=WAITING))

    def joined_by(self, windows: pl.DataFrame) -> "Waiting":
        """These windows (WAITING) wait too, instrument by instrument; those that do already keep their place and cause."""
        if not windows.height:
            return self
        both = pl.concat([self.windows, windows[period_code(windows["series"], windows["start"]).arg_sort()]])
        return Waiting(both[period_code(both["series"], both["start"]).arg_unique()])

    def served(self, most: int, closing: pl.Series, still_open: pl.Series) -> "Served":
        """
        The first windows, at most so many, and what goes on waiting.

        What is computed from stored ticks knows some that were not announced yet, and may lack others that are: of a
        process that stood still with it, the bar may come above the one the next owner closes the window with. So a
        window waits until its seal is stored: what is computed then knows all that any bar before it knew.

        Args:
            most: How many.
            closing: Period codes of the windows that are closed in this turn.
            still_open: Period codes of the windows that are open after it.
        """
        if not self.windows.height:
            return Served(self.windows, self, 0)
        code = period_code(self.windows["series"], self.windows["start"])
        held = code.is_in(still_open.unique().implode())
        early = held | code.is_in(closing.unique().implode())
        ready = self.windows.filter(~early)
        rest = Waiting(pl.concat([self.windows.filter(early), ready.slice(most)]))
        return Served(ready.head(most), rest, len(rest) - int(held.sum()))

    def without(self, partitions: Collection[int]) -> "Waiting":
        """What remains when partitions are taken away."""
        return Waiting(self.windows.filter(~self.windows["partition"].is_in(list(partitions))))

    def floors(self, positions: Mapping[int, int]) -> dict[int, int]:
        """The first offset that still waits in each partition, its position where none does."""
        if not self.windows.height:
            return dict(positions)
        first = self.windows.group_by("partition").agg(pl.col("offset").min())
        return {**positions, **dict(first.iter_rows())}

    def __len__(self) -> int:
        return self.windows.height


def base_windows(requests: pl.DataFrame, base: Interval) -> pl.DataFrame:
    """
    The base windows that requests ask for, once each, even where the finest interval has changed since they asked.

    Args:
        requests: Columns of RecomputeRequest, `partition` and `offset` of each.
        base: The finest interval.

    Returns:
        Columns of WAITING, `cause` being the first request's reason.
    """
    length = timedelta(minutes=base.minutes)
    asked = pl.duration(minutes=pl.col("minutes"))
    return (
        requests.with_columns(_minutes(requests["interval"]))
        .with_columns(
            pl.datetime_ranges(
                pl.col("interval_start").dt.truncate(f"{base.minutes}m"),
                pl.col("interval_start") + asked,
                length,
                closed="left",
            ).alias("start")
        )
        .explode("start")
        .select("series", "start", "partition", "offset", end=pl.col("start") + length, cause="reason")
        .select(WAITING.keys())
        .unique(["series", "start"], keep="first", maintain_order=True)
    )


def halved(windows: pl.DataFrame, some: pl.Series) -> Sequence[pl.DataFrame]:
    """
    Windows in two halves: some and the others, or what of one is before the middle of its ticks and what is not.

    Args:
        windows: Columns `series`, `start`, `end`; at least one window.
        some: Instants of some of their ticks; at least one.

    Returns:
        Both halves; empty where the one window is no longer than an instant.
    """
    if windows.height > 1:
        return windows.head(windows.height // 2), windows.slice(windows.height // 2)
    start, end = (int(micros(windows[name])[0]) for name in ("start", "end"))
    middle = max(int(micros(some).sort()[len(some) // 2]), start + 1)
    if middle == end:
        return ()
    cut = pl.Series([middle]).cast(INSTANT)
    return windows.with_columns(cut.alias("end")), windows.with_columns(cut.alias("start"))


def _minutes(names: pl.Series) -> pl.Series:
    return pl.Series("minutes", [Interval.parse(name).minutes for name in names], dtype=pl.Int64)
