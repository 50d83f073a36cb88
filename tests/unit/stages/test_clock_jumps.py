"""A wall clock that jumps: stamps follow it, content and lateness do not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from adapters.memory.tables import MemoryLedgerTable
from application.outcome import Outcome
from domain.silver.tick import Tick
from tests.aggregating import Aggregation
from tests.builders import TEN, tick
from tests.performing import StandingClock
from tests.unit.stages.test_normalize import polled
from tests.unit.stages.test_normalize_ledger import LOG, stage, store

HOUR = timedelta(hours=1)


@attrs.define
class Jumping(StandingClock):
    """A wall clock that says something else each time; its seconds go on as they should."""

    now_after: Callable[[int], timedelta] = lambda _: timedelta()
    asked: int = 0

    def now(self) -> datetime:
        self.asked += 1
        return TEN + self.now_after(self.asked)


JUMPS: list[Callable[[int], timedelta]] = [
    lambda _: HOUR,
    lambda _: -HOUR,
    lambda asked: HOUR * (-1) ** asked,
    lambda asked: -asked * HOUR,
]


def normalized(clock: StandingClock) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Ticks without their stamps, and the ledger."""
    ledger = MemoryLedgerTable()
    normalize = attrs.evolve(stage(ledger=ledger), clock=clock)
    outcomes: list[Outcome] = []
    for begin in range(0, len(LOG), 5):
        outcomes.append(normalize.run(polled(*LOG[begin : begin + 5], first_offset=begin)))
        store(ledger, outcomes[-1])
        outcomes[-1].kept()
    frames = [part.rows.frame for outcome in outcomes for part in outcome.store if part.table == "silver_ticks"]
    return [row for frame in frames for row in frame.drop("normalized_at").to_dicts()], ledger.final().to_dicts()


def aggregated(clock: StandingClock) -> list[dict[str, Any]]:
    """Bars after ticks that are in time and late, and after a silence by the monotonic clock."""
    world = Aggregation(clock=clock)
    facts: list[Tick] = [tick("10:01"), tick("10:20"), tick("10:02", "3.31"), tick("10:40")]
    for fact in facts:
        world.take(fact)
    world.wait(901)
    return [row for name in world.names for row in world.final(name).to_dicts()]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_wall_clock_that_jumps_changes_no_content(jump: Callable[[int], timedelta]) -> None:
    assert normalized(Jumping(1000.0, jump)) == normalized(StandingClock(1000.0))
    assert aggregated(Jumping(1000.0, jump)) == aggregated(StandingClock(1000.0))
