"""
Open windows: the distinct ticks of every base window that is not closed yet, in columns.

Statements about one tick key merge by taking the higher version; at equal versions the greater content digest, so the
result is the same whatever came first. Rows remember the partition and offset they were read from: the least offset
of any open window is the floor a restart reads from again.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import attrs
import polars as pl

from domain.batch import INSTANT, micros, schema_of
from domain.gold.bar import ORIGIN, digest_of, notional, weight_of
from domain.gold.interval import MINUTE_US, Interval, minute_of, period_code
from domain.gold.lateness import Adaptation
from domain.gold.watermark import (
    NEVER,
    NEVER_CLOSES,
    Mark,
    SealBook,
    Seals,
    Timeline,
    closing_rows,
    feed_code,
    partition_of,
)
from domain.identity import SERIES, known_at
from domain.silver.feed import UNKNOWN_FEED, FeedPolicies
from domain.silver.quality import BAR_FLAGS, eligible
from domain.silver.tick import Tick, content_digests, key_digests, source_hashes
from domain.time import SECOND_US

TICK_COLUMNS = (
    "series",
    "tenant_id",
    "instrument_id",
    "market",
    "source_id",
    "ts",
    "source_seq",
    "version",
    "price",
    "volume",
    "currency",
    "unit",
    "quality_flags",
    "raw_topic",
    "raw_partition",
    "raw_offset",
)
"""What of a tick a window needs, besides the digests of its key and its content."""

SCHEMA = {
    **{name: schema_of(Tick)[name] for name in TICK_COLUMNS},
    "key": pl.UInt64,
    "content": pl.UInt64,
    "source_hash": pl.UInt64,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "feed": pl.Int64,
    "window": pl.Int64,
    "fresh": pl.Boolean,
}
"""An open tick: what of it counts, the digests, where it was read, its feed, its window, and whether it was told of."""

FRESH = pl.Series("fresh", [True])
EARLIER = pl.Series([-1], dtype=pl.Int64)
NOTHING_YET_US = -(1 << 59)
NO_SEALS = pl.DataFrame(schema={"series": SERIES, "seal": pl.Int64})

KEPT_OF_TICKS = ("series", "tenant_id", "instrument_id", "market", "ts", "volume", "currency", "unit")
ONE_TRADE = pl.Series("trade_count", [1], dtype=pl.UInt64)
_NOT_CONTESTED = pl.Series([False])
_SERIES_FACTOR = pl.Series([0xBF58476D1CE4E5B9], dtype=pl.UInt64)
_TS_FACTOR = pl.Series([0x94D049BB133111EB], dtype=pl.UInt64)


def winners(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Merge statements: one row a tick key, at its highest version.

    Args:
        ticks: Columns `key` (digest), `version`, `content` (digest), and any others.
    """
    if ticks["key"].n_unique() == ticks.height:
        return ticks
    by_version = ticks.select(pl.arg_sort_by("version", "content")).to_series()
    return ticks[by_version.filter(ticks["key"][by_version].is_last_distinct()).sort()]


def in_order(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Sort ticks by (ts, source_seq, version, source hash): within an instrument the first opens, the last closes.

    Source: contracts.md §2, order.
    """
    if contested(ticks).any():
        return ticks.sort("ts", "source_seq", "version", "source_hash")
    instant = micros(ticks["ts"]).cast(pl.Int128) * pl.Series([1 << 64], dtype=pl.Int128)
    place = instant + ticks["source_seq"].cast(pl.Int128)
    return ticks[place.arg_sort()]


def contested(ticks: pl.DataFrame) -> pl.Series:
    """
    Tell which ticks share their instrument, ts and source_seq with another: there, versions decide open and close.

    A repeat of such a tick is no idle word, for its higher version may swap the two. True may also be said of a few
    others, by chance: that costs time and no correctness.

    Args:
        ticks: One row a tick key.
    """
    series, ts = ticks["series"].to_physical().cast(pl.UInt64), micros(ticks["ts"]).cast(pl.UInt64)
    shared = series * _SERIES_FACTOR ^ ts * _TS_FACTOR ^ ticks["source_seq"]
    if shared.n_unique() == len(shared):
        return _NOT_CONTESTED.new_from_index(0, len(shared))
    return shared.is_duplicated()


def parts_of_ticks(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Ticks as bars of one, ready to be folded.

    Args:
        ticks: TICK_COLUMNS, `key` and `content`, in order, one row a tick key.
    """
    price, ts, offset = ticks["price"], ticks["ts"], ticks["raw_offset"]
    origin = ticks.select(pl.concat_str("raw_topic", pl.lit("/"), "raw_partition").cast(ORIGIN)).to_series()
    code = origin.to_physical()
    return ticks[list(KEPT_OF_TICKS)].hstack(
        [
            (ticks["quality_flags"] & int(BAR_FLAGS)).alias("quality_flags"),
            ts.alias("open_ts"),
            ts.alias("close_ts"),
            known_at(ticks["version"]).alias("known_at"),
            *(price.alias(name) for name in ("open_price", "high_price", "low_price", "close_price", "price_sum")),
            notional(price, ticks["volume"]).alias("notional"),
            ONE_TRADE.new_from_index(0, ticks.height),
            weight_of(ticks["version"]).alias("weight"),
            digest_of(ticks["key"], ticks["content"]).alias("lineage_digest"),
            origin.alias("partition"),
            code.alias("lowest_partition"),
            code.alias("highest_partition"),
            offset.alias("first_offset"),
            offset.alias("last_offset"),
        ]
    )


@attrs.frozen
class Waits:
    """How long each feed's windows wait: as its policy says, unless it is overridden."""

    feeds: FeedPolicies
    lateness_s: Mapping[str, float] = attrs.field(factory=dict)
    """By source_id."""
    idle_s: Mapping[str, float] = attrs.field(factory=dict)
    adaptation: Adaptation | None = None
    """How lateness that is not overridden follows what is observed; None where it does not."""

    def mark(self, source_id: str, scope: Sequence[str], now_s: float) -> Mark:
        """A feed that was not heard before: `scope` is its market, data type and run."""
        policy = self.feeds.find(*scope) or UNKNOWN_FEED
        lateness_us = int(self.lateness_s.get(source_id, policy.lateness_s) * SECOND_US)
        idle_s = self.idle_s.get(source_id, policy.idle_s)
        adapts = self.adaptation is not None and source_id not in self.lateness_s
        return Mark(NOTHING_YET_US, now_s, lateness_us, idle_s, policy_us=lateness_us if adapts else None)

    def observing(self, mark: Mark, ts_us: pl.Series, highest_us: int | None) -> Mark:
        """The mark of a feed once these instants came, none of them repeated; `highest_us` it had spoken of before."""
        if self.adaptation is None or mark.policy_us is None or highest_us is None:
            return mark
        delays = mark.delays.joined_by(highest_us - ts_us)
        lateness_us = self.adaptation.lateness_us(mark.policy_us, delays)
        return attrs.evolve(mark, delays=delays, lateness_us=lateness_us)


@attrs.frozen
class Limits:
    """How much open windows may hold back. Beyond it the windows at fault are closed early: what still comes is late."""

    ticks: int = 2_000_000
    """Open ticks in memory."""
    lag: int = 1_000_000
    """Records between a partition's position and its floor, which a restart would read again."""


@attrs.frozen
class Taken:
    """What came of a batch of arrivals."""

    windows: "Windows"
    """What is open afterwards."""
    closed: pl.DataFrame
    """The ticks of the windows that closed."""
    late: pl.DataFrame
    """Arrivals whose window was sealed before, in order of arrival."""
    sealed: Seals
    """Seals that rose."""
    sealed_from: pl.DataFrame
    """`series` and `seal` (µs) of the seals that rose, as they were before; -1 for a first one."""


@attrs.frozen
class Windows:
    """Open windows, and what closes them: watermarks, seals, silence and limits. A value; `take` returns the next."""

    base: Interval
    waits: Waits
    limits: Limits = attrs.field(factory=Limits)
    ticks: pl.DataFrame = attrs.field(factory=lambda: pl.DataFrame(schema=SCHEMA))
    marks: Mapping[int, Mark] = attrs.field(factory=dict)
    seals: SealBook = attrs.field(factory=SealBook)

    def take(self, arrivals: pl.DataFrame, positions: Mapping[int, int], now_s: float) -> Taken:
        """
        Let ticks arrive, and time pass.

        Args:
            arrivals: `arrived` ticks in order of arrival, none of them beyond its feed's horizon.
            positions: Each partition's next offset after them.
            now_s: Monotonic seconds, for silence alone.
        """
        if not arrivals.height and not self.ticks.height:
            return self._passing(arrivals, now_s)
        marks = self._heard(arrivals, now_s)
        held_closes, closes, marks = self._closing(arrivals, marks)
        late = self._late(arrivals, closes)
        ticks = self.ticks.hstack([held_closes])
        if arrivals.height:
            on_time = arrivals[list(SCHEMA)].hstack([closes])
            ticks = winners(pl.concat([ticks, on_time.filter(~late) if late.any() else on_time], rechunk=True))
        silent = {feed for feed, mark in marks.items() if mark.silent(now_s)}
        due = self._due(ticks, silent, positions)
        late_ticks = arrivals.filter(late) if late.any() else arrivals.clear()
        return self._sealing(ticks[list(SCHEMA)], due, late_ticks, {f: m for f, m in marks.items() if f not in silent})

    def _passing(self, nothing: pl.DataFrame, now_s: float) -> Taken:
        """Time goes by, and no window is open."""
        heard = {feed: mark for feed, mark in self.marks.items() if not mark.silent(now_s)}
        return Taken(attrs.evolve(self, marks=heard), self.ticks, nothing, Seals.empty(), NO_SEALS)

    def floors(self, positions: Mapping[int, int]) -> dict[int, int]:
        """The first offset of any open window in each partition, its position where none is open."""
        held = _least_offsets(self.ticks)
        return {**positions, **{p: min(offset, positions.get(p, offset)) for p, offset in held.items()}}

    def without(self, partitions: Collection[int]) -> "Windows":
        """What remains when partitions are taken away."""
        gone = pl.col("partition").is_in(list(partitions))
        marks = {feed: mark for feed, mark in self.marks.items() if partition_of(feed) not in partitions}
        return attrs.evolve(self, ticks=self.ticks.filter(~gone), marks=marks)

    def told(self) -> "Windows":
        """The same, once every touched window has been told of."""
        return attrs.evolve(self, ticks=self.ticks.with_columns(fresh=pl.lit(value=False)))

    def touched(self) -> pl.DataFrame:
        """All ticks of the windows that changed since they were last told of."""
        fresh = self.ticks["window"].filter(self.ticks["fresh"])
        return (
            self.ticks.filter(self.ticks["window"].is_in(fresh.unique().implode()))
            if len(fresh)
            else self.ticks.clear()
        )

    def observing(self, sample: pl.DataFrame, before: Mapping[int, Mark]) -> "Windows":
        """
        The same, once it is counted how late some ticks came; what their feeds are allowed follows that.

        Args:
            sample: `feed` and `ts` of some of the ticks that came last, no repeats among them.
            before: The marks before they came: a batch that spans a day is no day late.
        """
        marks = dict(self.marks)
        for (feed,), rows in sample.group_by("feed"):
            if feed in marks and feed in before:
                marks[feed] = self.waits.observing(marks[feed], micros(rows["ts"]), before[feed].highest_us)
        return attrs.evolve(self, marks=marks)

    def end_us(self, window: pl.Series) -> pl.Series:
        """The first instant after each window, µs."""
        return window_ends_us(window, self.base)

    def _heard(self, arrivals: pl.DataFrame, now_s: float) -> dict[int, Mark]:
        first = arrivals[["feed", "source_id", "market", "data_type", "market_run"]][arrivals["feed"].arg_unique()]
        heard = {feed: self._mark(feed, source_id, scope, now_s) for feed, source_id, *scope in first.iter_rows()}
        return {**self.marks, **heard}

    def _mark(self, feed: int, source_id: str, scope: Sequence[str], now_s: float) -> Mark:
        known = self.marks.get(feed)
        return attrs.evolve(known, heard_at_s=now_s) if known else self.waits.mark(source_id, scope, now_s)

    def _closing(self, arrivals: pl.DataFrame, marks: dict[int, Mark]) -> tuple[pl.Series, pl.Series, dict[int, Mark]]:
        """At which arrival the window of each held tick and of each arrival closes; and the marks after them."""
        held = self.ticks.height
        open_still = NEVER_CLOSES.new_from_index(0, held + arrivals.height)
        if not arrivals.height:
            return open_still, open_still.clear(), marks
        line = Timeline.of(arrivals["feed"], micros(arrivals["ts"]), marks)
        levels = dict(zip(line.feeds, line.watermarks(), strict=True))
        marks = {**marks, **{feed: marks[feed].risen(level) for feed, level in levels.items()}}
        window = pl.concat([self.ticks["window"], arrivals["window"]])
        reached = line.reaches(pl.concat([self.ticks["feed"], arrivals["feed"]]), self.end_us(window))
        if (reached == NEVER).all():
            return open_still.head(held), open_still.tail(arrivals.height), marks
        row = pl.concat([EARLIER.new_from_index(0, held), pl.int_range(arrivals.height, eager=True)])
        closes = closing_rows(window, row, reached)
        return closes.head(held), closes.tail(arrivals.height), marks

    def _late(self, arrivals: pl.DataFrame, closes: pl.Series) -> pl.Series:
        sealed_before = self.end_us(arrivals["window"]) <= self.seals.until(arrivals["series"])
        return sealed_before | (closes < pl.int_range(arrivals.height, eager=True))

    def _due(self, ticks: pl.DataFrame, silent: set[int], positions: Mapping[int, int]) -> pl.Series:
        due = ticks["closes"] < NEVER
        if silent:
            due |= ticks["feed"].is_in(list(silent))
        held = _least_offsets(ticks)
        lag = max((positions.get(partition, 0) - offset for partition, offset in held.items()), default=0)
        if lag <= self.limits.lag and ticks.height - int(due.sum()) <= self.limits.ticks:
            return due
        return due | self._pressed(ticks, due, positions)

    def _pressed(self, ticks: pl.DataFrame, due: pl.Series, positions: Mapping[int, int]) -> pl.Series:
        position = ticks["partition"].replace_strict(dict(positions), default=0, return_dtype=pl.Int64)
        lag = position - ticks["offset"]
        pressed = (lag > self.limits.lag).alias("pressed")
        if ticks.height - int(due.sum()) > self.limits.ticks:
            pressed |= lag > lag.sort()[self.limits.ticks // 2]
        return pressed

    def _sealing(self, ticks: pl.DataFrame, due: pl.Series, late: pl.DataFrame, marks: Mapping[int, Mark]) -> Taken:
        if not due.any():
            windows = attrs.evolve(self, ticks=ticks, marks=marks)
            return Taken(windows, ticks.clear(), late, Seals.empty(), NO_SEALS)
        end = self.end_us(ticks["window"]).cast(INSTANT)
        rising = ticks[["tenant_id", "instrument_id", "partition", "series"]].hstack([end.alias("sealed_until")])
        risen = (
            rising.filter(due)
            .group_by("series")
            .agg(pl.col("tenant_id", "instrument_id", "partition").first(), pl.col("sealed_until").max())
        )
        before = pl.DataFrame([risen["series"], self.seals.until(risen["series"])])
        seals = self.seals.raised(risen["series"], micros(risen["sealed_until"]))
        closed = micros(end) <= seals.until(ticks["series"])
        windows = attrs.evolve(self, ticks=ticks.filter(~closed), marks=marks, seals=seals)
        return Taken(windows, ticks.filter(closed), late, Seals(risen[list(Seals.schema)]), before)


def arrived(ticks: pl.DataFrame, partition: pl.Series, offset: pl.Series, base: Interval) -> pl.DataFrame:
    """
    Ticks as windows take them in: what a window needs, where they were read, and which window they belong to.

    Args:
        ticks: The columns of Tick.
        partition: Partition each was read from, Int32.
        offset: Its offset, Int64.
        base: The finest interval.

    Returns:
        SCHEMA and the feed's scope (data_type, market_run), without ticks beyond their feed's horizon.
    """
    window = window_codes(ticks["series"], ticks["ts"], base)
    feed = feed_code(partition, ticks["tenant_id"], ticks["source_id"])
    fresh = FRESH.new_from_index(0, ticks.height)
    here = [partition.alias("partition"), offset.alias("offset"), *digests(ticks), feed, window, fresh]
    rows = ticks[[*TICK_COLUMNS, "data_type", "market_run"]].hstack(here)
    may = eligible(ticks["quality_flags"])
    return rows if may.all() else rows.filter(may)


def _least_offsets(ticks: pl.DataFrame) -> Mapping[int, int]:
    """The first offset of any of these ticks, by partition."""
    if not ticks.height:
        return {}
    partition, offset = ticks["partition"], ticks["offset"]
    if partition.min() == partition.max():
        return {partition[0]: cast("int", offset.min())}
    return dict(ticks[["partition", "offset"]].group_by("partition").agg(pl.col("offset").min()).iter_rows())


def window_codes(series: pl.Series, ts: pl.Series, base: Interval) -> pl.Series:
    """The base window of each tick: the period code of its start, `window`."""
    us = micros(ts)
    return period_code(series, us - us % (base.minutes * MINUTE_US)).alias("window")


def window_ends_us(window: pl.Series, base: Interval) -> pl.Series:
    """The first instant after each base window, µs."""
    return (minute_of(window) + base.minutes) * MINUTE_US


def digests(ticks: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The `key`, `content` and `source_hash` of ticks, UInt64."""
    sources = source_hashes(ticks["source_id"])
    return key_digests(ticks, sources).alias("key"), content_digests(ticks).alias("content"), sources
