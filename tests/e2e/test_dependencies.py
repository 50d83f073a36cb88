"""
Whatever becomes of a server that the services need, nothing is lost, and whoever asks is told what is missing.

Four services stand behind proxies that refuse, hang, cut and slow down what they carry.
"""

import re
import signal
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import attrs
import polars as pl
import pytest

from adapters.clickhouse.migrator import ClickHouseMigrator
from application.pipeline import STAGES
from entrypoints.service import NEEDED
from tests.e2e.conftest import LoadFiles
from tests.e2e.services import Service, until
from tests.e2e.world import World, world
from tests.support.proxied import CLICKHOUSE, KAFKA, NATIVE, POSTGRES, REDIS
from tests.support.proxy import Mode

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

SERVERS = (CLICKHOUSE, NATIVE, KAFKA, POSTGRES, REDIS)
TOLD_EVERY_S = 30
STOPPED, FAILED, BAD_SETTINGS, NOT_LET_IN = 0, 1, 2, 78
OTHER_LOGS = frozenset({"version", "revision", "state", "reason", "lineage_partitions", "raw_offset"})
"""Columns that tell of the way to a result, which a run with repeats goes otherwise."""
OF_THE_WAY = frozenset({"outcomes", "bar_revisions", "bar_seals", "ledger"})
"""Tables that do."""


@attrs.frozen
class Start:
    """What was seen while services started before their servers, which then came one by one."""

    lacking: dict[str, dict[str, set[str]]]
    """By the server that was still away, by service."""
    warnings: dict[str, list[str]]
    """By service, what was told until the last server came."""
    living: bool


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Start]]:
    with world(tmp_path_factory.mktemp("world")) as held:
        for name in SERVERS:
            held.servers.switch(name, Mode.REFUSE)
        held.start_all()
        seen = Start({}, {}, all(service.live() for service in held.services))
        for name in SERVERS:
            seen.lacking[name] = {service.name: lacking_at_last(service, name) for service in held.services}
            held.servers.switch(name, Mode.PASS)
        held.wait_until_ready()
        seen.warnings.update({s.name: [line["message"] for line in s.told("WARNING")] for s in held.services})
        yield held, seen


def lacking_at_last(service: Service, name: str) -> set[str]:
    """What a service lacks once it has come as far as it comes without this server."""
    if needs(service.name, name):
        until(lambda: called(name) in service.lacking(), f"{service.name} misses {name}")
    if name == REDIS:
        until(service.ready, f"{service.name} is ready without {name}")
    return service.lacking()


FRESH = count()
"""Numbers of tenants nobody has heard of."""
USUALLY_NATIVE = {"enrichment", "projection"}


@pytest.fixture
def refinery(beginning: tuple[World, Start]) -> World:
    return beginning[0]


def test_services_that_start_before_their_servers_live_say_what_they_lack_and_go_on(
    beginning: tuple[World, Start],
) -> None:
    _, seen = beginning

    assert seen.living
    for name in (NATIVE, KAFKA, POSTGRES):
        for service, lacking in seen.lacking[name].items():
            if needs(service, name):
                assert lacking == {service, called(name)}, (service, name)
    assert {service: lacking & {service} for service, lacking in seen.lacking[REDIS].items()} == {
        stage.name: set() for stage in STAGES
    }
    for service, told in seen.warnings.items():
        away = set(told) - {"the price cache is away; prices come from the table meanwhile"}
        assert away == {"starting failed; trying again"}, service


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_goes_away_in_the_middle_costs_nothing(refinery: World, name: str) -> None:
    refinery.feed(30)
    for mode in (Mode.REFUSE, Mode.HANG, Mode.RESET, Mode.SLOW, Mode.HALF_CLOSE):
        with refinery.servers.doing(name, mode):
            refinery.feed(30, tenant=re.sub("[^a-z]", "-", f"{name}-{mode}"))
            if mode is not Mode.SLOW:
                told_of(refinery, name)
            assert all(service.live() for service in refinery.services), mode
        refinery.wait_until_ready()
    refinery.drain()

    assert refinery.differences() == []
    assert [line for service in refinery.services for line in too_often(service)] == []


def called(name: str) -> str:
    """What readiness calls a server."""
    return CLICKHOUSE if name == NATIVE else name


def needs(service: str, name: str) -> bool:
    """Whether a service can't do without a server, by the way it takes to it."""
    usual = CLICKHOUSE if name == NATIVE and service in USUALLY_NATIVE else name
    return usual in NEEDED[service] and not (name == CLICKHOUSE and service in USUALLY_NATIVE)


def told_of(refinery: World, name: str) -> None:
    """Readiness says what is away: of what services can't do without they are unready, of the cache it is only told."""
    if name == REDIS:
        service = refinery.of("projection")
        until(lambda: service.lacking() == {REDIS}, "projection tells that redis is away")
        assert service.ready()
        return
    # Who meets it first keeps everything from those behind.
    needing = [service for service in refinery.services if needs(service.name, name)]

    def missed() -> bool:
        # A server that lets some through is missed only by who asks for something new meanwhile.
        refinery.feed(2, tenant=f"tenant-{next(FRESH)}")
        return any(called(name) in service.lacking() and not service.ready() for service in needing)

    until(missed, f"a service misses {name}")


def too_often(service: Service) -> list[str]:
    """Troubles with one thing that a service told of again before the time."""
    last: dict[str, tuple[datetime, object]] = {}
    found = []
    for line in service.told("WARNING"):
        if line["message"] == "served prices had drifted":  # and were mended: no trouble that lasts
            continue
        at, about = datetime.fromisoformat(line["ts"]), thing(line)
        if about in last and (at - last[about][0]).total_seconds() < TOLD_EVERY_S - 1:
            found.append(f"{service.name}: {line} after {last[about][1]}")
        last[about] = at, line
    return found


def thing(line: dict[str, object]) -> str:
    """What a warning is about; who compares served prices, or doubts records, tells of it on its own."""
    if "records" in line["extra"]:  # type: ignore[operator]
        return str(line["extra"])
    if "compared" in str(line["message"]):
        return "comparing"
    told = f"{line['message']} {line['extra']}".lower()
    return next(name for name in ("cache", "clickhouse", "database", "kafka", "") if name in told)


def test_a_cache_that_comes_back_empty_is_filled_again(refinery: World) -> None:
    refinery.feed(40)
    refinery.drain()
    refinery.servers.empty_redis()
    refinery.feed(20)
    refinery.drain()

    assert until(lambda: cached(refinery) == served(refinery), "the cache holds what the table holds")


def test_a_cache_that_is_flushed_answers_from_the_table_and_is_filled_by_it(refinery: World) -> None:
    refinery.feed(20)
    refinery.drain()
    redis = refinery.container.redis().client
    redis.flushall()
    projection = refinery.of("projection")

    for tenant_id, instrument_id in served(refinery):
        status, told = projection.latest(tenant_id, instrument_id)
        assert (status, told["instrument_id"]) == (200, instrument_id)
    assert cached(refinery) == served(refinery)


def served(refinery: World) -> dict[tuple[str, str], str]:
    """Ranks in the table that lasts."""
    rows = refinery.container.tables().by_name["served_latest"].final()
    return {
        (tenant, name): rank for tenant, name, rank in rows.select("tenant_id", "instrument_id", "rank").iter_rows()
    }


def cached(refinery: World) -> dict[tuple[str, str], str]:
    """Ranks in Redis."""
    redis = refinery.container.redis().client
    keys = list(redis.scan_iter("tenant:*:latest:*", count=1000))
    parts = [key.decode().split(":", 3) for key in keys]
    return {
        (tenant, name): redis.hget(key, "version").decode()
        for key, (_, tenant, _, name) in zip(keys, parts, strict=True)
    }


@pytest.mark.parametrize("name", [CLICKHOUSE, KAFKA])
def test_a_service_that_is_asked_to_stop_while_a_server_hangs_stops(refinery: World, name: str) -> None:
    service = refinery.of("normalization")
    with refinery.servers.doing(name, Mode.HANG):
        refinery.feed(20)
        until(lambda: not service.ready(), "normalization is not ready")
        service.signalled(signal.SIGTERM)
        code = service.ended(25)
    service.start()
    refinery.wait_until_ready()
    refinery.drain()

    assert code == STOPPED
    assert refinery.differences() == []


def test_a_second_request_to_stop_is_obeyed_at_once(refinery: World) -> None:
    service = refinery.of("normalization")
    with refinery.servers.doing(CLICKHOUSE, Mode.HANG):
        refinery.feed(20)
        until(lambda: not service.ready(), "normalization is not ready")
        service.signalled(signal.SIGTERM)
        until(lambda: not service.live(), "normalization has heard of it", within_s=5)
        service.signalled(signal.SIGTERM)
        code = service.ended(3)
    service.start()
    refinery.wait_until_ready()
    refinery.drain()

    assert code == -signal.SIGTERM
    assert refinery.differences() == []


@pytest.mark.parametrize(("times", "ends_with"), [("1", STOPPED), ("2", -signal.SIGTERM)])
def test_a_service_that_is_asked_to_stop_in_the_middle_of_a_batch_ends_with_it_unless_asked_twice(
    refinery: World, times: str, ends_with: int
) -> None:
    refinery.drain()
    refinery.stop(refinery.of("normalization"))
    refinery.feed(60)
    service = refinery.start("normalization", program=("tests.e2e.asked", "normalization", "stored silver", times))
    code = service.ended()
    refinery.services.remove(service)
    behind = stored_and_not_committed(refinery)
    refinery.start("normalization")
    refinery.wait_until_ready()
    refinery.drain()

    assert code == ends_with
    assert bool(behind) == (ends_with != STOPPED)
    assert refinery.differences() == []


def stored_and_not_committed(refinery: World) -> int:
    """Ticks in silver whose raw message is yet to be performed."""
    normalization = [row for row in refinery.container.read_lag()() if row.stage == "normalization"]
    come = {(row.topic, row.partition): row.position or 0 for row in normalization}
    silver = refinery.container.tables().by_name["silver_ticks"].final()
    places = silver.select("raw_topic", "raw_partition", "raw_offset").iter_rows()
    return sum(offset >= come[topic, partition] for topic, partition, offset in places)


def test_after_all_of_it_every_column_is_as_in_one_undisturbed_process(refinery: World, load: LoadFiles) -> None:
    refinery.feed(50)
    refinery.wait_until_ready()
    refinery.drain()
    undisturbed, export = load([refinery.lines()]).export, refinery.export()

    names = {path.stem for path in export.glob("*.parquet")}
    assert names > OF_THE_WAY
    for name in sorted(names - OF_THE_WAY):
        assert rows(export, name).equals(rows(undisturbed, name)), name


def rows(export: Path, name: str) -> pl.DataFrame:
    table = pl.read_parquet(export / f"{name}.parquet")
    kept = table.select(
        column
        for column in table.columns
        if column not in OTHER_LOGS and (column == "ingested_at" or not column.endswith("_at"))
    )
    return kept.sort(column for column, kind in kept.schema.items() if not kind.is_nested())


def test_a_broker_that_comes_back_empty_ends_the_services_with_the_reason(tmp_path: Path) -> None:
    with world(tmp_path) as held:
        held.start_all()
        held.wait_until_ready()
        held.feed(60)
        held.drain()
        held.servers.empty_kafka()
        held.let_go()
        held.container.create_topics()()

        assert [service.ended() for service in held.services] == [FAILED] * len(STAGES)
        for service in held.services:
            (told,) = service.told("ERROR")
            assert told["message"] == "the service can't go on"
            assert any(reason in told["extra"]["error"] for reason in ("what lay there is gone", "topics create"))


def test_a_service_without_its_topics_ends_with_the_list(refinery: World) -> None:
    intervals = ("5m", "30m", "1h", "1d")
    ClickHouseMigrator(refinery.container.clickhouse(), intervals).up()
    service = refinery.start("aggregation", {"DATA_PROC_BAR_INTERVALS": ",".join(intervals)})
    code = service.ended()
    refinery.services.remove(service)
    (told,) = service.told("ERROR")

    assert (code, told["message"]) == (FAILED, "the service can't go on")
    assert "aggregated.market.bars.30m.v1 is missing; it must have 6 partitions" in told["extra"]["error"]


def test_what_waiting_can_not_help_ends_a_service_with_what_to_do(refinery: World) -> None:
    strangers = refinery.servers.proxied["DATA_PROC_POSTGRES_DSN"].replace("postgres@", "stranger@")
    faults = {
        (FAILED, "dataproc migrate up"): {"DATA_PROC_BAR_INTERVALS": "5m,15m,1h,1d"},
        (NOT_LET_IN, "check DATA_PROC_POSTGRES_DSN"): {"DATA_PROC_POSTGRES_DSN": strangers},
        (BAD_SETTINGS, "Set DATA_PROC_KAFKA_SECURITY_PROTOCOL=SASL_SSL"): {"DATA_PROC_ENV": "production"},
    }
    ending = [(ends_with, refinery.start("enrichment", settings)) for ends_with, settings in faults.items()]
    for (status, told), service in ending:
        code = service.ended()
        refinery.services.remove(service)

        assert (code, told in service.said()) == (status, True), told
