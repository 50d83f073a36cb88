"""Where are bars missing, and was the market quiet or its feed dead?"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs
import polars as pl

from application.ports.bar_table import BarTable
from application.ports.clock import Clock
from application.ports.feed_history import FeedHistory
from domain.batch import INSTANT
from domain.errors import BadInterval, DataprocError
from domain.gold.gap import Gap, gaps, periods_within
from domain.gold.interval import BarIntervals, Periods
from domain.gold.taxonomy import InstrumentKey
from domain.identity import SERIES

LONGEST_STATED = timedelta(days=1)
"""A tick's interval may begin so long before the time it still speaks of."""


class UnknownInstrument(DataprocError):
    """No feed ever spoke of it, so nobody can say what its silence means."""


@attrs.frozen
class FindGaps:
    """This will find the periods of an instrument that have no bar, from stored ticks and bars alone."""

    tables: Mapping[str, BarTable]
    """By name of the interval."""
    feeds: FeedHistory
    intervals: BarIntervals
    clock: Clock
    _periods: Periods = attrs.field(init=False, factory=Periods)

    def __call__(self, key: InstrumentKey, interval: str, start: datetime, end: datetime | None) -> list[Gap]:
        """
        Return the gaps among the periods that lie in [start, end) as wholes, ascending.

        Args:
            key: Whose instrument, and which.
            interval: Name of an enabled interval.
            start: First instant.
            end: First instant after; None, and what is later than now: now.

        Raises:
            BadInterval: There are no bars of this interval.
            TooLong: The range holds too many periods.
            UnknownInstrument: No feed ever spoke of it.
            StoreUnavailable: A table can't be reached.
        """
        lengths = {length.name: length for length in self.intervals.all}
        if interval not in lengths:
            raise BadInterval(f"there are no bars of {interval!r}; there are of {', '.join(lengths)}")
        last = min(end or self.clock.now(), self.clock.now())
        sources = self.feeds.sources(key)
        if not sources:
            raise UnknownInstrument(f"tenant {key.tenant_id} has no tick of {key.instrument_id}; check the name")
        if last <= start:
            return []
        series = pl.Series([f"{key.tenant_id}|{key.instrument_id}"], dtype=pl.String).cast(SERIES)
        periods = periods_within(self._periods, lengths[interval], series, start, last)
        window = pl.DataFrame(
            [series.alias("series"), pl.Series("start", [start], INSTANT), pl.Series("end", [last], INSTANT)]
        )
        bars = self.tables[interval].within(window).frame["interval_start"]
        spoken = self.feeds.spoken(key.tenant_id, sources, start - LONGEST_STATED, last, self.intervals.base.minutes)
        return gaps(periods, bars, spoken)
