"""
A day of late ticks poured into a live run, as numbers: python -m tests.performance.late_burst.

Many instruments have traded through a whole day, whose windows are closed. Live ticks come at a fixed rate, each at its
intended time whatever happened to those before it, and event time runs ten times as fast as the clock, so that windows
close meanwhile. Then the closed day comes once more, other ticks for all of its windows, in order of time over all
instruments, into the same partitions. For each live tick it is told how long after its intended time it was in silver,
in a 5-minute bar and in the latest price: before the burst, until the last bar of that day was revised, and after it.
At the end every table is verified against the others.

It runs in one process, in memory or with --data-dir on disk, or with --distributed as four services on real servers.
Nothing here asserts a time.
"""

import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

import attrs
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table as Sheet

from adapters.kafka.access import KafkaAccess
from adapters.kafka.raw_feed import KafkaRawFeed
from application.ports.event_log import Listener, TopicPartition
from application.queries.verify import Scope
from domain.batch import Batch
from domain.bronze.raw_event import RawEvents
from entrypoints.cli.verifying import Findings
from entrypoints.container import Container, Profile
from entrypoints.refinery import Refinery
from entrypoints.samples.feeds import Trade
from entrypoints.settings import Settings
from tests.performance.distributed import Services, append, four_services, local_servers, prepare
from tests.performance.latencies import FOLLOWED, Announced, Coordinates, Latency, announced, latencies, log_ends
from tests.performance.workload import Message

DAY = datetime(2026, 10, 5, tzinfo=UTC)
"""The day that comes late."""
LIVE = DAY + timedelta(hours=30)
"""Event time when live ticks begin."""
PACE = 10
"""How much faster than the clock event time runs."""
BASE = timedelta(minutes=5)
WINDOWS = timedelta(days=1) // BASE
WARMING = timedelta(minutes=30)
AT_ONCE = 20_000
"""Messages of one append, at most."""
WAIT_S = 0.01
KNOWN_AFTER = timedelta(milliseconds=300)
SHOWN = 5

app = App(help=__doc__, result_action="return_value")


@attrs.frozen(kw_only=True)
class Plan:
    """What is sent, and when."""

    instruments: int
    rate: int
    """Live ticks a second."""
    before_s: int
    after_s: int
    """How long live ticks come before the burst, and from its beginning on."""
    late: int
    pour_s: float
    """Over how long the late ticks are poured; 0: at once."""

    @property
    def live(self) -> int:
        """Live ticks in all."""
        return self.rate * (self.before_s + self.after_s)

    def live_due(self, passed_s: float) -> int:
        """How many live ticks are due so long after the first."""
        return min(self.live, int(passed_s * self.rate) + 1)

    def late_due(self, passed_s: float) -> int:
        """How many late ticks are."""
        poured_s = passed_s - self.before_s
        if poured_s < 0:
            return 0
        return min(self.late, int(poured_s / self.pour_s * self.late) if self.pour_s else self.late)


@attrs.frozen
class Trades:
    """What instruments trade. Every sequence is another trade."""

    instruments: int

    def history(self) -> Iterator[Message]:
        """A tick in each window of the day, and then some of the morning on which live ticks begin."""
        for number in range(WINDOWS * self.instruments):
            at = DAY + number // self.instruments * BASE + timedelta(seconds=10)
            yield self._message(number, at, at)
        for number in range(self.instruments):
            at = LIVE - WARMING + number * WARMING / self.instruments
            yield self._message(number, at, at)

    def live(self, plan: Plan) -> Iterator[Message]:
        """Ticks of now, as they are sent."""
        for number in range(plan.live):
            at = LIVE + timedelta(seconds=number * PACE / plan.rate)
            yield self._message(number, at, at)

    def late(self, plan: Plan) -> Iterator[Message]:
        """Ticks of all of that day, known only when live ticks have gone on for a while."""
        known = LIVE + timedelta(seconds=plan.before_s * PACE)
        for number in range(plan.late):
            at = DAY + number * timedelta(days=1) / plan.late
            yield self._message(WINDOWS * self.instruments + number, at, known)

    def _message(self, number: int, at: datetime, known: datetime) -> Message:
        trade = Trade(
            symbol=f"LATE_{number % self.instruments:04d}",
            venue="NYMEX",
            source="floor",
            at=at,
            volume=str(1 + number % 9),
            sequence=number,
        )
        sent = trade.render(known + KNOWN_AFTER, f"{40 + number % 777 / 100:.2f}")
        return sent.topic, sent.partition, sent.timestamp_ms * 1000, sent.value or b""


class Run(Protocol):
    """The refinery at work somewhere."""

    def take(self, messages: Sequence[Message]) -> None:
        """Take raw messages in, and serve them to the end."""

    def live_through(self, plan: Plan, live: Sequence[Message], late: Sequence[Message]) -> float:
        """Send everything at its time, and serve it to the end; returns the instant of the first, in seconds."""

    def told(self) -> Announced:
        """What was announced since live ticks began."""

    def verified(self) -> Findings:
        """What comes of comparing all tables."""


@attrs.frozen
class Overheard:
    """An event log, and when what was announced on it."""

    log: Any
    told: list[tuple[float, str, Batch[Any]]] = attrs.field(factory=list)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        """Announce, and note when that was done."""
        self.log.publish(topic, facts)
        if topic in FOLLOWED:
            self.told.append((time.time(), topic, facts))

    def end_offsets(self, names: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Where these topics end."""
        ends: Mapping[TopicPartition, int] = self.log.end_offsets(names)
        return ends

    def subscribe(self, group: str, names: Sequence[str], listener: Listener) -> Any:
        """Join a group."""
        return self.log.subscribe(group, names, listener)


@attrs.define
class OneProcess:
    """All stages in this process and one thread, which appends what is due between their turns."""

    container: Container
    refinery: Refinery
    overheard: Overheard
    offsets: Counter[tuple[str, int]] = attrs.field(factory=Counter)

    @classmethod
    def started(cls, data_dir: Path | None) -> "OneProcess":
        """The refinery of `all_in_one`, empty, in memory or in a folder."""
        profile = Profile.EMBEDDED if data_dir else Profile.MEMORY
        settings = Settings.from_environment(os.environ)
        container = Container(settings=settings, profile=profile.value, data_dir=data_dir)
        overheard = Overheard(container.log())
        if data_dir:
            container.migrator().up()
            container.sql_migrator().up()
            container.load_starter_set()()
        stages = (container.normalize, container.enrich, container.project, container.aggregate)
        loops = [container.loop(stage=stage(), group=stage().name, log=overheard) for stage in stages]
        refinery = Refinery(loops, settings.max_batch_size)
        refinery.start()
        return cls(container, refinery, overheard)

    def take(self, messages: Sequence[Message]) -> None:
        """Take raw messages in, and serve them to the end."""
        self._append(messages)
        self.refinery.drain()

    def live_through(self, plan: Plan, live: Sequence[Message], late: Sequence[Message]) -> float:
        """Send everything at its time, and serve it to the end."""
        self.overheard.told.clear()
        begun_s, begun = time.time(), time.monotonic()
        sent = poured = 0
        while sent < len(live) or poured < len(late):
            passed_s = time.monotonic() - begun
            due, late_due = plan.live_due(passed_s), plan.late_due(passed_s)
            self._append(live[sent:due])
            self._append(late[poured:late_due])
            sent, poured = due, late_due
            if not self.refinery.turn():
                time.sleep(WAIT_S)
        self.refinery.drain()
        self.refinery.finish()
        return begun_s

    def told(self) -> Announced:
        """What was announced since live ticks began."""
        return Announced(*(self._facts(topic) for topic in FOLLOWED))

    def verified(self) -> Findings:
        """What comes of comparing all tables."""
        return verified(self.container)

    def _append(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), AT_ONCE):
            told, partitions, times, values = zip(*messages[start : start + AT_ONCE], strict=True)
            offsets = []
            for place in zip(told, partitions, strict=True):
                offsets.append(self.offsets[place])
                self.offsets[place] += 1
            self.container.log().append(
                RawEvents(topics=told, partitions=partitions, offsets=offsets, timestamps_us=times, values=values)
            )

    def _facts(self, topic: str) -> list[tuple[float, Mapping[str, Any]]]:
        heard = [(at_s, facts.frame) for at_s, own, facts in self.overheard.told if own == topic]
        return [(at_s, row) for at_s, frame in heard for row in frame.iter_rows(named=True)]


@attrs.define
class FourServices:
    """The four services on real servers; late ticks come by a connector of their own."""

    services: Services
    container: Container
    _ends: Mapping[tuple[str, int], int] = attrs.field(init=False, factory=dict)

    @property
    def bootstrap(self) -> str:
        """Where Kafka answers."""
        return self.services.settings["DATA_PROC_KAFKA_BOOTSTRAP"]

    def take(self, messages: Sequence[Message]) -> None:
        """Take raw messages in, and serve them to the end."""
        for start in range(0, len(messages), AT_ONCE):
            append(self.services.feed, messages[start : start + AT_ONCE])
        self.services.serve_everything()

    def live_through(self, plan: Plan, live: Sequence[Message], late: Sequence[Message]) -> float:
        """Send everything at its time, and serve it to the end."""
        self._ends = log_ends(self.bootstrap)
        begun_s, begun = time.time(), time.monotonic()
        other = KafkaRawFeed(KafkaAccess(bootstrap=self.bootstrap, env="local"))
        pouring = threading.Thread(target=lambda: _paced(other, late, plan.late_due, begun))
        pouring.start()
        _paced(self.services.feed, live, plan.live_due, begun)
        pouring.join()
        self.services.serve_everything()
        return begun_s

    def told(self) -> Announced:
        """What was announced since live ticks began."""
        return announced(self.bootstrap, self._ends)

    def verified(self) -> Findings:
        """What comes of comparing all tables."""
        return verified(self.container)


def _paced(feed: KafkaRawFeed, messages: Sequence[Message], due_after: Callable[[float], int], begun: float) -> None:
    """Send messages as they are due, so many seconds after the beginning."""
    sent = 0
    while sent < len(messages):
        due = min(sent + AT_ONCE, due_after(time.monotonic() - begun))
        if due > sent:
            append(feed, messages[sent:due])
            sent = due
        time.sleep(WAIT_S)


def verified(container: Container) -> Findings:
    """What comes of comparing all tables."""
    findings = Findings(SHOWN)
    for part in container.verify()(Scope()):
        findings.take(part)
    return findings


@attrs.frozen(kw_only=True)
class Burst:
    """What came of it."""

    where: str
    plan: Plan
    windows: int
    """Windows that were revised."""
    poured_s: float
    revised_s: float
    """After the first late tick: until the last late tick was in silver, and until the last bar was revised."""
    phases: Mapping[str, Mapping[str, Latency]]
    compared: int
    differing: int


def measured(run: Run, plan: Plan, where: str) -> Burst:
    """Let a refinery live through the plan."""
    trades = Trades(plan.instruments)
    history, live, late = list(trades.history()), list(trades.live(plan)), list(trades.late(plan))
    run.take(history)
    begun_s = run.live_through(plan, live, late)
    told = run.told()
    poured_at_s = begun_s + plan.before_s
    revised = [(at_s, bar) for at_s, bar in told.bars if bar["interval_start"] < LIVE - WARMING and at_s >= poured_at_s]
    in_silver_s = max((at_s for at_s, tick in told.ticks if tick["ts"] < LIVE), default=poured_at_s)
    revised_at_s = max((at_s for at_s, _ in revised), default=poured_at_s)
    findings = run.verified()
    for check, differences in findings.first.items():
        for one in differences:
            print(f"{check}: {one.row}: {one.told}", file=sys.stderr)
    return Burst(
        where=where,
        plan=plan,
        windows=len({(bar["series"], bar["interval_start"]) for _, bar in revised}),
        poured_s=in_silver_s - poured_at_s,
        revised_s=revised_at_s - poured_at_s,
        phases=phases(plan, told, begun_s, revised_at_s),
        compared=findings.compared.total(),
        differing=findings.differing.total(),
    )


def phases(plan: Plan, told: Announced, begun_s: float, revised_at_s: float) -> dict[str, dict[str, Latency]]:
    """Waits of live ticks by the phase in which they were to be sent."""
    live = attrs.evolve(told, bars=[(at_s, bar) for at_s, bar in told.bars if bar["interval_start"] >= LIVE - BASE])
    intended = {
        (tick["raw_topic"], tick["raw_partition"], tick["raw_offset"]): begun_s + tick["source_seq"] / plan.rate
        for _, tick in told.ticks
        if tick["ts"] >= LIVE
    }
    poured_at_s = begun_s + plan.before_s
    spans = {
        "before": (begun_s, poured_at_s),
        "burst": (poured_at_s, revised_at_s),
        "after": (revised_at_s, float("inf")),
        "from the burst on": (poured_at_s, float("inf")),
    }
    return {name: latencies(_within(intended, *span), live) for name, span in spans.items()}


def _within(intended: Mapping[Coordinates, float], first_s: float, end_s: float) -> dict[Coordinates, float]:
    return {where: at_s for where, at_s in intended.items() if first_s <= at_s < end_s}


@app.default
def bench(
    rate: int = 1_000,
    late: int = 200_000,
    pour_s: float = 0.0,
    instruments: int = 200,
    before_s: int = 15,
    after_s: int = 30,
    data_dir: Annotated[bool, Parameter(name="--on-disk")] = False,
    distributed: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """
    Measure latencies of live ticks while a day of late ones is poured in.

    Args:
        rate: Live ticks a second.
        late: Late ticks, over all windows of the day and all instruments.
        pour_s: Over how many seconds they are poured; 0: at once.
        instruments: How many are traded.
        before_s: Seconds of live ticks before the burst.
        after_s: Seconds of live ticks from its beginning on.
        data_dir: In one process, keep everything on disk.
        distributed: Four services on local servers instead.
        as_json: Print JSON for machines.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    plan = Plan(instruments=instruments, rate=rate, before_s=before_s, after_s=after_s, late=late, pour_s=pour_s)
    with tempfile.TemporaryDirectory(prefix="dataproc-bench-") as folder:
        if distributed:
            with on_servers(Path(folder)) as run:
                burst = measured(run, plan, "four services")
        else:
            kept = Path(folder) / "kept" if data_dir else None
            burst = measured(
                OneProcess.started(kept), plan, "one process, on disk" if kept else "one process, in memory"
            )
    print(json.dumps(attrs.asdict(burst))) if as_json else show(burst)


@contextmanager
def on_servers(folder: Path) -> Iterator[FourServices]:
    """Four services on servers that are started for this alone."""
    with local_servers() as addresses:
        settings = {**addresses, "DATA_PROC_ENV": "local", "DATA_PROC_PORT": "0"}
        prepare(settings, folder / "preparing")
        feed = KafkaRawFeed(KafkaAccess(bootstrap=settings["DATA_PROC_KAFKA_BOOTSTRAP"], env="local"))
        container = Container(settings=Settings.from_environment(settings), profile=Profile.DISTRIBUTED.value)
        with four_services(settings, folder, feed) as services:
            yield FourServices(services, container)


def show(burst: Burst) -> None:
    """Print everything as a table."""
    plan, console = burst.plan, Console()
    title = f"{plan.rate:,} live ticks/s of {plan.instruments:,} instruments, {burst.where}, {platform.machine()}; ms"
    sheet = Sheet(title=title)
    for heading in ("phase", "to", "p50", "p95", "p99", "ticks"):
        sheet.add_column(heading, justify="left" if heading in {"phase", "to"} else "right")
    for phase, waits in burst.phases.items():
        for where, latency in waits.items():
            figures = (f"{latency.p50_ms:,.0f}", f"{latency.p95_ms:,.0f}", f"{latency.p99_ms:,.0f}")
            sheet.add_row(phase, where, *figures, f"{latency.messages:,}")
    console.print(sheet)
    poured = "at once" if not plan.pour_s else f"over {plan.pour_s:g} s"
    console.print(
        f"{plan.late:,} late ticks, poured {poured}, were in silver after {burst.poured_s:.1f} s; "
        f"the last of {burst.windows:,} bars was revised after {burst.revised_s:.1f} s",
        f"verified: {burst.compared:,} rows compared, {burst.differing:,} differ",
        sep="\n",
        highlight=False,
    )


if __name__ == "__main__":
    app()
