"""
The tick: one price of one instrument at one instant, as one source stated it.

A tick is identified by (tenant, instrument, ts, source, source_seq). Its version says which of two statements about it
is the newer knowledge and depends on the raw record alone. Merging is taking the higher version: associative,
commutative, idempotent, so order, repetition and interleaving can't matter.
"""

from datetime import datetime
from decimal import Decimal

import attrs
import polars as pl

from domain.batch import INSTANT, PRICE, Batch, column
from domain.identity import SERIES


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
    volume: Decimal | None = column(PRICE, "Quantity in `unit`; null where the source has none, never 0 for it.", null=True)
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
