"""
The tick: one price of one instrument at one instant, as one source stated it.

A tick is identified by (tenant, instrument, ts, source, source_seq). Its version says which of two statements about it
is the newer knowledge and depends on the raw record alone. Merging is taking the higher version: associative,
commutative, idempotent, so order, repetition and interleaving can't matter.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import polars as pl

from domain.batch import INSTANT, PRICE, Batch, column, columnwise
from domain.identity import NAME, SERIES, text_hashes
from domain.silver.quality import BAR_FLAGS, Flag


@attrs.frozen(kw_only=True)
class Tick:
    """One price of one instrument at one instant. Source: contracts.md §2 and §4, silver_ticks."""

    tenant_id: str = column(pl.String, "Whose data; `default` where upstream says nothing.")
    market: str = column(pl.String, "Market or venue, upper case.")
    symbol: str = column(pl.String, "The market's own name of the location or contract.")
    instrument_id: str = column(pl.String, "One price series, e.g. MISO.LMP.RT.INDIANA.HUB.")
    source_id: str = column(pl.String, "Which feed said so; also the feed a watermark belongs to.")
    ts: datetime = column(INSTANT, "The instant the price is for: the start of its interval, or the trade time.")
    ingested_at: datetime = column(INSTANT, "When the connector knew it.")
    normalized_at: datetime = column(INSTANT, "When this row was made; no part of its content.")
    interval_end: datetime | None = column(INSTANT, "End of its interval where the source gives one.", null=True)
    source_seq: int = column(pl.UInt64, "The source's own sequence or trade id, else 0.")
    version: int = column(pl.UInt64, "Knowledge order of two statements about one key; the higher wins.")
    price: Decimal = column(PRICE, "Price per unit, in `currency`.")
    volume: Decimal | None = column(
        PRICE, "Quantity in `unit`; null where the source has none, never 0 for it.", null=True
    )
    bid_price: Decimal | None = column(PRICE, "Best bid.", null=True)
    ask_price: Decimal | None = column(PRICE, "Best ask.", null=True)
    energy_price: Decimal | None = column(PRICE, "Energy component of a locational price.", null=True)
    congestion_price: Decimal | None = column(PRICE, "Congestion component.", null=True)
    loss_price: Decimal | None = column(PRICE, "Loss component.", null=True)
    currency: str = column(pl.String, "ISO code; empty where unknown.")
    unit: str = column(pl.String, "MWh, MW, MMBtu …; empty where unknown.")
    data_type: str = column(pl.String, "The feed's own type.")
    market_run: str = column(pl.String, "Run, e.g. DA or RT; empty where unknown.")
    quality_flags: int = column(pl.UInt32, "Record flags as a bitmask of quality.Flag; sorted names at the border.")
    metadata: str = column(pl.String, "Further facts as a JSON object of strings; a map at the border.")
    raw_topic: str = column(pl.String, "Topic of the raw message.")
    raw_partition: int = column(pl.Int32, "Its partition.")
    raw_offset: int = column(pl.Int64, "Its offset.")
    raw_index: int = column(pl.Int32, "Which row of that message, from 0.")
    series: str = column(SERIES, "Key of its events: tenant_id|instrument_id.", stored=False)
    source_event_id: str = column(pl.String, "The upstream event_id; never an identity.", stored=False)
    source_system: str = column(pl.String, "The upstream producer or source system.", stored=False)
    trace_id: str = column(pl.String, "The upstream trace id.", stored=False)


class TickBatch(Batch[Tick]):
    """Many ticks. Order means nothing."""

    fact = Tick


KEY = ("series", "ts", "source_id", "source_seq")
"""A tick's identity, by the columns that carry it (`series` is tenant and instrument)."""

RAW_ROW = ("raw_topic", "raw_partition", "raw_offset", "raw_index")
"""Where a tick was stated: it is one row of one raw message."""

CONTENT_NUMBERS = (
    "price",
    "volume",
    "bid_price",
    "ask_price",
    "energy_price",
    "congestion_price",
    "loss_price",
    "interval_end",
)
CONTENT_LABELS = ("currency", "unit", "market")
CONTENT_FLAGS = BAR_FLAGS | Flag.TS_FUTURE
"""Flags that are part of what a tick says; TS_FUTURE because it keeps the tick out of windows."""

ORDER = ("ts", "source_seq", "version", "source_hash")
"""Within an instrument, the first by these columns is the open, the last the close and the latest price."""

_NULL = 0x9E3779B97F4A7C15
"""Stands for null: outside the range of unscaled prices (below 10^18 either way) and of instants."""
DIGEST_SEED = 0xCBF29CE484222325
DIGEST_SPREAD = 0xFF51AFD7ED558CCD
DIGEST_ODDS = tuple((0x9E3779B97F4A7C15 * (2 * place + 3)) % (1 << 64) | 1 for place in range(12))
"""What each number of a digest is multiplied by, in turn: odd, so that no digit is lost."""
_HALF = 1 << 32


def source_hashes(source_id: pl.Series) -> pl.Series:
    """The last rung of `ORDER`: first 8 bytes of each source_id's SHA-256, UInt64."""
    return text_hashes([source_id.cast(NAME)])[0].alias("source_hash")


def digest(numbers: Sequence[Any], seed: Any, odds: Sequence[Any], spread: Any, half: Any) -> Any:
    """
    Digest numbers, in UInt64 arithmetic that wraps: a sum of products, whose upper digits are then mixed into the lower.

    One multiplication a number and a single mixing at the end: mixing after each number costs four times as much.

    Args:
        numbers: At most as many as `odds`.
        seed: What a digest of nothing begins with.
        odds: Odd factors, one a number.
        spread: An odd factor.
        half: 2^32.
    """
    total = seed
    for number, odd in zip(numbers, odds, strict=False):
        total = total + number * odd
    product = (total ^ (total // half)) * spread
    return product ^ (product // half)


def key_digests(ticks: pl.DataFrame, sources: pl.Series | None = None) -> pl.Series:
    """
    Digest each tick's key: tenant and instrument, ts, source, sequence. UInt64, `key_digest`.

    Args:
        ticks: Columns `series`, `ts`, `source_id`, `source_seq`.
        sources: Their `source_hashes` where they are known.
    """
    if sources is None:
        series, sources = text_hashes([ticks["series"], ticks["source_id"].cast(NAME)])
    else:
        (series,) = text_hashes([ticks["series"]])
    numbers = (series, ticks["ts"], sources, ticks["source_seq"])
    return _digest(numbers).alias("key_digest")


def content_digests(ticks: pl.DataFrame) -> pl.Series:
    """
    Digest what each tick says: two statements about one key with equal digests are a repeat. UInt64, `content_digest`.

    Args:
        ticks: Columns of Tick.

    Source: contracts.md §2, content: price, volume, bid, ask, components, interval_end, currency, unit, the flags
    bars carry, and whether it may enter windows; and the market, which a bar takes over from its close as well.
    """
    flags = ticks["quality_flags"].cast(pl.UInt64) & int(CONTENT_FLAGS)
    labels = text_hashes([ticks[name].cast(NAME) for name in CONTENT_LABELS])
    numbers = (*(ticks[name] for name in CONTENT_NUMBERS), *labels, flags)
    return _digest(numbers).alias("content_digest")


def _digest(numbers: Sequence[pl.Series]) -> pl.Series:
    found: pl.Series = digest(_words(numbers), _one(DIGEST_SEED), _ODDS, _one(DIGEST_SPREAD), _one(_HALF))
    return found


def _one(number: int) -> pl.Series:
    return pl.Series([number], dtype=pl.UInt64)


_ODDS = [_one(odd) for odd in DIGEST_ODDS]
_NOTHING = _one(_NULL)


def _words(numbers: Sequence[pl.Series]) -> list[pl.Series]:
    """The 64 bits of each number: decimals unscaled, instants in µs, negatives in two's complement, a mark for null."""
    stated = [number for number in numbers if not number.null_count() == len(number) > 0]
    words = iter(columnwise(stated, _WORD))
    return [_NOTHING if number.null_count() == len(number) > 0 else next(words) for number in numbers]


_WORD = pl.all().to_physical().cast(pl.UInt64, wrap_numerical=True).fill_null(pl.lit(_NULL, dtype=pl.UInt64))
