"""
Bars: what a market did in one interval, as a pure function of the facts in it.

A bar is folded from parts. A part is a tick, seen as a bar of one, or a bar of a finer interval; folding is
associative, so an hour of ticks and an hour of twelve 5-minute bars come out equal, to the last digit.

The revision is a strictly growing function of the same set: `logic_epoch:16 | sum of versions:104 | finality:8`. A
fuller or newer set always has the higher revision, so a table that keeps the higher revision keeps the right bar,
whoever writes last. A bar folded from bars adds up their epochs and their sums; only finality is its own.

Sets that differ only in what was stated twice, equally new and differently, have one revision. Of those the greater
content counts, and the lineage digest grows with it: `precedence` is both.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import cast

import attrs
import polars as pl

from domain.batch import INSTANT, NOTIONAL, PRICE, PRICE_SUM, Batch, column, micros
from domain.gold.interval import C, period_code
from domain.identity import SERIES

ORIGIN = pl.Categorical(pl.Categories("origins"))
"""A raw `topic/partition`."""

LINEAGE = pl.List(pl.Struct({"partition": ORIGIN, "first_offset": pl.Int64, "last_offset": pl.Int64}))
"""Raw `topic/partition` → lowest and highest offset among a bar's ticks."""

LOGIC_EPOCH = 1
"""Version of the formula. Raise it when a bar's content would differ for the same ticks."""


class State(StrEnum):
    """How settled a bar is."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    REVISED = "revised"


class Cause(StrEnum):
    """Why a bar was last computed."""

    LIVE = "live"
    LATE = "late"
    CORRECTION = "correction"
    BACKFILL = "backfill"


@attrs.frozen(kw_only=True)
class Bar:
    """Open, high, low, close of one instrument in [interval_start, interval_end). Source: contracts.md §3, §4."""

    tenant_id: str = column(pl.String, "Whose data.")
    instrument_id: str = column(pl.String, "The price series.")
    market: str = column(pl.String, "Market of the close tick.")
    interval_start: datetime = column(INSTANT, "First instant of the interval.")
    interval_end: datetime = column(INSTANT, "First instant after it.")
    open_ts: datetime = column(INSTANT, "Time of the first tick.")
    close_ts: datetime = column(INSTANT, "Time of the last tick.")
    open_price: Decimal = column(PRICE, "Price of the first tick by (ts, source_seq, version, source).")
    high_price: Decimal = column(PRICE, "Highest price.")
    low_price: Decimal = column(PRICE, "Lowest price.")
    close_price: Decimal = column(PRICE, "Price of the last tick by the same order.")
    mean_price: Decimal = column(PRICE, "price_sum / trade_count, rounded half-even once.")
    price_sum: Decimal = column(PRICE_SUM, "Exact sum of prices.")
    volume: Decimal | None = column(PRICE_SUM, "Sum of known volumes; null where none is known.", null=True)
    notional: Decimal | None = column(
        NOTIONAL, "Exact sum of price times volume; null where no volume is known.", null=True
    )
    vwap: Decimal | None = column(PRICE, "notional / volume, half-even; null where volume is not positive.", null=True)
    trade_count: int = column(pl.UInt64, "Distinct ticks.")
    quality_flags: int = column(pl.UInt32, "Union of the ticks' flags that bars carry, as a bitmask.")
    currency: str = column(pl.String, "Currency of the close tick.")
    unit: str = column(pl.String, "Unit of the close tick.")
    state: str = column(pl.String, "provisional, final or revised.")
    reason: str = column(pl.String, "live, late, correction or backfill.")
    revision: int = column(pl.UInt128, "logic_epoch:16 | sum of versions:104 | finality:8; the higher stays.")
    lineage_partitions: list[dict[str, object]] = column(LINEAGE, "Raw offsets its ticks came from.")
    lineage_digest: int = column(
        pl.UInt128, "Sum over its ticks of a digest of key and content; hexadecimal at the border."
    )
    known_at: datetime = column(INSTANT, "When the last of its ticks was known: their greatest ingested_at.")
    interval: str = column(pl.String, "Name of the interval, e.g. 5m.", stored=False)
    series: str = column(SERIES, "Key of its events: tenant_id|instrument_id.", stored=False)


class BarBatch(Batch[Bar]):
    """Many bars. Order means nothing."""

    fact = Bar


@attrs.frozen(kw_only=True)
class BarRevision(Bar):
    """A bar as it was once believed to be: written whenever its content changes, and never replaced."""

    interval: str = column(pl.String, "Name of the interval, e.g. 5m.")


class BarRevisions(Batch[BarRevision]):
    """What bars were before. Order means nothing."""

    fact = BarRevision

    @classmethod
    def of_bars(cls, bars: pl.DataFrame) -> "BarRevisions":
        """The present content of these bars, in the columns of Bar."""
        return cls(bars[list(cls.schema)])


CONTENT = (
    "open_ts",
    "close_ts",
    "open_price",
    "high_price",
    "low_price",
    "close_price",
    "price_sum",
    "volume",
    "notional",
    "trade_count",
    "quality_flags",
    "currency",
    "unit",
    "market",
    "lineage_digest",
)
"""What makes two bars of one key the same or not; the rest follows from it or is knowledge about it."""

LABELS = ("tenant_id", "instrument_id", "series", "market", "currency", "unit", "close_ts", "close_price")
"""What a bar takes over from its last part."""

FINALITY_BITS = 256
"""Weight of the sum of versions within a revision."""

BEYOND_PARTITIONS = pl.Series([(1 << 32) - 1], dtype=pl.UInt32)
ORIGINS = ("partition", "first_offset", "last_offset")
"""Fields of LINEAGE."""

_HALF = pl.Series([1 << 32], dtype=pl.UInt64)
_ODD = pl.Series([1], dtype=pl.UInt64)
_FINALITY = pl.Series([FINALITY_BITS], dtype=pl.UInt128)
_EPOCH_WEIGHT = 1 << 104
_LARGEST_NOTIONAL = 9.9e21
_UNSCALED = pl.Decimal(38, 0)


def weight_of(version: pl.Series) -> pl.Series:
    """What one tick adds to the upper 120 bits of its bar's revision: its version. The epoch comes once a bar: `with_epoch`."""
    return version.cast(pl.UInt128)


def digest_of(key: pl.Series, content: pl.Series) -> pl.Series:
    """
    What one tick adds to its bar's lineage digest, which binds what is said to what it is said of.

    Args:
        key: Digest of its key, UInt64.
        content: Digest of its content, UInt64.

    Returns:
        UInt128, below 2^97: of one key, the greater content adds more, and no sum wraps.
    """
    odd = (key // _HALF | _ODD).cast(pl.UInt128)
    return content.cast(pl.UInt128) * odd + key.cast(pl.UInt128)


def with_epoch(weight: pl.Series) -> pl.Series:
    """
    The weight of bars, those made of ticks with the epoch of this formula; those made of bars have their epochs already.

    Once a bar, not once a tick: 65,536 epochs outgrow their 16 bits, and a busy day has more ticks.
    """
    epoch = pl.Series([LOGIC_EPOCH * _EPOCH_WEIGHT], dtype=pl.UInt128)
    return (weight + epoch).zip_with(weight < _EPOCH_WEIGHT, weight)


def parts_of_bars(bars: BarBatch) -> pl.DataFrame:
    """Bars of a finer interval as parts of a coarser one; in the order of their starts within a series."""
    rows = bars.frame[micros(bars.frame["interval_start"]).arg_sort()]
    lineage = rows["lineage_partitions"]
    origin = lineage.list.first().struct.unnest()
    lowest = origin["partition"].to_physical()
    return rows.hstack(
        [
            (rows["revision"] // FINALITY_BITS).alias("weight"),
            *origin.get_columns(),
            lowest.alias("lowest_partition"),
            lowest.zip_with(lineage.list.len() == 1, BEYOND_PARTITIONS).alias("highest_partition"),
        ]
    )


def fold(parts: pl.DataFrame, start: pl.Series, end: pl.Series) -> pl.DataFrame:
    """
    Fold parts into bars.

    Args:
        parts: Ticks or finer bars in the order that decides open and close within each bar. Columns: LABELS, open_ts,
            known_at, open_price, high_price, low_price, price_sum, volume, notional, trade_count, quality_flags, weight,
            lineage_digest; `partition` (ORIGIN), first_offset and last_offset of a raw partition it came from;
            lowest_partition and highest_partition, that one's code, but where it came from several the latter is
            beyond all codes, and lineage_partitions tells all.
        start: First instant of the bar each part belongs to.
        end: First instant after it.

    Returns:
        One row a bar: CONTENT, keys, mean_price, vwap, lineage_partitions, `weight`, the epochs and versions summed, and
        `bar`, the period code of series and start.
        Quantities too large for 38 digits are null, and vwap with them.
    """
    rows = _by_bar(parts, start, end)
    bars = _summed(rows, parts[list(LABELS)])
    return bars.with_columns(
        mean_price(pl.col("price_sum"), pl.col("trade_count")).cast(PRICE).alias("mean_price"),
        vwap(pl.col("notional"), pl.col("volume")).alias("vwap"),
        with_epoch(bars["weight"]),
    )


def gathered(parts: pl.DataFrame, start: pl.Series, end: pl.Series) -> pl.DataFrame:
    """
    Gather the parts of each bar into one part, to be folded on: ticks too many for one fold are folded in slices.

    Args:
        parts: As for `fold`.
        start: First instant of the bar each part belongs to.
        end: First instant after it.

    Returns:
        Parts, in the order in which their bars first appear; those of one bar must be folded in the order of the slices.
    """
    bars = _summed(_by_bar(parts, start, end), parts[list(LABELS)])
    several = bars["lowest_partition"] != bars["highest_partition"]
    highest = BEYOND_PARTITIONS.new_from_index(0, bars.height).zip_with(several, bars["highest_partition"])
    told = {name for name in parts.columns if name in bars.columns} - {"highest_partition", "lineage_partitions"}
    return bars.select(*sorted(told), highest.alias("highest_partition"), "lineage_partitions")


def _by_bar(parts: pl.DataFrame, start: pl.Series, end: pl.Series) -> pl.DataFrame:
    """The parts, with the bar and the row of each."""
    within = [name for name in parts.columns if name not in ("interval_start", "interval_end")]
    return parts[within].hstack(
        [
            period_code(parts["series"], start).alias("bar"),
            start.alias("interval_start"),
            end.alias("interval_end"),
            pl.int_range(parts.height, dtype=pl.UInt32, eager=True).alias("row"),
        ]
    )


def _summed(rows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """What bars take over from their parts, without what is divided once at the end."""
    bars = rows.group_by("bar", maintain_order=True).agg(
        pl.col("row").last().alias("last"),
        pl.col("open_ts", "open_price", "interval_start", "interval_end", "partition").first(),
        pl.col("high_price", "highest_partition", "last_offset", "known_at").max(),
        pl.col("low_price", "lowest_partition", "first_offset").min(),
        pl.col("price_sum", "volume", "notional", "trade_count", "weight", "lineage_digest").sum(),
        pl.col("volume").count().alias("volumes"),
        pl.col("notional").count().alias("notionals"),
        *_sizes(rows),
    )
    return bars.with_columns(
        *labels[bars["last"]].get_columns(),
        volume=pl.when(pl.col("volumes") > 0).then("volume"),
        notional=pl.when((pl.col("volumes") == pl.col("notionals")) & (pl.col("volumes") > 0) & _fits(bars)).then(
            "notional"
        ),
        quality_flags=_united(rows, "quality_flags", bars["bar"]),
        lineage_partitions=_lineage(rows, bars),
    )


def mean_price(price_sum: pl.Expr, trade_count: pl.Expr) -> pl.Expr:
    """
    The mean of a bar's prices.

    Args:
        price_sum: Exact sum of prices.
        trade_count: Distinct ticks, at least 1.

    Returns:
        Decimals divide to 8 places, half-even.
    """
    return price_sum / trade_count


def vwap(notional: pl.Expr, volume: pl.Expr) -> pl.Expr:
    """
    The volume-weighted average price, rounded once: 16 places over 8 places leaves 8.

    Args:
        notional: NOTIONAL; may be null.
        volume: PRICE_SUM; may be null.

    Returns:
        PRICE; null where volume is null or not positive, or the quotient has more than ten digits before the point.
    """
    divisor = pl.when(volume > 0).then(volume.to_physical().cast(_UNSCALED))
    units = notional.to_physical().cast(_UNSCALED) / divisor
    return (units * pl.lit(Decimal("1E-8"), dtype=PRICE_SUM)).cast(PRICE, strict=False)


def notional(price: pl.Series, volume: pl.Series) -> pl.Series:
    """
    Price times volume, exactly.

    Args:
        price: PRICE.
        volume: PRICE; may be null.

    Returns:
        NOTIONAL; null where volume is.
    """
    units = price.to_physical() * volume.to_physical()
    return (units.cast(_UNSCALED) * pl.Series([Decimal("1E-16")], dtype=NOTIONAL)).alias("notional")


def revision(weight: C, settled: C) -> C:
    """
    The revision of a bar.

    Args:
        weight: Sum of its parts' weights (epochs and versions), UInt128.
        settled: Whether it is final or revised, which is the finality 1; provisional is 0.

    Returns:
        UInt128.
    """
    return weight * _FINALITY + settled.cast(pl.UInt128)


def precedence(revision: C, lineage_digest: C) -> list[C]:
    """What decides, in turn, which of two bars of one key stays: epochs and versions, content, finality."""
    return [revision // _FINALITY, lineage_digest, revision]


def precedes(one: list[C], other: list[C]) -> C:
    """Whether each bar stays rather than the other, by their `precedence`; null where there is no other."""
    (weight, digest, whole), (other_weight, other_digest, other_whole) = one, other
    more = (digest > other_digest) | ((digest == other_digest) & (whole > other_whole))
    return (weight > other_weight) | ((weight == other_weight) & more)


def _united(parts: pl.DataFrame, flags: str, bars: pl.Series) -> pl.Series:
    """Union of the parts' flags. Few parts have any, and a bitwise aggregate costs more than all others together."""
    flagged = parts[flags] != 0
    if not flagged.any():
        return pl.Series(flags, [0], dtype=pl.UInt32).new_from_index(0, len(bars))
    union = parts[["bar", flags]].filter(flagged).group_by("bar").agg(pl.col(flags).bitwise_or())
    return bars.to_frame("bar").join(union, on="bar", how="left", maintain_order="left")[flags].fill_null(0)


def _sizes(parts: pl.DataFrame) -> list[pl.Expr]:
    """How large notionals could get, as floats, where they could outgrow 38 digits: decimal sums wrap silently."""
    largest = parts["notional"].abs().max()
    if largest is None or float(cast("Decimal", largest)) * parts.height < _LARGEST_NOTIONAL:
        return []
    return [pl.col("notional").cast(pl.Float64).abs().sum().alias("size")]


def _fits(bars: pl.DataFrame) -> pl.Expr:
    return pl.col("size") < _LARGEST_NOTIONAL if "size" in bars.columns else pl.lit(True)


def _lineage(parts: pl.DataFrame, bars: pl.DataFrame) -> pl.Series:
    """Lowest and highest raw offset of each raw partition among a bar's parts."""
    alone = bars.select(pl.concat_list(pl.struct(ORIGINS)).cast(LINEAGE).alias("lineage_partitions")).to_series()
    several = bars["lowest_partition"] != bars["highest_partition"]
    if not several.any():
        return alone
    here = parts["bar"].is_in(bars["bar"].filter(several).implode())
    if "lineage_partitions" in parts.columns:
        lists = parts[["bar", "lineage_partitions"]].filter(here)
        origins = lists.explode("lineage_partitions").unnest("lineage_partitions")
    else:
        origins = parts[["bar", *ORIGINS]].filter(here)
    lists = (
        origins.group_by("bar", "partition")
        .agg(pl.col("first_offset").min(), pl.col("last_offset").max())
        .sort("bar", pl.col("partition").to_physical())
        .group_by("bar", maintain_order=True)
        .agg(pl.struct(ORIGINS).alias("merged"))
    )
    both = bars[["bar"]].hstack([alone]).join(lists, on="bar", how="left", maintain_order="left")
    return both.select(pl.coalesce("merged", "lineage_partitions").alias("lineage_partitions")).to_series()
