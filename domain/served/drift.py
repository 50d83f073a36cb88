"""
How far what is served stands from what it is made of.

A copy (the cache of the table, the table of silver) lags where its rank is lower than its source's, or where it has no
row. Ranks compare as the order of ticks does, so the same comparison serves both.

Source: design.md §4, project; specification, projection drift.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import attrs
import polars as pl

from domain.batch import INSTANT
from domain.gold.taxonomy import InstrumentKey
from domain.identity import SERIES
from domain.served.latest_price import LatestPrices, latest_of, rank_of
from domain.silver.quality import eligible
from domain.silver.tick import TickBatch

TS_SEQ_VERSION = 48
"""Digits of a rank that say all but the source and the content."""


class DriftKind(StrEnum):
    """What a served price lacks."""

    CACHE_MISSING = "cache_missing"
    """The cache has no row; who asks gets the table's, so nobody is told an old price."""
    CACHE_BEHIND = "cache_behind"
    """The cache is behind the table."""
    CACHE_AHEAD = "cache_ahead"
    """The cache is ahead of the table, which must have lost a row: only silver can say whether it ever was a price."""
    TABLE_MISSING = "table_missing"
    """Silver has a price, the table none."""
    TABLE_BEHIND = "table_behind"
    """Silver has a later price than the table."""


@attrs.frozen(eq=False)
class Compared:
    """A copy beside its source; each member holds rows of the source."""

    missing: LatestPrices
    """The copy has none."""
    behind: LatestPrices
    """The copy's are of a lower rank."""
    ahead: LatestPrices
    """The copy's are of a higher rank."""

    @classmethod
    def of(cls, source: LatestPrices, held: pl.DataFrame) -> "Compared":
        """
        Compare.

        Args:
            source: One row a series.
            held: What the copy holds of these series: columns `series` and `rank`, one row a series, in any order.
        """
        frame = source.frame
        other = frame.select("series").join(
            held.select("series", "rank"), on="series", how="left", maintain_order="left"
        )["rank"]
        return cls(
            missing=LatestPrices(frame.filter(other.is_null())),
            behind=LatestPrices(frame.filter((other < frame["rank"]).fill_null(value=False))),
            ahead=LatestPrices(frame.filter((other > frame["rank"]).fill_null(value=False))),
        )


def settled(prices: LatestPrices, by: datetime) -> LatestPrices:
    """Those rows that were made by then; what is younger may still be on its way to a copy."""
    return LatestPrices(prices.frame.filter(prices.frame["updated_at"] <= by))


def later_in_silver(newest: pl.DataFrame, served: LatestPrices) -> pl.DataFrame:
    """
    Where silver speaks of a later price than what is served, or nothing is served.

    Args:
        newest: Columns `tenant_id`, `instrument_id`, `ts`, `source_seq` and `version`: the highest of each instrument.
        served: What is served of these instruments, and of any others.

    Returns:
        Windows (`series`, `start`, `end`) to read from silver: the minute of each price. Which of two sources is the
        later one, all else being equal, is not looked at.
    """
    series = pl.concat_str(pl.col("tenant_id"), pl.lit("|"), pl.col("instrument_id")).cast(SERIES).alias("series")
    rank = rank_of([newest["ts"], newest["source_seq"], newest["version"]])
    beside = newest.select(series, "ts", rank.alias("newest")).join(
        served.frame.select("series", "rank"), on="series", how="left"
    )
    later = beside.filter((pl.col("newest") > pl.col("rank").str.head(TS_SEQ_VERSION)).fill_null(value=True))
    start = pl.col("ts").dt.truncate("1m").cast(INSTANT)
    return later.select("series", start.alias("start"), (start + timedelta(minutes=1)).alias("end"))


def price_in_silver(ticks: TickBatch, by: datetime, made_at: datetime) -> LatestPrices:
    """The latest price of each series by ticks that were normalized by then and may be prices; stamped `made_at`."""
    frame = ticks.frame
    return latest_of(
        TickBatch(frame.filter(eligible(frame["quality_flags"]) & (frame["normalized_at"] <= by))), made_at
    )


def misleading(found: Mapping[DriftKind, int]) -> bool:
    """Whether any of this lets a reader see a price that is not the latest."""
    return any(number for kind, number in found.items() if kind is not DriftKind.CACHE_MISSING)


def key_of_last(prices: pl.DataFrame) -> InstrumentKey:
    """The instrument of the last of at least one row."""
    last = prices.row(-1, named=True)
    return InstrumentKey(last["tenant_id"], last["instrument_id"])
