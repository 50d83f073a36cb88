"""
Gaps: periods that have no bar, and whether the market was quiet in them or its feed was dead.

A feed spoke of a period if any instrument of it has a tick whose interval meets the period. Then a missing bar says
that nobody traded; otherwise it says nothing about the market. Source: contracts.md §2, a bar's labels.
"""

from datetime import datetime
from enum import StrEnum

import attrs
import polars as pl

from domain.batch import INSTANT
from domain.errors import DataprocError
from domain.gold.interval import HOUR_MIN, MINUTE_US, Interval, Periods

MOST_PERIODS = 100_000
"""Periods that are looked at in one go: a year of 5-minute bars has 105,120."""


class Quiet(StrEnum):
    """Why a period has no bar."""

    NO_TRADES = "NO_TRADES"
    """The feed spoke of that time, and not of this instrument."""
    FEED_GAP = "FEED_GAP"
    """The feed said nothing of that time."""


class TooLong(DataprocError):
    """A range holds more periods than are looked at in one go."""


@attrs.frozen(kw_only=True)
class Gap:
    """Adjacent periods without a bar, for one reason."""

    start: datetime
    end: datetime
    """First instant after the last of them."""
    bars: int
    """How many are missing."""
    reason: Quiet


def periods_within(
    periods: Periods, interval: Interval, series: pl.Series, start: datetime, end: datetime
) -> pl.DataFrame:
    """
    Every period of an interval that lies in [start, end) as a whole: `start` and `end`, ascending.

    Args:
        periods: Knows the calendars of days.
        interval: Which length of bars.
        series: The instrument, one row.
        start: First instant.
        end: First instant after.

    Raises:
        TooLong: There are more than MOST_PERIODS.
    """
    step = min(interval.minutes, HOUR_MIN)
    steps = (end - start).total_seconds() / 60 / step
    if steps > MOST_PERIODS:
        raise TooLong(
            f"{start:%Y-%m-%d} to {end:%Y-%m-%d} holds more than {MOST_PERIODS:,} steps of {step} minutes; ask for less"
        )
    first = pl.Series([start], dtype=INSTANT).to_physical().item() // (step * MINUTE_US) * (step * MINUTE_US)
    instants = pl.int_range(first, first + (int(steps) + 2) * step * MINUTE_US, step * MINUTE_US, eager=True).cast(
        INSTANT
    )
    begin, after = periods.bounds(interval, series.new_from_index(0, len(instants)), instants)
    found = pl.DataFrame([begin.alias("start"), after.alias("end")]).unique("start", maintain_order=True)
    return found.filter(pl.col("start") >= start, pl.col("end") <= end).sort("start")


def gaps(periods: pl.DataFrame, bars: pl.Series, spoken: pl.DataFrame) -> list[Gap]:
    """
    The periods that have no bar, joined where they are adjacent and have one reason.

    Args:
        periods: `start` and `end`, ascending, not overlapping.
        bars: Starts of the bars there are.
        spoken: Times the feed spoke of, closed: `first` and `last`, in any order.
    """
    missing = periods.filter(~periods["start"].is_in(bars.implode()))
    told = missing.with_columns(reason=_reasons(missing, spoken))
    joined = (pl.col("start") == pl.col("end").shift(1)) & (pl.col("reason") == pl.col("reason").shift(1))
    runs = told.with_columns(run=(~joined.fill_null(value=False)).cum_sum())
    found = runs.group_by("run", maintain_order=True).agg(
        pl.col("start").first(), pl.col("end").last(), pl.len().alias("bars"), pl.col("reason").first()
    )
    return [
        Gap(start=start, end=end, bars=count, reason=Quiet(reason))
        for _, start, end, count, reason in found.iter_rows()
    ]


def _reasons(periods: pl.DataFrame, spoken: pl.DataFrame) -> pl.Series:
    """The feed spoke of a period if, of what it said to begin before the period's end, any reaches into it."""
    ordered = spoken.sort("first")
    before = ordered["first"].search_sorted(periods["end"], side="left")
    reach = ordered["last"].to_physical().cum_max()
    furthest = pl.concat([pl.Series([-1], dtype=pl.Int64), reach])[before]
    spoke = furthest >= periods["start"].to_physical()
    reasons = pl.Series([Quiet.FEED_GAP.value, Quiet.NO_TRADES.value])
    return reasons[spoke.cast(pl.UInt32)].alias("reason")
