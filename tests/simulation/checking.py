"""
Watches every write, announcement and commit as it happens, with dictionaries of its own.

It keeps what a reader of each table would see (the highest version of each key), and what a listener of each topic
has heard. `Wrong` is raised at the first thing that no run may ever show, whatever is failing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import attrs
import polars as pl

from application.ports.event_log import TopicPartition
from tests.oracle.digests import FLAGS, NO_CONTENT, digest, text
from tests.oracle.meaning import Verdict, judge
from tests.oracle.raw import RawMessage
from tests.simulation.truth import BAR_CONTENT, MICROS_A_MINUTE, moment_us

TS_FUTURE = 8
UNSAID = (0, 0)
CONTENT_NUMBERS = (
    "price", "volume", "bid_price", "ask_price", "energy_price", "congestion_price", "loss_price", "interval_end",
)  # fmt: skip
CONTENT_LABELS = ("currency", "unit", "market")
CONTENT_FLAGS = sum(1 << bit for bit, name in enumerate(FLAGS) if name not in NO_CONTENT)
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
COORDINATES = ("topic", "partition", "offset")
MINUTES = {"5m": 5, "1h": 60}
"""Length of what is asked for anew."""


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
    reason: str
    known_at: datetime

    @property
    def end_us(self) -> int:
        """The first instant after it."""
        return moment_us(self.content[0])

    @property
    def settled(self) -> bool:
        """Whether its window is closed."""
        return self.state != "provisional"

    def says(self, other: "SeenBar") -> bool:
        """Whether the two have the same content."""
        return (self.content, self.trade_count) == (other.content, other.trade_count)

    def repeats(self, other: "SeenBar | None") -> bool:
        """Whether the other has the same content and state."""
        return other is not None and self.says(other) and self.state == other.state

    def overtaken_by(self, other: "SeenBar | None") -> bool:
        """Whether the other is another and takes precedence."""
        return other is not None and other.precedence > self.precedence and not self.repeats(other)

    @property
    def precedence(self) -> tuple[int, int, int]:
        """What decides which of two bars of one key stays."""
        return self.weight, self.content[-1], self.revision

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
    """One tick as a topic carries it."""

    key: Key
    statement: tuple[int, int]
    """Its version and content: of two statements of its key the greater stays."""
    may_count: bool
    at_s: float
    """When it was announced."""

    @property
    def series(self) -> Key:
        """Tenant and instrument."""
        return self.key[:2]

    @property
    def ts_us(self) -> int:
        """What it speaks of."""
        return int(self.key[2])

    @property
    def feed(self) -> tuple[str, str]:
        """Whose feed, and which."""
        return self.key[0], self.key[3]

    @property
    def rank(self) -> str:
        """Where it stands among the prices of its series, but for its source."""
        return f"{self.ts_us:016x}{self.key[4]:016x}{self.statement[0]:016x}"


@attrs.frozen
class Asked:
    """One request to compute windows anew."""

    series: Key
    start_us: int
    end_us: int
    reason: str

    def covers(self, series: Key, start_us: int) -> bool:
        """Whether it asks for this window."""
        return self.series == series and self.start_us <= start_us < self.end_us


@attrs.define
class Watcher:
    """What is visible so far."""

    intervals: tuple[str, ...]
    """The finest first."""
    ties: bool
    """Whether statements may be equally new."""
    picky: bool
    """Whether silver can't hold some ticks."""
    sometimes: Counter[str]
    now_s: Callable[[], float]
    verdicts: dict[tuple[str, int, int], Verdict] = attrs.field(factory=dict)
    """What must become of each raw message, by its coordinates."""
    outcomes: set[tuple[str, int, int]] = attrs.field(factory=set)
    letters: dict[str, dict[Key, bytes]] = attrs.field(factory=lambda: defaultdict(dict))
    """Bytes of the dead letters in the table and in the topic, by coordinates."""
    statements: dict[str, dict[Key, tuple[int, int]]] = attrs.field(factory=lambda: defaultdict(dict))
    """Greatest version and content by key, of silver_ticks and enriched_ticks, and of what was told of them."""
    past: set[tuple[str, Key, tuple[Any, ...]]] = attrs.field(factory=set)
    """Interval, key and content of what bar_revisions holds."""
    bars: dict[str, dict[Key, SeenBar]] = attrs.field(factory=lambda: defaultdict(dict))
    told_bars: dict[str, dict[Key, SeenBar]] = attrs.field(factory=lambda: defaultdict(dict))
    seals: dict[Key, int] = attrs.field(factory=dict)
    ranks: dict[str, dict[Key, tuple[str, tuple[Any, ...]]]] = attrs.field(factory=lambda: defaultdict(dict))
    """Rank and content of the latest prices, of the table, the cache and the topic."""
    normalized: dict[int, dict[int, Heard]] = attrs.field(factory=lambda: defaultdict(dict))
    """By partition and offset."""
    enriched: dict[int, dict[int, Heard]] = attrs.field(factory=lambda: defaultdict(dict))
    requests: dict[int, dict[int, Asked]] = attrs.field(factory=lambda: defaultdict(dict))
    committed: dict[tuple[str, TopicPartition], int] = attrs.field(factory=dict)

    @property
    def window_us(self) -> int:
        """Length of a window."""
        return MINUTES[self.intervals[0]] * MICROS_A_MINUTE

    def said(self, messages: Iterable[RawMessage]) -> None:
        """Raw messages have arrived."""
        self.verdicts.update({message.coordinates: judge(message) for message in messages})

    def stored(self, table: str, rows: Any) -> None:
        """Rows have arrived in a table."""
        if not len(rows):
            return
        if table == "outcomes":
            self.outcomes.update(rows.frame.select(*COORDINATES).rows())
        elif table == "dead_letters":
            self._see_letters("table", rows.frame)
        elif table == "bar_revisions":
            self.past.update(
                (name, *shown(key, bar))
                for (key, bar), name in zip(bars_of(rows.frame), rows.frame["interval"], strict=True)
            )
        elif table in {"silver_ticks", "enriched_ticks"}:
            self._raise_statements(table, ticks_of(rows.frame))
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
            self._hear_ticks("silver_ticks", self.normalized, rows.frame, *placed())
        elif topic.startswith("enriched."):
            self._hear_ticks("enriched_ticks", self.enriched, rows.frame, *placed())
        elif topic.startswith("processing.deadletter."):
            self._see_letters("topic", rows.frame)
        elif topic.startswith("aggregated."):
            self._hear_bars(topic.split(".")[3], rows.frame)
        elif topic.startswith("served."):
            self._hear_prices(rows.frame)
        elif topic.startswith("processing.recompute"):
            self._hear_requests(rows.frame, *placed())

    def reasons(self, series: Key, start_us: int) -> set[str]:
        """Why a window was asked for."""
        asked = (one for records in self.requests.values() for one in records.values())
        return {one.reason for one in asked if one.covers(series, start_us)}

    def beyond_all(self, seals: Any) -> bool:
        """Whether any of these seals lies beyond every instant that any feed has spoken of."""
        heard = (one.ts_us for records in self.enriched.values() for one in records.values() if one.may_count)
        highest = max(heard, default=0)
        return any(moment_us(until) > highest for until in seals.frame["sealed_until"])

    def start_us(self, heard: Heard) -> int:
        """First instant of the window of a tick."""
        return heard.ts_us // self.window_us * self.window_us

    def floor(self, group: str, topic: str, partition: int) -> int:
        """From where a group resumes."""
        return self.committed.get((group, TopicPartition(topic, partition)), 0)

    def _note_reasons(self, rows: pl.DataFrame) -> None:
        self.sometimes["closed windows were computed for a backfill"] += int((rows["reason"] == "backfill").sum())

    def _raise_statements(self, table: str, ticks: Iterable[tuple[Key, tuple[int, int]]]) -> None:
        seen = self.statements[table]
        for key, statement in ticks:
            seen[key] = max(seen.get(key, UNSAID), statement)

    def _hear_ticks(
        self,
        table: str,
        heard: dict[int, dict[int, Heard]],
        rows: pl.DataFrame,
        partition: pl.Series,
        offset: pl.Series,
    ) -> None:
        seen, ticks = self.statements[table], ticks_of(rows)
        told = zip(partition, offset, ticks, rows["quality_flags"], strict=True)
        for number, at, (key, statement), flags in told:
            readable = seen.get(key, UNSAID) >= statement
            require(readable, "store before announce", lambda: f"{table} lacks {key}")  # noqa: B023
            heard[number][at] = Heard(key, statement, not flags & TS_FUTURE, self.now_s())
        self._raise_statements(f"told of {table}", ticks)

    def _hear_requests(self, rows: pl.DataFrame, partition: pl.Series, offset: pl.Series) -> None:
        asked = rows.select(*SERIES_KEY, US("interval_start"), "interval", "reason").rows()
        for number, at, (tenant, instrument, start, interval, reason) in zip(partition, offset, asked, strict=True):
            end = start + MINUTES[interval] * MICROS_A_MINUTE
            self.requests[number][at] = Asked((tenant, instrument), start, end, reason)
            self.sometimes[f"asked to recompute: {reason}"] += 1

    def _see_letters(self, where: str, rows: pl.DataFrame) -> None:
        self.letters[where].update({tuple(key): raw for *key, raw in rows.select(*COORDINATES, "raw").iter_rows()})
        self.sometimes["silver can't hold a tick"] += int((rows["reason"] == "ROW_REFUSED").sum())

    def _see_bars(self, interval: str, rows: pl.DataFrame) -> None:
        seen = self.bars[interval]
        for key, bar in bars_of(rows):
            known = seen.get(key)
            if known is None or bar.precedence > known.precedence:
                remembered = (interval, *shown(key, bar)) in self.past
                require(remembered, "bar_revisions", lambda: f"{interval} {key}: {bar} is not among them")  # noqa: B023
            if known is None:
                seen[key] = bar
                continue
            one = bar.content == known.content or (self.ties and bar.precedence != known.precedence)
            require(bar.revision != known.revision or one, "I5", lambda: f"{interval} {key}: {known} or {bar}")  # noqa: B023
            self.sometimes["equal revision, other content"] += (
                bar.revision == known.revision and bar.content != known.content
            )
            if bar.precedence > known.precedence:
                same_epoch = bar.epochs == known.epochs
                grows = bar.trade_count >= known.trade_count or not same_epoch
                require(grows, "I19", lambda: f"{interval} {key} shrinks from {known} to {bar}")  # noqa: B023
                self.sometimes["same content, higher revision"] += bar.content == known.content
                seen[key] = bar
            elif bar.precedence < known.precedence:
                self.sometimes["write lost to a higher revision"] += 1

    def _hear_bars(self, interval: str, rows: pl.DataFrame) -> None:
        for key, bar in bars_of(rows):
            known = self.bars[interval].get(key)
            readable = known is not None and known.precedence >= bar.precedence
            require(readable, "store before announce", lambda: f"{interval} {key}: {known} stored, {bar} told")  # noqa: B023
            self.sometimes[f"told of a bar: {bar.state}"] += 1
            heard = self.told_bars[interval].get(key)
            if heard is None or bar.precedence >= heard.precedence:
                self.told_bars[interval][key] = bar

    def _see_prices(self, table: str, rows: pl.DataFrame) -> None:
        for key, rank, content in prices_of(rows):
            known = self.ranks[table].get(key)
            lasting = self.ranks["served_latest"].get(key, ("",))[0]
            in_turn = table == "served_latest" or rank <= lasting
            require(in_turn, "table before cache", lambda: f"{key} has rank {rank} there, and {lasting} in the table")  # noqa: B023
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


def ticks_of(rows: pl.DataFrame) -> list[tuple[Key, tuple[int, int]]]:
    """Key of ticks, with version and content."""
    columns = rows.select(
        *("tenant_id", "instrument_id", US("ts"), "source_id", "source_seq", "version"),
        *(pl.col(name).to_physical() for name in CONTENT_NUMBERS),
        *(pl.col(name).cast(pl.String) for name in CONTENT_LABELS),
        pl.col("quality_flags") & CONTENT_FLAGS,
    ).rows()
    return [(row[:5], (row[5], digest(*row[6:14], *map(text, row[14:17]), row[17]))) for row in columns]


def bars_of(rows: pl.DataFrame) -> list[tuple[Key, SeenBar]]:
    """Bars by key."""
    columns = rows.select(
        *SERIES_KEY, US("interval_start"), "revision", "state", "trade_count", "reason", "known_at", *BAR_CONTENT
    ).rows()
    names = ("revision", "state", "trade_count", "reason", "known_at")
    return [(row[:3], SeenBar(**dict(zip(names, row[3:8], strict=True)), content=row[8:])) for row in columns]


def shown(key: Key, bar: SeenBar) -> tuple[Key, tuple[Any, ...]]:
    """A bar's key and content, as bar_revisions remembers them."""
    return key, (bar.trade_count, *bar.content)


def prices_of(rows: pl.DataFrame) -> list[tuple[Key, str, tuple[Any, ...]]]:
    """Rank and content of latest prices by key."""
    columns = rows.select(
        *SERIES_KEY, "rank", "ts", "market", "price", "volume", "source_id", "source_seq", "quality_flags"
    ).rows()
    return [(row[:2], row[2], row[3:]) for row in columns]
