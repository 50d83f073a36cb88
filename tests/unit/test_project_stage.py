import pytest

from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryLatestTable
from application import topics
from application.outcome import Outcome
from application.ports.event_log import Polled, TopicPartition
from application.stage import Share
from application.stages.project import ProjectLatest
from domain.gold.taxonomy import EnrichedTicks
from domain.silver.quality import Flag
from tests.builders import TEN, tick
from tests.performing import Performed, StandingClock, Tally, polled
from tests.steps.enriching import enriched_batch

WHERE = TopicPartition(topics.ENRICHED, 0)


@pytest.fixture
def table() -> MemoryLatestTable:
    return MemoryLatestTable()


@pytest.fixture
def cache() -> MemoryPriceCache:
    return MemoryPriceCache()


@pytest.fixture
def performed(table: MemoryLatestTable, cache: MemoryPriceCache) -> Performed:
    return Performed({"served_latest": table, "latest_prices_cache": cache})


@pytest.fixture
def stage(table: MemoryLatestTable) -> ProjectLatest:
    return another(table)


def another(table: MemoryLatestTable) -> ProjectLatest:
    return ProjectLatest(latest=table, clock=StandingClock(), meter=Tally())


def arriving(*facts: object) -> Polled:
    return polled(topics.ENRICHED, enriched_batch(facts))  # type: ignore[arg-type]


def prices(performed: Performed) -> list[str]:
    return [f"{fact.price.normalize():f}" for fact in performed.facts()]


def test_the_table_is_stored_before_the_cache_and_the_offsets_are_committed(stage: ProjectLatest) -> None:
    outcome = stage.run(arriving(tick()))
    assert [store.table for store in outcome.store] == ["served_latest", "latest_prices_cache"]
    assert [announce.topic for announce in outcome.announce] == [topics.LATEST]
    assert outcome.commit == {WHERE: 1}


def test_a_poll_of_nothing_decides_nothing(stage: ProjectLatest) -> None:
    assert stage.run(Polled(next_offsets={WHERE: 4})) == Outcome(commit={WHERE: 4})


def test_ticks_of_which_none_is_eligible_decide_nothing(stage: ProjectLatest) -> None:
    assert stage.run(arriving(tick(quality_flags=int(Flag.TS_FUTURE)))) == Outcome(commit={WHERE: 1})
    assert stage.run(polled(topics.ENRICHED, EnrichedTicks.empty())) == Outcome(commit={WHERE: 0})


def test_nothing_is_open_at_the_end(stage: ProjectLatest) -> None:
    assert stage.finish() == Outcome()


def test_a_change_is_announced_once(stage: ProjectLatest, performed: Performed) -> None:
    for fact in (tick(price="1"), tick("10:01", price="2"), tick("10:01", price="2", version=2**60)):
        performed.perform(stage.run(arriving(fact)))
    assert prices(performed) == ["1", "2"]


def test_a_repeat_is_stored_with_its_higher_version(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable, cache: MemoryPriceCache
) -> None:
    for version in (1, 2):
        performed.perform(stage.run(arriving(tick(version=version))))
    assert table.final()["version"].to_list() == cache.of("default", "NG_HH").frame["version"].to_list() == [2]


def test_an_older_tick_changes_and_announces_nothing(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable
) -> None:
    performed.perform(stage.run(arriving(tick("10:01", price="2"))))
    outcome = stage.run(arriving(tick("10:00", price="1")))
    performed.perform(outcome)
    assert [store.table for store in outcome.store] == ["latest_prices_cache"]
    assert (prices(performed), table.final()["price"].to_list()) == (["2"], [2])


def test_a_price_that_returns_to_what_it_was_is_announced_again(stage: ProjectLatest, performed: Performed) -> None:
    for version, price in enumerate(("1", "2", "1"), 1):
        performed.perform(stage.run(arriving(tick(price=price, version=version))))
    assert prices(performed) == ["1", "2", "1"]


def test_a_crash_between_store_and_announcement_is_made_good(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable
) -> None:
    for store in stage.run(arriving(tick())).store:
        performed.tables[store.table].upsert(store.rows)
    performed.perform(another(table).run(arriving(tick())))
    assert prices(performed) == ["3.3"]


def test_after_an_assignment_a_repeat_is_announced_at_most_once(stage: ProjectLatest, performed: Performed) -> None:
    performed.perform(stage.run(arriving(tick(version=1))))
    stage.revoked([WHERE])
    stage.assigned({WHERE: Share(1)})
    for version in (2, 3):
        performed.perform(stage.run(arriving(tick(version=version))))
    assert len(performed.facts()) == 2


def test_what_was_not_stored_is_not_remembered_as_announced(stage: ProjectLatest, performed: Performed) -> None:
    stage.run(arriving(tick()))
    performed.perform(stage.run(arriving(tick())))
    assert prices(performed) == ["3.3"]


def test_an_older_statement_of_unannounced_content_announces_the_stored_row(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable
) -> None:
    performed.perform(another(table).run(arriving(tick(version=9))))
    performed.heard.clear()
    performed.perform(stage.run(arriving(tick(version=1))))
    assert [fact.version for fact in performed.facts()] == [9]


def test_content_another_process_stored_is_not_taken_as_announced(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable
) -> None:
    performed.perform(stage.run(arriving(tick(price="1", version=1))))
    for store in another(table).run(arriving(tick(price="2", version=2))).store:
        performed.tables[store.table].upsert(store.rows)
    performed.perform(stage.run(arriving(tick(price="2", version=2))))
    assert prices(performed) == ["1", "2"]


def test_an_absent_key_of_the_cache_is_filled_from_the_table(
    stage: ProjectLatest, performed: Performed, table: MemoryLatestTable
) -> None:
    performed.perform(stage.run(arriving(tick("10:01", price="2"))))
    lost = MemoryPriceCache()
    Performed({"served_latest": table, "latest_prices_cache": lost}).perform(
        stage.run(arriving(tick("10:00", price="1")))
    )
    assert lost.of("default", "NG_HH").frame["price"].to_list() == [2]


def test_the_time_a_batch_takes_is_observed(table: MemoryLatestTable, performed: Performed) -> None:
    clock, tally = StandingClock(), Tally()
    outcome = ProjectLatest(latest=table, clock=clock, meter=tally).run(arriving(tick(TEN)))
    clock.sleep(0.25)
    performed.perform(outcome)
    assert tally.figures == {"projection_refresh_duration_ms": 250}
