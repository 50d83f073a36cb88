"""
Bar intervals and the calendars their days follow.

Shorter bars are aligned in UTC; a day runs from midnight to midnight of its market's clock, so it may have 23 or
25 hours. The finest interval is the base: bars of it are made of ticks, every coarser bar is folded from the bars of
a finer interval that tiles it. Source: contracts.md §2, periods.
"""

import re
from collections.abc import Iterable
from typing import TypeVar, cast

import attrs
import polars as pl

from domain.batch import INSTANT, micros
from domain.errors import BadInterval
from domain.identity import ByCode
from domain.time import LOCAL, in_utc

HOUR_MIN = 60
DAY_MIN = 24 * HOUR_MIN
LONGEST_ALIGNED_MIN = 12 * HOUR_MIN
MINUTE_US = 60_000_000
UTC = "UTC"

MARKET_CLOCKS = {
    "MISO": "Etc/GMT+5",
    "CAISO": "America/Los_Angeles",
    "ERCOT": "America/Chicago",
    "PJM": "America/New_York",
    "NYISO": "America/New_York",
    "ISONE": "America/New_York",
    "AESO": "America/Edmonton",
}
"""Whose midnight begins a market's day, by the first part of an instrument_id; every other instrument's day is UTC."""

MINUTES = 1 << 27
"""How many minutes a period code can tell apart: until 2225."""
MINUTES_BEFORE = 2 * DAY_MIN
"""The local day of the first instants of 1970 begins before them."""

C = TypeVar("C", pl.Series, pl.Expr)

_NAME = re.compile(r"([1-9]\d{0,3})([mhd])")
_MINUTES = {"m": 1, "h": HOUR_MIN, "d": DAY_MIN}


@attrs.frozen(order=True)
class Interval:
    """One length of bars, e.g. 5m. `minutes` of a day is its nominal length."""

    minutes: int
    name: str = attrs.field(order=False)

    @classmethod
    def parse(cls, name: str) -> "Interval":
        """
        Read an interval as operators write it: 1m, 15m, 1h, 1d.

        Raises:
            BadInterval: It can't be read, or is neither a day nor a divisor of a day up to 12 hours.
        """
        match = _NAME.fullmatch(name.strip())
        if not match:
            raise BadInterval(f"{name!r} is no interval; write minutes, hours or a day, e.g. 5m,1h,1d")
        minutes = int(match[1]) * _MINUTES[match[2]]
        if minutes != DAY_MIN and (minutes > LONGEST_ALIGNED_MIN or DAY_MIN % minutes):
            raise BadInterval(
                f"{name!r} does not divide a day; up to 12h an interval must, and the only longer one is 1d"
            )
        return cls(minutes, name.strip())

    @property
    def is_day(self) -> bool:
        """Whether its bars follow a local calendar."""
        return self.minutes == DAY_MIN


@attrs.frozen
class BarIntervals:
    """The enabled intervals, finest first, each coarser one with the finer one that tiles it."""

    base: Interval
    coarser: tuple[tuple[Interval, Interval], ...]
    """(interval, the finer interval it is folded from), in the order they must be folded."""

    @classmethod
    def parse(cls, names: Iterable[str]) -> "BarIntervals":
        """
        Read the enabled intervals in any order.

        Raises:
            BadInterval: None is given, one can't be read, or one does not tile the others.
        """
        enabled = sorted({Interval.parse(name) for name in names})
        if not enabled:
            raise BadInterval("no bar interval is enabled; set at least one, e.g. 5m")
        base = enabled[0]
        if HOUR_MIN % base.minutes:
            raise BadInterval(f"the finest interval must divide an hour, {base.name} does not; add e.g. 5m")
        odd = [interval.name for interval in enabled if interval.minutes % base.minutes]
        if odd:
            raise BadInterval(f"{', '.join(odd)}: no multiple of the finest interval {base.name}")
        coarser = tuple((interval, _tile(interval, enabled[:at])) for at, interval in enumerate(enabled) if at)
        return cls(base, coarser)

    @property
    def all(self) -> tuple[Interval, ...]:
        """Every enabled interval, finest first."""
        return (self.base, *(interval for interval, _ in self.coarser))


def _tile(interval: Interval, finer: list[Interval]) -> Interval:
    # A local day begins on a whole UTC hour, so only what divides an hour tiles it.
    longest = HOUR_MIN if interval.is_day else interval.minutes
    return max(
        tile
        for tile in finer
        if tile.minutes <= longest
        and interval.minutes % tile.minutes == 0
        and (not interval.is_day or HOUR_MIN % tile.minutes == 0)
    )


def clock_of(instrument_id: str) -> str:
    """The clock whose midnight begins an instrument's day: its market's, else UTC."""
    return MARKET_CLOCKS.get(instrument_id.partition(".")[0], UTC)


def period_code(series: pl.Series, instant: pl.Series) -> pl.Series:
    """One Int64 a (series, minute), ascending in time within a series; codes are stable within the process."""
    both = series.to_frame("series").hstack([instant.alias("instant")])
    return both.select_seq(_PERIOD).to_series()


_PERIOD = (
    pl.col("series").to_physical().cast(pl.Int64) * MINUTES
    + pl.col("instant").to_physical() // MINUTE_US
    + MINUTES_BEFORE
).alias("period")
"""One expression: each operation on a column alone costs as much again."""


def minute_of(period: C) -> C:
    """The minute since 1970 in period codes."""
    return period % MINUTES - MINUTES_BEFORE


def series_of(period: pl.Series) -> pl.Series:
    """The series in period codes, as an integer."""
    return period // MINUTES


@attrs.define
class Periods:
    """Which bar an instant belongs to. Remembers each series' clock, which its name alone decides."""

    _clocks: list[str] = attrs.field(factory=lambda: [UTC])
    _clock_of_series: ByCode = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._clock_of_series = ByCode(self._clock_index, pl.Series([-1], dtype=pl.Int16))

    def bounds(self, interval: Interval, series: pl.Series, instant: pl.Series) -> tuple[pl.Series, pl.Series]:
        """
        The half-open period of this interval around each instant.

        Args:
            interval: Which length of bars.
            series: The instants' series (SERIES); only days look at it.
            instant: Instants (INSTANT), no nulls.

        Returns:
            Start and end of each period, INSTANT.
        """
        if interval.is_day:
            return self._days(series, instant)
        length_us = interval.minutes * MINUTE_US
        us = micros(instant)
        start = us - us % length_us
        return start.cast(INSTANT).alias("start"), (start + length_us).cast(INSTANT).alias("end")

    def _days(self, series: pl.Series, instant: pl.Series) -> tuple[pl.Series, pl.Series]:
        clock = self._clock_of_series.of(series)
        found = clock.unique().to_list()
        if len(found) == 1:
            return _local_days(instant, self._clocks[found[0]])
        start = end = pl.Series([None], dtype=instant.dtype).new_from_index(0, len(instant))
        for index in found:
            rows = (clock == index).arg_true()
            starts, ends = _local_days(instant[rows], self._clocks[index])
            start, end = start.scatter(rows, starts), end.clone().scatter(rows, ends)
        return start.alias("start"), end.alias("end")

    def _clock_index(self, series: str) -> int:
        clock = clock_of(series.partition("|")[2])
        if clock not in self._clocks:
            self._clocks.append(clock)
        return self._clocks.index(clock)


def _local_days(instant: pl.Series, clock: str) -> tuple[pl.Series, pl.Series]:
    """The local midnights around each instant; each day's are converted once, for conversions are dear."""
    local_day = pl.col("instant").dt.convert_time_zone(clock).dt.date().to_physical()
    day = instant.to_frame("instant").select_seq(local_day).to_series()
    first, last = cast("int", day.min()), cast("int", day.max())
    days = pl.int_range(first, last + 2, dtype=pl.Int32, eager=True).cast(pl.Date).cast(LOCAL)
    midnights = days.to_frame("day").select_seq(in_utc(pl.col("day"), clock, "earliest")).to_series()
    at = day - first
    return midnights[at].alias("start"), midnights[at + 1].alias("end")
