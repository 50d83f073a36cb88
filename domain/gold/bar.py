"""
Bars: what a market did in one interval, as a pure function of the ticks in it.

(theory and functions to come)
"""

from datetime import datetime
from decimal import Decimal

import attrs
import polars as pl

from domain.batch import INSTANT, NOTIONAL, PRICE, PRICE_SUM, Batch, column
from domain.identity import SERIES

LINEAGE = pl.List(pl.Struct({"partition": pl.String, "first_offset": pl.Int64, "last_offset": pl.Int64}))
"""Raw `topic/partition` → lowest and highest offset among a bar's ticks."""


@attrs.frozen(kw_only=True)
class Bar:
    """Open, high, low, close and more of one instrument in one interval [interval_start, interval_end). Source: contracts.md §3, §4."""

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
    notional: Decimal | None = column(NOTIONAL, "Exact sum of price times volume; null where no volume is known.", null=True)
    vwap: Decimal | None = column(PRICE, "notional / volume, half-even; null where volume is not positive.", null=True)
    trade_count: int = column(pl.UInt64, "Distinct ticks.")
    quality_flags: int = column(pl.UInt32, "Union of the ticks' flags that bars carry, as a bitmask.")
    currency: str = column(pl.String, "Currency of the close tick.")
    unit: str = column(pl.String, "Unit of the close tick.")
    state: str = column(pl.String, "provisional, final or revised.")
    reason: str = column(pl.String, "live, late, correction or backfill.")
    revision: int = column(pl.UInt128, "logic_epoch:16 | sum of versions:104 | finality:8; the higher stays.")
    lineage_partitions: list[dict[str, object]] = column(LINEAGE, "Raw offsets its ticks came from.")
    lineage_digest: int = column(pl.UInt64, "Sum over its ticks of a digest of key and content; hexadecimal at the border.")
    interval: str = column(pl.String, "Name of the interval, e.g. 5m.", stored=False)
    series: str = column(SERIES, "Key of its events: tenant_id|instrument_id.", stored=False)


class BarBatch(Batch[Bar]):
    """Many bars. Order means nothing."""

    fact = Bar
