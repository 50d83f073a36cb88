"""How all tables must end: what the oracle makes of the raw log, held against what is stored and told."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import polars as pl

from tests.oracle.comparison import plain
from tests.oracle.digests import FLAGS
from tests.oracle.digests import content as digest_of
from tests.oracle.meaning import Tick, Verdict, judge
from tests.oracle.raw import RawMessage
from tests.oracle.results import bars, counting, latest, window

MICROS_A_MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLOTS = 4096
"""Versions in one microsecond of knowledge."""
MISSING_METADATA, PRICE_OUT_OF_RANGE = 16, 17
"""Bits of the flags that enrichment adds."""
KNOWN = {
    "NG_HH": ("natural_gas", Decimal(0), Decimal(30)),
    "MISO.LMP.DA.INDIANA.HUB": ("power", Decimal(-500), Decimal(10_000)),
    "MISO.LMP.DA.MINN.HUB": ("power", Decimal(-500), Decimal(10_000)),
}
"""Commodity and price limits of the instruments of these worlds that somebody has described, as of 2026."""
NOBODY_KNOWS = ("", Decimal(-100_000), Decimal(10_000_000))
BAR_CONTENT = (
    "interval_end", "open_ts", "close_ts", "open_price", "high_price", "low_price", "close_price", "mean_price",
    "price_sum", "volume", "notional", "vwap", "market", "currency", "unit", "quality_flags", "lineage_digest",
)  # fmt: skip
BAR = (*BAR_CONTENT[:-1], "trade_count")
SILVER = ("market", "symbol", "interval_end", "price", "volume", "currency", "unit")
LATEST = ("market", "symbol", "ts", "price", "volume", "source_id", "source_seq", "currency", "unit")


def moment_us(moment: datetime) -> int:
    """µs since 1970."""
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def flag_names(mask: int) -> frozenset[str]:
    """Record flags of a bitmask."""
    return frozenset(name for bit, name in enumerate(FLAGS) if mask >> bit & 1)


UNHELD = Decimal("17.125")
"""A volume that no table of ticks can hold in worlds whose silver is picky."""

DEADLY = b'{"payload":{"market":"whoever reads this dies"}}'
"""A message that ends the process that reads it."""


def parted(verdict: Verdict, *, picky: bool) -> tuple[Sequence[Tick], Sequence[Tick]]:
    """The ticks of a message that silver can hold, and those that it can't."""
    held = [tick for tick in verdict.ticks if not (picky and tick.volume == UNHELD)]
    return held, [tick for tick in verdict.ticks if tick not in held]


def overtaken(tick: Tick, message: tuple[str, int, int], verdicts: Mapping[tuple[str, int, int], Verdict]) -> bool:
    """Whether another message says something of this tick that is as new: who knows of that may leave this one out."""
    others = (other for where, verdict in verdicts.items() if where != message for other in verdict.ticks)
    return any(other.key == tick.key and other.ingested_at >= tick.ingested_at for other in others)


@attrs.define
class Truth:
    """All that follows from the raw messages."""

    verdicts: dict[tuple[str, int, int], Verdict]
    silver: dict[tuple[Any, ...], Tick]
    origins: dict[tuple[Any, ...], set[tuple[str, int, int]]]
    """Raw coordinates of each silver tick; of statements that are equally new and say the same, any may have stayed."""
    stated: dict[tuple[Any, ...], set[tuple[str, int, int]]]
    """The same of all statements that say the same, however old: a bar may count any of them."""
    least: dict[tuple[Any, ...], int]
    """When the content of a tick was known first: a bar counts this version or a higher one."""
    unheld: dict[tuple[str, int, int], bool]
    """Messages whose tick silver can't hold, and whether who knows of others may leave it out."""

    @classmethod
    def of(cls, messages: Iterable[RawMessage], *, picky: bool) -> "Truth":
        """Judge every message; where silver is picky, it can't hold some ticks."""
        verdicts, statements = {}, defaultdict(list)
        for message in messages:
            verdicts[message.coordinates] = verdict = judge(message)
            for tick in parted(verdict, picky=picky)[0]:
                statements[tick.key].append((tick.ingested_at, message.coordinates, tick))
        silver, origins, stated, least = {}, {}, {}, {}
        for key, said in statements.items():
            newest, _, silver[key] = max(said, key=lambda one: (one[0], digest_of(one[2])))
            same = [(known, where) for known, where, tick in said if content(tick) == content(silver[key])]
            origins[key] = {where for known, where in same if known == newest}
            stated[key] = {where for _, where in same}
            least[key] = min(known for known, _ in same)
        lost = {
            where: all(overtaken(tick, where, verdicts) for tick in ticks)
            for where, verdict in verdicts.items()
            if (ticks := parted(verdict, picky=picky)[1])
        }
        return cls(verdicts, silver, origins, stated, least, lost)

    def changing(self, messages: Iterable[RawMessage]) -> Counter[tuple[str, int, int]]:
        """How many ticks of each message may have changed what was known: something else is said of their keys too."""
        said: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
        for verdict in self.verdicts.values():
            for tick in verdict.ticks:
                said[tick.key].add(content(tick))
        return Counter(
            {
                message.coordinates: sum(len(said[tick.key]) > 1 for tick in self.verdicts[message.coordinates].ticks)
                for message in messages
            }
        )

    def corrections(self, read: Iterable[tuple[str, int, int]]) -> int:
        """How many ticks changed what was known, of messages that were read in this order."""
        known: dict[tuple[Any, ...], Tick] = {}
        count = 0
        for message in read:
            for tick in self.verdicts[message].ticks:
                before = known.get(tick.key)
                if before is None or (tick.ingested_at, digest_of(tick)) > (before.ingested_at, digest_of(before)):
                    count += before is not None and content(before) != content(tick)
                    known[tick.key] = tick
        return count

    def seals(self, base: str) -> dict[tuple[str, str], int]:
        """How far each instrument is closed at last: to the end of its last window."""
        ends: dict[tuple[str, str], int] = {}
        for tick in counting(self.silver.values()):
            series = tick.tenant_id, tick.instrument_id
            ends[series] = max(ends.get(series, 0), window(tick, base)[1])
        return ends

    def weights(self, interval: str) -> dict[tuple[Any, ...], tuple[int, int]]:
        """The least and the greatest sum of versions of each bar."""
        sums: dict[tuple[Any, ...], tuple[int, int]] = {}
        for key, tick in self.silver.items():
            if "TS_FUTURE" not in tick.flags:
                bar = tick.tenant_id, tick.instrument_id, window(tick, interval)[0]
                low, high = sums.get(bar, (0, 0))
                sums[bar] = low + self.least[key] * SLOTS, high + tick.ingested_at * SLOTS + SLOTS - 1
        return sums

    def known(self, interval: str) -> dict[tuple[Any, ...], tuple[int, int]]:
        """When the last tick of each bar was known, at the earliest and at the latest."""
        bounds: dict[tuple[Any, ...], tuple[int, int]] = {}
        for tick in counting(self.silver.values()):
            bar = tick.tenant_id, tick.instrument_id, window(tick, interval)[0]
            low, high = bounds.get(bar, (0, 0))
            bounds[bar] = max(low, self.least[tick.key]), max(high, tick.ingested_at)
        return bounds

    def lineages(self, interval: str) -> dict[tuple[Any, ...], list[set[tuple[str, int, int]]]]:
        """From where each tick of each bar may have come."""
        found: dict[tuple[Any, ...], list[set[tuple[str, int, int]]]] = defaultdict(list)
        for tick in counting(self.silver.values()):
            bar = tick.tenant_id, tick.instrument_id, window(tick, interval)[0]
            found[bar].append(self.stated[tick.key])
        return found

    def silver_rows(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Silver and enriched ticks."""
        return {
            key: {
                **{name: getattr(tick, name) for name in SILVER},
                "ingested_at": tick.ingested_at,
                "quality_flags": tick.flags,
            }
            for key, tick in self.silver.items()
        }

    def enriched_rows(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """What enrichment adds to them: the commodity, and the bits of its flags."""
        found = {}
        for key, tick in self.silver.items():
            commodity, floor, cap = KNOWN.get(tick.instrument_id, NOBODY_KNOWS)
            flags = (not commodity) << MISSING_METADATA | (not floor <= tick.price <= cap) << PRICE_OUT_OF_RANGE
            found[key] = {"commodity": commodity, "added": flags}
        return found

    def latest_rows(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Latest prices."""
        found = latest(self.silver.values())
        return {key: {name: getattr(tick, name) for name in LATEST} for key, tick in found.items()}

    def bar_rows(self, interval: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Bars of one interval."""
        return bars(self.silver.values(), interval)


def content(tick: Tick) -> tuple[Any, ...]:
    """What two statements must share to say the same."""
    return (
        tick.price,
        tick.volume,
        tick.energy_price,
        tick.congestion_price,
        tick.loss_price,
        tick.interval_end,
        tick.currency,
        tick.unit,
        tick.market,
        tick.flags - {"TS_ANCIENT", "INGESTED_AT_ASSUMED"},
    )


def differences(
    table: str, found: Mapping[Any, Mapping[str, Any]], wanted: Mapping[Any, Mapping[str, Any]]
) -> Iterator[str]:
    """In what a table differs from the truth."""
    yield from (f"{table}: missing {key}" for key in wanted.keys() - found.keys())
    yield from (f"{table}: unexpected {key}" for key in found.keys() - wanted.keys())
    for key in wanted.keys() & found.keys():
        for name, value in wanted[key].items():
            if found[key][name] != value:
                yield f"{table}: {key} {name} is {found[key][name]!r} instead of {value!r}"


def rows_of(frame: pl.DataFrame, key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows of a table by key, in the oracle's words."""
    found = {}
    for row in frame.iter_rows(named=True):
        told = {name: plain(value) for name, value in row.items() if name != "lineage_partitions"}
        if "quality_flags" in told:
            told["added"] = told["quality_flags"] & (1 << MISSING_METADATA | 1 << PRICE_OUT_OF_RANGE)
            told["quality_flags"] = flag_names(told["quality_flags"])
        if "raw_topic" in told:
            told["origin"] = told["raw_topic"], told["raw_partition"], told["raw_offset"]
        found[tuple(told[name] for name in key)] = told
    return found
