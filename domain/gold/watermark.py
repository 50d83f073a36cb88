"""
Watermarks and seals: when a window closes, and what is late.

A *feed* (a source within a tenant and a partition) speaks of ever later instants. Its **watermark** is the highest
instant it has spoken of, less the lateness its policy allows; it rises row by row, so nothing depends on how rows
were batched, and it lives in memory only. A window closes when the watermark of the feed of any of its ticks reaches
its end; with it close all earlier windows of its instrument.

An instrument's **seal** is the end up to which its windows are closed. It is durable, and it alone decides what is
late: a tick is late when its window ends at or before the seal, whatever any watermark says now. A watermark that
dies with its process can't, else a restart would find other ticks late than the run before it.

Within a batch this is computed without a loop: each tick tells at which row its feed's watermark reaches the end of
its window; the least of them within a window, and within all later windows of the instrument, is the row at which
the window closes. Ticks that are late themselves may take part: their windows are closed already, and change no minimum.
"""

from collections.abc import Mapping
from datetime import datetime

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column
from domain.gold.interval import series_of
from domain.gold.lateness import Delays
from domain.identity import NAME, SERIES, covering

NEVER = 1 << 30
"""A row after every row of a batch."""

NEVER_CLOSES = pl.Series("closes", [NEVER], dtype=pl.Int64)
_NO_SEAL = pl.Series([-1], dtype=pl.Int64)
_FEED = pl.Series([1 << 64], dtype=pl.Int128)
_AFTER_1970 = pl.Series([1 << 60], dtype=pl.Int128)


@attrs.frozen(kw_only=True)
class Seal:
    """Up to where an instrument's base windows are closed. Source: contracts.md §4, bar_seals; the maximum wins."""

    tenant_id: str = column(pl.String, "Whose data.")
    instrument_id: str = column(pl.String, "The price series.")
    partition: int = column(pl.Int32, "Partition of the tick topic that carries it.")
    sealed_until: datetime = column(INSTANT, "End of its last closed base window.")
    series: str = column(SERIES, "tenant_id|instrument_id.", stored=False)


class Seals(Batch[Seal]):
    """Seals of many instruments."""

    fact = Seal


@attrs.frozen
class SealBook:
    """Seals by series, for quick lookup. Missing: nothing of the instrument is closed."""

    _until: pl.Series = attrs.field(factory=lambda: pl.Series([], dtype=pl.Int64))

    def until(self, series: pl.Series) -> pl.Series:
        """The seal of each series in µs since 1970, -1 where it has none."""
        codes = series.to_physical()
        return covering(self._until, codes, _NO_SEAL)[codes].alias("seal")

    def raised(self, series: pl.Series, until_us: pl.Series) -> "SealBook":
        """These seals too; a seal never falls. Each series at most once."""
        codes = series.to_physical()
        known = covering(self._until, codes, _NO_SEAL).clone()
        before = known[codes]
        return SealBook(known.scatter(codes, until_us.zip_with(until_us > before, before)))


@attrs.frozen
class Mark:
    """A feed's watermark, and when it was last heard."""

    watermark_us: int
    heard_at_s: float
    """Monotonic seconds."""
    lateness_us: int
    idle_s: float
    highest_us: int | None = None
    """The highest instant it has spoken of, once it rose above what it had begun with."""
    policy_us: int | None = None
    """What its policy allows it to be late, where that may follow what is observed."""
    delays: Delays = attrs.field(factory=Delays)

    def silent(self, now_s: float) -> bool:
        """Whether the feed has not been heard for as long as it may be."""
        return now_s - self.heard_at_s >= self.idle_s

    def risen(self, watermark_us: int) -> "Mark":
        """The same after ticks have come, which may have raised the watermark."""
        if watermark_us <= self.watermark_us:
            return self
        return attrs.evolve(self, watermark_us=watermark_us, highest_us=watermark_us + self.lateness_us)


@attrs.frozen
class Timeline:
    """How the watermarks of the feeds of one batch rise, row by row."""

    feeds: pl.Series
    """Their codes, ascending."""
    _marks: pl.Series
    """Feed number and watermark in one ascending integer, so that one search answers for all feeds."""
    _rows: pl.Series
    _ends: pl.Series

    @classmethod
    def of(cls, feed: pl.Series, ts_us: pl.Series, marks: Mapping[int, Mark]) -> "Timeline":
        """
        Let feeds speak.

        Args:
            feed: Feed code of each row, in order of arrival.
            ts_us: The instant each row speaks of.
            marks: What is known of the feeds, at least of those that speak here, from before.
        """
        feeds = feed.unique().sort()
        number = _number(feeds, feed)
        lateness = pl.Series([marks[code].lateness_us for code in feeds], dtype=pl.Int64)
        before = pl.Series([marks[code].watermark_us for code in feeds], dtype=pl.Int64)
        numbers = pl.concat([pl.int_range(len(feeds), eager=True), number])
        rows = pl.concat(
            [pl.Series([-1], dtype=pl.Int64).new_from_index(0, len(feeds)), pl.int_range(len(feed), eager=True)]
        )
        levels = pl.concat([before, ts_us - lateness[number]])
        order = (numbers * (len(feed) + 1) + rows + 1).arg_sort()
        rising = _mark(numbers, levels)[order].cum_max()
        ends = rising.search_sorted((pl.int_range(1, len(feeds) + 1, eager=True).cast(pl.Int128)) * _FEED)
        return cls(feeds, rising, rows[order], ends)

    def watermarks(self) -> list[int]:
        """Each feed's watermark after the last row, in µs, in the order of `feeds`."""
        numbers = pl.int_range(len(self.feeds), eager=True).cast(pl.Int128)
        return (self._marks[self._ends - 1] - numbers * _FEED - _AFTER_1970).to_list()

    def reaches(self, feed: pl.Series, instant_us: pl.Series) -> pl.Series:
        """The row at which each feed's watermark reaches each instant: -1 before the first, NEVER where it does not."""
        number = _number(self.feeds, feed)
        levels = pl.Series(self.watermarks(), dtype=pl.Int64)
        reached = (self.feeds[number] == feed) & (instant_us <= levels[number])
        rows = NEVER_CLOSES.new_from_index(0, len(feed))
        if reached.any():
            rows = rows.scatter(reached.arg_true(), self._row_of(number.filter(reached), instant_us.filter(reached)))
        return rows.alias("reached")

    def _row_of(self, number: pl.Series, instant_us: pl.Series) -> pl.Series:
        """The row at which each of these levels is reached. Many ask for few: each is searched once."""
        levels = _mark(number, instant_us)
        asked = levels.unique().sort()
        rows = self._rows[self._marks.search_sorted(asked, side="left")]
        return rows[asked.search_sorted(levels)]


def _number(feeds: pl.Series, feed: pl.Series) -> pl.Series:
    """Where each feed stands among these, which ascend; anywhere where it does not."""
    if len(feeds) == 1:
        return pl.Series([0], dtype=pl.Int64).new_from_index(0, len(feed))
    place = feeds.search_sorted(feed).cast(pl.Int64)
    return place - (place == len(feeds)).cast(pl.Int64)


def _mark(number: pl.Series, level_us: pl.Series) -> pl.Series:
    return number.cast(pl.Int128) * _FEED + level_us.cast(pl.Int128) + _AFTER_1970


def closing_rows(window: pl.Series, row: pl.Series, reached: pl.Series) -> pl.Series:
    """
    At which row the window of each tick closes.

    Args:
        window: Window of each tick: the period code of its start.
        row: At which row the tick arrived; -1 for one of an earlier batch.
        reached: At which row its feed's watermark reaches the window's end, NEVER where it does not.

    Returns:
        The row, NEVER for a window that stays open.
    """
    latest = window.arg_sort(descending=True)
    windows = window[latest]
    at = reached.zip_with(reached > row, row)[latest]
    # Windows descend, so the series code of the composite only falls: its running minimum starts anew at each series.
    floor = series_of(windows) * (1 << 31)
    closes = (floor + at).cum_min() - floor
    # The last tick of a window has seen them all.
    is_last = windows != windows.shift(-1, fill_value=-1)
    last = is_last.arg_true()[windows.rle_id()]
    return NEVER_CLOSES.new_from_index(0, len(window)).scatter(latest, closes[last])


def feed_code(partition: pl.Series, tenant_id: pl.Series, source_id: pl.Series) -> pl.Series:
    """One integer a feed, stable within the process."""
    source, tenant = (name.cast(NAME).to_physical().cast(pl.Int64) for name in (source_id, tenant_id))
    return (source * (1 << 36) + tenant * (1 << 12) + partition).alias("feed")


def feed_of(feed: int) -> tuple[str, str, int]:
    """The tenant, the source_id and the partition in a feed code."""
    source, tenant = (
        pl.Series([code], dtype=pl.UInt32).cat.to(NAME).cast(pl.String).item()
        for code in (feed >> 36, feed >> 12 & (1 << 24) - 1)
    )
    return tenant, source, partition_of(feed)


def partition_of(feed: int) -> int:
    """The partition in a feed code."""
    return feed % (1 << 12)
