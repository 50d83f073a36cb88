"""Folding ticks and bars in tests, from single facts to single facts."""

from collections.abc import Iterable
from functools import partial

import polars as pl

from domain.gold.bar import BarBatch, Cause, fold, gathered, parts_of_bars
from domain.gold.interval import Interval, Periods
from domain.gold.settling import settle
from domain.gold.window import digests, in_order, parts_of_ticks, winners
from domain.silver.tick import Tick, TickBatch


def parts_of(ticks: Iterable[Tick]) -> pl.DataFrame:
    """The winning ticks as bars of one, in order."""
    frame = TickBatch.of(ticks).frame
    return parts_of_ticks(in_order(winners(frame.with_columns(*digests(frame)))))


def folded(ticks: Iterable[Tick], interval: str = "5m") -> pl.DataFrame:
    """Bars over these ticks."""
    parts = parts_of(ticks)
    return fold(parts, *Periods().bounds(Interval.parse(interval), parts["series"], parts["ts"]))


def folded_in_slices(slices: Iterable[Iterable[Tick]], interval: str = "5m") -> pl.DataFrame:
    """The same of slices of ticks, ascending in time, of which each is gathered by itself."""
    bounds = partial(Periods().bounds, Interval.parse(interval))
    gatherings = [gathered(parts, *bounds(parts["series"], parts["ts"])) for parts in map(parts_of, slices)]
    parts = pl.concat(gatherings)
    return fold(parts, *bounds(parts["series"], parts["open_ts"]))


def refolded(bars: BarBatch, interval: str) -> pl.DataFrame:
    """Coarser bars over these."""
    parts = parts_of_bars(bars)
    return fold(parts, *Periods().bounds(Interval.parse(interval), parts["series"], parts["interval_start"]))


def settled(
    bars: pl.DataFrame,
    interval: str = "5m",
    *,
    closed: bool = True,
    cause: Cause = Cause.LIVE,
    stored: BarBatch | None = None,
) -> tuple[BarBatch, list[str]]:
    """These bars beside what is stored, and how each stands to it."""
    decided = bars.with_columns(closed=pl.lit(closed), cause=pl.lit(cause.value))
    found = settle(decided, interval, stored or BarBatch.empty())
    return found.rows, found.change.to_list()


def bars_over(ticks: Iterable[Tick], interval: str = "5m") -> BarBatch:
    """Final bars over these ticks."""
    return settled(folded(ticks, interval), interval)[0]
