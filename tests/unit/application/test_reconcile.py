"""Reconciliation: what lags is found, mended and told; nothing is moved back, and what is away is looked at later."""

from datetime import datetime, timedelta
from typing import Any

import attrs
import polars as pl
import pytest

from adapters.memory.census import MemoryCensus
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryLatestTable, MemoryTickTable
from application import topics
from application.commands.reconcile import ReconcilePrices, Thoroughness
from application.ports.errors import LogUnavailable, RowsRefused, StoreUnavailable
from domain.batch import Batch
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from tests.builders import TEN, tick, ticks
from tests.performing import Tally

NOON = TEN + timedelta(hours=2)
EVERY_S = 10.0


@attrs.define
class Clock:
    """Both clocks go on together, and by `costs_s` whenever somebody reads the monotonic one."""

    seconds: float = 0.0
    costs_s: float = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic_s(self) -> float:
        self.seconds += self.costs_s
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@attrs.define
class KindTally(Tally):
    """Adds up by kind, where one is given."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        super().count("/".join([name.removeprefix("projection_drift_"), *labels.values()]), amount)


@attrs.define
class Lines:
    """A journal that keeps what is told."""

    told: list[tuple[str, dict[str, object]]] = attrs.field(factory=list)

    def info(self, message: str, **extra: object) -> None:
        self.told.append((message, extra))

    warning = error = info


@attrs.define
class Topic:
    """A log of which only publishing is used."""

    heard: list[tuple[str, Batch[Any]]] = attrs.field(factory=list)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        self.heard.append((topic, facts))


@attrs.define
class Failing:
    """Something whose calls fail while it is away."""

    real: Any
    error: Exception
    calls: tuple[str, ...]
    away: bool = True

    def __getattr__(self, name: str) -> Any:
        if name in self.calls and self.away:
            return self._fail
        return getattr(self.real, name)

    def _fail(self, *_: object) -> Any:
        raise self.error


@attrs.define
class Served:
    """A table, a cache and silver, and who reconciles them."""

    silver: MemoryTickTable = attrs.field(factory=MemoryTickTable)
    table: Any = attrs.field(factory=MemoryLatestTable)
    cache: Any = attrs.field(factory=MemoryPriceCache)
    log: Any = attrs.field(factory=Topic)
    clock: Clock = attrs.field(factory=Clock)
    meter: KindTally = attrs.field(factory=KindTally)
    journal: Lines = attrs.field(factory=Lines)
    census: Any = None
    reconcile: ReconcilePrices = attrs.field(init=False)

    def begin(self, **thoroughness: Any) -> "Served":
        """Start reconciling, from nothing."""
        self.census = self.census or MemoryCensus({"silver_ticks": self.silver, "served_latest": self.table})
        self.reconcile = ReconcilePrices(
            latest=self.table,
            ticks=self.silver,
            cache=self.cache,
            census=self.census,
            log=self.log,
            clock=self.clock,
            meter=self.meter,
            journal=self.journal,
            thoroughness=Thoroughness(every_s=EVERY_S, **thoroughness),
        )
        return self

    def round(self) -> dict[str, float]:
        """Let the next round come; returns what was found and mended so far."""
        self.clock.seconds += EVERY_S
        self.step(100)
        return self.counted()

    def step(self, times: int) -> None:
        """Let so many turns of the stage come."""
        for _ in range(times):
            self.reconcile()

    def counted(self) -> dict[str, float]:
        return {name: figure for name, figure in self.meter.figures.items() if not name.endswith("_ms")}

    def price(self, instrument_id: str = "NG_HH") -> tuple[list[Any], ...]:
        """Of an instrument by the table and by the cache."""
        return tuple(at.of("default", instrument_id).frame["price"].to_list() for at in (self.table, self.cache))

    def announced(self) -> list[Any]:
        return [(topic, fact.price) for topic, facts in self.log.heard for fact in facts.facts()]


def latest(*facts: Tick, made_at: datetime = TEN) -> LatestPrices:
    return latest_of(ticks(*facts), made_at)


OLD, NEW = tick("10:00", "1"), tick("10:05", "2")


@pytest.fixture
def served() -> Served:
    """Everything agrees on NEW."""
    agreeing = Served()
    agreeing.silver.upsert(ticks(OLD, NEW))
    agreeing.table.upsert(latest(NEW))
    agreeing.cache.upsert(latest(NEW))
    return agreeing.begin()


def lagging(table: Tick | None = None, cached: Tick | None = None, *silver: Tick, **fields: Any) -> Served:
    found = Served(**fields)
    found.silver.upsert(ticks(*silver))
    for at, fact in ((found.table, table), (found.cache, cached)):
        if fact:
            at.upsert(latest(fact))
    return found.begin()


def test_where_all_agree_nothing_is_counted_and_nobody_is_told(served: Served) -> None:
    assert served.round() == {}
    assert (served.journal.told, served.announced()) == ([], [])


def test_a_row_that_the_cache_lost_is_set_again() -> None:
    served = lagging(NEW, None, NEW)
    assert served.round() == {"found_total/cache_missing": 1, "mended_total/cache_missing": 1}
    assert served.price() == ([2], [2])
    assert served.announced() == []


def test_an_invalidation_that_got_lost_is_found_within_a_minute() -> None:
    served = lagging(NEW, OLD, OLD, NEW)
    assert Thoroughness().every_s + Thoroughness().settle_s < 60
    assert served.round() == {
        "found_total/cache_behind": 1,
        "mended_total/cache_behind": 1,
        "minutes_total": 1,
    }
    assert served.price() == ([2], [2])


def test_what_was_made_a_moment_ago_may_be_on_its_way_to_the_cache() -> None:
    served = lagging(None, OLD, NEW)
    served.table.upsert(latest(NEW, made_at=NOON + timedelta(seconds=EVERY_S - 4)))
    assert served.round() == {}
    assert served.round()["mended_total/cache_behind"] == 1


def test_a_cache_that_is_ahead_is_told_and_neither_is_moved_back() -> None:
    served = lagging(OLD, NEW, OLD)
    assert served.round() == {"found_total/cache_ahead": 1, "minutes_total": 1}
    assert served.price() == ([1], [2])


def test_a_cache_that_was_ahead_only_while_it_was_looked_at_is_not_told() -> None:
    served = lagging(OLD, NEW, OLD)

    @attrs.define
    class Meanwhile:
        """Somebody stores the row between two looks at the cache."""

        real: Any

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def stored(self, keys: pl.DataFrame) -> LatestPrices:
            self.real.upsert(latest(NEW))
            found: LatestPrices = self.real.stored(keys)
            return found

    served.table = Meanwhile(served.table)
    assert served.begin().round() == {}


def test_a_price_that_the_table_missed_is_stored_cached_and_announced() -> None:
    served = lagging(OLD, OLD, OLD, NEW)
    assert served.round() == {
        "found_total/table_behind": 1,
        "mended_total/table_behind": 1,
        "minutes_total": 1,
    }
    assert served.price() == ([2], [2])
    assert served.announced() == [(topics.LATEST, 2)]
    assert served.journal.told == [
        ("served prices had drifted", {"found": {"table_behind": 1}, "mended": {"table_behind": 1}})
    ]


def test_a_correction_of_the_price_that_is_served_is_found() -> None:
    corrected = tick("10:05", "3", version=NEW.version + 1)
    assert lagging(NEW, NEW, OLD, corrected).round()["mended_total/table_behind"] == 1


def test_an_instrument_that_is_not_served_at_all_is_found() -> None:
    served = lagging(NEW, NEW, NEW, tick("11:59:58", instrument_id="A"), tick("11:59:58", instrument_id="Z"))
    assert served.round() == {
        "found_total/table_missing": 2,
        "mended_total/table_missing": 2,
        "minutes_total": 1,
    }
    assert served.price("A") == served.price("Z") != ([], [])


def test_with_nothing_served_the_last_hours_are_looked_at() -> None:
    served = lagging(None, None, tick("11:00"), tick("09:59", instrument_id="X"))
    assert served.round()["mended_total/table_missing"] == 1
    assert served.price("X") == ([], [])


def test_what_was_normalized_a_moment_ago_may_be_on_its_way_to_the_table() -> None:
    fresh = tick("11:59", "9", normalized_at=NOON + timedelta(seconds=EVERY_S - 4))
    served = lagging(NEW, NEW, NEW, fresh)
    assert served.round() == {}
    assert served.round()["mended_total/table_behind"] == 1
    assert served.price() == ([9], [9])


def test_behind_a_tick_of_this_moment_an_earlier_one_is_found() -> None:
    fresh = tick("11:59", "9", normalized_at=NOON + timedelta(seconds=EVERY_S - 4))
    served = lagging(OLD, OLD, OLD, NEW, fresh)
    assert served.round()["mended_total/table_behind"] == 1
    assert served.price() == ([2], [2])


def test_a_tick_beyond_its_horizon_is_no_price() -> None:
    assert lagging(NEW, NEW, NEW, tick("11:00", quality_flags=int(Flag.TS_FUTURE))).round() == {}


def test_a_served_price_that_silver_no_longer_has_stays() -> None:
    served = lagging(NEW, NEW, OLD)
    assert served.round() == {}
    assert served.price() == ([2], [2])


def test_what_is_mended_already_when_silver_is_read_is_not_counted() -> None:
    served = lagging(OLD, OLD, OLD, NEW)

    @attrs.define
    class Meanwhile:
        """The projection catches up between the two looks at silver."""

        real: MemoryTickTable
        table: MemoryLatestTable

        def within(self, windows: pl.DataFrame) -> Any:
            self.table.upsert(latest(NEW))
            return self.real.within(windows)

    served.reconcile.ticks = Meanwhile(served.silver, served.table)  # type: ignore[assignment]
    assert served.round() == {}
    assert served.announced() == []


def test_a_round_begins_an_interval_after_the_last() -> None:
    served = lagging(NEW, None, NEW)
    found = []
    for second in (0, EVERY_S - 1, EVERY_S, 2 * EVERY_S - 1, 2 * EVERY_S):
        served.cache._parts.clear()
        served.clock.seconds = second
        served.step(9)
        found.append(served.price()[1])
    assert found == [[], [], [2], [], [2]]


MANY = [tick(instrument_id=name) for name in "ABCDE"]


@pytest.mark.parametrize("portion", [1, 2, 3, 5, 6])
def test_portion_by_portion_all_instruments_are_looked_at(portion: int) -> None:
    served = Served()
    served.silver.upsert(ticks(*MANY, *(tick(instrument_id=name) for name in ("AA", "AB", "AC", "AD", "F"))))
    served.table.upsert(latest(*MANY))
    served.begin(portion=portion)
    served.clock.seconds = EVERY_S
    served.step(2)
    assert served.counted()["mended_total/cache_missing"] == min(portion, len(MANY))
    served.step(100)
    assert len(served.table.final()) == 10
    assert [served.price(fact.instrument_id) for fact in MANY] == [([fact.price], [fact.price]) for fact in MANY]
    assert len(served.journal.told) == 1


def test_a_call_asks_one_store_one_question() -> None:
    served = lagging(OLD, None, OLD, NEW)
    served.clock.seconds = EVERY_S
    seen = []
    for _ in range(4):
        served.reconcile()
        seen.append(served.price())
    assert seen == [([1], []), ([1], [1]), ([1], [1]), ([2], [2])]


def test_after_a_step_it_rests_so_that_its_share_of_the_time_is_small() -> None:
    served = Served(clock=Clock(costs_s=0.01))
    served.table.upsert(latest(*MANY))
    served.begin(portion=1, share=0.1)
    served.clock.seconds = EVERY_S
    calls = 0
    while not served.journal.told:
        served.reconcile()
        calls += 1
    # Each step costs 0.01 s by this clock, and is followed by calls that find the next one not due for 0.1 s.
    steps = 4 * len(MANY)
    assert served.clock.seconds - EVERY_S >= steps * 0.1
    assert calls >= 5 * steps


def test_minutes_of_drift_are_counted_once_each() -> None:
    served = lagging(OLD, NEW, OLD)
    rounds = [served.round()["minutes_total"] for _ in range(12)]
    assert rounds == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3]


def test_a_cache_that_is_away_is_told_once_and_keeps_nobody_from_the_table() -> None:
    cache = Failing(MemoryPriceCache(), StoreUnavailable("gone", "redis"), ("ranks",))
    served = lagging(OLD, None, OLD, NEW, cache=cache)
    for _ in range(3):
        served.round()
    assert served.price()[0] == [2]
    cache.away = False
    served.round()
    assert [message for message, _ in served.journal.told] == [
        "served prices can't all be compared now",
        "served prices had drifted",
        "served prices are compared again",
    ]
    assert served.price() == ([2], [2])


@pytest.mark.parametrize("where", ["census", "table"])
def test_a_store_that_is_away_is_looked_at_by_the_next_round(where: str) -> None:
    served = lagging(OLD, OLD, OLD, NEW)
    failing = Failing(getattr(served, where), StoreUnavailable("gone", "clickhouse"), ("latest", "upsert"))
    setattr(served, where, failing)
    served.begin()
    assert "mended_total/table_behind" not in served.round()
    served.clock.seconds += EVERY_S - 1
    served.step(9)
    assert served.price() == ([1], [1])
    failing.away = False
    served.clock.seconds += 1
    served.step(9)
    assert served.price() == ([2], [2])


def test_what_could_not_be_announced_is_announced_later() -> None:
    log = Failing(Topic(), LogUnavailable("gone", "kafka"), ("publish",))
    served = lagging(OLD, OLD, OLD, NEW, log=log)
    for _ in range(3):
        served.round()
    assert (served.price(), served.announced()) == (([2], [2]), [])
    log.away = False
    for _ in range(3):
        served.round()
    assert served.announced() == [(topics.LATEST, 2)]


def test_a_row_the_table_can_not_hold_is_told_and_the_others_are_mended() -> None:
    bad = latest(tick("10:05", "2", instrument_id="BAD"))
    served = lagging(OLD, OLD, OLD, NEW, tick("10:05", "2", instrument_id="BAD"))

    @attrs.define
    class Choosy:
        """Takes all rows but one."""

        real: Any

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def upsert(self, rows: LatestPrices) -> None:
            self.real.upsert(LatestPrices(rows.frame.filter(pl.col("instrument_id") != "BAD")))
            raise RowsRefused("served_latest", bad.frame.drop("series"), ["it is bad"])

    served.table = Choosy(served.table)
    assert served.begin().round() == {
        "found_total/table_missing": 1,
        "found_total/table_behind": 1,
        "mended_total/table_behind": 1,
        "minutes_total": 1,
    }
    assert (served.price(), served.announced()) == (([2], [2]), [(topics.LATEST, 2)])
    assert [message for message, _ in served.journal.told] == [
        "prices that can't be stored are not served",
        "served prices had drifted",
    ]


def test_a_table_that_takes_no_row_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rows: LatestPrices) -> None:
        raise RowsRefused("served_latest", rows.frame.drop("series"), ["all are bad"])

    served = lagging(OLD, OLD, OLD, NEW)
    monkeypatch.setattr(served.table, "upsert", refuse)
    assert served.round() == {"found_total/table_behind": 1, "minutes_total": 1}
    assert (served.price(), served.announced()) == (([1], [1]), [])
