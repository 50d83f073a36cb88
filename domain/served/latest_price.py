"""The latest price of each instrument: the maximum of its ticks by (ts, source_seq, version, source). It never moves back."""

from datetime import datetime
from decimal import Decimal

import attrs
import polars as pl

from domain.batch import INSTANT, PRICE, Batch, column
from domain.identity import SERIES


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
    rank: str = column(pl.String, "ts, source_seq, version, source hash as 64 hexadecimal digits; compares as the order does.")
    series: str = column(SERIES, "tenant_id|instrument_id.", stored=False)


class LatestPrices(Batch[LatestPrice]):
    """Last known prices, one row an instrument."""

    fact = LatestPrice
