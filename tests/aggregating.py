"""An aggregation at work on tables and a log in memory: ticks go in as the normalizer brings them, bars come out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import attrs
import polars as pl

from adapters.memory.event_log import MemoryEventLog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.policies import MemoryPolicies
from adapters.memory.tables import (
    MemoryBarRevisionTable,
    MemoryBarTable,
    MemoryDeadLetterTable,
    MemorySealTable,
    MemoryTickTable,
)
from application import topics
from application.consume import Consume, Pace
from application.ports.event_log import Listener, TopicPartition
from application.stages.aggregate import BAR_REVISIONS, SEALS, AggregateBars, Patience, bar_table
from domain.batch import Batch
from domain.gold.interval import BarIntervals
from domain.reprocessing import RecomputeRequests
from domain.silver.feed import FeedPolicies
from domain.silver.tick import Tick, TickBatch
from tests.performing import StandingClock, Tally
from tests.steps.enriching import enriched_batch

GROUP = "aggregation"
ASKING = frozenset({"poll", "read", "mark", "highest"})
"""Effects that change nothing outside, or nothing that could be half done: they fail before they happen only."""
QUICK = Patience(provisional_every_s=0.0, lateness_s={"trades": 600, "slow": 3600}, idle_s={"trades": 900})
"""Touched windows are told of at every turn; `trades` wait ten minutes and fall idle after fifteen, `slow` waits an hour."""


class Crash(Exception):
    """The process is killed here."""


@attrs.define
class Script:
    """Counts effects on the outside, and makes some of them fail."""

    failing: Callable[[int, str], Exception | None] = lambda _number, _effect: None
    effects: list[str] = attrs.field(factory=list)

    def strike(self, effect: str) -> None:
        """Count this effect; fail it where the script says so."""
        self.effects.append(effect)
        if failure := self.failing(len(self.effects) - 1, effect):
            raise failure


@attrs.frozen
class Scripted:
    """Any port, of which some methods are effects that the script may fail: before they happen, or after."""

    inner: Any
    script: Script
    effects: Mapping[str, str]
    """Method → name of the effect."""

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        return partial(self._struck, name, method) if name in self.effects else method

    def _struck(self, name: str, method: Callable[..., Any], *args: Any, **named: Any) -> Any:
        effect = self.effects[name]
        self.script.strike(effect)
        result = method(*args, **named)
        if effect not in ASKING:
            self.script.strike(f"{effect} done")
        return result


@attrs.frozen
class ScriptedLog:
    """An event log whose publish, poll and commit the script may fail."""

    inner: MemoryEventLog
    script: Script
    heard: list[tuple[str, Batch[Any]]]

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        self.script.strike("publish")
        self.inner.publish(topic, facts)
        self.heard.append((topic, facts))
        self.script.strike("publish done")

    def end_offsets(self, names: Sequence[str]) -> Mapping[TopicPartition, int]:
        return self.inner.end_offsets(names)

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        return self.inner.next_records(positions)

    def subscribe(self, group: str, names: Sequence[str], listener: Listener) -> Any:
        consumer = self.inner.subscribe(group, names, listener)
        return Scripted(consumer, self.script, {"poll": "poll", "commit": "commit"})


@attrs.define
class Lines:
    """A journal that keeps what it is told."""

    told: list[str] = attrs.field(factory=list)

    def info(self, message: str, **_: object) -> None:
        self.told.append(message)

    def warning(self, message: str, **_: object) -> None:
        self.told.append(message)

    def error(self, message: str, **_: object) -> None:
        self.told.append(message)


@attrs.define
class Aggregation:
    """What lasts while processes come and go: log, tables, epoch; and the process at work now."""

    names: Sequence[str] = ("5m", "1h", "1d")
    patience: Patience = QUICK
    batch: int = 20_000
    attempts: int = 1_000_000
    """Processes end here at the same place again and again, and no record is to blame unless a test says so."""
    script: Script = attrs.field(factory=Script)
    stopping: Callable[[], bool] = lambda: False
    clock: StandingClock = attrs.field(factory=lambda: StandingClock(1000.0))
    meter: Tally = attrs.field(factory=Tally)
    journal: Lines = attrs.field(factory=Lines)
    epoch: MemoryLogicEpoch = attrs.field(factory=MemoryLogicEpoch)
    silver: MemoryTickTable = attrs.field(factory=MemoryTickTable)
    revisions: MemoryBarRevisionTable = attrs.field(factory=MemoryBarRevisionTable)
    seals: MemorySealTable = attrs.field(factory=MemorySealTable)
    heard: list[tuple[str, Batch[Any]]] = attrs.field(factory=list)
    bars: dict[str, MemoryBarTable] = attrs.field(init=False)
    log: MemoryEventLog = attrs.field(init=False)
    loop: Consume = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.log = MemoryEventLog(topics.partitions, retain=True)
        self.bars = {name: MemoryBarTable(name) for name in self.names}
        self.loop = self.process()
        self.turn()

    def process(self) -> Consume:
        """A new process, started and not yet assigned."""
        written: dict[str, Any] = {bar_table(name): table for name, table in self.bars.items()}
        written |= {BAR_REVISIONS: self.revisions, SEALS: self.seals, "dead_letters": MemoryDeadLetterTable()}
        log: Any = ScriptedLog(self.log, self.script, self.heard)
        loop = Consume(
            stage=self.stage(),
            group=GROUP,
            log=log,
            tables={name: Scripted(table, self.script, {"upsert": "store"}) for name, table in written.items()},
            epoch=Scripted(self.epoch, self.script, {"highest": "read", "mark": "read"}),
            clock=self.clock,
            meter=self.meter,
            journal=self.journal,
            pace=Pace(batch=self.batch, attempts=self.attempts),
            stopping=self.stopping,
        )
        loop.start()
        return loop

    def stage(self) -> AggregateBars:
        """A new stage over these tables."""
        reads = {"stored": "read", "within": "read"}
        return AggregateBars(
            intervals=BarIntervals.parse(self.names),
            tables={name: Scripted(table, self.script, reads) for name, table in self.bars.items()},
            ticks=Scripted(self.silver, self.script, reads),
            seals=Scripted(self.seals, self.script, {"of_partitions": "read"}),
            policies=MemoryPolicies(FeedPolicies.of([])),
            clock=self.clock,
            meter=self.meter,
            patience=self.patience,
        )

    def restart(self) -> None:
        """Kill the process and start another, which goes on from what was committed."""
        self.loop.close()
        self.loop = self.process()
        self.turn()

    def arrive(self, *facts: Tick) -> None:
        """Store and announce enriched ticks, as one batch, without the aggregation taking notice yet."""
        self.silver.upsert(TickBatch.of(facts))
        self.log.publish(topics.ENRICHED, enriched_batch(facts))

    def ask(self, requests: RecomputeRequests) -> None:
        """Ask for windows to be computed anew."""
        self.log.publish(topics.RECOMPUTE, requests)

    def turn(self) -> int:
        """One turn of the loop."""
        return self.loop.step()

    def drain(self) -> None:
        """Turn until nothing is left."""
        while self.turn():
            pass

    def take(self, *facts: Tick) -> None:
        """Let ticks arrive as one batch, and work it off."""
        self.arrive(*facts)
        self.drain()

    def wait(self, seconds: float) -> None:
        """Let time pass, then turn."""
        self.clock.seconds += seconds
        self.drain()

    def ended(self) -> "Aggregation":
        """Work everything off and store what is still open as it stands."""
        self.drain()
        self.loop.finish()
        self.drain()
        return self

    def final(self, interval: str = "5m") -> pl.DataFrame:
        """All stored bars of an interval."""
        return self.bars[interval].final()

    def column(self, name: str, interval: str = "5m") -> list[Any]:
        """One column of the stored bars, by instrument and start."""
        return self.final(interval)[name].to_list()

    def told(self, interval: str = "5m") -> list[Any]:
        """All bars of an interval announced so far, in order."""
        return [fact for topic, batch in self.heard if topic == topics.bars(interval) for fact in batch.facts()]

    def asked(self) -> list[Any]:
        """All recompute requests announced by the aggregation so far."""
        return [fact for topic, batch in self.heard if topic == topics.RECOMPUTE for fact in batch.facts()]

    def committed(self, topic: str = topics.ENRICHED) -> dict[int, int]:
        """Committed offset by partition, of partitions that have records."""
        known = self.log.committed(GROUP, [topic])
        ends = self.log.end_offsets([topic])
        return {where.partition: offset for where, offset in known.items() if ends[where]}


def in_batches(facts: Sequence[Tick], cuts: Iterable[int]) -> list[Sequence[Tick]]:
    """The facts cut before these positions."""
    places = [0, *sorted({cut % max(len(facts), 1) for cut in cuts} - {0}), len(facts)]
    return [facts[begin:end] for begin, end in pairwise(places)]
