from collections.abc import Mapping, Sequence

import attrs
import pytest

from application import topics
from application.outcome import Outcome
from application.ports.errors import StoreUnavailable
from application.ports.event_log import Polled, TopicPartition
from application.stages.enrich import EnrichTicks
from domain.gold.limits import PriceLimits
from domain.gold.taxonomy import Classification, History, InstrumentKey
from tests.builders import tick, ticks
from tests.performing import Performed, StandingClock, Tally, polled

GAS = Classification(commodity="natural_gas", metadata_version=3)


@attrs.define
class AskedCatalog:
    """A catalog that remembers what it was asked."""

    known: Mapping[str, History] = attrs.field(factory=dict)
    asked: list[list[InstrumentKey]] = attrs.field(factory=list)
    down: bool = False

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        if self.down:
            raise StoreUnavailable("the catalog can't be reached")
        self.asked.append(sorted(instruments))
        return {key: self.known.get(key.instrument_id, (Classification(),)) for key in instruments}


class NoLimits:
    def limits(self) -> PriceLimits:
        return PriceLimits.of([])


@pytest.fixture
def catalog() -> AskedCatalog:
    return AskedCatalog({"NG_HH": (GAS,)})


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def stage(catalog: AskedCatalog, clock: StandingClock, tally: Tally) -> EnrichTicks:
    return EnrichTicks(catalog=catalog, policies=NoLimits(), clock=clock, meter=tally, remembered_instruments=3)


def test_ticks_are_stored_announced_and_committed(stage: EnrichTicks) -> None:
    outcome = stage.run(polled(topics.NORMALIZED, ticks(tick()), ticks(tick("10:01"))))
    (stored,), (announced,) = outcome.store, outcome.announce
    assert (stored.table, announced.topic) == ("enriched_ticks", topics.ENRICHED)
    assert stored.rows is announced.facts
    assert stored.rows.frame["commodity"].to_list() == ["natural_gas", "natural_gas"]
    assert outcome.commit == {TopicPartition(topics.NORMALIZED, 0): 2}


def test_a_poll_of_nothing_decides_nothing(stage: EnrichTicks) -> None:
    next_offsets = {TopicPartition(topics.NORMALIZED, 0): 9}
    assert stage.run(Polled(next_offsets=next_offsets)) == Outcome(commit=next_offsets)


def test_nothing_is_open_at_the_end(stage: EnrichTicks) -> None:
    assert stage.finish() == Outcome()


def test_an_instrument_is_looked_up_once(stage: EnrichTicks, catalog: AskedCatalog) -> None:
    stage.run(polled(topics.NORMALIZED, ticks(tick(), tick("10:01"), tick(tenant_id="b"))))
    stage.run(polled(topics.NORMALIZED, ticks(tick("10:02"), tick(instrument_id="NEW"))))
    assert catalog.asked == [
        [InstrumentKey("b", "NG_HH"), InstrumentKey("default", "NG_HH")],
        [InstrumentKey("default", "NEW")],
    ]


def test_what_is_remembered_does_not_belong_to_partitions(stage: EnrichTicks, catalog: AskedCatalog) -> None:
    stage.run(polled(topics.NORMALIZED, ticks(tick())))
    stage.revoked([TopicPartition(topics.NORMALIZED, 0)])
    stage.assigned({TopicPartition(topics.NORMALIZED, 0): None})
    stage.run(polled(topics.NORMALIZED, ticks(tick())))
    assert len(catalog.asked) == 1


def test_it_is_looked_up_anew_when_its_time_is_over(
    stage: EnrichTicks, catalog: AskedCatalog, clock: StandingClock
) -> None:
    stage.run(polled(topics.NORMALIZED, ticks(tick())))
    clock.seconds = 299.9
    stage.run(polled(topics.NORMALIZED, ticks(tick())))
    catalog.known = {"NG_HH": (attrs.evolve(GAS, metadata_version=4),)}
    clock.seconds = 300
    found = stage.run(polled(topics.NORMALIZED, ticks(tick()))).store[0].rows.frame["metadata_version"].item()
    assert (found, len(catalog.asked)) == (4, 2)


def test_memory_begins_anew_when_it_is_full(stage: EnrichTicks, catalog: AskedCatalog) -> None:
    stage.run(polled(topics.NORMALIZED, ticks(*(tick(instrument_id=name) for name in "ABC"))))
    stage.run(polled(topics.NORMALIZED, ticks(tick(instrument_id="A"))))
    assert [len(asked) for asked in catalog.asked] == [3, 1]


def test_hits_misses_and_unknown_instruments_are_counted(stage: EnrichTicks, tally: Tally) -> None:
    performed = Performed({"enriched_ticks": NowhereTable()})
    performed.perform(stage.run(polled(topics.NORMALIZED, ticks(tick()))))
    performed.perform(stage.run(polled(topics.NORMALIZED, ticks(tick(), tick("10:01"), tick(instrument_id="NEW")))))
    assert tally.figures == {
        "enrichment_cache_hits_total": 2,
        "enrichment_cache_misses_total": 2,
        "enrichment_cache_hit_ratio": 0.5,
        "enrichment_metadata_miss_total": 1,
    }


def test_a_batch_of_no_ticks_is_enriched_to_none(stage: EnrichTicks, tally: Tally) -> None:
    outcome = stage.run(polled(topics.NORMALIZED, ticks()))
    assert len(outcome.store[0].rows) == 0
    assert tally.figures["enrichment_cache_hit_ratio"] == 0


def test_a_catalog_that_is_down_is_asked_again_with_the_same_ticks(stage: EnrichTicks, catalog: AskedCatalog) -> None:
    catalog.down = True
    with pytest.raises(StoreUnavailable):
        stage.run(polled(topics.NORMALIZED, ticks(tick())))
    catalog.down = False
    found = stage.run(polled(topics.NORMALIZED, ticks(tick()))).store[0].rows.frame["commodity"].to_list()
    assert found == ["natural_gas"]


class NowhereTable:
    def upsert(self, rows: object) -> None:
        """Takes anything."""
