"""
One world: the processes of four stages, the broker that deals partitions to them, the supervisor that starts them
again, and time, which passes only when nobody has anything to do.
"""

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any, NoReturn, TypeVar

import attrs

import application.consume
import domain.gold.bar
import domain.silver.cleaning
from adapters.memory.event_log import MemoryEventLog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from application.ports.errors import NewerLogic
from application.ports.event_log import TopicPartition
from domain.bronze.raw_event import RawEvents
from domain.gold.interval import BarIntervals
from domain.reprocessing import RecomputeRequest, RecomputeRequests
from tests.oracle.raw import RawMessage
from tests.simulation.building import Product, tables
from tests.simulation.checking import Heard, Watcher, Wrong
from tests.simulation.committing import REQUESTS, TICKS
from tests.simulation.faults import Faults
from tests.simulation.outage import Outage
from tests.simulation.ports import Member
from tests.simulation.process import Process
from tests.simulation.scheduling import Actor, Killed
from tests.simulation.swarm import STAGES, Swarm
from tests.simulation.truth import EPOCH, MICROS_A_MINUTE
from tests.simulation.wiring import Wiring
from tests.simulation.workload import bunches

T = TypeVar("T")
NEWER = 2
"""The higher logic epoch."""
NEVER_S = 1e6
"""How long a process sleeps whom time alone gives nothing to do."""
MOST_TURNS = 6000
"""Turns after which a world counts as never coming to rest."""
HEALING_S = 900.0
"""Virtual time within which all lag must be gone once nothing fails any more: the longest idle limit, three times."""
LOOKED_UP_S = 61.0
"""How often enrichment turns without records while the catalog may owe it something."""
SWEPT_S = 600.0
"""Virtual time after which all that is stored was enriched again: a sweep, and another a cache lifetime later."""
TRACE = 400
"""Last lines of the trace that are kept to be shown."""


@attrs.define(eq=False, slots=False)
class World:
    """All that lasts while processes come and go."""

    seed: int
    swarm: Swarm
    product: Product = attrs.field(factory=Product)
    now_s: float = 0.0
    turns: int = 0
    sometimes: Counter[str] = attrs.field(factory=Counter)
    trace: deque[str] = attrs.field(factory=lambda: deque(maxlen=TRACE))
    messages: list[RawMessage] = attrs.field(factory=list)
    read: list[tuple[str, int, int]] = attrs.field(factory=list)
    """Coordinates of raw messages, each time somebody reads them."""
    processes: list[Process] = attrs.field(factory=list)
    members: dict[str, list[Member]] = attrs.field(factory=lambda: {name: [] for name in STAGES})
    epoch: MemoryLogicEpoch = attrs.field(factory=MemoryLogicEpoch)
    floors_at_upgrade: dict[int, int] = attrs.field(factory=dict)
    """From which offset on each partition was first read by a process of the higher epoch."""
    outage: Outage = attrs.field(init=False)
    """When the catalog is away."""
    healing_since_s: float | None = None
    _due: list[tuple[float, int, Callable[[], object]]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)
    _hash: Any = attrs.field(factory=sha256)

    def __attrs_post_init__(self) -> None:
        self.chance = Random(f"world {self.seed}")
        left = dict.fromkeys(self.swarm.struck, self.swarm.most_faults)
        self.faults = Faults(Random(f"faults {self.seed}"), self.swarm.faults, left)
        self.intervals = BarIntervals.parse(self.swarm.intervals)
        self.log = MemoryEventLog(self.partitions_of, retain=True)
        self.tables = tables(self.intervals, self.product)
        self.watcher = Watcher(
            self.swarm.intervals, self.swarm.ties, self.swarm.picky, self.sometimes, lambda: self.now_s
        )
        self.outage = Outage(self.watcher, math.inf, math.inf)

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has here."""
        if topic.startswith("ingestion."):
            return self.swarm.raw_partitions
        keyed = ("normalized.", "enriched.", "processing.recompute.", "aggregated.")
        return self.swarm.partitions if topic.startswith(keyed) else 1

    @property
    def digest(self) -> str:
        """What tells one run from another: every call, and what all tables and listeners ended with."""
        whole, seen = self._hash.copy(), self.watcher
        ends: tuple[dict[Any, Any], ...] = (
            *seen.statements.values(),
            *seen.bars.values(),
            *seen.told_bars.values(),
            seen.seals,
            *seen.ranks.values(),
        )
        for told in ends:
            whole.update(repr(sorted(told.items(), key=str)).encode())
        return str(whole.hexdigest())

    def note(self, line: str) -> None:
        """Add to the trace."""
        told = f"{self.now_s:9.2f} {line}"
        self.trace.append(told)
        self._hash.update(told.encode())

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Do something once so much time has passed."""
        heapq.heappush(self._due, (self.now_s + seconds, next(self._numbers), what))

    # Calls

    def call(
        self,
        process: Process,
        what: str,
        kind: str,
        act: Callable[[], T],
        half: Callable[[], object] | None,
        error: type[Exception],
    ) -> T:
        """One call of a port: it happens, or goes wrong as the seed says."""
        if self.swarm.interleaving and self.chance.random() < self.swarm.interleaving:
            process.rest(0.0)
        if self.outage.holds() and what.startswith(("catalog.", "limits.")):
            self.sometimes["the catalog is away"] += 1
            raise error("simulated: the catalog is away")
        fault = self.faults.draw(process.stage, kind)
        self.note(f"{process.name} {what} {fault}")
        if not fault:
            return act()
        self.sometimes[f"{fault} · {process.stage}"] += 1
        if fault == "refused":
            raise error("simulated: nothing happened")
        if fault == "lands late":
            self.later(self.chance.uniform(0, 60), act)
            raise error("simulated: it will happen later")
        if fault == "partial" and half:
            half()
            raise error("simulated: half of it happened")
        if fault == "twice":
            act()
        self._before(process, fault)
        result = act()
        self._after(process, fault, error)
        return result

    def _before(self, process: Process, fault: str) -> None:
        if fault == "crash before":
            self.crash(process)
        elif fault == "pause before":
            self.pause(process)
        elif fault == "rebalance":
            self.deal_anew(process.stage)
        elif fault == "delay":
            process.rest(self.chance.uniform(0.1, 20))

    def _after(self, process: Process, fault: str, error: type[Exception]) -> None:
        if fault == "crash after":
            self.crash(process)
        elif fault == "pause after":
            self.pause(process)
        elif fault == "unanswered":
            raise error("simulated: it happened, and nobody said so")

    def appended(self, topic: str, facts: Any) -> None:
        """Facts have arrived in a topic."""

        def placed() -> tuple[Any, Any]:
            segment = self.log._segments[topic][-1]
            return segment.partition, segment.offset

        self.watcher.announced(topic, facts, placed)
        if topic == TICKS:
            self.outage.told(facts.frame)

    # Processes

    def crash(self, process: Process) -> NoReturn:
        """Kill a process where it stands."""
        self.later(self.chance.choice((0.0, 1.0, 15.0)), lambda: self.start(process.stage))
        self.shut_out(process)
        raise Killed

    def pause(self, process: Process) -> None:
        """Let a process stand still; mostly its group gives up on it, and sometimes it is replaced."""
        if self.chance.random() < 0.8:
            self.shut_out(process)
            if self.chance.random() < 0.5:
                process.fenced = True
                self.later(self.chance.choice((0.0, 5.0)), lambda: self.start(process.stage))
        process.rest(self.chance.choice((5.0, 30.0, 120.0)))

    def shut_out(self, process: Process) -> None:
        """The group gives up on a member."""
        if process.member and process.member.inner in process.member.inner.group.members:
            process.member.inner.group.members.remove(process.member.inner)
            self.group_changed(process.stage)

    def admit(self, process: Process) -> None:
        """It wants to join again."""
        self.sometimes["zombie comes back"] += 1
        if process.fenced:
            raise Killed

    def deal_anew(self, stage_name: str) -> None:
        """Move the partitions of a group between its members."""
        members = self.members[stage_name]
        if members:
            group = members[0].inner.group
            group.members.append(group.members.pop(0)) if group.members else None
        self.group_changed(stage_name)

    def group_changed(self, stage_name: str) -> None:
        """Every member will see so at its next look."""
        for member in self.members[stage_name]:
            member.look_again()

    def start(self, stage_name: str) -> None:
        """Start a process, with settings of its own."""
        number = next(self._numbers)
        process = Process(
            world=self,
            stage=stage_name,
            name=f"{stage_name[:4]}-{number}",
            epoch=NEWER if self.upgraded else 1,
            offset_s=self.chance.uniform(10, 1e6),
            skew_s=self.chance.choice((0.0, 0.0, -3600.0, 3600.0)),
        )
        process.actor = Actor(lambda: self._live(process), wake_at_s=self.now_s)
        self.processes.append(process)
        self.note(f"{process.name} starts")

    @property
    def upgraded(self) -> bool:
        """Whether new processes are of the higher epoch by now."""
        return self.swarm.upgrade and len(self.messages) > self.swarm.messages // 2

    def _live(self, process: Process) -> None:
        process.loop = Wiring(self, process).consume()
        process.loop.start()
        while True:
            process.idle = False
            process.informed.begin()
            taken = process.loop.step()
            process.informed.turned()
            process.keeps_the_rules()
            process.idle = process.member is not None and not process.member.unread() and not self._more(process, taken)
            process.rest(self._nap_s(process) if process.idle else 0.0)

    def _more(self, process: Process, taken: int) -> bool:
        """Whether the stage has more to do without records; where it may have, it is asked again."""
        waits = process.stage == "aggregation" and self.swarm.recomputed_at_once < self.swarm.messages
        return bool(taken) and (waits or process.member is None or not process.member.took)

    def _nap_s(self, process: Process) -> float:
        """A loop turns all the time; here it sleeps until a turn may do something."""
        if process.loop and process.loop.trouble:
            return 1.0
        if process.stage == "enrichment" and self.swarm.catalog_away_s:
            return LOOKED_UP_S
        return self.chance.uniform(1, 1.3) * max(self.swarm.idle_s) if process.stage == "aggregation" else NEVER_S

    # Time

    def run(self) -> None:
        """Live until everything is at rest."""
        try:
            with self.product.patched(), versions(told_apart=not self.swarm.ties):
                self._live_through()
        finally:
            self._end()

    def _live_through(self) -> None:
        self._begin()
        while not self._at_rest():
            self.turns += 1
            if self.turns > MOST_TURNS:
                raise Wrong(f"I15: not at rest after {MOST_TURNS} turns")
            self._move()

    def _begin(self) -> None:
        for name in STAGES:
            for _ in range(self.swarm.instances[name]):
                self.start(name)
        after_s = 0.0
        for bunch in bunches(self.seed, self.swarm):
            after_s += bunch.after_s
            self.later(after_s, lambda bunch=bunch: self._deliver(bunch.messages))  # type: ignore[misc]
        for _ in range(self.swarm.backfills):
            self.later(self.chance.uniform(0, after_s + 60), self._backfill)
        for _ in range(self.swarm.moves):
            moved = self.chance.choice(self.swarm.struck)
            self.later(self.chance.uniform(0, after_s), lambda moved=moved: self.deal_anew(moved))  # type: ignore[misc]
        leaves_s = Random(f"catalog {self.seed}").choice((1.0, after_s * 0.7))
        self.outage = Outage(self.watcher, leaves_s, leaves_s + self.swarm.catalog_away_s)
        if self.swarm.catalog_away_s and "enrichment" not in self.swarm.struck:
            self.later(self.outage.until_s - 1, self.outage.nearly_over)
        self.later(max(after_s + self.chance.uniform(0, 60), self.outage.until_s), self._heal)

    def _move(self) -> None:
        while self._due and self._due[0][0] <= self.now_s:
            heapq.heappop(self._due)[2]()
        ready = [process for process in self.processes if self._ready(process)]
        if ready:
            self._hand_over(self.chance.choice(ready))
            self.now_s += 0.01
        else:
            self.now_s = max(self.now_s, min(self._next_instants()))

    def _ready(self, process: Process) -> bool:
        news = process.idle and process.member is not None and process.member.unread()
        return news or process.actor.wake_at_s <= self.now_s

    def _next_instants(self) -> Iterable[float]:
        if self._due:
            yield self._due[0][0]
        for process in self.processes:
            yield process.actor.wake_at_s

    def _hand_over(self, process: Process) -> None:
        with self.running(process.epoch):
            process.actor.turn()
        if process.actor.ended:
            self._bury(process)

    @contextmanager
    def running(self, epoch: int) -> Iterator[None]:
        """Formulas of this epoch are in force."""
        _set_epoch(epoch)
        try:
            yield
        finally:
            _set_epoch(1)

    def _bury(self, process: Process) -> None:
        self.processes.remove(process)
        self.shut_out(process)
        failure = process.actor.failure
        if isinstance(failure, NewerLogic):
            self.sometimes["stops before newer logic"] += 1
            self.later(1.0, lambda: self.start(process.stage))
        elif failure:
            raise failure

    def _deliver(self, messages: tuple[RawMessage, ...]) -> None:
        was_upgraded = self.upgraded
        self.messages.extend(messages)
        self.watcher.said(messages)
        if self.upgraded and not was_upgraded:
            self._replace_one()
        self.note(f"{len(messages)} messages arrive")
        self.log.append(
            RawEvents(
                topics=[message.topic for message in messages],
                partitions=[message.partition for message in messages],
                offsets=[message.offset for message in messages],
                timestamps_us=[message.timestamp_ms * 1000 for message in messages],
                values=[message.value for message in messages],
            )
        )

    def _replace_one(self) -> None:
        """Stop one of the processes that may change bars, and start the newer program in its place."""
        old = [process for process in self.processes if process.stage == "aggregation"]
        if old:
            process = self.chance.choice(old)
            process.actor.kill()
            self._bury(process)
        self.start("aggregation")

    def _backfill(self) -> None:
        """An operator asks for windows anew, twice over, some of them hours long."""
        heard = [one for records in self.watcher.enriched.values() for one in records.values() if one.may_count]
        chosen = self.chance.sample(heard, min(3, len(heard)))
        requests = [self._request(one, self.chance.choice(self.swarm.intervals[:2])) for one in chosen]
        self.note(f"{len(requests)} windows are asked for anew")
        for _ in range(2 if requests else 0):
            self.log.publish(REQUESTS, RecomputeRequests.of(requests))
            self.appended(REQUESTS, RecomputeRequests.of(requests))

    @staticmethod
    def _request(heard: Heard, interval: str) -> RecomputeRequest:
        length_us = {"5m": 5, "1h": 60}[interval] * MICROS_A_MINUTE
        return RecomputeRequest(
            tenant_id=heard.key[0],
            instrument_id=heard.key[1],
            interval=interval,
            interval_start=EPOCH + timedelta(microseconds=heard.ts_us // length_us * length_us),
            reason="backfill",
            cause="a job",
            series="|".join(heard.series),
        )

    def _heal(self) -> None:
        self.note("nothing fails any more")
        self.healing_since_s = self.now_s
        self.faults.healed = True

    def _at_rest(self) -> bool:
        if self.healing_since_s is None or self._due:
            return False
        if self.now_s > self.healing_since_s + HEALING_S:
            raise Wrong(f"I15: {self._lag()} still to do {HEALING_S} s after the last fault")
        if self.swarm.catalog_away_s and self.now_s < self.healing_since_s + SWEPT_S:
            return False
        return all(process.idle for process in self.processes) and not self._lag()

    def _lag(self) -> dict[TopicPartition, int]:
        lag: dict[TopicPartition, int] = {}
        for name in STAGES:
            topics = self.members[name][0].inner.topics if self.members[name] else ()
            committed = self.log.committed(name, topics)
            ends = self.log.end_offsets(topics)
            lag |= {
                where: end - committed.get(where, 0) for where, end in ends.items() if end > committed.get(where, 0)
            }
        return lag

    def _end(self) -> None:
        for process in self.processes:
            process.actor.kill()


@contextmanager
def versions(*, told_apart: bool) -> Iterator[None]:
    """Statements of one microsecond are told apart by their coordinates, or have one version."""
    names = vars(domain.silver.cleaning)
    ours = names["coordinate_bits"]
    if not told_apart:
        names["coordinate_bits"] = lambda _, partition, __, ___: partition * 0
    try:
        yield
    finally:
        names["coordinate_bits"] = ours


def _set_epoch(epoch: int) -> None:
    """Every module that has taken the constant over reads this one."""
    for module in (application.consume, domain.gold.bar):
        vars(module)["LOGIC_EPOCH"] = epoch
