"""
What speaks with servers and their engines in process.

Imported where it is made: the memory profile needs no server's client, and they cost a second.
"""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapters.memory.clock import SystemClock
from adapters.wire.events import EventCodec
from adapters.wire.raw_avro import RawAvro
from application import topics
from domain.gold.interval import BarIntervals
from entrypoints.settings import BadSettings, Settings

REFERENCE_FILE = "reference.sqlite"
"""Where the embedded profile keeps its reference data, within its folder."""


def clickhouse(url: str, settings: Settings) -> Any:
    from adapters.clickhouse.client import BadAddress
    from adapters.clickhouse.connecting import connect

    try:
        return connect(url, settings.clickhouse_timeout_s)
    except BadAddress as error:
        raise BadSettings([str(error)]) from error


def clickhouse_census(client: Any) -> Any:
    from adapters.clickhouse.census import ClickHouseCensus

    return ClickHouseCensus(client)


def clickhouse_feed_history(client: Any) -> Any:
    from adapters.clickhouse.feed_history import ClickHouseFeedHistory

    return ClickHouseFeedHistory(client)


def clickhouse_epoch(client: Any) -> Any:
    from adapters.clickhouse.logic_epoch import ClickHouseLogicEpoch

    return ClickHouseLogicEpoch(client)


def migrator(client: Any, intervals: BarIntervals, keep_days: Mapping[str, int | None]) -> Any:
    from adapters.clickhouse.migrator import ClickHouseMigrator

    return ClickHouseMigrator(client, [interval.name for interval in intervals.all], keep_days=keep_days)


def range_recompute(client: Any, intervals: BarIntervals) -> Any:
    from adapters.clickhouse.range_recompute import ClickHouseRangeRecompute

    return ClickHouseRangeRecompute(client, intervals)


def embedded_tables_url(data_dir: Path) -> str:
    return f"chdb://{quote(str(data_dir.resolve() / 'tables'))}"


def embedded_log(data_dir: Path, codec: EventCodec) -> Any:
    from adapters.sql.event_log import SqliteEventLog

    return SqliteEventLog(data_dir, codec, topics.partitions)


def redis(settings: Settings) -> Any:
    from adapters.redis.connection import RedisConnection

    return RedisConnection.at(settings.redis_url, settings.redis_timeout_s)


def redis_prices(redis: Any, clickhouse: Any, clock: SystemClock, journal: Any) -> Any:
    from adapters.clickhouse.latest_table import ClickHouseLatestTable
    from adapters.redis.patient_price_cache import PatientPriceCache
    from adapters.redis.price_cache import RedisPriceCache

    prices = RedisPriceCache(redis)
    everything = ClickHouseLatestTable(clickhouse).portions
    return PatientPriceCache(prices, clock, journal, everything=everything, restarts=lambda: prices.restarts)


def database(dsn: str, settings: Settings) -> Any:
    from adapters.sql.database import Bounds, Database

    return Database.at(dsn, Bounds.answering_within(settings.postgres_timeout_s))


def sql_migrator(database: Any) -> Any:
    from adapters.sql.migrator import SqlMigrator

    return SqlMigrator(database)


def sql_catalog(database: Any, redis: Any, clock: SystemClock) -> Any:
    from adapters.redis.instrument_cache import RedisInstrumentCache
    from adapters.sql.instrument_catalog import SqlInstrumentCatalog

    return RedisInstrumentCache(SqlInstrumentCatalog(database), redis, clock, random.random)


def sql_catalog_alone(database: Any) -> Any:
    from adapters.sql.instrument_catalog import SqlInstrumentCatalog

    return SqlInstrumentCatalog(database)


def sql_limits(database: Any) -> Any:
    from adapters.sql.price_limits import SqlPriceLimits

    return SqlPriceLimits(database)


def sql_policies(database: Any) -> Any:
    from adapters.sql.policies import SqlPolicies

    return SqlPolicies(database)


def reference_store(database: Any) -> Any:
    from adapters.sql.reference_store import SqlReferenceStore

    return SqlReferenceStore(database)


def embedded_reference_dsn(data_dir: Path) -> str:
    return f"sqlite:///{quote(str(data_dir.resolve() / REFERENCE_FILE))}"


def kafka_access(settings: Settings) -> Any:
    from adapters.kafka.access import KafkaAccess

    return KafkaAccess(
        bootstrap=settings.kafka_bootstrap,
        env=settings.env,
        protocol=settings.kafka_security_protocol.upper(),
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.kafka_password,
        ca_path=settings.kafka_ca_path,
        certificate_path=settings.kafka_certificate_path,
        key_path=settings.kafka_key_path,
        key_password=settings.kafka_key_password,
        answer_within_s=settings.kafka_timeout_s,
    )


def raw_avro(settings: Settings, clock: SystemClock) -> RawAvro:
    if not settings.schema_registry_url:
        return RawAvro.of_files()
    from adapters.registry.schema_registry import SchemaRegistry

    registry = SchemaRegistry.at(
        settings.schema_registry_url,
        settings.env,
        clock,
        settings.schema_registry_timeout_s,
        settings.schema_registry_ca_path,
    )
    return RawAvro(registry)


def kafka_log(access: Any, codec: EventCodec, settings: Settings) -> Any:
    from adapters.kafka.consumer import Membership
    from adapters.kafka.event_log import KafkaEventLog

    membership = Membership(
        protocol=settings.kafka_group_protocol,
        instance_id=settings.kafka_instance_id,
        session_timeout_s=settings.kafka_session_timeout_s,
        poll_within_s=settings.kafka_poll_within_s,
        budget_bytes=settings.kafka_budget_bytes,
    )
    return KafkaEventLog(access, codec, topics.partitions, membership)


def kafka_topics(access: Any, settings: Settings) -> Any:
    from adapters.kafka.topics import KafkaTopics

    return KafkaTopics(access, settings.kafka_replication)


def kafka_feed(access: Any) -> Any:
    from adapters.kafka.raw_feed import KafkaRawFeed

    return KafkaRawFeed(access)
