from typing import Any

import pytest
from pytest_bdd import scenarios, then, when

from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.price_limits import MemoryPriceLimits
from adapters.memory.tables import MemoryEnrichedTable
from application import topics
from application.reenrichment import Reenrichment
from application.stages.enrich import EnrichTicks
from tests.builders import at
from tests.performing import Performed, StandingClock, Tally, polled
from tests.steps.enriching import DELIVERIES, Table, batches, names, rows_of, tick_batch, ticks_of

scenarios("2_enrich")


@pytest.fixture(scope="module")
def catalog() -> MemoryInstrumentCatalog:
    return MemoryInstrumentCatalog.from_files()


@pytest.fixture(autouse=True, params=DELIVERIES)
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def performed() -> Performed:
    return Performed({"enriched_ticks": MemoryEnrichedTable()})


@when("these ticks are enriched")
def enrich(datatable: Table, delivery: str, performed: Performed, catalog: MemoryInstrumentCatalog) -> None:
    limits = MemoryPriceLimits.from_files()
    stage = EnrichTicks(
        catalog=catalog,
        policies=limits,
        again=Reenrichment(catalog, limits, MemoryEnrichedTable()),
        clock=StandingClock(),
        meter=Tally(),
    )
    for facts in batches(ticks_of(datatable), delivery):
        performed.perform(stage.run(polled(topics.NORMALIZED, tick_batch(facts))))


@then("the enriched ticks are")
def enriched_ticks_are(datatable: Table, performed: Performed) -> None:
    told = [
        {
            "instrument": fact.instrument_id,
            "at": fact.ts,
            "commodity": fact.commodity,
            "region": fact.region,
            "tier": fact.product_tier,
            "flags": names(fact.quality_flags),
        }
        for fact in performed.facts()
    ]
    assert by_key(told) == by_key([row | {"at": at(row["at"])} for row in rows_of(datatable)])


@then("the flags are")
def flags_are(datatable: Table, performed: Performed) -> None:
    told = [
        {"instrument": fact.instrument_id, "at": fact.ts, "flags": names(fact.quality_flags)}
        for fact in performed.facts()
    ]
    assert by_key(told) == by_key([row | {"at": at(row["at"])} for row in rows_of(datatable)])


def by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["instrument"], row["at"]))
