"""Whatever fails or crashes at whichever effect: the tables end as if nothing had happened."""

from collections.abc import Sequence

import attrs
import pytest

from application.ports.errors import StoreUnavailable
from domain.silver.tick import Tick
from tests.aggregating import Aggregation, Crash, Script
from tests.builders import micros, tick
from tests.unit.gold.oracle import bars_of, read

pytestmark = pytest.mark.no_cover
"""Hundreds of runs of the same lines."""


def _again(fact: Tick, **changes: object) -> Tick:
    known = fact.ingested_at.replace(day=fact.ingested_at.day + 1)
    return attrs.evolve(fact, ingested_at=known, version=micros(known) * 4096, **changes)  # type: ignore[arg-type]


BATCHES = (
    [tick("10:01", "1"), tick("10:02", "2", source_id="slow"), tick("10:03", "3", instrument_id="CAISO.LMP.RTM.X")],
    [tick("10:20", "4"), tick("10:21", "5", instrument_id="CAISO.LMP.RTM.X"), tick("10:01:30", "6")],
    [_again(tick("10:01", "1")), _again(tick("10:02", "9", source_id="slow")), tick("11:45", "7")],
    [tick("10:04", "8"), tick("12:30", "9"), tick("12:31", "9", instrument_id="CAISO.LMP.RTM.X")],
)
"""Opens, closes with a late one, repeats and corrects, revises and closes coarser bars."""
FACTS = [fact for batch in BATCHES for fact in batch]
EXPECTED = {name: bars_of(FACTS, name) for name in ("5m", "1h", "1d")}


def worked_off(script: Script, batches: Sequence[Sequence[Tick]] = BATCHES) -> Aggregation:
    """All batches, by processes that are started anew after each crash."""
    aggregation = None
    while aggregation is None:
        try:
            aggregation = Aggregation(script=script)
        except Crash:
            continue
    for batch in batches:
        aggregation.arrive(*batch)
        surviving(aggregation, aggregation.drain)
    surviving(aggregation, aggregation.ended)
    return aggregation


def surviving(aggregation: Aggregation, work: object) -> None:
    """Do the work, in as many lives as it takes."""
    while True:
        try:
            work()  # type: ignore[operator]
        except Crash:
            restarted(aggregation)
        else:
            return


def restarted(aggregation: Aggregation) -> None:
    while True:
        try:
            aggregation.restart()
        except Crash:
            continue
        else:
            return


def ended(aggregation: Aggregation) -> dict[str, object]:
    return {name: read(aggregation.final(name)) for name in EXPECTED}


@pytest.fixture(scope="module")
def effects() -> list[str]:
    """Every effect of a run in which nothing fails, in order."""
    aggregation = worked_off(Script())
    assert ended(aggregation) == EXPECTED
    return aggregation.script.effects


KINDS = ("poll", "read", "store", "store done", "publish", "publish done", "commit", "commit done")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_effect_is_reached(effects: list[str], kind: str) -> None:
    assert effects.count(kind) >= 3


@attrs.define
class Now:
    """Strikes the n-th, 2n-th … effect of a kind, a few times in all: a process that always crashes never gets on."""

    kind: str
    failure: Exception
    every: int
    seen: int = 0
    times: int = 6

    def __call__(self, _number: int, effect: str) -> Exception | None:
        if self.kind not in {effect, "any"}:
            return None
        self.seen += 1
        if self.seen % self.every or not self.times:
            return None
        self.times -= 1
        return self.failure


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failure", [StoreUnavailable("not now"), Crash()], ids=["fails", "crashes"])
@pytest.mark.parametrize("every", [3])
def test_an_effect_may_fail_or_be_the_last_thing_a_process_does(kind: str, failure: Exception, every: int) -> None:
    aggregation = worked_off(Script(Now(kind, failure, every)))
    assert any(effect == kind for effect in aggregation.script.effects)
    assert ended(aggregation) == EXPECTED


@pytest.mark.parametrize("every", [17, 53])
def test_the_last_announcement_of_each_bar_is_what_its_table_holds_whoever_crashed_in_between(every: int) -> None:
    aggregation = worked_off(Script(Now("any", Crash(), every, times=20)))
    assert ended(aggregation) == EXPECTED
    for name in EXPECTED:
        assert last_told(aggregation, name) == held(aggregation, name)


def last_told(aggregation: Aggregation, interval: str) -> dict[object, object]:
    """State and close of each bar as it was announced last."""
    return {(bar.series, bar.interval_start): (bar.state, bar.close_price) for bar in aggregation.told(interval)}


def held(aggregation: Aggregation, interval: str) -> dict[object, object]:
    """State and close of each bar as it is stored."""
    columns = ("tenant_id", "instrument_id", "interval_start", "state", "close_price")
    return {
        (f"{tenant}|{instrument}", start): (state, price)
        for tenant, instrument, start, state, price in aggregation.final(interval).select(columns).iter_rows()
    }


HOURLY = ([tick("10:01", "1")], [tick("11:01", "2")], [tick("12:01", "3")])
"""The last batch closes the first hour, of whose ticks nothing is read again."""


@attrs.define
class Once:
    """Kills the process at one effect."""

    at: int

    def __call__(self, number: int, _effect: str) -> Exception | None:
        return Crash() if number == self.at else None


def test_whatever_is_the_last_thing_a_process_does_nobody_is_left_with_an_hour_that_was_open() -> None:
    effects = worked_off(Script(), HOURLY).script.effects
    last_batch = range(2 * len(effects) // 3, len(effects))
    for number in (number for number in last_batch if effects[number] in KINDS[2:]):
        aggregation = worked_off(Script(Once(number)), HOURLY)

        for name in ("5m", "1h"):
            assert last_told(aggregation, name) == held(aggregation, name), (number, effects[number])
