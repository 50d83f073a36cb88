"""
The latest price of each instrument: the maximum of its ticks by (ts, source_seq, version, source). It never moves back.

The order is carried as `rank`, a text that compares as the order does, so that a table, a cache and a reader agree on
which of two prices is the later one; where one key was stated twice at equal versions, the one of the greater content
is. A price's own *content* is what a reader would notice: a repeat has the same under a higher version.

Source: contracts.md §2, order and version; design.md §2 and §4, project.
"""

import struct
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain

import attrs
import polars as pl

from domain.batch import INSTANT, PRICE, Batch, column, columnwise, rows_of
from domain.gold.taxonomy import EnrichedTicks
from domain.identity import SERIES
from domain.silver.quality import RECORD_FLAGS, eligible
from domain.silver.tick import CONTENT_LABELS, CONTENT_NUMBERS, TickBatch, content_digests, source_hashes


@attrs.frozen(kw_only=True)
class LatestPrice:
    """The last known price of one instrument. Source: contracts.md §4, served_latest; the higher rank wins."""

    tenant_id: str = column(pl.String, "Whose data.")
    market: str = column(pl.String, "Market of the tick.")
    symbol: str = column(pl.String, "The market's own name.")
    instrument_id: str = column(pl.String, "The price series.")
    ts: datetime = column(INSTANT, "The instant the price is for.")
    price: Decimal = column(PRICE, "Price per unit.")
    volume: Decimal | None = column(PRICE, "Quantity; null where unknown.", null=True)
    quality_flags: int = column(pl.UInt32, "Record flags as a bitmask.")
    source_id: str = column(pl.String, "Which feed said so.")
    source_seq: int = column(pl.UInt64, "The source's sequence.")
    version: int = column(pl.UInt64, "Version of the tick.")
    currency: str = column(pl.String, "ISO code; empty where unknown.")
    unit: str = column(pl.String, "Unit of quantity; empty where unknown.")
    metadata: str = column(pl.String, "Further facts as a JSON object of strings.")
    updated_at: datetime = column(INSTANT, "When this row was made.")
    rank: str = column(
        pl.String, "ts, source_seq, version, source hash, content as 80 hexadecimal digits; compares as the order does."
    )
    series: str = column(SERIES, "tenant_id|instrument_id.", stored=False)


class LatestPrices(Batch[LatestPrice]):
    """Last known prices, one row an instrument."""

    fact = LatestPrice


RANK_DIGITS = 64
"""Of a rank, without the content."""
CONTENT = ("market", "symbol", "ts", "price", "volume", "quality_flags", "source_id", "source_seq", "currency", "unit")
"""What a reader would notice. Version, metadata and stamps are left out: a repeat changes only those."""

_SAME = pl.col("row").is_not_null() & pl.all_horizontal(
    pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in CONTENT
)

_MADE = ("updated_at", "rank")
_NEEDED = [
    *(name for name in LatestPrices.schema if name not in _MADE),
    *(name for name in (*CONTENT_NUMBERS, *CONTENT_LABELS) if name not in LatestPrices.schema),
]
"""Of a tick: what a price takes over, and what decides between ticks of one instant."""


def rank_of(parts: Sequence[pl.Series]) -> pl.Series:
    """
    An order as text: each of its parts in 16 hexadecimal digits, the most significant first.

    Args:
        parts: Instants from 1970 on, and UInt64.

    Returns:
        As many rows, `rank`.
    """
    width, numbers = 16 * len(parts), columnwise(parts, pl.all().to_physical())
    packed = struct.pack(f">{len(parts) * len(parts[0])}Q", *chain.from_iterable(zip(*numbers, strict=True))).hex()
    return pl.Series("rank", [packed[at : at + width] for at in range(0, len(packed), width)], dtype=pl.String)


def _ties(ticks: pl.DataFrame) -> list[pl.Series]:
    """What decides between ticks of one instant."""
    return [ticks["source_seq"], ticks["version"], source_hashes(ticks["source_id"]), content_digests(ticks)]


def latest_of(ticks: EnrichedTicks | TickBatch, made_at: datetime) -> LatestPrices:
    """
    The latest of these ticks of each series; series without an eligible tick are left out.

    Args:
        ticks: In any order, repeats included.
        made_at: Stamp of the rows.
    """
    frame = ticks.frame
    may = eligible(frame["quality_flags"])
    frame = frame.select(_NEEDED) if may.all() else frame.select(_NEEDED).filter(may)
    last = frame[_last(frame)]
    made = last.with_columns(
        pl.col("quality_flags") & int(RECORD_FLAGS),
        pl.lit(made_at, dtype=INSTANT).alias("updated_at"),
        rank_of([last["ts"], *_ties(last)]),
    )
    return LatestPrices(made[list(LatestPrices.schema)])


def _last(frame: pl.DataFrame) -> pl.Series:
    """Positions of the last tick of each series. Most batches are decided by time alone; only ties are sorted."""
    code = frame["series"].to_physical()
    newest = frame.select(pl.arg_where(pl.col("ts") == pl.col("ts").max().over(code))).to_series()
    code = code[newest]
    if not code.is_duplicated().any():
        return newest
    tied = frame[newest]
    order = tied.select(pl.arg_sort_by(_ties(tied))).to_series()
    return newest[order].filter(code[order].is_last_distinct())


def highest(parts: Sequence[LatestPrices]) -> LatestPrices:
    """The row of the highest rank of each series. Of equal ranks the first stays."""
    rows = LatestPrices.concat(parts).frame.sort("rank", descending=True, maintain_order=True)
    return LatestPrices(rows.unique("series", keep="first", maintain_order=True))


def content_digest(prices: LatestPrices) -> pl.Series:
    """Sixty-four bits a row that tell one content from another; comparable within a process."""
    return prices.frame.select(CONTENT).hash_rows()


@attrs.frozen(eq=False)
class Standing:
    """How candidates for the latest price stand against what is stored, row by row of the candidates."""

    prices: LatestPrices
    """The higher of both, a row a candidate, in their order."""
    risen: pl.Series
    """The candidate is higher than what is stored, or nothing is."""
    outranked: pl.Series
    """What is stored is higher."""
    repeated: pl.Series
    """What is stored has the candidate's content."""

    @classmethod
    def of(cls, candidates: LatestPrices, stored: LatestPrices) -> "Standing":
        """
        Compare.

        Args:
            candidates: One row a series.
            stored: What the table holds of these series; one row a series, in any order.
        """
        own, other = candidates.frame, stored.frame
        row = rows_of(own["series"], other["series"])
        rank = other["rank"][row]
        outranked = (rank > own["rank"]).fill_null(value=False)
        return cls(
            prices=_chosen(own, other, row, outranked),
            risen=(rank < own["rank"]).fill_null(value=True),
            outranked=outranked,
            repeated=_same_content(own, other, row),
        )


def _chosen(own: pl.DataFrame, other: pl.DataFrame, row: pl.Series, outranked: pl.Series) -> LatestPrices:
    if not outranked.any():
        return LatestPrices(own)
    at = pl.int_range(own.height, dtype=pl.UInt32, eager=True)
    return LatestPrices(pl.concat([own, other])[(row + own.height).zip_with(outranked, at)])


def _same_content(own: pl.DataFrame, other: pl.DataFrame, row: pl.Series) -> pl.Series:
    held = [other[name][row].alias(f"{name}_held") for name in CONTENT]
    return own[list(CONTENT)].hstack([*held, row.alias("row")]).select(_SAME).to_series()
