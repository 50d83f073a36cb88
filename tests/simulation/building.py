"""The product, as the world starts it: real stages, loops and tables in memory, over the simulator's ports."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Protocol

import attrs

from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.policies import MemoryPolicies
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.price_limits import MemoryPriceLimits
from adapters.memory.tables import (
    MemoryBarRevisionTable,
    MemoryBarTable,
    MemoryDeadLetterTable,
    MemoryEnrichedTable,
    MemoryLatestTable,
    MemoryLedgerTable,
    MemoryOutcomeTable,
    MemorySealTable,
    MemoryTickTable,
)
from application.consume import Consume
from application.ports.meter import Meter
from application.ports.raw_decoder import RawDecoder
from application.reenrichment import Reenrichment
from application.stages.aggregate import AggregateBars, Patience, bar_table
from application.stages.enrich import EnrichTicks
from application.stages.normalize import NormalizeTicks
from application.stages.project import ProjectLatest
from domain.gold.interval import BarIntervals
from domain.gold.taxonomy import History, InstrumentKey
from tests.simulation.ports import Asks, Readable

READS = frozenset({"stored", "within", "of_partitions", "lookup", "limits", "extents", "behind", "version", "feeds"})


def _as_it_is(table: Any) -> Any:
    return table


@attrs.frozen(kw_only=True)
class Product:
    """The classes a world is made of; a mutant has one of its own."""

    normalize: type[NormalizeTicks] = NormalizeTicks
    enrich: type[EnrichTicks] = EnrichTicks
    aggregate: type[AggregateBars] = AggregateBars
    project: type[ProjectLatest] = ProjectLatest
    consume: type[Consume] = Consume
    cache: type[Any] = MemoryPriceCache
    bar_table: Callable[[Any], Any] = _as_it_is
    """What a process puts before each table of bars it reads and writes."""
    patched: Callable[[], AbstractContextManager[None]] = nullcontext
    """What holds of the domain while a world runs."""


class Clock(Protocol):
    """The clock of one process, see application.ports.clock."""

    def now(self) -> Any: ...
    def monotonic_s(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@cache
def catalog() -> MemoryInstrumentCatalog:
    """What the project ships of instruments."""
    return MemoryInstrumentCatalog.from_files()


@cache
def policies() -> MemoryPolicies:
    """What it ships of feeds."""
    return MemoryPolicies.from_files()


@cache
def limits() -> MemoryPriceLimits:
    """What it ships of price limits."""
    return MemoryPriceLimits.from_files()


def tables(intervals: BarIntervals, product: Product) -> dict[str, Any]:
    """Empty tables, by the names that stages use."""
    return {
        "silver_ticks": MemoryTickTable(),
        "outcomes": MemoryOutcomeTable(),
        "ledger": MemoryLedgerTable(),
        "dead_letters": MemoryDeadLetterTable(),
        "enriched_ticks": MemoryEnrichedTable(),
        "bar_revisions": MemoryBarRevisionTable(),
        "bar_seals": MemorySealTable(),
        "served_latest": MemoryLatestTable(),
        "latest_prices_cache": product.cache(),
        **{bar_table(interval.name): MemoryBarTable(interval.name) for interval in intervals.all},
    }


@attrs.frozen(kw_only=True)
class Parts:
    """What the stages of one process are given."""

    product: Product
    decoder: RawDecoder
    tables: Mapping[str, Any]
    intervals: BarIntervals
    clock: Clock
    meter: Meter
    patience: Patience
    remembered: int
    asks: Asks
    heard: Callable[[str, tuple[Any, ...], Any], None]
    """Told of every answer."""
    reference_version: int
    """Of the catalog; 0 where it is never away."""

    def read(self, table: str) -> Any:
        """A table as a stage reads it."""
        return self.asking(self.tables[table], table)

    def asking(self, port: Any, name: str) -> Any:
        """A port that is asked through the world."""
        return Readable(port, name, self.asks, READS, self.heard)


@attrs.frozen
class Loaded:
    """The catalog, after it was loaded so many times."""

    inner: MemoryInstrumentCatalog
    times: int

    def version(self) -> int:
        """How many times."""
        return self.times

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """What it says of these."""
        return self.inner.lookup(instruments)


def stage(name: str, parts: Parts) -> Any:
    """A new stage, by its name."""
    return {"normalization": _normalize, "enrichment": _enrich, "aggregation": _aggregate, "projection": _project}[
        name
    ](parts)


@cache
def decoder() -> MarketDecoder:
    """Reads raw messages; it remembers nothing."""
    return MarketDecoder()


def _normalize(parts: Parts) -> NormalizeTicks:
    return parts.product.normalize(
        decoder=parts.decoder,
        policies=policies(),
        clock=parts.clock,
        meter=parts.meter,
        record_outcomes=True,
        ledger=parts.read("ledger"),
        remembered=parts.remembered,
    )


def _enrich(parts: Parts) -> EnrichTicks:
    known = parts.asking(Loaded(catalog(), parts.reference_version), "catalog")
    bounds = parts.asking(limits(), "limits")
    return parts.product.enrich(
        catalog=known,
        policies=bounds,
        again=Reenrichment(known, bounds, parts.read("enriched_ticks")),
        clock=parts.clock,
        meter=parts.meter,
    )


def _aggregate(parts: Parts) -> AggregateBars:
    return parts.product.aggregate(
        intervals=parts.intervals,
        tables={interval.name: parts.read(bar_table(interval.name)) for interval in parts.intervals.all},
        ticks=parts.read("silver_ticks"),
        seals=parts.read("bar_seals"),
        policies=parts.asking(policies(), "policies"),
        clock=parts.clock,
        meter=parts.meter,
        patience=parts.patience,
    )


def _project(parts: Parts) -> ProjectLatest:
    return parts.product.project(latest=parts.read("served_latest"), clock=parts.clock, meter=parts.meter)
