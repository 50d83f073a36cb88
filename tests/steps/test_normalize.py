import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_bdd import scenarios, then, when

from adapters.memory.policies import MemoryPolicies
from adapters.memory.tables import MemoryDeadLetterTable, MemoryTickTable
from application.ports.event_log import Polled
from application.stages.normalize import NormalizeTicks
from tests.performing import Performed, StandingClock, Tally
from tests.steps.enriching import DELIVERIES, Table, names, rows_of
from tests.steps.normalizing import StatedPrices, messages

scenarios("1_normalize")

Row = dict[str, Any]


@pytest.fixture(autouse=True, params=DELIVERIES)
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def performed() -> Performed:
    return Performed({"silver_ticks": MemoryTickTable(), "dead_letters": MemoryDeadLetterTable()})


@when("these prices are stated")
def state(datatable: Table, delivery: str, performed: Performed) -> None:
    stage = NormalizeTicks(StatedPrices(), MemoryPolicies.from_files(), StandingClock(), Tally())
    for events in messages(datatable, delivery):
        outcome = stage.run(Polled(raw=events))
        performed.perform(outcome)
        if outcome.refused is not None:
            performed.tables["dead_letters"].upsert(outcome.refused)


@then("the ticks are")
def ticks_are(datatable: Table, performed: Performed) -> None:
    expected = rows_of(datatable)
    assert ordered(_told(tick, expected[0]) for tick in final(performed, "silver_ticks")) == ordered(expected)


def _told(tick: Row, columns: Iterable[str]) -> Row:
    told = {
        "instrument": tick["instrument_id"],
        "symbol": tick["symbol"],
        "tenant": tick["tenant_id"],
        "source": tick["source_id"],
        "ts": written(tick["ts"]),
        "end": written(tick["interval_end"]),
        "price": plain(tick["price"]),
        "volume": plain(tick["volume"]),
        "flags": names(tick["quality_flags"]),
    }
    return {column: told[column] for column in columns}


@then("the dead letters are")
def dead_letters_are(datatable: Table, performed: Performed) -> None:
    told = [
        {"price": json.loads(letter["raw"])["price"], "reason": letter["reason"], "field": letter["field"]}
        for letter in final(performed, "dead_letters")
    ]
    assert ordered(told) == ordered(rows_of(datatable))


def final(performed: Performed, table: str) -> list[Row]:
    return performed.tables[table].final().to_dicts()  # type: ignore[attr-defined,no-any-return]


def written(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize() + 0:f}"


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: list(row.values()))
