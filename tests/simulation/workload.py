"""What is said in one world: raw messages of two shapes, repeated, corrected, late, spoiled, in any raw partition."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

import attrs

from tests.oracle.raw import RawMessage
from tests.simulation.swarm import Swarm
from tests.simulation.truth import DEADLY, UNHELD

TICKS_TOPIC = "ingestion.market.ticks.raw.v1"
MISO_TOPIC = "ingestion.miso.raw.v1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENING_US = (datetime(2026, 10, 5, 22, 40, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""Hours and days end soon after."""
SECOND = 1_000_000
MINUTE = 60 * SECOND
WINDOW = 5 * MINUTE
LIMITS = ("0.00", "-0.00000001", "30", "30.00000001", "-100000", "-100000.01", "10000000.00", "10000000.01")
"""What is just ordinary, and just isn't, for Henry Hub and for what nobody describes."""
ANOTHER_VENUE = 23
"""One in so many statements names another venue, also where it repeats all else."""
DAY_AHEAD = "miso.lmp.da"
SOURCES = ("floor", "screen")
SYMBOLS = (("default", "NG_HH"), ("acme", "NG_HH"), ("default", "CL_WTI"), ("default", "UNHEARD_OF"))
NONSENSE = (
    b"",
    b"  ",
    b"{",
    b"null",
    b"[1]",
    b'{"payload":null}',
    b"\x00abc",
    b"\xff\xfe",
    b'{"payload":{"market":"miso"}}',
)


@attrs.frozen(kw_only=True)
class Statement:
    """One price as a source states it."""

    tenant: str
    symbol: str
    source: str
    ts_us: int
    sequence: int
    price: str
    volume: str | None


@attrs.frozen
class Bunch:
    """Messages that are appended at once, some time after the bunch before."""

    after_s: float
    messages: tuple[RawMessage, ...]


def bunches(seed: int, swarm: Swarm) -> list[Bunch]:
    """All that is said in a world, in order."""
    said = _Conversation(Random(f"workload {seed}"), swarm)
    messages = [said.message() for _ in range(swarm.messages)]
    for place in Random(f"deadly {seed}").sample(range(len(messages)), 2 if swarm.deadly else 0):
        messages[place] = attrs.evolve(messages[place], value=DEADLY)
    found = []
    while messages:
        size = said.chance.randint(1, swarm.bunch)
        found.append(Bunch(said.chance.expovariate(1 / swarm.gap_s), tuple(messages[:size])))
        messages = messages[size:]
    return found


@attrs.define
class _Conversation:
    """Speaks on, and remembers what was said."""

    chance: Random
    swarm: Swarm
    now_us: int = EVENING_US
    said: list[Statement] = attrs.field(factory=list)
    former: dict[Any, Statement] = attrs.field(factory=dict)
    """What was said first about each tick."""
    offsets: Counter[tuple[str, int]] = attrs.field(factory=Counter)
    known: set[int] = attrs.field(factory=set)
    last: dict[Any, int] = attrs.field(factory=dict)
    """When what was said last of an instant of a series was known."""

    def message(self) -> RawMessage:
        """The next message, in some raw partition."""
        self.now_us += int(self.chance.expovariate(1 / self.swarm.minutes) * MINUTE)
        kinds = {"fresh": 1.0, **self.swarm.statements}
        kind = self.chance.choices(list(kinds), list(kinds.values()))[0]
        known_us = self.knowledge()
        return self.sent(*self.spoken(kind, known_us), known_us)

    def spoken(self, kind: str, known_us: int) -> tuple[str, bytes | None]:
        """Topic and value."""
        if kind in {"broken", "tombstone", "filter"}:
            return self.no_price(kind)
        if kind == "day ahead":
            return MISO_TOPIC, self.day_ahead(known_us)
        statement = self.statement(kind)
        self.said.append(statement)
        self.former.setdefault(keyed(statement), statement)
        return TICKS_TOPIC, wrapped(statement, self.as_new_as_before(statement, known_us))

    def as_new_as_before(self, statement: Statement, known_us: int) -> int:
        """In some worlds, and there often, what is said again is known at the same microsecond."""
        spoken_of = statement.tenant, statement.symbol, statement.ts_us
        if self.swarm.ties and self.chance.random() < 0.6:
            known_us = self.last.get(spoken_of, known_us)
        self.last[spoken_of] = known_us
        return known_us

    def no_price(self, kind: str) -> tuple[str, bytes | None]:
        if kind == "broken":
            return self.chance.choice((TICKS_TOPIC, MISO_TOPIC)), self.chance.choice(NONSENSE)
        if kind == "tombstone":
            return self.chance.choice((TICKS_TOPIC, MISO_TOPIC)), None
        return MISO_TOPIC, json.dumps({"payload": {"market": "miso", "data_type": "outages"}}).encode()

    def statement(self, kind: str) -> Statement:
        """A fresh tick, or something about one that was heard before."""
        before = self.chance.choice(self.said[-self.swarm.recall :]) if self.said else None
        if before is None or kind in {"fresh", "late", "future"}:
            return self.fresh(kind)
        if kind == "repeat":
            return before
        if kind == "correction":
            return attrs.evolve(before, price=self.price(), volume=self.volume())
        if kind == "back":
            return self.former[keyed(before)]
        other = SOURCES[1 - SOURCES.index(before.source)]
        sequence = self.chance.choice((0, 1, 2)) if self.swarm.edges else before.sequence
        return attrs.evolve(before, source=other, sequence=sequence, price=self.price())

    def fresh(self, kind: str) -> Statement:
        """A tick of about now, of long ago, or of far ahead."""
        tenant, symbol = self.chance.choice(SYMBOLS[: self.swarm.series])
        ts_us = self.now_us
        if kind == "late":
            ts_us -= self.chance.randint(*self.swarm.late_minutes) * MINUTE
        elif kind == "future":
            ts_us += self.chance.randint(10, 600) * MINUTE
        elif self.chance.random() < self.swarm.disorder:
            ts_us -= self.chance.randint(0, 12) * MINUTE
        return Statement(
            tenant=tenant,
            symbol=symbol,
            source=self.chance.choice(SOURCES),
            ts_us=self.at_an_end(ts_us)
            if self.swarm.edges and self.chance.random() < 0.6
            else ts_us // SECOND * SECOND,
            sequence=self.chance.choice((0, 0, 1, 2)),
            price=self.price(),
            volume=self.volume(),
        )

    def at_an_end(self, ts_us: int) -> int:
        """The first or last second of its window."""
        return ts_us // WINDOW * WINDOW + self.chance.choice((0, WINDOW - SECOND))

    def price(self) -> str:
        """In some worlds often at a limit. Mostly ordinary; sometimes negative, sometimes finer than we keep."""
        if self.swarm.edges and self.chance.random() < 0.4:
            return self.chance.choice(LIMITS)
        return f"{self.chance.randint(-200, 9000) / 100:.2f}" + self.chance.choice(("", "", "", "123456789"))

    def volume(self) -> str | None:
        """Absent, ordinary or negative."""
        return self.chance.choice((None, "1", "2.5", "0", "-3", str(UNHELD)))

    def day_ahead(self, known_us: int) -> bytes:
        """An hour of tomorrow on MISO's clock."""
        hour = self.chance.randint(0, 5)
        payload = {
            "market": "miso",
            "data_type": "lmp",
            "timestamp": f"2026-10-07T{hour:02d}:00:00",
            "node": self.chance.choice(("INDIANA.HUB", "MINN.HUB")),
            "market_run": "DA",
            "lmp_usd_per_mwh": self.chance.randint(-500, 9000) / 100,
        }
        return json.dumps({"tenant_id": "default", "ingested_at": known_us, "payload": payload}).encode()

    def knowledge(self) -> int:
        """When the connector knew it: no two messages at one microsecond, not always in the order of the log."""
        before = self.chance.randint(0, 900) * SECOND if self.chance.random() < self.swarm.disorder else 0
        known_us = self.now_us - before + self.chance.randint(0, SECOND)
        while known_us in self.known:
            known_us += 1
        self.known.add(known_us)
        return known_us

    def sent(self, topic: str, value: bytes | None, known_us: int) -> RawMessage:
        """Put it into some raw partition; now and then an offset is left out."""
        partition = self.chance.randrange(self.swarm.raw_partitions)
        offset = self.offsets[topic, partition] + (self.chance.random() < 0.05)
        self.offsets[topic, partition] = offset + 1
        return RawMessage(
            topic=topic, partition=partition, offset=offset, timestamp_ms=known_us // 1000 + 5, value=value
        )


def keyed(statement: Statement) -> tuple[Any, ...]:
    """What tells two ticks apart."""
    return statement.tenant, statement.symbol, statement.source, statement.ts_us, statement.sequence


def wrapped(statement: Statement, known_us: int) -> bytes:
    """A CSV row inside the wrapper."""
    moment = EPOCH + timedelta(microseconds=statement.ts_us)
    row = {
        "symbol": statement.symbol,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "price": statement.price,
        "source_id": statement.source,
        "market": "ICE" if known_us % ANOTHER_VENUE == 0 else "NYMEX",
        "currency": "USD",
        "unit": "MMBtu",
    }
    if statement.volume is not None:
        row["volume"] = statement.volume
    text = json.dumps(row)
    payload = {
        "source_system": statement.source,
        "market": "NYMEX",
        "symbol": statement.symbol,
        "sequence": statement.sequence,
        "raw_payload": text,
        "encoding": "csv-line",
        "metadata": {},
        "checksum": sha256(text.encode()).hexdigest(),
    }
    return json.dumps({"tenant_id": statement.tenant, "ingested_at": known_us, "payload": payload}).encode()
