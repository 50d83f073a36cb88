"""The composition root: which adapters stand behind the ports. Only here are adapters and the injector known."""

import importlib.metadata
import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs
from dependency_injector import containers, providers

from adapters.files.exports import refuse_to_replace, write_folder
from adapters.files.raw_lines import RawLines
from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.census import MemoryCensus
from adapters.memory.clock import SystemClock
from adapters.memory.event_log import MemoryEventLog
from adapters.memory.feed_history import MemoryFeedHistory
from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.policies import MemoryPolicies
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.price_limits import MemoryPriceLimits
from adapters.memory.reference import reference_from, reference_in
from adapters.memory.reference_files import SHIPPED
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
from adapters.telemetry.logs import configure, logger
from adapters.telemetry.meter import PrometheusMeter
from adapters.wire.events import EventCodec, WireFormat
from application import topics
from application.commands.load_reference import LoadReference, LoadStarterSet, RequireReference
from application.commands.replay import ReplayRaw
from application.commands.topics import CreateTopics, RequireTopics
from application.consume import DEAD_LETTERS, Consume, Pace
from application.pipeline import STAGES
from application.ports.bar_table import BarTable
from application.ports.tracer import Tracer, Untraced
from application.queries.bars import FindBars
from application.queries.feeds import ReadFeeds
from application.queries.gaps import FindGaps
from application.queries.lag import ReadLag
from application.queries.latest_price import FindLatestPrice
from application.queries.seals import FindSeal
from application.queries.verify import VerifyTables
from application.reenrichment import Reenrichment
from application.stages.aggregate import BAR_REVISIONS, SEALS, AggregateBars, Patience, bar_table
from application.stages.enrich import TABLE as ENRICHED_TICKS
from application.stages.enrich import EnrichTicks
from application.stages.normalize import LEDGER, OUTCOMES, NormalizeTicks
from application.stages.normalize import TICKS as SILVER_TICKS
from application.stages.project import CACHE, ProjectLatest
from application.stages.project import TABLE as SERVED_LATEST
from application.troubles import Vigilance
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.gold.interval import BarIntervals
from domain.gold.lateness import Adaptation
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.window import Limits
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from entrypoints.killpoint import KillPoint, keep_going
from entrypoints.settings import Settings

configure_logs = configure
SHIPPED_REFERENCE = SHIPPED
"""Folder of the reference files that come with the program."""

REFERENCE_FILE = "reference.sqlite"
"""Where the embedded profile keeps its reference data, within its folder."""

EXPORTED = (SILVER_TICKS, ENRICHED_TICKS, SERVED_LATEST, DEAD_LETTERS)
"""Tables an export holds besides bars and outcomes."""


def service_version() -> str:
    """Version of this program."""
    try:
        return importlib.metadata.version("dataproc")
    except importlib.metadata.PackageNotFoundError:
        return "0.1.0"


class Profile(StrEnum):
    """Where the refinery keeps what it knows. Source: design.md §6."""

    MEMORY = "memory"
    """All in process: demo, tests, one-off loads."""
    EMBEDDED = "embedded"
    """Files of one machine: SQLite, and the ClickHouse engine in process."""
    DISTRIBUTED = "distributed"
    """Servers: Kafka, ClickHouse, PostgreSQL, Redis."""


@attrs.frozen
class Tables:
    """All tables, by the names that stages and exports use."""

    by_name: Mapping[str, Any]
    bars: Mapping[str, BarTable]
    """By interval name."""

    @classmethod
    def of(cls, tables: Mapping[str, Any], bars: Mapping[str, Any], cache: Any) -> "Tables":
        """These tables, the bars of each interval, and the cache, whose upsert is the compare-and-set."""
        named = {bar_table(interval): table for interval, table in bars.items()}
        return cls({**tables, **named, CACHE: cache}, bars)


def _memory_tables(intervals: BarIntervals, cache: Any) -> Tables:
    tables = {
        SILVER_TICKS: MemoryTickTable(),
        ENRICHED_TICKS: MemoryEnrichedTable(),
        BAR_REVISIONS: MemoryBarRevisionTable(),
        SEALS: MemorySealTable(),
        SERVED_LATEST: MemoryLatestTable(),
        DEAD_LETTERS: MemoryDeadLetterTable(),
        OUTCOMES: MemoryOutcomeTable(),
        LEDGER: MemoryLedgerTable(),
    }
    return Tables.of(tables, {interval.name: MemoryBarTable(interval.name) for interval in intervals.all}, cache)


def _clickhouse_tables(intervals: BarIntervals, client: Any, cache: Any) -> Tables:
    # Imported here and below where they are used: the memory profile needs no server's client, and they cost a second.
    from adapters.clickhouse.bar_revision_table import ClickHouseBarRevisionTable
    from adapters.clickhouse.bar_table import ClickHouseBarTable
    from adapters.clickhouse.dead_letter_table import ClickHouseDeadLetterTable
    from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
    from adapters.clickhouse.latest_table import ClickHouseLatestTable
    from adapters.clickhouse.ledger_table import ClickHouseLedgerTable
    from adapters.clickhouse.outcome_table import ClickHouseOutcomeTable
    from adapters.clickhouse.seal_table import ClickHouseSealTable
    from adapters.clickhouse.tick_table import ClickHouseTickTable

    tables = {
        SILVER_TICKS: ClickHouseTickTable(client),
        ENRICHED_TICKS: ClickHouseEnrichedTable(client),
        BAR_REVISIONS: ClickHouseBarRevisionTable(client),
        SEALS: ClickHouseSealTable(client),
        SERVED_LATEST: ClickHouseLatestTable(client),
        DEAD_LETTERS: ClickHouseDeadLetterTable(client),
        OUTCOMES: ClickHouseOutcomeTable(client),
        LEDGER: ClickHouseLedgerTable(client),
    }
    bars = {interval.name: ClickHouseBarTable(client, interval.name) for interval in intervals.all}
    return Tables.of(tables, bars, cache)


def _clickhouse(url: str, settings: Settings) -> Any:
    from adapters.clickhouse.connecting import connect

    return connect(url, settings.clickhouse_timeout_s)


def _clickhouse_census(client: Any) -> Any:
    from adapters.clickhouse.census import ClickHouseCensus

    return ClickHouseCensus(client)


def _clickhouse_feed_history(client: Any) -> Any:
    from adapters.clickhouse.feed_history import ClickHouseFeedHistory

    return ClickHouseFeedHistory(client)


def _clickhouse_epoch(client: Any) -> Any:
    from adapters.clickhouse.logic_epoch import ClickHouseLogicEpoch

    return ClickHouseLogicEpoch(client)


def _migrator(client: Any, intervals: BarIntervals, keep_days: Mapping[str, int | None]) -> Any:
    from adapters.clickhouse.migrator import ClickHouseMigrator

    return ClickHouseMigrator(client, [interval.name for interval in intervals.all], keep_days=keep_days)


def _range_recompute(client: Any, intervals: BarIntervals) -> Any:
    from adapters.clickhouse.range_recompute import ClickHouseRangeRecompute

    return ClickHouseRangeRecompute(client, intervals)


def _embedded_tables_url(data_dir: Path) -> str:
    return f"chdb://{data_dir.resolve() / 'tables'}"


def _embedded_log(data_dir: Path, codec: EventCodec) -> Any:
    from adapters.sql.event_log import SqliteEventLog

    return SqliteEventLog(data_dir, codec, topics.partitions)


def _redis(settings: Settings) -> Any:
    from adapters.redis.connection import RedisConnection

    return RedisConnection.at(settings.redis_url, settings.redis_timeout_s)


def _redis_prices(redis: Any, clickhouse: Any, clock: SystemClock, journal: Any) -> Any:
    from adapters.clickhouse.latest_table import ClickHouseLatestTable
    from adapters.redis.patient_price_cache import PatientPriceCache
    from adapters.redis.price_cache import RedisPriceCache

    prices = RedisPriceCache(redis)
    everything = ClickHouseLatestTable(clickhouse).portions
    return PatientPriceCache(prices, clock, journal, everything=everything, restarts=lambda: prices.restarts)


def _database(dsn: str, settings: Settings) -> Any:
    from adapters.sql.database import Bounds, Database

    return Database.at(dsn, Bounds.answering_within(settings.postgres_timeout_s))


def _sql_migrator(database: Any) -> Any:
    from adapters.sql.migrator import SqlMigrator

    return SqlMigrator(database)


def _sql_catalog(database: Any, redis: Any, clock: SystemClock) -> Any:
    from adapters.redis.instrument_cache import RedisInstrumentCache
    from adapters.sql.instrument_catalog import SqlInstrumentCatalog

    return RedisInstrumentCache(SqlInstrumentCatalog(database), redis, clock, random.random)


def _sql_catalog_alone(database: Any) -> Any:
    from adapters.sql.instrument_catalog import SqlInstrumentCatalog

    return SqlInstrumentCatalog(database)


def _sql_limits(database: Any) -> Any:
    from adapters.sql.price_limits import SqlPriceLimits

    return SqlPriceLimits(database)


def _sql_policies(database: Any) -> Any:
    from adapters.sql.policies import SqlPolicies

    return SqlPolicies(database)


def _reference_store(database: Any) -> Any:
    from adapters.sql.reference_store import SqlReferenceStore

    return SqlReferenceStore(database)


def _load_starter_set(load: LoadReference, folder: Path) -> LoadStarterSet:
    return LoadStarterSet(load, lambda: reference_in(folder))


def _embedded_reference_dsn(data_dir: Path) -> str:
    return f"sqlite:///{data_dir.resolve() / REFERENCE_FILE}"


def _kafka_access(settings: Settings) -> Any:
    from adapters.kafka.access import KafkaAccess

    return KafkaAccess(
        bootstrap=settings.kafka_bootstrap,
        env=settings.env,
        protocol=settings.kafka_security_protocol.upper(),
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_path=settings.kafka_ca_path,
        answer_within_s=settings.kafka_timeout_s,
    )


def _kafka_log(access: Any, codec: EventCodec, settings: Settings) -> Any:
    from adapters.kafka.consumer import Membership
    from adapters.kafka.event_log import KafkaEventLog

    return KafkaEventLog(access, codec, topics.partitions, Membership(instance_id=settings.kafka_instance_id))


def _kafka_topics(access: Any, settings: Settings) -> Any:
    from adapters.kafka.topics import KafkaTopics

    return KafkaTopics(access, settings.kafka_replication)


def _kafka_feed(access: Any) -> Any:
    from adapters.kafka.raw_feed import KafkaRawFeed

    return KafkaRawFeed(access)


def _tracer(settings: Settings, service: str) -> Tracer:
    if not settings.trace_enabled:
        return Untraced()
    from adapters.telemetry.tracer import OpenTelemetryTracer

    return OpenTelemetryTracer.to(f"254carbon-{service}", service_version(), settings.trace_endpoint)


def _through_wire(codec: EventCodec) -> Any:
    """What a batch is after the wire: encoded, and decoded again."""

    def travelled(topic: str, facts: Batch[Any]) -> Batch[Any]:
        return codec.decode(topic, codec.encode(topic, facts).values).facts

    return travelled


def _codec(intervals: BarIntervals, settings: Settings) -> EventCodec:
    return EventCodec(
        {
            topics.NORMALIZED: TickBatch,
            topics.ENRICHED: EnrichedTicks,
            topics.RECOMPUTE: RecomputeRequests,
            topics.LATEST: LatestPrices,
            **{topics.bars(interval.name): BarBatch for interval in intervals.all},
            **{topics.dead_letters(stage.name): DeadLetters for stage in STAGES},
        },
        WireFormat(settings.wire_format),
    )


def _log(settings: Settings, codec: EventCodec) -> MemoryEventLog:
    travelled = _through_wire(codec) if settings.wire_between_stages else None
    return MemoryEventLog(topics.partitions, codec=travelled)


def _adaptation(settings: Settings) -> Adaptation | None:
    if not settings.adaptive_lateness:
        return None
    return Adaptation(settings.lateness_quantile, settings.lateness_least, settings.lateness_most)


def _patience(settings: Settings) -> Patience:
    return Patience(
        provisional_every_s=settings.provisional_every_s,
        adaptation=_adaptation(settings),
        recomputed_at_once=settings.recompute_windows_per_turn,
        limits=Limits(ticks=settings.window_memory_ticks, lag=settings.replay_limit),
        remembered=settings.winners,
        lateness_s=settings.lateness_s,
        idle_s=settings.idle_s,
    )


def _passed(settings: Settings) -> Callable[[str], None]:
    return KillPoint(*settings.killpoint) if settings.killpoint else keep_going


def _reference_dir(settings: Settings) -> Path:
    return settings.reference_dir or SHIPPED_REFERENCE


class Container(containers.DeclarativeContainer):
    """One program; the profile decides what stands behind its ports."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    profile = providers.Object(Profile.MEMORY.value)
    data_dir: providers.Provider[Path | None] = providers.Object(None)
    """Where the embedded profile keeps its files."""
    record_outcomes = providers.Object(False)
    service = providers.Object("all-in-one")
    """The service that runs, by which its spans are named."""

    reference_dir = providers.Callable(_reference_dir, settings)
    clock = providers.Singleton(SystemClock)
    meter = providers.Singleton(PrometheusMeter)
    journal = providers.Singleton(logger, "dataproc")
    intervals = providers.Singleton(BarIntervals.parse, settings.provided.bar_intervals)
    clickhouse = providers.Selector(
        profile,
        embedded=providers.Singleton(_clickhouse, providers.Callable(_embedded_tables_url, data_dir), settings),
        distributed=providers.Singleton(_clickhouse, settings.provided.clickhouse_url, settings),
    )
    migrator = providers.Singleton(_migrator, clickhouse, intervals, settings.provided.keep_days)
    range_recompute = providers.Factory(_range_recompute, clickhouse, intervals)
    kafka_access = providers.Singleton(_kafka_access, settings)
    kafka_topics = providers.Singleton(_kafka_topics, kafka_access, settings)
    redis = providers.Singleton(_redis, settings)
    database = providers.Selector(
        profile,
        embedded=providers.Singleton(_database, providers.Callable(_embedded_reference_dsn, data_dir), settings),
        distributed=providers.Singleton(_database, settings.provided.postgres_dsn, settings),
    )
    sql_migrator = providers.Singleton(_sql_migrator, database)
    reference_store = providers.Singleton(_reference_store, database)
    load_reference = providers.Factory(LoadReference, reference_store)
    load_starter_set = providers.Factory(_load_starter_set, load_reference, reference_dir)
    required_reference = providers.Singleton(RequireReference, reference_store)
    read_reference = providers.Object(reference_from)
    cache = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPriceCache),
        embedded=providers.Singleton(MemoryPriceCache),
        distributed=providers.Singleton(_redis_prices, redis, clickhouse, clock, journal),
    )
    catalog = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryInstrumentCatalog.from_files, reference_dir),
        embedded=providers.Singleton(_sql_catalog_alone, database),
        distributed=providers.Singleton(_sql_catalog, database, redis, clock),
    )
    limits = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPriceLimits.from_files, reference_dir),
        embedded=providers.Singleton(_sql_limits, database),
        distributed=providers.Singleton(_sql_limits, database),
    )
    tables = providers.Selector(
        profile,
        memory=providers.Singleton(_memory_tables, intervals, cache),
        embedded=providers.Singleton(_clickhouse_tables, intervals, clickhouse, cache),
        distributed=providers.Singleton(_clickhouse_tables, intervals, clickhouse, cache),
    )
    policies = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryPolicies.from_files, reference_dir),
        embedded=providers.Singleton(_sql_policies, database),
        distributed=providers.Singleton(_sql_policies, database),
    )
    codec = providers.Singleton(_codec, intervals, settings)
    log = providers.Selector(
        profile,
        memory=providers.Singleton(_log, settings, codec),
        embedded=providers.Singleton(_embedded_log, data_dir, codec),
        distributed=providers.Singleton(_kafka_log, kafka_access, codec, settings),
    )
    epoch = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryLogicEpoch),
        embedded=providers.Singleton(_clickhouse_epoch, clickhouse),
        distributed=providers.Singleton(_clickhouse_epoch, clickhouse),
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
        decoder=providers.Singleton(MarketDecoder),
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
        service_version=providers.Callable(service_version),
        passed=providers.Callable(_passed, settings),
        tracer=providers.Singleton(_tracer, settings, service),
    )
    required_topics = providers.Singleton(RequireTopics, kafka_topics, settings.provided.bar_intervals)
    create_topics = providers.Factory(CreateTopics, kafka_topics, settings.provided.bar_intervals)
    read_lag = providers.Factory(ReadLag, log, STAGES, settings.provided.group_of)
    replay = providers.Factory(ReplayRaw, feed=providers.Singleton(_kafka_feed, kafka_access), clock=clock)

    latest_prices = providers.Singleton(
        FindLatestPrice, tables.provided.by_name[SERVED_LATEST], tables.provided.by_name[CACHE]
    )
    bars = providers.Singleton(FindBars, tables.provided.bars)
    census = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryCensus, tables.provided.by_name),
        embedded=providers.Singleton(_clickhouse_census, clickhouse),
        distributed=providers.Singleton(_clickhouse_census, clickhouse),
    )
    feed_history = providers.Selector(
        profile,
        memory=providers.Singleton(MemoryFeedHistory, tables.provided.by_name[SILVER_TICKS]),
        embedded=providers.Singleton(_clickhouse_feed_history, clickhouse),
        distributed=providers.Singleton(_clickhouse_feed_history, clickhouse),
    )
    gaps = providers.Singleton(FindGaps, tables.provided.bars, feed_history, intervals, clock)
    seal = providers.Singleton(FindSeal, tables.provided.by_name[SEALS])
    feeds = providers.Singleton(ReadFeeds, aggregate, clock, meter)
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
