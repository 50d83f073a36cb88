"""
Open windows: the distinct ticks of every base window that is not closed yet, in columns.

Statements about one tick key merge by taking the higher version; at equal versions the greater content digest, so the
result is the same whatever came first. Rows remember the partition and offset they were read from: the least offset
of any open window is the floor a restart reads from again.
"""

from collections.abc import Collection, Mapping, Sequence

import attrs
import polars as pl

from domain.batch import INSTANT, schema_of
from domain.gold.bar import LINEAGE, ORIGIN, notional, weight_of
from domain.gold.interval import MINUTE_US, MINUTES, Interval, period_code
from domain.gold.watermark import NEVER, Mark, SealBook, Seals, Timeline, closing_rows, feed_code, partition_of
from domain.identity import SERIES
from domain.silver.feed import UNKNOWN_FEED, FeedPolicies
from domain.silver.quality import BAR_FLAGS, Flag
from domain.silver.tick import Tick, content_digests, key_digests, source_hashes

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

EARLIER = pl.Series([-1], dtype=pl.Int64)
NOTHING_YET_US = -(1 << 59)
NEVER_CLOSES = pl.Series("closes", [NEVER], dtype=pl.Int64)
NO_SEALS = pl.DataFrame(schema={"series": SERIES, "seal": pl.Int64})

_KEY_FACTOR = pl.Series([0x9E3779B97F4A7C15], dtype=pl.UInt64)
_SERIES_FACTOR = pl.Series([0xBF58476D1CE4E5B9], dtype=pl.UInt64)
_TS_FACTOR = pl.Series([0x94D049BB133111EB], dtype=pl.UInt64)


def winners(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Merge statements: one row a tick key, at its highest version.

    Args:
        ticks: Columns `key` (digest), `version`, `content` (digest), and any others.
    """
    if not ticks["key"].is_duplicated().any():
        return ticks
    by_version = ticks.select(pl.arg_sort_by("version", "content")).to_series()
    return ticks[by_version.filter(ticks["key"].gather(by_version).is_last_distinct()).sort()]


def in_order(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Sort ticks by (ts, source_seq, version, source hash): within an instrument the first opens, the last closes.

    Source: contracts.md §2, order.
    """
    instant = ticks["ts"].to_physical().cast(pl.Int128) * pl.Series([1 << 64], dtype=pl.Int128)
    place = instant + ticks["source_seq"].cast(pl.Int128)
    if contested(ticks).any():
        return ticks.sort("ts", "source_seq", "version", "source_hash")
    return ticks[place.arg_sort()]


def contested(ticks: pl.DataFrame) -> pl.Series:
    """
    Tell which ticks share their instrument, ts and source_seq with another: there, versions decide open and close.

    A repeat of such a tick is no idle word, for its higher version may swap the two. True may also be said of a few
    others, by chance: that costs time and no correctness.

    Args:
        ticks: One row a tick key.
    """
    series, ts = ticks["series"].to_physical().cast(pl.UInt64), ticks["ts"].to_physical().cast(pl.UInt64)
    return (series * _SERIES_FACTOR ^ ts * _TS_FACTOR ^ ticks["source_seq"]).is_duplicated()


def parts_of_ticks(ticks: pl.DataFrame) -> pl.DataFrame:
    """
    Ticks as bars of one, ready to be folded.

    Args:
        ticks: TICK_COLUMNS, `key` and `content`, in order, one row a tick key.
    """
    price, ts = ticks["price"], ticks["ts"]
    origin = pl.struct(
        pl.concat_str("raw_topic", pl.lit("/"), "raw_partition").cast(ORIGIN).alias("partition"),
        pl.col("raw_offset").alias("first_offset"),
        pl.col("raw_offset").alias("last_offset"),
    )
    return ticks.with_columns(
        pl.concat_list(origin).cast(LINEAGE).alias("lineage_partitions"),
        quality_flags=pl.col("quality_flags") & int(BAR_FLAGS),
        open_ts=ts,
        close_ts=ts,
        open_price=price,
        high_price=price,
        low_price=price,
        close_price=price,
        price_sum=price,
        notional=notional(price, ticks["volume"]),
        trade_count=pl.lit(1, dtype=pl.UInt64),
        weight=weight_of(ticks["version"]),
        lineage_digest=ticks["key"] * _KEY_FACTOR ^ ticks["content"],
    )


@attrs.frozen
class Waits:
    """How long each feed's windows wait: as its policy says, unless it is overridden."""

    feeds: FeedPolicies
    lateness_s: Mapping[str, float] = attrs.field(factory=dict)
    """By source_id."""
    idle_s: Mapping[str, float] = attrs.field(factory=dict)

    def mark(self, source_id: str, scope: Sequence[str], now_s: float) -> Mark:
        """A feed that was not heard before: `scope` is its market, data type and run."""
        policy = self.feeds.find(*scope) or UNKNOWN_FEED
        lateness_s = self.lateness_s.get(source_id, policy.lateness_s)
        return Mark(NOTHING_YET_US, now_s, int(lateness_s * 1_000_000), self.idle_s.get(source_id, policy.idle_s))


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
        marks = self._heard(arrivals, now_s)
        held_closes, closes, marks = self._closing(arrivals, marks)
        late = self._late(arrivals, closes)
        ticks = self.ticks.with_columns(held_closes)
        if arrivals.height:
            on_time = arrivals.select(SCHEMA.keys()).with_columns(closes)
            ticks = winners(pl.concat([ticks, on_time.filter(~late) if late.any() else on_time]))
        silent = {feed for feed, mark in marks.items() if now_s - mark.heard_at_s >= mark.idle_s}
        due = self._due(ticks, silent, positions)
        late_ticks = arrivals.filter(late) if late.any() else arrivals.clear()
        return self._sealing(ticks.drop("closes"), due, late_ticks, {f: m for f, m in marks.items() if f not in silent})

    def floors(self, positions: Mapping[int, int]) -> dict[int, int]:
        """The first offset of any open window in each partition, its position where none is open."""
        held = self.ticks.group_by("partition").agg(pl.col("offset").min())
        return {**positions, **{p: min(offset, positions.get(p, offset)) for p, offset in held.iter_rows()}}

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

    def end_us(self, window: pl.Series) -> pl.Series:
        """The first instant after each window, µs."""
        return (window % MINUTES + self.base.minutes) * MINUTE_US

    def _heard(self, arrivals: pl.DataFrame, now_s: float) -> dict[int, Mark]:
        scopes = arrivals.select("feed", "source_id", "market", "data_type", "market_run")
        first = scopes[scopes["feed"].arg_unique()]
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
        line = Timeline.of(arrivals["feed"], arrivals["ts"].to_physical(), marks)
        levels = dict(zip(line.feeds, line.watermarks(), strict=True))
        marks = {**marks, **{feed: attrs.evolve(marks[feed], watermark_us=level) for feed, level in levels.items()}}
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
        return due | self._pressed(ticks.select("offset", "partition"), due, positions)

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
        rising = ticks.select("tenant_id", "instrument_id", "partition", "series", sealed_until=end).filter(due)
        risen = rising.group_by("series").agg(
            pl.col("tenant_id", "instrument_id", "partition").first(), pl.col("sealed_until").max()
        )
        before = risen.select("series", self.seals.until(risen["series"]))
        seals = self.seals.raised(risen["series"], risen["sealed_until"].to_physical())
        closed = end.to_physical() <= seals.until(ticks["series"])
        windows = attrs.evolve(self, ticks=ticks.filter(~closed), marks=marks, seals=seals)
        return Taken(windows, ticks.filter(closed), late, Seals(risen.select(Seals.schema.keys())), before)


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
    rows = ticks.select(*TICK_COLUMNS, "data_type", "market_run").with_columns(partition, offset, *digests(ticks))
    rows = rows.filter((ticks["quality_flags"] & int(Flag.TS_FUTURE)) == 0)
    start = rows["ts"].to_physical() // (base.minutes * MINUTE_US) * (base.minutes * MINUTE_US)
    feed = feed_code(rows["partition"], rows["tenant_id"], rows["source_id"])
    return rows.with_columns(feed, period_code(rows["series"], start).alias("window"), fresh=pl.lit(value=True))


def digests(ticks: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The `key`, `content` and `source_hash` of ticks, UInt64."""
    return (
        key_digests(ticks).alias("key"),
        content_digests(ticks).alias("content"),
        source_hashes(ticks["source_id"]).alias("source_hash"),
    )
