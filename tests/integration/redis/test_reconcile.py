"""Reconciliation of a real Redis with tables in ClickHouse: what was lost or lowered is as it was within a round."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from adapters.clickhouse.census import ClickHouseCensus
from adapters.clickhouse.latest_table import ClickHouseLatestTable
from adapters.clickhouse.tick_table import ClickHouseTickTable
from adapters.redis.connection import RedisConnection
from adapters.redis.patient_price_cache import PatientPriceCache
from adapters.redis.price_cache import RedisPriceCache, key_of
from application import topics
from application.commands.reconcile import ReconcilePrices, Thoroughness
from domain.batch import Batch
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.tick import Tick
from tests.builders import TEN, tick, ticks
from tests.performing import Tally
from tests.support.clickhouse import database, emptied
from tests.support.redis import Told, empty_redis, redis_of_its_own

pytestmark = pytest.mark.services

NAMES = [f"N{place:03d}" for place in range(250)]
DROPPED, LOWERED, MISSED = NAMES[7], NAMES[120], NAMES[249]


@attrs.define
class Noon:
    """A clock that a test moves, two hours after everything here."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return TEN + timedelta(hours=2, seconds=self.seconds)

    def monotonic_s(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@attrs.define
class Topic:
    """A log of which only publishing is used."""

    heard: list[tuple[str, Batch[Any]]] = attrs.field(factory=list)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        self.heard.append((topic, facts))


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(ticks(*facts), TEN)


OLD = [tick("10:00", "1", instrument_id=name) for name in NAMES]
NEW = [tick("10:05", "2", instrument_id=name) for name in NAMES]


@attrs.define
class World:
    """Redis, ClickHouse, and who reconciles them a hundred instruments at a time."""

    redis: RedisConnection
    clock: Noon = attrs.field(factory=Noon)
    log: Topic = attrs.field(factory=Topic)
    meter: Tally = attrs.field(factory=Tally)
    journal: Told = attrs.field(factory=Told)
    table: ClickHouseLatestTable = attrs.field(init=False)
    cache: PatientPriceCache = attrs.field(init=False)
    reconcile: ReconcilePrices = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        client = emptied(database("chdb"), "silver_ticks", "served_latest")
        silver = ClickHouseTickTable(client)
        silver.upsert(ticks(*OLD, *NEW))
        self.table = ClickHouseLatestTable(client)
        self.cache = PatientPriceCache(RedisPriceCache(self.redis), self.clock, self.journal)
        self.reconcile = ReconcilePrices(
            latest=self.table,
            ticks=silver,
            cache=self.cache,
            census=ClickHouseCensus(client),
            log=self.log,  # type: ignore[arg-type]
            clock=self.clock,
            meter=self.meter,
            journal=self.journal,
            thoroughness=Thoroughness(portion=100),
        )

    def within_a_minute(self) -> None:
        """Let the duty be called four times a second."""
        for _ in range(4 * 59):
            self.clock.seconds += 0.25
            self.reconcile()

    def served(self, name: str) -> list[Any]:
        """Of an instrument by the table and by the cache."""
        found = (self.table.of("default", name), self.cache.of("default", name))
        return [price for rows in found for price in rows.frame["price"]]


@pytest.fixture
def world() -> Iterator[World]:
    with empty_redis() as redis:
        yield World(redis)


def test_what_was_dropped_lowered_or_missed_is_right_within_a_minute(world: World) -> None:
    world.table.upsert(latest(*NEW[:-1], OLD[-1]))
    world.cache.upsert(latest(*NEW[:-1], OLD[-1]))
    world.redis.client.delete(key_of("default", DROPPED))
    lowered = key_of("default", LOWERED)
    world.redis.client.delete(lowered)
    world.cache.upsert(latest(OLD[NAMES.index(LOWERED)]))
    world.within_a_minute()
    assert [world.served(name) for name in (DROPPED, LOWERED, MISSED, NAMES[0])] == [[2, 2]] * 4
    assert [(topic, facts.frame["instrument_id"].to_list()) for topic, facts in world.log.heard] == [
        (topics.LATEST, [MISSED])
    ]
    assert world.meter.figures["projection_drift_found_total"] == 3
    assert world.meter.figures["projection_drift_mended_total"] == 3
    assert world.journal.warnings == ["served prices had drifted"]


def test_what_is_ahead_is_told_and_never_lowered(world: World) -> None:
    world.table.upsert(latest(*NEW))
    ahead = tick("11:00", "3", instrument_id=NAMES[0])
    world.cache.upsert(latest(*NEW[1:], ahead))
    world.within_a_minute()
    assert world.served(NAMES[0]) == [2, 3]
    assert "projection_drift_mended_total" not in world.meter.figures


def test_an_emptied_redis_is_filled_again(world: World) -> None:
    world.table.upsert(latest(*NEW))
    world.within_a_minute()
    assert [world.served(name) for name in NAMES] == [[2, 2]] * len(NAMES)


def test_a_redis_that_goes_away_stops_nobody() -> None:
    with redis_of_its_own() as server:
        redis = RedisConnection.at(server.url, 0.2)
        world = World(redis)
        world.table.upsert(latest(*OLD))
        server.stop()
        world.within_a_minute()
        redis.close()
    assert world.table.of("default", MISSED).frame["price"].to_list() == [2]
    assert world.journal.warnings.count("served prices can't all be compared now") == 1
