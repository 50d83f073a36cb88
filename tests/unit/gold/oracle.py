"""What bars must be, in plain Python: dictionaries and decimals, one tick at a time, no code of the product but its words."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import reduce
from hashlib import sha256
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from domain.silver.quality import BAR_FLAGS, Flag
from domain.silver.tick import Tick

EXACT = Context(prec=80)
CLOCKS = {"MISO": "Etc/GMT+5", "CAISO": "America/Los_Angeles", "NYISO": "America/New_York"}
EIGHT_PLACES = Decimal("1e-8")
TOO_LARGE = Decimal("9.9e21")
COLUMNS = (
    "market",
    "interval_end",
    "open_ts",
    "close_ts",
    "open_price",
    "high_price",
    "low_price",
    "close_price",
    "mean_price",
    "price_sum",
    "volume",
    "notional",
    "vwap",
    "trade_count",
    "quality_flags",
    "currency",
    "unit",
)
Key = tuple[str, str, datetime]
Bars = dict[Key, dict[str, Any]]


def bars_of(ticks: Iterable[Tick], interval: str) -> Bars:
    """The bars of one interval over these statements, in whatever order they came."""
    windows: dict[tuple[str, str, datetime, datetime], list[Tick]] = {}
    for tick in winners(ticks):
        period = period_of(tick.instrument_id, tick.ts, interval)
        windows.setdefault((tick.tenant_id, tick.instrument_id, *period), []).append(tick)
    return {(tenant, name, start): _bar(found, end) for (tenant, name, start, end), found in windows.items()}


def winners(ticks: Iterable[Tick]) -> list[Tick]:
    """Of each key the statement with the highest version; none from beyond its horizon."""
    best: dict[tuple[object, ...], Tick] = {}
    for tick in ticks:
        key = (tick.tenant_id, tick.instrument_id, tick.ts, tick.source_id, tick.source_seq)
        if key not in best or best[key].version < tick.version:
            best[key] = tick
    return [tick for tick in best.values() if not Flag(tick.quality_flags) & Flag.TS_FUTURE]


def period_of(instrument_id: str, ts: datetime, interval: str) -> tuple[datetime, datetime]:
    """Start and end of the bar an instant belongs to."""
    if interval == "1d":
        zone = ZoneInfo(CLOCKS.get(instrument_id.split(".", maxsplit=1)[0], "UTC"))
        day = ts.astimezone(zone).date()
        return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    length = timedelta(minutes=int(interval[:-1])) if interval.endswith("m") else timedelta(hours=int(interval[:-1]))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    start = epoch + (ts - epoch) // length * length
    return start, start + length


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _place(tick: Tick) -> tuple[datetime, int, int, bytes]:
    return tick.ts, tick.source_seq, tick.version, sha256(tick.source_id.encode()).digest()[:8]


def _bar(ticks: list[Tick], end: datetime) -> dict[str, Any]:
    ordered = sorted(ticks, key=_place)
    prices = [tick.price for tick in ordered]
    traded = [(tick.price, tick.volume) for tick in ordered if tick.volume is not None]
    volume = _sum(volume for _, volume in traded) if traded else None
    notional = notional_of(traded)
    last = ordered[-1]
    total = _sum(prices)
    return {
        "market": last.market,
        "interval_end": end,
        "open_ts": ordered[0].ts,
        "close_ts": last.ts,
        "open_price": prices[0],
        "high_price": max(prices),
        "low_price": min(prices),
        "close_price": prices[-1],
        "mean_price": rounded(EXACT.divide(total, Decimal(len(prices)))),
        "price_sum": total,
        "volume": volume,
        "notional": notional,
        "vwap": vwap_of(notional, volume),
        "trade_count": len(ordered),
        "quality_flags": int(reduce(or_, (Flag(tick.quality_flags) for tick in ordered)) & BAR_FLAGS),
        "currency": last.currency,
        "unit": last.unit,
    }


def notional_of(traded: list[tuple[Decimal, Decimal]]) -> Decimal | None:
    """Exact sum of price times volume; none where no volume is known, or 38 digits might not hold it."""
    products = [EXACT.multiply(price, volume) for price, volume in traded]
    if not products or _sum(map(abs, products)) >= TOO_LARGE:
        return None
    return _sum(products)


def vwap_of(notional: Decimal | None, volume: Decimal | None) -> Decimal | None:
    """Notional over volume, rounded once; none where volume is not positive, or ten digits don't hold it."""
    if notional is None or volume is None or volume <= 0:
        return None
    price = rounded(EXACT.divide(notional, volume))
    return price if abs(price) < Decimal(10) ** 10 else None


def rounded(number: Decimal) -> Decimal:
    """To 8 places, half-even."""
    return number.quantize(EIGHT_PLACES, ROUND_HALF_EVEN, EXACT)


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, numbers, Decimal(0))


def read(bars: pl.DataFrame) -> Bars:
    """Stored bars in the same form."""
    return {
        (row["tenant_id"], row["instrument_id"], row["interval_start"]): {name: row[name] for name in COLUMNS}
        for row in bars.iter_rows(named=True)
    }
