"""File handles, memory and disks that run out: it is told, nothing is lost, and what is there again is used again."""

import resource
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from subprocess import TimeoutExpired

import pytest

from entrypoints.samples.messages import SampleMessage, micros
from tests.builders import at
from tests.e2e.services import Service, until
from tests.e2e.world import World, world
from tests.integration.heavy_messages import message, priced
from tests.support.proxied import CLICKHOUSE, KAFKA, NATIVE, POSTGRES, REDIS
from tests.support.proxy import Mode
from tests.support.scarce import address_space, filled, limited, small_disk
from tests.unit.markets.messages import CAISO

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

NO_MORE = 3
"""File handles: fewer than any process has open."""
LITTLE_BYTES = 16 << 20
"""More than a service needs for what trickles in, less than for what is poured in."""
POURED = (2, 6)
"""Large messages at once."""


@pytest.fixture(scope="module")
def refinery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("scarcity"), disk=small_disk) as held:
        held.start_all()
        held.wait_until_ready()
        yield held


def says(service: Service, words: str) -> None:
    """Its log does."""
    until(lambda: words in service.said(), f"{service.name} says {words}")


@pytest.mark.parametrize("name", ["normalization", "projection"])
def test_a_service_that_can_open_no_file_says_so_and_goes_on_once_it_can(refinery: World, name: str) -> None:
    service = refinery.of(name)
    refinery.feed(20)
    refinery.drain()
    with limited(service.process.pid, resource.RLIMIT_NOFILE, NO_MORE):
        with ExitStack() as cut:
            for server in (CLICKHOUSE, NATIVE, KAFKA, POSTGRES, REDIS):
                cut.enter_context(refinery.servers.doing(server, Mode.REFUSE))
        refinery.feed(20)
        says(service, "Too many open files")
    refinery.wait_until_ready()
    refinery.drain()

    assert refinery.differences() == []


def test_a_service_short_of_memory_ends_saying_so_and_loses_nothing(refinery: World) -> None:
    refinery.drain()
    service = refinery.of("normalization")
    with limited(service.process.pid, resource.RLIMIT_AS, address_space(service.process.pid) + LITTLE_BYTES):
        code = ended_by(refinery, service)
    said = service.said().lower()
    service.start()
    refinery.wait_until_ready()
    refinery.drain()

    assert code != 0
    assert "memory" in said or "bad_alloc" in said
    assert refinery.differences() == []


def ended_by(refinery: World, service: Service) -> int:
    """Its exit code under ever more large messages: what it has reserved already may hold the first ones."""
    numbers = iter(range(sum(POURED)))
    for bunch in POURED:
        refinery.sender.send(large(number) for number in islice(numbers, bunch))
        with suppress(TimeoutExpired):
            return service.ended(20)
    return service.ended()


def large(number: int) -> SampleMessage:
    """Half a MiB of prices, of nodes nobody else speaks of."""
    value = message([priced(node) for node in range(number * 3_000, (number + 1) * 3_000)])
    known_ms = micros(at("2026-10-08T23:00:00")) // 1000
    return SampleMessage(topic=CAISO, key=str(number), timestamp_ms=known_ms, value=value)


def test_a_database_whose_disk_is_full_is_waited_for(refinery: World) -> None:
    disk = refinery.servers.folder / CLICKHOUSE
    if not disk.is_mount():
        pytest.skip("this machine lets nobody mount a small disk")
    service = refinery.of("normalization")
    with filled(disk):
        refinery.feed(30)
        waits_for_clickhouse(service)
        says(service, "NOT_ENOUGH_SPACE")
    refinery.wait_until_ready()
    refinery.drain()

    assert refinery.differences() == []


def test_a_database_that_can_write_no_file_is_waited_for(refinery: World) -> None:
    service = refinery.of("normalization")
    with limited(refinery.servers.running[CLICKHOUSE].pid, resource.RLIMIT_FSIZE, 0):
        refinery.feed(30)
        waits_for_clickhouse(service)
    refinery.wait_until_ready()
    refinery.drain()

    assert refinery.differences() == []


def waits_for_clickhouse(service: Service) -> None:
    """It lives, and says what it is not ready without."""
    until(lambda: service.lacking() == {service.name, CLICKHOUSE}, f"{service.name} misses {CLICKHOUSE}")
    assert service.alive
    assert not service.ready()
