"""
The four services on real servers, as numbers: python -m tests.performance.distributed.

Servers are started for this alone and stopped again. First so many raw messages of a long history lie in Kafka when the
services start, and the CPU time of the four processes together is counted from when they answer until everything is
served; servers, the loading and the looking on are not counted. Then live messages, about a day or two, come at fixed
rates, each at its intended time whatever happened to those before it. For each it is told how long after that time it
was in silver, in a 5-minute bar and in the latest price: when the record that announces so, which follows the store,
was appended by the broker.
Nothing here asserts a time.
"""

import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table as Sheet

from adapters.kafka.access import KafkaAccess
from adapters.kafka.raw_feed import KafkaRawFeed
from application.pipeline import STAGES
from application.queries.lag import ReadLag, all_done
from domain.bronze.raw_event import RawEvents
from entrypoints.container import Container, Profile
from entrypoints.services.local import LocalServices
from entrypoints.settings import Settings
from tests.e2e.programs import done, running, told_by
from tests.performance.latencies import Latency, announced, latencies, log_ends
from tests.performance.workload import Message, live_messages, raw_messages, source

BACKLOG = 200_000
RATES = (1_000, 5_000)
RATE_S = 20
PRELOADED_AT_ONCE = 20_000
LOOK_EVERY_S = 0.2
SEND_EVERY_S = 0.01
DONE_WITHIN_S = 300
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

app = App(help=__doc__, result_action="return_value")


@attrs.frozen
class Backlog:
    """What it took to serve messages that were all there."""

    messages: int
    wall_s: float
    cpu_s: Mapping[str, float]
    """By service."""
    startup_cpu_s: float
    """Of all four until they answered; not in `cpu_s`."""

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / self.wall_s

    @property
    def per_cpu_second(self) -> float:
        """Messages per CPU-second of the four processes together."""
        return self.messages / sum(self.cpu_s.values())


@attrs.frozen
class Paced:
    """What became of messages that came at a rate."""

    rate: int
    messages: int
    cpu_s: Mapping[str, float]
    """By service."""
    late_ms: float
    """How much later than intended the last message was sent."""
    latencies: Mapping[str, Latency]
    """From the intended time, by where to."""


@attrs.define
class Services:
    """The four processes, their log, and what is measured about them."""

    settings: Mapping[str, str]
    pids: Mapping[str, int]
    lag: ReadLag
    feed: KafkaRawFeed

    def cpu_s(self) -> dict[str, float]:
        """User and system seconds so far, by service."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def serve_everything(self) -> None:
        """Wait until nothing is left to do."""
        until = time.monotonic() + DONE_WITHIN_S
        while not all_done(self.lag()):
            if time.monotonic() > until:
                raise TimeoutError(f"not everything was served within {DONE_WITHIN_S} s")
            time.sleep(LOOK_EVERY_S)


@app.default
def bench(
    messages: int = BACKLOG,
    rate: Sequence[int] = RATES,
    seconds: int = RATE_S,
    wire: str = "json",
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """
    Measure throughput, then latencies.

    Args:
        messages: Raw messages that lie in Kafka at the start.
        rate: Raw messages a second; may be repeated.
        seconds: For how long, at each rate.
        wire: How events between services are written: json or avro.
        as_json: Print JSON for machines.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    history, live = flat(raw_messages(messages, 10_000)), live_messages(sum(rate) * seconds)
    with local_servers() as addresses, tempfile.TemporaryDirectory(prefix="dataproc-bench-") as folder:
        settings = {**addresses, "DATA_PROC_ENV": "local", "DATA_PROC_PORT": "0", "DATA_PROC_WIRE_FORMAT": wire}
        prepare(settings, Path(folder) / "preparing")
        feed = KafkaRawFeed(KafkaAccess(bootstrap=settings["DATA_PROC_KAFKA_BOOTSTRAP"], env="local"))
        while part := list(islice(history, PRELOADED_AT_ONCE)):
            append(feed, part)
        with four_services(settings, Path(folder), feed) as services:
            backlog = served(services, messages)
            paced = [at_rate(services, one, list(islice(live, one * seconds))) for one in rate]
    if as_json:
        print(json.dumps(told(backlog, paced, wire)))
    else:
        show(backlog, paced, wire)


@contextmanager
def local_servers() -> Iterator[Mapping[str, str]]:
    """Kafka, ClickHouse, PostgreSQL and Redis, for as long as this lasts: their addresses as settings."""
    servers = LocalServices.started()
    try:
        yield servers.settings
    finally:
        servers.stop()


def prepare(settings: Mapping[str, str], log: Path) -> None:
    """Tables, topics and reference data."""
    for command in (("migrate", "up"), ("topics", "create"), ("reference", "load", "--yes")):
        if done("entrypoints.cli", *command, log=log, settings=settings):
            sys.exit(log.read_text())


@contextmanager
def four_services(settings: Mapping[str, str], folder: Path, feed: KafkaRawFeed) -> Iterator[Services]:
    """All four services, once they answer."""
    container = Container(settings=Settings.from_environment(settings), profile=Profile.DISTRIBUTED.value)
    alone = {**settings, "POLARS_MAX_THREADS": "1"}
    with ExitStack() as stack:
        pids = {
            stage.name: stack.enter_context(
                running(f"entrypoints.{stage.name}", log=folder / stage.name, settings=alone)
            ).pid
            for stage in STAGES
        }
        for stage in STAGES:
            told_by(folder / stage.name, "answers on")
        yield Services(settings, pids, container.read_lag(), feed)


def served(services: Services, messages: int) -> Backlog:
    """Wait until the backlog is served."""
    before, begun_s = services.cpu_s(), time.monotonic()
    services.serve_everything()
    wall_s, after = time.monotonic() - begun_s, services.cpu_s()
    return Backlog(messages, wall_s, spent(before, after), sum(before.values()))


def at_rate(services: Services, rate: int, messages: Sequence[Message]) -> Paced:
    """Send messages, each at its time, and follow them to the latest price."""
    before = services.cpu_s()
    bootstrap = services.settings["DATA_PROC_KAFKA_BOOTSTRAP"]
    ends = log_ends(bootstrap)
    begun_s, begun = time.time(), time.monotonic()
    sent = 0
    while sent < len(messages):
        due = min(len(messages), int((time.monotonic() - begun) * rate) + 1)
        if due > sent:
            append(services.feed, messages[sent:due])
            sent = due
        time.sleep(SEND_EVERY_S)
    late_ms = (time.monotonic() - begun - len(messages) / rate) * 1000
    services.serve_everything()
    cpu_s = spent(before, services.cpu_s())
    intended = intended_times(messages, ends, begun_s, rate)
    return Paced(rate, len(messages), cpu_s, late_ms, latencies(intended, announced(bootstrap, ends)))


def intended_times(
    messages: Sequence[Message], ends: Mapping[tuple[str, int], int], begun_s: float, rate: int
) -> dict[tuple[str, int, int], float]:
    """When each message was to be sent, in seconds, by the coordinates Kafka gave it: nobody else appends."""
    following = dict(ends)
    intended = {}
    for number, (topic, partition, *_) in enumerate(messages):
        place = topic, partition
        intended[*place, following[place]] = begun_s + number / rate
        following[place] += 1
    return intended


def flat(batches: Iterable[RawEvents]) -> Iterator[Message]:
    """Topic, partition, time and value of each message."""
    for batch in batches:
        yield from zip(batch.topics, batch.partitions, batch.timestamps_us, batch.values, strict=True)


def append(feed: KafkaRawFeed, messages: Sequence[Message]) -> None:
    """Append messages, and wait until they are durable."""
    told, partitions, times, values = zip(*messages, strict=True)
    offsets = (0,) * len(messages)
    events = RawEvents(topics=told, partitions=partitions, offsets=offsets, timestamps_us=times, values=values)
    feed.append(events, [None] * len(messages))


def cpu_seconds(pid: int) -> float:
    """User and system seconds a process has spent."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS_PER_S


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The difference, by name."""
    return {name: round(after[name] - before[name], 2) for name in before}


def told(backlog: Backlog, paced: Sequence[Paced], wire: str) -> dict[str, Any]:
    """Everything for machines."""
    rates = {"per_second": round(backlog.per_second), "per_cpu_second": round(backlog.per_cpu_second)}
    return {
        "source": source(),
        "wire": wire,
        "backlog": attrs.asdict(backlog) | rates,
        "paced": [attrs.asdict(one) for one in paced],
    }


def show(backlog: Backlog, paced: Sequence[Paced], wire: str) -> None:
    """Print everything as tables."""
    console = Console()
    throughput = Sheet(title=f"{backlog.messages:,} raw messages, events as {wire}, {platform.machine()}, {source()}")
    for heading in ("messages/s", "per CPU-second of the four", *(f"{name} CPU s" for name in backlog.cpu_s)):
        throughput.add_column(heading, justify="right")
    spent_s = (f"{cpu_s:.2f}" for cpu_s in backlog.cpu_s.values())
    throughput.add_row(f"{backlog.per_second:,.0f}", f"{backlog.per_cpu_second:,.0f}", *spent_s)
    console.print(throughput)
    waits = Sheet(title="From the intended time of a raw message, ms")
    for heading in ("messages/s", "to", "p50", "p95", "p99", "messages", "CPU s of the four"):
        waits.add_column(heading, justify="right")
    for one in paced:
        for where, latency in one.latencies.items():
            figures = (f"{latency.p50_ms:,.0f}", f"{latency.p95_ms:,.0f}", f"{latency.p99_ms:,.0f}")
            waits.add_row(f"{one.rate:,}", where, *figures, f"{latency.messages:,}", f"{sum(one.cpu_s.values()):.1f}")
    console.print(waits)


if __name__ == "__main__":
    if shutil.which("java") is None:
        sys.exit("The servers are not installed: run make services-install.")
    app()
