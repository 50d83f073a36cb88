"""Events look as the contract says, and their schemas as the facts are declared."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.wire.event_avro import schema_of
from adapters.wire.event_forms import FORMS, EventForm
from adapters.wire.event_schemas import SCHEMAS, schema_files, write_schemas
from adapters.wire.events import EventCodec
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from tests.builders import TEN, micros, tick
from tests.unit.wire_events.facts import bar, dead_letter, enriched_tick, latest_price, recompute_request

ENVELOPE = ["event_id", "trace_id", "schema_version", "tenant_id", "producer", "occurred_at", "ingested_at"]
PAYLOADS = {
    "NormalizedTick": "tick_id source_event_id source_id source_system source_seq market symbol instrument_id ts "
    "interval_end price volume bid_price ask_price energy_price congestion_price loss_price currency unit data_type "
    "market_run quality_flags version normalized_at raw metadata",
    "EnrichedTick": "commodity region product_tier taxonomy tags",
    "Bar": "instrument_id market interval interval_start interval_end open_price high_price low_price close_price "
    "mean_price volume notional vwap trade_count state revision reason quality_flags currency unit price_sum open_ts "
    "close_ts lineage",
    "LatestPrice": "projection_type instrument_id tenant_id data last_updated metadata",
    "RecomputeRequest": "instrument_id interval interval_start reason cause",
    "DeadLetter": "failed_event_id failed_topic failed_partition failed_offset failure_stage error_code error_message "
    "field retry_count first_failed_at raw_event service_version",
}


def names_of(record: dict[str, Any]) -> list[str]:
    return [field["name"] for field in record["fields"]]


def payload_of(form: EventForm) -> dict[str, Any]:
    payload: dict[str, Any] = next(field["type"] for field in schema_of(form)["fields"] if field["name"] == "payload")
    return payload


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_event_has_the_upstream_envelope(form: EventForm) -> None:
    assert [name for name in names_of(schema_of(form)) if name in ENVELOPE] == ENVELOPE


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_payload_has_the_fields_of_the_contract(form: EventForm) -> None:
    assert [name for name in PAYLOADS[form.name].split() if name not in names_of(payload_of(form))] == []


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_declared_column_is_carried_once_and_series_follows_from_its_parts(form: EventForm) -> None:
    carried = sorted(field.column for field in form.restoring())

    assert carried == sorted(field.name for field in attrs.fields(form.batch.fact) if field.name != "series")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_schema_file_is_the_one_the_declarations_give(form: EventForm) -> None:
    written = (SCHEMAS / form.schema_file).read_text(encoding="utf-8")

    assert written == schema_files()[form.schema_file], "run `python -m adapters.wire.event_schemas`"


def test_schema_files_are_written_into_a_folder(tmp_path: Path) -> None:
    write_schemas(tmp_path)

    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == schema_files()


def paths_of(value: Any, above: str = "") -> list[str]:
    """Paths of all members of a JSON event, but for those inside a map."""
    if not isinstance(value, dict) or above.endswith(("metadata", "partitions", "taxonomy")):
        return [above]
    return [path for name, one in value.items() for path in paths_of(one, f"{above}.{name}")]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_json_event_has_the_fields_of_its_schema_in_that_order(form: EventForm) -> None:
    declared = [f".{field.path}" for field in form.fields]
    facts: list[Any] = [tick(), enriched_tick(), bar(), latest_price(), recompute_request(), dead_letter()]
    fact = next(fact for fact in facts if type(fact) is form.batch.fact)
    value = json.loads(EventCodec({}).encode("a.topic.v1", form.batch.of([fact])).values[0])

    assert paths_of(value) == declared


def test_a_tick_as_json() -> None:
    fact = tick(price="3.30", volume="2", quality_flags=3, source_event_id='say "hi"', metadata='{"a":"1"}')

    written = EventCodec({}).encode("normalized.market.ticks.v1", TickBatch.of([fact]))

    value = json.loads(written.values[0])
    assert written.keys == [b"default|NG_HH"]
    assert b'"price":3.30000000,"volume":2.00000000,"bid_price":null' in written.values[0]
    assert value["causation_id"] == value["payload"]["source_event_id"] == 'say "hi"'
    assert value["occurred_at"] == value["payload"]["ts"] == micros(TEN)
    assert value["payload"]["quality_flags"] == ["PRICE_NEGATIVE", "VOLUME_NEGATIVE"]
    assert value["payload"]["metadata"] == {"a": "1"}
    assert value["payload"]["raw"] == {
        "topic": "ingestion.market.ticks.raw.v1",
        "partition": 0,
        "offset": 0,
        "index": 0,
    }


def test_a_bar_as_json() -> None:
    written = EventCodec({}).encode("aggregated.market.bars.5m.v1", BarBatch.of([bar(revision=5, lineage_digest=255)]))

    payload = json.loads(written.values[0])["payload"]
    assert written.keys == [b"default|NG_HH"]
    assert payload["revision"] == "0" * 38 + "5"
    assert payload["lineage"] == {
        "partitions": {"ingestion.market.ticks.raw.v1/0": [3, 9], "ingestion.market.ticks.raw.v1/4": [0, 2**40]},
        "digest": "000000000000000000000000000000ff",
    }
    assert b'"notional":1234567890123456789012.1234567890123456' in written.values[0]


def test_a_latest_price_can_be_filtered_on_beside_its_envelope() -> None:
    written = EventCodec({}).encode("served.market.latest_prices.v1", LatestPrices.of([latest_price()]))

    value = json.loads(written.values[0])
    assert {name: value[name] for name in ("instrument_id", "symbol", "market", "price", "volume", "timestamp")} == {
        "instrument_id": "NG_HH",
        "symbol": "NG_HH",
        "market": "NYMEX",
        "price": 3.3,
        "volume": 7,
        "timestamp": "2026-10-05T10:00:00.000000Z",
    }
    assert value["payload"]["data"]["source"] == "trades"


def test_a_dead_letter_is_keyed_by_the_place_it_came_from() -> None:
    written = EventCodec({}).encode("processing.deadletter.normalization.v1", DeadLetters.of([dead_letter()]))

    value = json.loads(written.values[0])
    assert written.keys == [b"ingestion.miso.raw.v1/2/11/-1"]
    assert value["payload"]["failed_event_id"] == "ingestion.miso.raw.v1/2/11/-1"
    assert value["payload"]["raw_event"].startswith("AAECAwQF")
