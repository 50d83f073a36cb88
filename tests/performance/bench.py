"""
Speed and memory, as numbers: python -m tests.performance.bench.

Rates are per CPU-second of one thread (POLARS_MAX_THREADS=1). Each step is measured alone on the output of the one
before; the whole flow runs in a process of its own, which also tells its peak memory. Nothing here asserts a time.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

import attrs
import polars as pl
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table as Sheet

from application import topics
from application.outcome import Outcome
from application.ports.event_log import Polled, Records, TopicPartition
from application.stage import Stage
from domain.batch import Batch
from domain.bronze.raw_event import Decoded, RawEvents
from domain.gold.taxonomy import EnrichedTicks
from domain.silver.cleaning import clean
from domain.silver.tick import TickBatch
from entrypoints.container import Container
from entrypoints.settings import Settings
from tests.performance.workload import raw_messages, source

STEP_MESSAGES = 200_000
FLOW_MESSAGES = 1_000_000
LARGE, SMALL = 20_000, 2_000
FIVE_MINUTES_US = 300_000_000

T = TypeVar("T")
B = TypeVar("B", bound=Batch[Any])

app = App(help=__doc__, result_action="return_value")


@attrs.frozen
class Measured:
    """What one step took."""

    step: str
    rows: int
    unit: str
    cpu_s: float
    peak_mib: float | None = None

    @property
    def per_second(self) -> float:
        """Rows per CPU-second."""
        return self.rows / self.cpu_s


@app.default
def bench(
    messages: int = FLOW_MESSAGES,
    step_messages: int = STEP_MESSAGES,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """
    Measure each step and the whole flow.

    Args:
        messages: Raw messages of the whole flow.
        step_messages: Raw messages the single steps are measured on.
        as_json: Print JSON for machines.
    """
    if os.environ.get("POLARS_MAX_THREADS") != "1":
        sys.exit("Set POLARS_MAX_THREADS=1: rates are per CPU-second of one thread.")
    measured = [*steps(step_messages), *whole_flows(messages)]
    if as_json:
        print(json.dumps({"source": source(), "measured": [told(step) for step in measured]}))
    else:
        show(measured)


def steps(count: int) -> Iterable[Measured]:
    """Every step alone, each on the output of the one before."""
    batches = list(raw_messages(count, LARGE))
    decoder = container().normalize().decoder
    decoded, cpu_s = timed(lambda: [decoder.decode(batch) for batch in batches])
    yield Measured("decode", count, "messages", cpu_s)
    ticks, cpu_s = timed(lambda: normalized(decoded, batches))
    yield Measured("normalize", sum(map(len, ticks)), "ticks", cpu_s)
    enrich = container().enrich()
    enriched, cpu_s = timed(lambda: [announced(enrich, topics.NORMALIZED, batch, EnrichedTicks) for batch in ticks])
    yield Measured("enrich", sum(map(len, enriched)), "ticks", cpu_s)
    for size in (LARGE, SMALL):
        cut = resized(enriched, size)
        for intervals in (("5m",), ("5m", "1h", "1d")):
            yield aggregated(cut, intervals, size)
    project = container().project()
    _, cpu_s = timed(
        lambda: [performed(project, container_tables(), polled(topics.ENRICHED, batch)) for batch in enriched]
    )
    yield Measured("project", sum(map(len, enriched)), "ticks", cpu_s)
    yield plain_python(enriched)


def normalized(decoded: Sequence[Decoded], batches: Sequence[RawEvents]) -> list[TickBatch]:
    """Ticks of what was decoded."""
    parts = container()
    feeds, now = parts.policies().feeds(), parts.clock().now()
    return [clean(one.prices, events, feeds, now)[0] for one, events in zip(decoded, batches, strict=True)]


def aggregated(batches: Sequence[EnrichedTicks], intervals: tuple[str, ...], size: int) -> Measured:
    """The aggregation stage over all batches: deciding, not the writing of its tables."""
    parts = container(bar_intervals=intervals)
    stage, tables = parts.aggregate(), parts.tables().by_name
    spent = sum(
        performed(stage, tables, polled(topics.ENRICHED, batch, number * size)) for number, batch in enumerate(batches)
    )
    name = f"aggregate {'+'.join(intervals)}, batches of {size:,}"
    return Measured(name, sum(map(len, batches)), "ticks", spent)


def plain_python(batches: Sequence[EnrichedTicks]) -> Measured:
    """5-minute bars of the same ticks by a loop over floats and a dictionary: no versions, no lateness, no decimals."""
    rows = [
        row
        for batch in batches
        for row in batch.frame.select(
            "instrument_id", pl.col("ts").to_physical(), pl.col("price").cast(float), pl.col("volume").cast(float)
        ).iter_rows()
    ]
    _, cpu_s = timed(lambda: dictionary_bars(rows))
    return Measured("a plain Python loop, 5m", len(rows), "ticks", cpu_s)


def dictionary_bars(rows: Iterable[tuple[str, int, float, float | None]]) -> dict[tuple[str, int], list[float]]:
    """Open, high, low, close, volume and count by instrument and window."""
    bars: dict[tuple[str, int], list[float]] = {}
    for instrument, ts, price, volume in rows:
        key = (instrument, ts // FIVE_MINUTES_US)
        bar = bars.get(key)
        if bar is None:
            bars[key] = [price, price, price, price, volume or 0.0, 1]
            continue
        if price > bar[1]:
            bar[1] = price
        elif price < bar[2]:
            bar[2] = price
        bar[3] = price
        bar[4] += volume or 0.0
        bar[5] += 1
    return bars


def whole_flows(count: int) -> Iterable[Measured]:
    """All four stages with their tables in a process of their own, with frames and then with bytes between stages."""
    for wire in ("false", "true"):
        environment = os.environ | {"DATA_PROC_WIRE_BETWEEN_STAGES": wire}
        arguments = [sys.executable, "-m", "tests.performance.whole_flow", "--messages", str(count)]
        answer = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True)
        figures = json.loads(answer.stdout)
        name = "whole flow, through the wire codec" if wire == "true" else "whole flow"
        yield Measured(name, figures["messages"], "messages", figures["cpu_s"], figures["peak_mib"])


def container(**settings: Any) -> Container:
    """The refinery's parts, new and empty."""
    return Container(settings=Settings(**settings))


def container_tables() -> dict[str, Any]:
    """Empty tables."""
    return dict(container().tables().by_name)


def polled(topic: str, facts: Batch[Any], first: int = 0) -> Polled:
    """A batch as a poll of one partition returns it, its offsets from `first` on."""
    size = len(facts)
    partition = pl.repeat(0, size, dtype=pl.Int32, eager=True).alias("partition")
    offset = pl.int_range(first, first + size, eager=True).alias("offset")
    return Polled(
        records=(Records(topic, partition, offset, facts),), next_offsets={TopicPartition(topic, 0): first + size}
    )


def announced(stage: Stage, topic: str, facts: Batch[Any], kind: type[B]) -> B:
    """What a stage announces about a batch."""
    outcome = stage.run(polled(topic, facts))
    outcome.kept()
    return kind.concat([told.facts for told in outcome.announce if isinstance(told.facts, kind)])


def performed(stage: Stage, tables: Any, given: Polled) -> float:
    """Let a stage decide about a batch and store what it decides; returns the CPU seconds of deciding."""
    part: Outcome | None
    part, spent = timed(lambda: stage.run(given))
    parts = []
    while part:
        for store in (*part.store, *part.conclude):
            tables[store.table].upsert(store.rows)
        parts.append(part)
        then = part.then
        part, took = timed(then) if then else (None, 0.0)
        spent += took
    return spent + timed(lambda: kept(parts))[1]


def kept(parts: Sequence[Outcome]) -> None:
    """Let the stage's memory take what is stored."""
    for part in parts:
        part.kept()


def resized(batches: Sequence[EnrichedTicks], size: int) -> list[EnrichedTicks]:
    """The same ticks in batches of another size."""
    whole = EnrichedTicks.concat(batches).frame
    return [EnrichedTicks(whole.slice(start, size)) for start in range(0, whole.height, size)]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work gives, and the CPU seconds it took."""
    begun_s = time.process_time()
    result = work()
    return result, time.process_time() - begun_s


def told(step: Measured) -> dict[str, Any]:
    """A measurement for machines."""
    return attrs.asdict(step) | {"per_cpu_second": round(step.per_second)}


def show(measured: Sequence[Measured]) -> None:
    """Print the measurements as a table."""
    sheet = Sheet(title=f"Per CPU-second, one thread, {platform.machine()}, on {source()}")
    sheet.add_column("step")
    for heading in ("rows", "CPU s", "per CPU-second", "peak MiB"):
        sheet.add_column(heading, justify="right")
    for step in measured:
        peak = "" if step.peak_mib is None else f"{step.peak_mib:,.0f}"
        sheet.add_row(step.step, f"{step.rows:,}", f"{step.cpu_s:.2f}", f"{step.per_second:,.0f} {step.unit}", peak)
    Console().print(sheet)


if __name__ == "__main__":
    app()
