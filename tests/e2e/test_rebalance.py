"""Aggregations come and go under load, in whatever way: the tables end as those of one that was left in peace."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.services import Service, until
from tests.e2e.world import World, world

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

SILENT_S = 8.0
"""Longer than a member may be silent before its partitions are another's: 6 s."""
STOPPED, KILLED = 0, -signal.SIGKILL


@pytest.fixture(scope="module")
def refinery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("rebalance")) as held:
        held.start_all()
        held.wait_until_ready()
        yield held


@pytest.fixture
def second(refinery: World) -> Iterator[Service]:
    """A second aggregation that has its share of the work."""
    service = refinery.start("aggregation")
    fed(refinery, lambda: bars_of(service) > 0)
    yield service
    refinery.stop(service)


def bars_of(service: Service) -> float:
    """How many bars a service has stored."""
    return service.figure('aggregation_bars_generated_total{interval="5m"}')


def fed(refinery: World, done: Callable[[], bool]) -> None:
    """Raw messages come until that holds."""

    def looked() -> bool:
        refinery.feed(5)
        return done()

    until(looked, "what was waited for while messages came")


def for_seconds(seconds: float) -> Callable[[], bool]:
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() > end_s


def test_one_that_joins_and_leaves(refinery: World, second: Service) -> None:
    second.signalled(signal.SIGTERM)
    fed(refinery, lambda: not second.alive)
    refinery.services.remove(second)
    refinery.drain()
    refinery.services.append(second)

    assert second.ended() == STOPPED
    assert refinery.differences() == []


@pytest.mark.parametrize("moment", ["assigned", "revoked"])
def test_one_that_is_asked_to_stop_while_partitions_change_hands(refinery: World, moment: str) -> None:
    asked = refinery.start("aggregation", program=("tests.e2e.asked", "aggregation", moment, "1"))
    if moment == "revoked":
        fed(refinery, lambda: bars_of(asked) > 0)
        refinery.stop(refinery.of("aggregation"))
        refinery.start("aggregation")
    fed(refinery, lambda: not asked.alive)
    refinery.services.remove(asked)
    refinery.drain()

    assert asked.ended() == STOPPED
    assert refinery.differences() == []


def test_one_that_is_killed(refinery: World, second: Service) -> None:
    second.signalled(signal.SIGKILL)
    fed(refinery, for_seconds(2))
    refinery.services.remove(second)
    refinery.drain()
    refinery.services.append(second)

    assert second.ended() == KILLED
    assert refinery.differences() == []


def test_one_that_is_paused_until_its_partitions_are_anothers_and_wakes_as_if_they_were_its_own(
    refinery: World, second: Service
) -> None:
    first = refinery.of("aggregation")
    second.signalled(signal.SIGSTOP)
    before = bars_of(first)
    fed(refinery, for_seconds(SILENT_S))
    fed(refinery, lambda: bars_of(first) > before)
    second.signalled(signal.SIGCONT)
    fed(refinery, lambda: second.ready() or not second.alive)
    refinery.drain()

    assert second.alive
    assert refinery.differences() == []
