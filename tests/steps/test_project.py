from typing import Any

import pytest
from pytest_bdd import given, scenarios, then, when

from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryLatestTable
from application import topics
from application.stages.project import ProjectLatest
from domain.served.latest_price import LatestPrices
from tests.builders import at
from tests.performing import Performed, StandingClock, Tally, polled
from tests.steps.enriching import DELIVERIES, Table, batches, enriched_batch, number, rows_of, ticks_of

scenarios("4_project")


@pytest.fixture(autouse=True, params=DELIVERIES)
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
    return ProjectLatest(latest=table, clock=StandingClock(), meter=Tally())


@given("these enriched ticks arrived")
def arrived(datatable: Table, delivery: str, performed: Performed, stage: ProjectLatest) -> None:
    arrive(datatable, delivery, performed, stage)
    performed.heard.clear()


@when("these enriched ticks arrive")
def arrive(datatable: Table, delivery: str, performed: Performed, stage: ProjectLatest) -> None:
    for facts in batches(ticks_of(datatable), delivery):
        performed.perform(stage.run(polled(topics.ENRICHED, enriched_batch(facts))))


@then("the latest prices are")
def latest_prices_are(
    datatable: Table, table: MemoryLatestTable, cache: MemoryPriceCache, performed: Performed
) -> None:
    expected = [_expected(row) for row in rows_of(datatable)]
    columns = list(expected[0])
    assert table.final().select(columns).to_dicts() == expected
    assert [_told(cache.of(row["tenant_id"], row["instrument_id"]), columns) for row in expected] == expected
    last = {(fact.tenant_id, fact.instrument_id): fact for fact in performed.facts()}
    assert [{name: getattr(last[key], name) for name in columns} for key in sorted(last)] == expected


@then("nothing was announced")
def nothing_was_announced(performed: Performed) -> None:
    assert performed.facts() == []


def _expected(row: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "tenant_id": row.get("tenant", "default"),
        "instrument_id": row["instrument"],
        "ts": at(row["at"]),
        "price": number(row["price"]),
    }
    return told | ({"volume": number(row["volume"])} if "volume" in row else {})


def _told(prices: LatestPrices, columns: list[str]) -> dict[str, Any]:
    return prices.frame.select(columns).to_dicts()[0]
