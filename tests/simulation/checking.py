"""
Watches every write, announcement and commit as it happens, with dictionaries of its own.

It keeps what a reader of each table would see (the highest version of each key), and what a listener of each topic
has heard. `Wrong` is raised at the first thing that no run may ever show, whatever is failing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import polars as pl

from application.ports.event_log import TopicPartition
from tests.simulation.truth import BAR_CONTENT, MICROS_A_MINUTE, moment_us

TS_FUTURE = 8
EPOCH_WEIGHT = 1 << 104
FINALITIES = 256
Key = tuple[Any, ...]
"""Instants in it are µs since 1970."""


def US(name: str) -> pl.Expr:  # noqa: N802 it stands where a column stands
    """An instant in µs."""
    return pl.col(name).to_physical()


TICK_KEY = ("tenant_id", "instrument_id", "ts", "source_id", "source_seq")
BAR_KEY = ("tenant_id", "instrument_id", "interval_start")
SERIES_KEY = ("tenant_id", "instrument_id")


class Wrong(AssertionError):
    """An invariant is broken."""


def require(holds: bool, invariant: str, told: Callable[[], str]) -> None:
    """Fail unless it holds."""
    if not holds:
        raise Wrong(f"{invariant}: {told()}")


@attrs.frozen
class SeenBar:
    """A bar as a reader or listener sees it."""

    revision: int
    state: str
    content: tuple[Any, ...]
    """Values of BAR_CONTENT, of which the first is its end."""
    trade_count: int

    @property
    def weight(self) -> int:
        """Its revision but for finality."""
        return self.revision // FINALITIES

    @property
    def epochs(self) -> int:
        """Logic epochs of the bars of ticks below it, added up."""
        return self.weight // EPOCH_WEIGHT

    @property
    def versions(self) -> int:
        """Versions of its ticks, added up."""
        return self.weight % EPOCH_WEIGHT


@attrs.frozen
class Heard:
    """One record of the enriched topic."""

    key: Key
    version: int
    may_count: bool

    @property
    def series(self) -> Key:
        """Tenant and instrument."""
        return self.key[:2]

    @property
    def ts_us(self) -> int:
        """What it speaks of."""
        return int(self.key[2])


@attrs.define
class Watcher:
    """What is visible so far."""

    base_minutes: int
    sometimes: Counter[str]
    versions: dict[str, dict[Key, int]] = attrs.field(factory=lambda: defaultdict(dict))
    """Highest version by key, of silver_ticks and enriched_ticks."""
    bars: dict[str, dict[Key, SeenBar]] = attrs.field(factory=lambda: defaultdict(dict))
    told_bars: dict[str, dict[Key, SeenBar]] = attrs.field(factory=lambda: defaultdict(dict))
    seals: dict[Key, int] = attrs.field(factory=dict)
    ranks: dict[str, dict[Key, tuple[str, tuple[Any, ...]]]] = attrs.field(factory=lambda: defaultdict(dict))
    """Rank and content of the latest prices, of the table, the cache and the topic."""
    enriched: dict[int, dict[int, Heard]] = attrs.field(factory=lambda: defaultdict(dict))
    """By partition and offset."""
    committed: dict[tuple[str, TopicPartition], int] = attrs.field(factory=dict)

    def stored(self, table: str, rows: Any) -> None:
        """Rows have arrived in a table."""
        if not len(rows):
            return
        if table in {"silver_ticks", "enriched_ticks"}:
            self._raise_versions(table, rows.frame)
        elif table.startswith("bars_"):
            self._see_bars(table.removeprefix("bars_"), rows.frame)
            self._note_reasons(rows.frame)
        elif table == "bar_seals":
            for *key, until in rows.frame.select(*SERIES_KEY, "sealed_until").rows():
                self.seals[tuple(key)] = max(self.seals.get(tuple(key), 0), moment_us(until))
        elif table in {"served_latest", "latest_prices_cache"}:
            self._see_prices(table, rows.frame)

    def announced(self, topic: str, rows: Any, placed: Callable[[], tuple[pl.Series, pl.Series]]) -> None:
        """Facts have arrived in a topic; `placed` are their partitions and offsets."""
        if not len(rows):
            return
        if topic.startswith("normalized."):
            self._readable("silver_ticks", rows.frame)
        elif topic.startswith("enriched."):
            self._readable("enriched_ticks", rows.frame)
            self._hear_ticks(rows.frame, *placed())
        elif topic.startswith("aggregated."):
            self._hear_bars(topic.split(".")[3], rows.frame)
        elif topic.startswith("served."):
            self._hear_prices(rows.frame)
        elif topic.startswith("processing.recompute"):
            for reason in rows.frame["reason"]:
                self.sometimes[f"asked to recompute: {reason}"] += 1

    def beyond_all(self, seals: Any) -> bool:
        """Whether any of these seals lies beyond every instant that any feed has spoken of."""
        heard = (one.ts_us for records in self.enriched.values() for one in records.values() if one.may_count)
        highest = max(heard, default=0)
        return any(moment_us(until) > highest for until in seals.frame["sealed_until"])

    def committing(
        self, group: str, offsets: Mapping[TopicPartition, int], ends: Callable[[TopicPartition], int]
    ) -> None:
        """A group is about to resume from here; what lies before must never be needed again."""
        for where, offset in offsets.items():
            before = self.committed.get((group, where), 0)
            require(offset >= before, "I8", lambda: f"{group} goes back from {before} to {offset} on {where}")  # noqa: B023
            require(offset <= ends(where), "I8", lambda: f"{group} commits {offset} beyond the end of {where}")  # noqa: B023
            if group == "aggregation" and where.topic.startswith("enriched."):
                self._closed_before(where, before, offset)
            self.committed[group, where] = offset

    def _closed_before(self, where: TopicPartition, before: int, offset: int) -> None:
        """No tick before the floor is in a window that is still open, unless it is said again, or better, behind it."""
        length = self.base_minutes * MICROS_A_MINUTE
        records = self.enriched[where.partition]
        for at in range(before, offset):
            heard = records.get(at)
            if not heard or not heard.may_count:
                continue
            is_open = heard.ts_us // length * length + length > self.seals.get(heard.series, 0)
            behind = (other for later, other in records.items() if later >= offset and other.key == heard.key)
            kept = not is_open or any(other.version >= heard.version for other in behind)
            require(kept, "I8", lambda: f"{where} is committed to {offset}, and {heard} at {at} is open")  # noqa: B023

    def _note_reasons(self, rows: pl.DataFrame) -> None:
        self.sometimes["closed windows were computed for a backfill"] += int((rows["reason"] == "backfill").sum())

    def _raise_versions(self, table: str, rows: pl.DataFrame) -> None:
        seen = self.versions[table]
        for key, version in ticks_of(rows):
            seen[key] = max(seen.get(key, 0), version)

    def _readable(self, table: str, rows: pl.DataFrame) -> None:
        seen = self.versions[table]
        for key, version in ticks_of(rows):
            require(seen.get(key, 0) >= version, "store before announce", lambda: f"{table} lacks {key}")  # noqa: B023

    def _hear_ticks(self, rows: pl.DataFrame, partition: pl.Series, offset: pl.Series) -> None:
        told = zip(partition, offset, ticks_of(rows), rows["quality_flags"], strict=True)
        for number, at, (key, version), flags in told:
            self.enriched[number][at] = Heard(key, version, not flags & TS_FUTURE)

    def _see_bars(self, interval: str, rows: pl.DataFrame) -> None:
        seen = self.bars[interval]
        for key, bar in bars_of(rows):
            known = seen.get(key)
            if known is None:
                seen[key] = bar
                continue
            if bar.revision == known.revision:
                require(bar.content == known.content, "I5", lambda: f"{interval} {key}: {known} or {bar}")  # noqa: B023
            elif bar.revision > known.revision:
                same_epoch = bar.epochs == known.epochs
                grows = bar.trade_count >= known.trade_count or not same_epoch
                require(grows, "I19", lambda: f"{interval} {key} shrinks from {known} to {bar}")  # noqa: B023
                self.sometimes["same content, higher revision"] += bar.content == known.content
                seen[key] = bar
            else:
                self.sometimes["write lost to a higher revision"] += 1

    def _hear_bars(self, interval: str, rows: pl.DataFrame) -> None:
        for key, bar in bars_of(rows):
            known = self.bars[interval].get(key)
            readable = known is not None and known.revision >= bar.revision
            require(readable, "store before announce", lambda: f"{interval} {key}: {known} stored, {bar} told")  # noqa: B023
            self.sometimes[f"told of a bar: {bar.state}"] += 1
            heard = self.told_bars[interval].get(key)
            if heard is None or bar.revision >= heard.revision:
                self.told_bars[interval][key] = bar

    def _see_prices(self, table: str, rows: pl.DataFrame) -> None:
        for key, rank, content in prices_of(rows):
            known = self.ranks[table].get(key)
            if known is None or rank > known[0]:
                self.ranks[table][key] = rank, content
            elif rank < known[0]:
                self.sometimes["price lost to a higher rank"] += 1

    def _hear_prices(self, rows: pl.DataFrame) -> None:
        for key, rank, content in prices_of(rows):
            known = self.ranks["served_latest"].get(key)
            require(known is not None and known[0] >= rank, "store before announce", lambda: f"price of {key}")  # noqa: B023
            heard = self.ranks["topic"].get(key)
            if heard is None or rank >= heard[0]:
                self.ranks["topic"][key] = rank, content


def ticks_of(rows: pl.DataFrame) -> list[tuple[Key, int]]:
    """Key and version of ticks."""
    columns = rows.select("tenant_id", "instrument_id", US("ts"), "source_id", "source_seq", "version").rows()
    return [(row[:5], row[5]) for row in columns]


def bars_of(rows: pl.DataFrame) -> list[tuple[Key, SeenBar]]:
    """Bars by key."""
    columns = rows.select(*SERIES_KEY, US("interval_start"), "revision", "state", "trade_count", *BAR_CONTENT).rows()
    return [(row[:3], SeenBar(revision=row[3], state=row[4], trade_count=row[5], content=row[6:])) for row in columns]


def prices_of(rows: pl.DataFrame) -> list[tuple[Key, str, tuple[Any, ...]]]:
    """Rank and content of latest prices by key."""
    columns = rows.select(
        *SERIES_KEY, "rank", "ts", "price", "volume", "source_id", "source_seq", "quality_flags"
    ).rows()
    return [(row[:2], row[2], row[3:]) for row in columns]
