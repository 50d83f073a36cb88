"""The composition root: which adapters stand behind the ports. Only here are adapters and the injector known."""

import importlib.metadata
from collections.abc import Mapping
from typing import Any

import attrs
from dependency_injector import containers, providers

from adapters.files.exports import write_folder
from adapters.files.raw_lines import RawLines
from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.clock import SystemClock
from adapters.memory.event_log import MemoryEventLog
from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.policies import MemoryPolicies
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.price_limits import MemoryPriceLimits
from adapters.memory.tables import (
    MemoryBarTable,
    MemoryDeadLetterTable,
    MemoryEnrichedTable,
    MemoryLatestTable,
    MemoryOutcomeTable,
    MemorySealTable,
    MemoryTickTable,
)
from adapters.telemetry.logs import configure, logger
from adapters.telemetry.meter import PrometheusMeter
from adapters.wire.events import EventCodec
from application import topics
from application.consume import DEAD_LETTERS, Consume, Pace
from application.pipeline import STAGES
from application.ports.bar_table import BarTable
from application.ports.tables import Table
from application.queries.bars import FindBars
from application.queries.latest_price import FindLatestPrice
from application.stages.aggregate import SEALS, AggregateBars, Patience, bar_table
from application.stages.enrich import TABLE as ENRICHED_TICKS
from application.stages.enrich import EnrichTicks
from application.stages.normalize import OUTCOMES, NormalizeTicks
from application.stages.normalize import TICKS as SILVER_TICKS
from application.stages.project import CACHE, ProjectLatest
from application.stages.project import TABLE as SERVED_LATEST
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.gold.interval import BarIntervals
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.window import Limits
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from entrypoints.settings import Settings

configure_logs = configure

EXPORTED = (SILVER_TICKS, ENRICHED_TICKS, SERVED_LATEST, DEAD_LETTERS)
"""Tables an export holds besides bars and outcomes."""


def service_version() -> str:
    """Version of this program."""
    try:
        return importlib.metadata.version("dataproc")
    except importlib.metadata.PackageNotFoundError:
        return "0.1.0"


@attrs.frozen
class MemoryTables:
    """All tables of one process, by the names that stages and exports use."""

    by_name: Mapping[str, Any]
    bars: Mapping[str, BarTable]
    """By interval name."""

    @classmethod
    def of(cls, intervals: BarIntervals) -> "MemoryTables":
        """Empty tables for these intervals."""
        bars = {interval.name: MemoryBarTable(interval.name) for interval in intervals.all}
        tables: dict[str, Table] = {
            SILVER_TICKS: MemoryTickTable(),
            ENRICHED_TICKS: MemoryEnrichedTable(),
            **{bar_table(name): table for name, table in bars.items()},
            SEALS: MemorySealTable(),
            SERVED_LATEST: MemoryLatestTable(),
            CACHE: MemoryPriceCache(),
            DEAD_LETTERS: MemoryDeadLetterTable(),
            OUTCOMES: MemoryOutcomeTable(),
        }
        return cls(tables, bars)


def _through_wire(codec: EventCodec) -> Any:
    """What a batch is after the wire: encoded, and decoded again."""

    def travelled(topic: str, facts: Batch[Any]) -> Batch[Any]:
        return codec.decode(topic, codec.encode(topic, facts).values).facts

    return travelled


def _codec(intervals: BarIntervals) -> EventCodec:
    return EventCodec(
        {
            topics.NORMALIZED: TickBatch,
            topics.ENRICHED: EnrichedTicks,
            topics.RECOMPUTE: RecomputeRequests,
            topics.LATEST: LatestPrices,
            **{topics.bars(interval.name): BarBatch for interval in intervals.all},
            **{topics.dead_letters(stage.name): DeadLetters for stage in STAGES},
        }
    )


def _log(settings: Settings, codec: EventCodec) -> MemoryEventLog:
    travelled = _through_wire(codec) if settings.wire_between_stages else None
    return MemoryEventLog(topics.partitions, codec=travelled)


def _patience(settings: Settings) -> Patience:
    return Patience(
        provisional_every_s=settings.provisional_every_s,
        limits=Limits(ticks=settings.window_memory_ticks, lag=settings.replay_limit),
        remembered=settings.winners,
        lateness_s=settings.lateness_s,
        idle_s=settings.idle_s,
    )


class Container(containers.DeclarativeContainer):
    """The memory profile: one process, nothing outside it."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    record_outcomes = providers.Object(False)

    clock = providers.Singleton(SystemClock)
    meter = providers.Singleton(PrometheusMeter)
    journal = providers.Singleton(logger, "dataproc")
    intervals = providers.Singleton(BarIntervals.parse, settings.provided.bar_intervals)
    tables = providers.Singleton(MemoryTables.of, intervals)
    policies = providers.Singleton(MemoryPolicies.from_files)
    codec = providers.Singleton(_codec, intervals)
    log = providers.Singleton(_log, settings, codec)
    epoch = providers.Singleton(MemoryLogicEpoch)
    pace = providers.Singleton(Pace, batch=settings.provided.max_batch_size, linger_s=settings.provided.linger_s)

    normalize = providers.Singleton(
        NormalizeTicks,
        decoder=providers.Singleton(MarketDecoder),
        policies=policies,
        clock=clock,
        meter=meter,
        service_version=providers.Callable(service_version),
        record_outcomes=record_outcomes,
        remembered=settings.provided.winners,
    )
    enrich = providers.Singleton(
        EnrichTicks,
        catalog=providers.Singleton(MemoryInstrumentCatalog.from_files),
        policies=providers.Singleton(MemoryPriceLimits.from_files),
        clock=clock,
        meter=meter,
        remembered_s=settings.provided.metadata_cache_s,
    )
    aggregate = providers.Singleton(
        AggregateBars,
        intervals=intervals,
        tables=tables.provided.bars,
        ticks=tables.provided.by_name[SILVER_TICKS],
        seals=tables.provided.by_name[SEALS],
        feeds=policies.provided.feeds.call(),
        clock=clock,
        meter=meter,
        patience=providers.Singleton(_patience, settings),
    )
    project = providers.Singleton(
        ProjectLatest, latest=tables.provided.by_name[SERVED_LATEST], clock=clock, meter=meter
    )
    loop = providers.Factory(
        Consume,
        log=log,
        tables=tables.provided.by_name,
        epoch=epoch,
        clock=clock,
        meter=meter,
        journal=journal,
        pace=pace,
    )

    latest_prices = providers.Singleton(
        FindLatestPrice, tables.provided.by_name[SERVED_LATEST], tables.provided.by_name[CACHE]
    )
    bars = providers.Singleton(FindBars, tables.provided.bars)
    raw_lines = providers.Factory(RawLines, partitions_of=providers.Object(topics.partitions))
    write_folder = providers.Object(write_folder)
