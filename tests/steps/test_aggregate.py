from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from domain.silver.tick import Tick
from tests.aggregating import QUICK, Aggregation
from tests.builders import at
from tests.steps.enriching import DELIVERIES, Table, batches, number, rows_of, ticks_of

scenarios("3_aggregate")

TOLD = {"open": "open_price", "high": "high_price", "low": "low_price", "close": "close_price", "mean": "mean_price"}
NUMBERS = {*TOLD.values(), "volume", "notional", "vwap"}
IDLE = {**QUICK.idle_s, "slow": 900}


@pytest.fixture(autouse=True, params=DELIVERIES)
def delivery(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def aggregation() -> Aggregation:
    return Aggregation(patience=attrs.evolve(QUICK, idle_s=IDLE))


@given("these ticks arrived")
def arrived(datatable: Table, aggregation: Aggregation) -> None:
    take(aggregation, [_sourced(datatable)])
    aggregation.heard.clear()


@given("time went by until all bars were final")
@when("15 minutes pass without a tick")
def silence(aggregation: Aggregation) -> None:
    aggregation.wait(900)


@when("these ticks arrive")
def arrive(datatable: Table, delivery: str, aggregation: Aggregation) -> None:
    aggregation.heard.clear()
    take(aggregation, list(batches(_sourced(datatable), delivery)))


@when("these ticks arrive in this order")
def arrive_in_order(datatable: Table, delivery: str, aggregation: Aggregation) -> None:
    """What is late depends on what came before, so these come as one batch or tick by tick."""
    take(aggregation, list(batches(_sourced(datatable), "one batch" if delivery == "one batch" else "tick by tick")))


@when("the input ends")
def input_ends(aggregation: Aggregation) -> None:
    aggregation.ended()


def take(aggregation: Aggregation, parts: Sequence[Sequence[Tick]]) -> None:
    for facts in parts:
        aggregation.take(*facts)


def _sourced(table: Table) -> list[Tick]:
    sources = [row.get("source", "trades") for row in rows_of(table)]
    return [attrs.evolve(fact, source_id=source) for fact, source in zip(ticks_of(table), sources, strict=True)]


@then(parsers.parse("the {interval} bars are"))
def bars_are(interval: str, datatable: Table, aggregation: Aggregation) -> None:
    expected = [_expected(row) for row in rows_of(datatable)]
    assert aggregation.final(interval).select([*expected[0]]).to_dicts() == expected


def _expected(row: dict[str, str]) -> dict[str, Any]:
    given_ = {"tenant": "default"} | row
    return {_column(name): _value(_column(name), text) for name, text in given_.items()}


def _column(name: str) -> str:
    others = {
        "tenant": "tenant_id",
        "instrument": "instrument_id",
        "from": "interval_start",
        "until": "interval_end",
        "ticks": "trade_count",
    }
    return TOLD.get(name) or others.get(name, name)


def _value(column: str, text: str) -> Any:
    if column in NUMBERS:
        return number(text)
    if column in {"interval_start", "interval_end"}:
        return at(text)
    return int(text) if column == "trade_count" else text


@then("these bars were announced")
def these_were_announced(datatable: Table, aggregation: Aggregation) -> None:
    expected = [(row["interval"], at(row["from"]), row["state"]) for row in rows_of(datatable)]
    told = [(name, bar.interval_start, bar.state) for name in ("5m", "1h", "1d") for bar in aggregation.told(name)]
    assert [fact for fact in told if fact in expected] == expected


@then("no bar was announced")
def no_bar_was_announced(aggregation: Aggregation) -> None:
    assert [bar for name in ("5m", "1h", "1d") for bar in aggregation.told(name)] == []
