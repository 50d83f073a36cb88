"""The composition root: which adapters stand behind the ports. Only here are adapters and the injector known."""

from enum import StrEnum
from pathlib import Path

from dependency_injector import containers, providers

from adapters.files.exports import Part, refuse_to_replace, write_folder
from adapters.files.raw_lines import RawLines
from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.census import MemoryCensus
from adapters.memory.clock import SystemClock
from adapters.memory.feed_history import MemoryFeedHistory
from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.policies import MemoryPolicies
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.price_limits import MemoryPriceLimits
from adapters.memory.reference import reference_from, reference_in
from adapters.memory.reference_files import SHIPPED
from adapters.telemetry.logs import configure, logger
from adapters.telemetry.meter import PrometheusMeter
from adapters.telemetry.unhurried import say as say
from application import topics
from application.commands.load_reference import LoadReference, LoadStarterSet, RequireReference
from application.commands.reconcile import ReconcilePrices, Thoroughness
from application.commands.replay import ReplayRaw
from application.commands.topics import CreateTopics, RequireTopics
from application.consume import DEAD_LETTERS, Consume, Pace
from application.pipeline import STAGES
from application.queries.bars import FindBars
from application.queries.feeds import ReadFeeds
from application.queries.gaps import FindGaps
from application.queries.lag import ReadLag
from application.queries.latest_price import FindLatestPrice
from application.queries.seals import FindSeal
from application.queries.verify import VerifyTables
from application.reenrichment import Reenrichment
from application.stages.aggregate import BAR_REVISIONS, SEALS, AggregateBars
from application.stages.enrich import TABLE as ENRICHED_TICKS
from application.stages.enrich import EnrichTicks
from application.stages.normalize import LEDGER, NormalizeTicks
from application.stages.normalize import TICKS as SILVER_TICKS
from application.stages.project import CACHE, ProjectLatest
from application.stages.project import TABLE as SERVED_LATEST
from application.troubles import Vigilance
from domain.gold.interval import BarIntervals
from entrypoints.admin.drain import Drain
from entrypoints.admin.watchdog import Watchdog
from entrypoints.container import choices, servers
from entrypoints.container.choices import service_version as service_version
from entrypoints.container.servers import REFERENCE_FILE as REFERENCE_FILE
from entrypoints.container.tables import clickhouse_tables, memory_tables
from entrypoints.settings import Settings

configure_logs = configure
ExportedTable = Part
SHIPPED_REFERENCE = SHIPPED
"""Folder of the reference files that come with the program."""

EXPORTED = (SILVER_TICKS, ENRICHED_TICKS, SERVED_LATEST, DEAD_LETTERS, BAR_REVISIONS, SEALS, LEDGER)
"""Tables an export holds besides bars and outcomes."""


class Profile(StrEnum):
    """Where the refinery keeps what it knows. Source: design.md §6."""

    MEMORY = "memory"
    """All in process: demo, tests, one-off loads."""
    EMBEDDED = "embedded"
    """Files of one machine: SQLite, and the ClickHouse engine in process."""
    DISTRIBUTED = "distributed"
    """Servers: Kafka, ClickHouse, PostgreSQL, Redis."""


def _load_starter_set(load: LoadReference, folder: Path) -> LoadStarterSet:
    return LoadStarterSet(load, lambda: reference_in(folder))


class Container(containers.DeclarativeContainer):
    """One program; the profile decides what stands behind its ports."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    profile = providers.Object(Profile.MEMORY.value)
    data_dir: providers.Provider[Path | None] = providers.Object(None)
    """Where the embedded profile keeps its files."""
    record_outcomes = providers.Object(False)
    service = providers.Object("all-in-one")
    """The service that runs, by which its spans are named."""

    reference_dir = providers.Callable(choices.reference_dir, settings)
    clock = providers.Singleton(SystemClock)
    meter = providers.Singleton(PrometheusMeter)
    journal = providers.Singleton(logger, "dataproc")
    watchdog = providers.Factory(Watchdog, clock=clock, meter=meter, journal=journal)
    drain = providers.Factory(Drain, within_s=settings.provided.drain_s, journal=journal)
    intervals = providers.Singleton(BarIntervals.parse, settings.provided.bar_intervals)
    clickhouse = providers.Selector(
        profile,
        embedded=providers.Singleton(
            servers.clickhouse, providers.Callable(servers.embedded_tables_url, data_dir), settings
        ),
        distributed=providers.Singleton(servers.clickhouse, settings.provided.clickhouse_url, settings),
    )
    migrator = providers.Singleton(servers.migrator, clickhouse, intervals, settings.provided.keep_days)
    range_recompute = providers.Factory(servers.range_recompute, clickhouse, intervals)
    kafka_access = providers.Singleton(servers.kafka_access, settings)
    kafka_topics = providers.Singleton(servers.kafka_topics, kafka_access, settings)
    redis = providers.Singleton(servers.redis, settings)
    database = providers.Selector(
        profile,
        embedded=providers.Singleton(
            servers.database, providers.Callable(servers.embedded_reference_dsn, data_dir), settings
        ),
        distributed=providers.Singleton(servers.database, settings.provided.postgres_dsn, settings),
    )
    sql_migrator = providers.Singleton(servers.sql_migrator, database)
    reference_store = providers.Singleton(servers.reference_store, database)
    load_reference = providers.Factory(LoadReference, reference_store)
    load_starter_set = providers.Factory(_load_starter_set, load_reference, reference_dir)
    required_reference = providers.Singleton(RequireReference, reference_store)
    read_reference = providers.Object(reference_from)
    cache = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPriceCache),
        embedded=providers.Singleton(MemoryPriceCache),
        distributed=providers.Singleton(servers.redis_prices, redis, clickhouse, clock, journal),
    )
    catalog = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryInstrumentCatalog.from_files, reference_dir),
        embedded=providers.Singleton(servers.sql_catalog_alone, database),
        distributed=providers.Singleton(servers.sql_catalog, database, redis, clock),
    )
    limits = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPriceLimits.from_files, reference_dir),
        embedded=providers.Singleton(servers.sql_limits, database),
        distributed=providers.Singleton(servers.sql_limits, database),
    )
    tables = providers.Selector(
        profile,
        memory=providers.Singleton(memory_tables, intervals, cache),
        embedded=providers.Singleton(clickhouse_tables, intervals, clickhouse, cache),
        distributed=providers.Singleton(clickhouse_tables, intervals, clickhouse, cache),
    )
    policies = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPolicies.from_files, reference_dir),
        embedded=providers.Singleton(servers.sql_policies, database),
        distributed=providers.Singleton(servers.sql_policies, database),
    )
    codec = providers.Singleton(choices.codec, intervals, settings)
    log = providers.Selector(
        profile,
        memory=providers.Singleton(choices.log, settings, codec),
        embedded=providers.Singleton(servers.embedded_log, data_dir, codec),
        distributed=providers.Singleton(servers.kafka_log, kafka_access, codec, settings),
    )
    epoch = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryLogicEpoch),
        embedded=providers.Singleton(servers.clickhouse_epoch, clickhouse),
        distributed=providers.Singleton(servers.clickhouse_epoch, clickhouse),
    )
    pace = providers.Singleton(
        Pace,
        batch=settings.provided.max_batch_size,
        linger_s=settings.provided.linger_s,
        longest_wait_s=settings.provided.retry_wait_s,
        vigilance=providers.Singleton(Vigilance, slow_after_s=settings.provided.slow_after_s),
    )

    normalize = providers.Singleton(
        NormalizeTicks,
        decoder=providers.Singleton(MarketDecoder, providers.Singleton(servers.raw_avro, settings, clock)),
        policies=policies,
        clock=clock,
        meter=meter,
        service_version=providers.Callable(service_version),
        record_outcomes=record_outcomes,
        ledger=tables.provided.by_name[LEDGER],
        remembered=settings.provided.winners,
    )
    enrich = providers.Singleton(
        EnrichTicks,
        catalog=catalog,
        policies=limits,
        again=providers.Factory(Reenrichment, catalog, limits, tables.provided.by_name[ENRICHED_TICKS]),
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
        policies=policies,
        clock=clock,
        meter=meter,
        patience=providers.Singleton(choices.patience, settings),
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
        service_version=providers.Callable(service_version),
        passed=providers.Callable(choices.passed, settings),
        tracer=providers.Singleton(choices.tracer, settings, service, meter, journal),
    )
    required_topics = providers.Singleton(RequireTopics, kafka_topics, settings.provided.bar_intervals)
    create_topics = providers.Factory(CreateTopics, kafka_topics, settings.provided.bar_intervals)
    read_lag = providers.Factory(ReadLag, log, STAGES, settings.provided.group_of)
    replay = providers.Factory(ReplayRaw, feed=providers.Singleton(servers.kafka_feed, kafka_access), clock=clock)

    latest_prices = providers.Singleton(
        FindLatestPrice, tables.provided.by_name[SERVED_LATEST], tables.provided.by_name[CACHE]
    )
    bars = providers.Singleton(FindBars, tables.provided.bars)
    census = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryCensus, tables.provided.by_name),
        embedded=providers.Singleton(servers.clickhouse_census, clickhouse),
        distributed=providers.Singleton(servers.clickhouse_census, clickhouse),
    )
    feed_history = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryFeedHistory, tables.provided.by_name[SILVER_TICKS]),
        embedded=providers.Singleton(servers.clickhouse_feed_history, clickhouse),
        distributed=providers.Singleton(servers.clickhouse_feed_history, clickhouse),
    )
    gaps = providers.Singleton(FindGaps, tables.provided.bars, feed_history, intervals, clock)
    seal = providers.Singleton(FindSeal, tables.provided.by_name[SEALS])
    feeds = providers.Singleton(ReadFeeds, aggregate, clock, meter)
    reconcile = providers.Singleton(
        ReconcilePrices,
        latest=tables.provided.by_name[SERVED_LATEST],
        ticks=tables.provided.by_name[SILVER_TICKS],
        cache=tables.provided.by_name[CACHE],
        census=census,
        log=log,
        clock=clock,
        meter=meter,
        journal=journal,
        thoroughness=providers.Singleton(Thoroughness, every_s=settings.provided.projection_refresh_interval),
    )
    verify = providers.Factory(
        VerifyTables,
        intervals=intervals,
        ticks=tables.provided.by_name[SILVER_TICKS],
        bars=tables.provided.bars,
        cache=tables.provided.by_name[CACHE],
        ledger=tables.provided.by_name[LEDGER],
        census=census,
    )
    raw_lines = providers.Factory(RawLines, partitions_of=providers.Object(topics.partitions))
    write_folder = providers.Object(write_folder)
    refuse_to_replace = providers.Object(refuse_to_replace)
