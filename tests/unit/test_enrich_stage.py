from collections.abc import Mapping, Sequence

import attrs
import polars as pl
import pytest

from adapters.memory.tables import MemoryEnrichedTable
from application import topics
from application.outcome import Outcome
from application.ports.errors import StoreUnavailable
from application.ports.event_log import Polled, TopicPartition
from application.reenrichment import Reenrichment
from application.stage import Share
from application.stages.enrich import EnrichTicks
from domain.gold.limits import PriceLimits
from domain.gold.taxonomy import UNKNOWN, Classification, History, InstrumentKey, Steps, enriched, steps_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from tests.builders import tick, ticks
from tests.performing import Performed, StandingClock, Tally, polled

GAS = Classification(commodity="natural_gas", metadata_version=3)
NOBODY_S = attrs.evolve(UNKNOWN, metadata_version=1)
NO_LIMITS = PriceLimits.of([])


def code_of(fact: Tick) -> int:
    """Of its series."""
    code: int = ticks(fact).frame["series"].to_physical().item()
    return code


@attrs.define
class AskedCatalog:
    """A catalog that remembers what it was asked."""

    known: Mapping[str, History] = attrs.field(factory=dict)
    asked: list[list[InstrumentKey]] = attrs.field(factory=list)
    down: bool = False
    loads: int = 0
    asked_for_version: int = 0

    def version(self) -> int:
        self.asked_for_version += 1
        if self.down:
            raise StoreUnavailable("the catalog can't be reached")
        return self.loads

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        if self.down:
            raise StoreUnavailable("the catalog can't be reached")
        self.asked.append(sorted(instruments))
        return {key: self.known.get(key.instrument_id, (NOBODY_S,)) for key in instruments}


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


class WatchedTable(MemoryEnrichedTable):
    """A table that counts how often it was gone through, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.gone_through, self.away = 0, False

    def extents(self) -> pl.DataFrame:
        if self.away:
            raise StoreUnavailable("the table can't be read")
        self.gone_through += 1
        return super().extents()


@pytest.fixture
def table() -> WatchedTable:
    return WatchedTable()


@pytest.fixture
def stage(catalog: AskedCatalog, table: WatchedTable, clock: StandingClock, tally: Tally) -> EnrichTicks:
    again = Reenrichment(catalog, NoLimits(), table)
    return EnrichTicks(
        catalog=catalog, policies=NoLimits(), again=again, clock=clock, meter=tally, remembered_instruments=3
    )


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
    stage.assigned({TopicPartition(topics.NORMALIZED, 0): Share()})
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


PARTITION = TopicPartition(topics.NORMALIZED, 0)


@attrs.define
class Enriching:
    """The stage with its table, whose outcomes are performed as the loop does."""

    stage: EnrichTicks
    table: WatchedTable
    performed: Performed

    def turn(self, *facts: Tick) -> bool:
        """One poll. Returns whether there is more to do at once."""
        outcome = self.stage.run(polled(topics.NORMALIZED, ticks(*facts)) if facts else Polled())
        self.performed.perform(outcome)
        return outcome.more

    def turns(self) -> int:
        """Polls that bring nothing, until there is nothing more to do."""
        count = 1
        while self.turn():
            count += 1
        return count

    def commodities(self) -> list[str]:
        return self.table.final()["commodity"].to_list()


@pytest.fixture
def enriching(stage: EnrichTicks, table: WatchedTable) -> Enriching:
    stage.assigned({PARTITION: Share()})
    return Enriching(stage, table, Performed({"enriched_ticks": table}))


@pytest.fixture
def loaded(catalog: AskedCatalog, enriching: Enriching, clock: StandingClock) -> Enriching:
    """A tick of an instrument nobody knew is stored; then somebody describes it, which was not noticed yet."""
    catalog.known, catalog.loads = {}, 1
    enriching.turn(tick())
    enriching.turns()
    catalog.known, catalog.loads = {"NG_HH": (GAS,)}, 2
    clock.seconds = 5
    return enriching


def test_what_is_stored_is_enriched_again_once_something_was_loaded(loaded: Enriching, tally: Tally) -> None:
    assert loaded.commodities() == [""]
    loaded.turns()
    assert loaded.commodities() == ["natural_gas"]
    assert tally.figures["enrichment_reenriched_total"] == 1


def test_what_is_stored_again_is_not_announced(loaded: Enriching) -> None:
    told = len(loaded.performed.heard)
    loaded.turns()
    assert len(loaded.performed.heard) == told


def test_a_load_is_noticed_within_seconds_and_what_was_looked_up_is_forgotten(
    enriching: Enriching, catalog: AskedCatalog, clock: StandingClock
) -> None:
    enriching.turn(tick())
    catalog.known, catalog.loads = {"NG_HH": (attrs.evolve(GAS, commodity="gas", metadata_version=4),)}, 1
    clock.seconds = 4.9
    enriching.turn(tick("10:01"))
    clock.seconds = 5
    enriching.turn(tick("10:02"))
    enriching.turns()
    assert enriching.commodities() == ["gas", "gas", "gas"]


def test_ticks_that_come_meanwhile_are_enriched_in_the_same_turn(loaded: Enriching) -> None:
    assert loaded.turn(tick("10:01"))
    assert loaded.commodities() == ["natural_gas", "natural_gas"]


def test_where_nothing_was_ever_loaded_nothing_is_gone_through(enriching: Enriching, clock: StandingClock) -> None:
    enriching.turn(tick())
    clock.seconds = 1_000
    enriching.turns()
    assert enriching.table.gone_through == 0


def test_at_its_start_a_process_looks_for_what_it_missed(catalog: AskedCatalog, enriching: Enriching) -> None:
    catalog.loads = 7
    enriching.turns()
    assert enriching.table.gone_through == 1


def test_a_cache_lifetime_later_it_is_gone_through_again_until_nothing_is_behind(
    loaded: Enriching, clock: StandingClock
) -> None:
    loaded.turns()
    before = loaded.table.gone_through
    stale = enriched(
        ticks(tick("10:03")), Steps().extended({code_of(tick()): steps_of("NG_HH", (UNKNOWN,), NO_LIMITS)})
    )
    loaded.table.upsert(stale)
    found = []
    for lifetime in range(1, 5):
        clock.seconds = 5 + 300 * lifetime
        loaded.turns()
        found.append((loaded.table.gone_through - before, loaded.commodities()[-1]))
    assert found == [(1, "natural_gas"), (2, "natural_gas"), (2, "natural_gas"), (2, "natural_gas")]


def test_of_several_processes_the_one_with_the_first_partition_does_it(
    stage: EnrichTicks, table: WatchedTable, catalog: AskedCatalog
) -> None:
    other = Enriching(stage, table, Performed({"enriched_ticks": table}))
    catalog.loads = 3
    stage.assigned({TopicPartition(topics.NORMALIZED, 1): Share()})
    stage.revoked([TopicPartition(topics.NORMALIZED, 1)])
    other.turns()
    assert table.gone_through == 0
    stage.assigned({PARTITION: Share()})
    other.turns()
    assert table.gone_through == 1


def test_whoever_loses_the_first_partition_leaves_the_rest_to_its_next_owner(
    loaded: Enriching, clock: StandingClock
) -> None:
    loaded.stage.run(Polled())
    loaded.stage.revoked([PARTITION])
    clock.seconds = 1_000
    assert not loaded.turn()
    assert loaded.commodities() == [""]


def test_a_catalog_that_is_away_holds_up_no_known_tick(
    loaded: Enriching, catalog: AskedCatalog, clock: StandingClock
) -> None:
    catalog.down = True
    assert not loaded.turn(tick("10:01"))
    clock.seconds = 64
    loaded.turn()
    asked = catalog.asked_for_version
    catalog.down, clock.seconds = False, 65
    loaded.turns()
    assert catalog.asked_for_version == asked + 1
    assert loaded.commodities() == ["natural_gas", "natural_gas"]


def test_a_table_that_can_not_be_gone_through_holds_up_no_tick(loaded: Enriching, clock: StandingClock) -> None:
    loaded.table.away = True
    assert not loaded.turn(tick("10:01"))
    loaded.table.away = False
    assert not loaded.turn()
    clock.seconds = 65
    loaded.turns()
    assert loaded.commodities() == ["natural_gas", "natural_gas"]


def test_new_ticks_wait_a_while_for_a_catalog_that_is_away(
    enriching: Enriching, catalog: AskedCatalog, clock: StandingClock
) -> None:
    catalog.down = True
    for seconds in (0, 59.9):
        clock.seconds = seconds
        with pytest.raises(StoreUnavailable):
            enriching.turn(tick())
    catalog.down = False
    enriching.turn(tick())
    assert enriching.commodities() == ["natural_gas"]

    catalog.down, clock.seconds = True, 400
    with pytest.raises(StoreUnavailable):
        enriching.turn(tick("10:01"))


def test_then_they_go_on_undescribed_and_are_enriched_again_by_whoever_let_them_go_once_it_is_back(
    stage: EnrichTicks, table: WatchedTable, catalog: AskedCatalog, clock: StandingClock, tally: Tally
) -> None:
    stage.assigned({TopicPartition(topics.NORMALIZED, 1): Share()})
    enriching = Enriching(stage, table, Performed({"enriched_ticks": table}))
    catalog.loads = 7
    enriching.turn()
    catalog.down = True
    with pytest.raises(StoreUnavailable):
        enriching.turn(tick())
    clock.seconds = 60
    enriching.turn(tick())
    assert enriching.commodities() == [""]
    (told,) = [facts.frame["quality_flags"].item() for _, facts in enriching.performed.heard]
    assert told == int(Flag.MISSING_METADATA)
    assert tally.figures["enrichment_unanswered_total"] == 1

    catalog.down, clock.seconds = False, 119
    enriching.turn(tick("10:01"))
    assert catalog.asked == []
    clock.seconds = 120
    enriching.turns()
    assert enriching.commodities() == ["natural_gas", "natural_gas"]
    clock.seconds = 130
    enriching.turns()
    assert table.gone_through == 1


def test_what_another_process_let_go_is_enriched_again_once_the_catalog_is_back(
    enriching: Enriching, table: WatchedTable, catalog: AskedCatalog, clock: StandingClock
) -> None:
    """It may have ended before it could make up for that itself."""
    catalog.loads = 7
    for clock.seconds in (0, 300, 600):
        enriching.turns()
    catalog.down, clock.seconds = True, 605
    enriching.turn()
    unanswered = steps_of("NG_HH", (UNKNOWN,), NO_LIMITS)
    said = tick("10:05")
    table.upsert(enriched(ticks(said), Steps().extended({code_of(said): unanswered})))
    catalog.down, clock.seconds = False, 665
    enriching.turns()
    assert enriching.commodities() == ["natural_gas"]


def test_who_let_ticks_go_that_nobody_describes_asks_for_their_limits_later(
    stage: EnrichTicks, table: WatchedTable, catalog: AskedCatalog, clock: StandingClock
) -> None:
    stage.assigned({PARTITION: Share()})
    enriching = Enriching(stage, table, Performed({"enriched_ticks": table}))
    catalog.loads = 7
    enriching.turn()
    catalog.down = True
    with pytest.raises(StoreUnavailable):
        enriching.turn(tick(instrument_id="NEW"))
    clock.seconds = 60
    enriching.turn(tick(instrument_id="NEW"))
    assert table.final()["metadata_version"].to_list() == [0]
    catalog.down, clock.seconds = False, 180
    enriching.turns()
    assert table.final()["metadata_version"].to_list() == [1]
