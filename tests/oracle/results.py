"""What the tables hold after all messages: silver, bars, latest prices, outcomes and counts."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from tests.oracle.feeds import DAY_CLOCK
from tests.oracle.meaning import EPOCH, Tick, Verdict, judge
from tests.oracle.raw import RawMessage

WIDE = Context(prec=120, rounding=ROUND_HALF_EVEN)
STEP = Decimal("1e-8")
BAR_KEY = ("tenant_id", "instrument_id", "interval_start")
NOT_IN_BARS = {"TS_FUTURE", "TS_ANCIENT", "INGESTED_AT_ASSUMED"}
MICROS = 1_000_000
LENGTHS = {"m": 60, "h": 3600}


@attrs.define
class Results:
    """All that must be stored."""

    silver: dict[tuple[Any, ...], Tick] = attrs.field(factory=dict)
    outcomes: dict[tuple[str, int, int], tuple[RawMessage, Verdict]] = attrs.field(factory=dict)
    counts: dict[str, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))

    def bars(self, interval: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        return bars(self.silver.values(), interval)

    def latest(self) -> dict[tuple[str, str], Tick]:
        return latest(self.silver.values())


def results(messages: Iterable[RawMessage]) -> Results:
    """Everything the messages lead to, whatever their order."""
    found = Results()
    for message in messages:
        verdict = judge(message)
        if message.coordinates in found.outcomes:
            continue
        found.outcomes[message.coordinates] = (message, verdict)
        counted = found.counts[message.topic]
        counted["raw"] += 1
        counted[verdict.outcome] += 1
        counted["ticks"] += len(verdict.ticks)
        counted["rejected_rows"] += len(verdict.refusals) if verdict.ticks or len(verdict.refusals) > 1 else 0
        for tick in verdict.ticks:
            keep(found.silver, tick)
    return found


def keep(silver: dict[tuple[Any, ...], Tick], tick: Tick) -> None:
    """The later knowledge of a key stays."""
    stored = silver.get(tick.key)
    if stored is None or tick.ingested_at >= stored.ingested_at:
        silver[tick.key] = tick


def rank(tick: Tick) -> tuple[int, int, int, bytes]:
    return tick.ts, tick.source_seq, tick.ingested_at, hashlib.sha256(tick.source_id.encode()).digest()[:8]


def counting(ticks: Iterable[Tick]) -> list[Tick]:
    return [tick for tick in ticks if "TS_FUTURE" not in tick.flags]


def latest(ticks: Iterable[Tick]) -> dict[tuple[str, str], Tick]:
    last: dict[tuple[str, str], Tick] = {}
    for tick in counting(ticks):
        series = tick.tenant_id, tick.instrument_id
        if series not in last or rank(last[series]) < rank(tick):
            last[series] = tick
    return last


def bars(ticks: Iterable[Tick], interval: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    windows: dict[tuple[Any, ...], list[Tick]] = defaultdict(list)
    for tick in counting(ticks):
        start, end = window(tick, interval)
        windows[tick.tenant_id, tick.instrument_id, start, end].append(tick)
    return {
        (tenant, instrument, start): bar(end, members) for (tenant, instrument, start, end), members in windows.items()
    }


def window(tick: Tick, interval: str) -> tuple[int, int]:
    if interval == "1d":
        return local_day(tick)
    length = int(interval[:-1]) * LENGTHS[interval[-1]] * MICROS
    start = tick.ts // length * length
    return start, start + length


def local_day(tick: Tick) -> tuple[int, int]:
    zone = ZoneInfo(DAY_CLOCK.get(tick.instrument_id.split(".")[0], "UTC"))
    today = (EPOCH + timedelta(microseconds=tick.ts)).astimezone(zone).date()
    first, second = (
        datetime(moment.year, moment.month, moment.day, tzinfo=zone) for moment in (today, today + timedelta(days=1))
    )
    return micros(first), micros(second)


def micros(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def bar(end: int, members: list[Tick]) -> dict[str, Any]:
    ordered = sorted(members, key=rank)
    first, last = ordered[0], ordered[-1]
    traded = [tick for tick in ordered if tick.volume is not None]
    price_sum = exact_sum(tick.price for tick in ordered)
    volume = exact_sum(tick.volume or Decimal(0) for tick in traded) if traded else None
    notional = exact_sum(WIDE.multiply(tick.price, tick.volume or Decimal(0)) for tick in traded) if traded else None
    return {
        "interval_end": end,
        "market": last.market,
        "currency": last.currency,
        "unit": last.unit,
        "open_ts": first.ts,
        "close_ts": last.ts,
        "open_price": first.price,
        "high_price": max(tick.price for tick in ordered),
        "low_price": min(tick.price for tick in ordered),
        "close_price": last.price,
        "price_sum": price_sum,
        "mean_price": divided(price_sum, Decimal(len(ordered))),
        "volume": volume,
        "notional": notional,
        "vwap": divided(notional, volume) if notional is not None and volume is not None and volume > 0 else None,
        "trade_count": len(ordered),
        "quality_flags": frozenset().union(*(tick.flags for tick in ordered)) - NOT_IN_BARS,
    }


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = WIDE.add(total, number)
    return total


def divided(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Rounded half-even once, from the exact fraction."""
    above, below = dividend.as_integer_ratio(), divisor.as_integer_ratio()
    denominator = above[1] * below[0]
    whole, rest = divmod(above[0] * below[1] * 10**8, denominator)
    whole += 2 * rest > denominator or (2 * rest == denominator and whole % 2)
    return Decimal(whole).scaleb(-8, context=WIDE)
