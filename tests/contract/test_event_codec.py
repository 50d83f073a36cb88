"""Whatever a batch holds survives the wire, in both formats; whatever is no event of ours is refused alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.event_avro import HEADER_BYTES, schema_of
from adapters.wire.event_forms import FORMS
from adapters.wire.events import EventCodec, WireFormat
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.gold.taxonomy import EnrichedTicks
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from tests.builders import TEN, tick
from tests.unit.wire_events.facts import (
    bar,
    dead_letter,
    enriched_tick,
    full_tick_fields,
    latest_price,
    recompute_request,
)

TICKS = "normalized.market.ticks.v1"
TOPICS: dict[str, type[Batch[Any]]] = {
    TICKS: TickBatch,
    "enriched.market.ticks.v1": EnrichedTicks,
    "aggregated.market.bars.5m.v1": BarBatch,
    "served.market.latest_prices.v1": LatestPrices,
    "processing.recompute.request.v1": RecomputeRequests,
    "processing.deadletter.normalization.v1": DeadLetters,
}
FACTS: dict[str, Sequence[Any]] = {
    TICKS: (tick(), tick(**full_tick_fields()), tick("10:01:00", "-40", tenant_id="acme")),
    "enriched.market.ticks.v1": (
        enriched_tick(),
        enriched_tick(**full_tick_fields(), metadata_version=2**64 - 1, tags="[]", taxonomy="{}", commodity=""),
    ),
    "aggregated.market.bars.5m.v1": (
        bar(),
        bar(volume=None, notional=None, vwap=None, lineage_partitions=[], revision=2**128 - 1, lineage_digest=0),
    ),
    "served.market.latest_prices.v1": (latest_price(), latest_price(volume=None, metadata="{}", quality_flags=0)),
    "processing.recompute.request.v1": (recompute_request(), recompute_request(reason="backfill", cause="job 7")),
    "processing.deadletter.normalization.v1": (dead_letter(), dead_letter(raw=b"", field="price", row_index=3)),
}


@pytest.fixture(params=list(WireFormat))
def codec(request: pytest.FixtureRequest) -> EventCodec:
    return EventCodec(TOPICS, request.param)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_column_of_every_batch_survives_the_wire(codec: EventCodec, topic: str) -> None:
    batch = TOPICS[topic].of(FACTS[topic])

    read = codec.decode(topic, codec.encode(topic, batch).values)

    assert (read.facts, list(read.kept), len(read.refusals)) == (batch, list(range(len(batch))), 0)


@pytest.mark.parametrize("topic", TOPICS)
def test_nothing_is_nothing(codec: EventCodec, topic: str) -> None:
    empty = TOPICS[topic].empty()

    written = codec.encode(topic, empty)
    read = codec.decode(topic, [])

    assert (written.keys, written.values) == ([], [])
    assert (read.facts, list(read.kept), len(read.refusals)) == (empty, [], 0)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRICES = st.decimals(Decimal("-9999999999.99999999"), Decimal("9999999999.99999999"), places=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60)
@given(
    price=PRICES,
    volume=st.none() | PRICES,
    ts=st.integers(0, 4_102_444_799_999_999).map(lambda us: EPOCH + timedelta(microseconds=us)),
    source_event_id=TEXTS,
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
    version=st.integers(0, 2**64 - 1),
    wire_format=st.sampled_from(WireFormat),
)
def test_any_tick_survives_the_wire(
    price: Decimal,
    volume: Decimal | None,
    ts: datetime,
    source_event_id: str,
    metadata: dict[str, str],
    version: int,
    wire_format: WireFormat,
) -> None:
    told = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    fact = tick(ts, volume=volume, source_event_id=source_event_id, metadata=told, version=version)
    batch = TickBatch.of([fact, tick(price=format(price, "f"))])
    codec = EventCodec(TOPICS, wire_format)

    assert codec.decode(TICKS, codec.encode(TICKS, batch).values).facts == batch


def test_records_of_both_formats_may_lie_in_one_topic() -> None:
    json_codec, avro_codec = EventCodec(TOPICS), EventCodec(TOPICS, WireFormat.AVRO)
    facts = [tick(f"10:0{minute}:00") for minute in range(4)]
    written = [
        (json_codec if place % 2 else avro_codec).encode(TICKS, TickBatch.of([fact])).values[0]
        for place, fact in enumerate(facts)
    ]

    read = json_codec.decode(TICKS, written)

    assert (read.facts, list(read.kept)) == (TickBatch.of(facts), [0, 1, 2, 3])


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if not topic.startswith("served.")])
def test_avro_is_what_the_reference_reader_reads(topic: str) -> None:
    batch = TOPICS[topic].of(FACTS[topic])
    form = next(form for form in FORMS if form.batch is TOPICS[topic])
    as_json = EventCodec(TOPICS).encode(topic, batch).values
    as_avro = EventCodec(TOPICS, WireFormat.AVRO).encode(topic, batch).values

    read = [fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema_of(form), None) for value in as_avro]

    assert [_comparable(one) for one in read] == [
        _comparable(json.loads(value, parse_int=str, parse_float=str)) for value in as_json
    ]


def _comparable(value: Any) -> Any:
    """Leaves of both formats in one form: numbers as texts, instants as µs, objects inside Avro texts as objects."""
    if isinstance(value, dict):
        return {name: _comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(microseconds=1))
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return _comparable(json.loads(value, parse_int=str, parse_float=str))
    return value if value is None else str(value)


def event(**payload: Any) -> dict[str, Any]:
    """A tick as JSON, with these fields of the payload changed."""
    written: dict[str, Any] = json.loads(EventCodec(TOPICS).encode(TICKS, TickBatch.of([tick()])).values[0])
    written["payload"] |= payload
    return written


BAD: dict[str, tuple[bytes | None, str, str]] = {
    "a tombstone": (None, "EMPTY", ""),
    "no bytes": (b"", "EMPTY", ""),
    "no JSON": (b"{", "NOT_JSON", ""),
    "two documents": (json.dumps(event()).encode() * 2, "NOT_JSON", ""),
    "no object": (b"[]", "BAD_SHAPE", ""),
    "no payload": (b"{}", "BAD_SHAPE", ""),
    "bad UTF-8 in a text": (json.dumps(event(unit="?")).encode().replace(b"?", b"\xff"), "ENCODING", ""),
    "bad UTF-8 in metadata": (
        json.dumps(event(metadata={"a": "?"})).encode().replace(b"?", b"\xff"),
        "ENCODING",
        "",
    ),
    "a lone surrogate": (json.dumps(event(metadata={"a": "\ud800"})).encode(), "NOT_JSON", ""),
    "nested too deep": (b'{"payload":' * 100_000, "TOO_DEEP", ""),
    "text for a price": (json.dumps(event(price="3.3")).encode(), "BAD_SHAPE", "payload.price"),
    "no price": (json.dumps(event(price=None)).encode(), "BAD_SHAPE", "payload.price"),
    "a price that is too large": (json.dumps(event(price=10**11)).encode(), "BAD_SHAPE", "payload.price"),
    "an object for a volume": (json.dumps(event(volume={})).encode(), "BAD_SHAPE", "payload.volume"),
    "a text for an instant": (json.dumps(event(ts="10:00")).encode(), "BAD_SHAPE", "payload.ts"),
    "an instant out of all years": (json.dumps(event(ts=2**62)).encode(), "BAD_SHAPE", "payload.ts"),
    "a number beyond 64 bits": (json.dumps(event(version=2**64)).encode(), "BAD_SHAPE", "payload.version"),
    "a negative sequence": (json.dumps(event(source_seq=-1)).encode(), "BAD_SHAPE", "payload.source_seq"),
    "an unknown flag": (json.dumps(event(quality_flags=["ODD"])).encode(), "BAD_SHAPE", "payload.quality_flags"),
    "flags that are no list": (json.dumps(event(quality_flags=7)).encode(), "BAD_SHAPE", "payload.quality_flags"),
    "metadata that is no map of texts": (
        json.dumps(event(metadata={"a": 1})).encode(),
        "BAD_SHAPE",
        "payload.metadata",
    ),
    "a tenant that holds the key's separator": (
        json.dumps(event() | {"tenant_id": "a|b"}).encode(),
        "BAD_SHAPE",
        "tenant_id",
    ),
    "Avro of another schema": (b"\x00\x00\x00\x00\x01abc", "UNKNOWN_SCHEMA", ""),
    "Avro with bad UTF-8": (
        EventCodec(TOPICS, WireFormat.AVRO)
        .encode(TICKS, TickBatch.of([tick(unit="bad unit")]))
        .values[0]
        .replace(b"bad unit", b"bad\xffunit"),
        "BAD_SHAPE",
        "",
    ),
    "Avro cut short": (
        EventCodec(TOPICS, WireFormat.AVRO).encode(TICKS, TickBatch.of([tick()])).values[0][:40],
        "BAD_SHAPE",
        "",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_a_bad_record_is_refused_and_harms_no_neighbour(name: str, wire_format: WireFormat) -> None:
    value, reason, field = BAD[name]
    codec = EventCodec(TOPICS, wire_format)
    good = [tick("10:00:00"), tick("10:01:00")]
    before, after = codec.encode(TICKS, TickBatch.of(good)).values

    read = codec.decode(TICKS, [before, value, after])

    assert (read.facts, list(read.kept)) == (TickBatch.of(good), [0, 2])
    refused = read.refusals.frame.select("event", "index", "reason", "field").row(0)
    assert refused == (1, -1, reason, field)


@pytest.mark.parametrize(
    ("topic", "path", "value"),
    [
        ("aggregated.market.bars.5m.v1", "lineage", {"partitions": {"p": [1]}, "digest": "0" * 16}),
        ("aggregated.market.bars.5m.v1", "lineage", {"partitions": {}, "digest": "x"}),
        ("aggregated.market.bars.5m.v1", "revision", "-1"),
        ("aggregated.market.bars.5m.v1", "revision", "9" * 39),
        ("served.market.latest_prices.v1", "last_updated", "yesterday"),
        ("served.market.latest_prices.v1", "rank", "12"),
        ("enriched.market.ticks.v1", "tags", {"a": "b"}),
        ("processing.deadletter.normalization.v1", "raw_event", "***"),
    ],
)
def test_a_value_that_can_not_be_read_is_refused_by_its_field(topic: str, path: str, value: Any) -> None:
    codec = EventCodec(TOPICS)
    batch = TOPICS[topic].of(FACTS[topic][:1])
    written = json.loads(codec.encode(topic, batch).values[0], parse_float=Decimal)
    written["payload"][path] = value

    read = codec.decode(topic, [json.dumps(written, default=float).encode()])

    assert len(read.facts) == 0
    assert [field.startswith(f"payload.{path}") for field in read.refusals.frame["field"]] == [True]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_field_that_is_new_changes_nothing(topic: str) -> None:
    codec, batch = EventCodec(TOPICS), TOPICS[topic].of(FACTS[topic][:1])
    (value,) = codec.encode(topic, batch).values
    newer = value.replace(b"{", b'{"further":{"of":["a later release"]},', 1)
    newer = newer.replace(b'"payload":{', b'"payload":{"further":[1],')

    assert b'[1],"' in newer
    assert codec.decode(topic, [newer]).facts == batch


@pytest.mark.parametrize("topic", TOPICS)
def test_a_record_without_a_required_field_is_refused_by_its_name(topic: str) -> None:
    codec, batch = EventCodec(TOPICS), TOPICS[topic].of(FACTS[topic][:1])
    (value,) = codec.encode(topic, batch).values
    gone = b"error_code" if b'"error_code":' in value else b"instrument_id"

    read = codec.decode(topic, [value.replace(gone, b"renamed")])

    assert len(read.facts) == 0
    assert [gone.decode() in message for message in read.refusals.frame["message"]] == [True]


@settings(max_examples=75)
@given(place=st.integers(0, 3000), byte=st.integers(0, 255), cut=st.none() | st.integers(0, 3000), avro=st.booleans())
def test_no_damage_makes_reading_raise(place: int, byte: int, cut: int | None, avro: bool) -> None:
    codec = EventCodec(TOPICS, WireFormat.AVRO if avro else WireFormat.JSON)
    value = bytearray(codec.encode(TICKS, TickBatch.of([tick(**full_tick_fields())])).values[0])
    value[place % len(value)] = byte

    read = codec.decode(TICKS, [bytes(value[:cut]), codec.encode(TICKS, TickBatch.of([tick()])).values[0]])

    assert list(read.kept)[-1] == 1
    assert len(read.facts.facts()) + len(read.refusals) == 2


def test_what_a_neighbour_reads_as_json_stays_json() -> None:
    batch = LatestPrices.of([latest_price()])
    topic = "served.market.latest_prices.v1"

    assert EventCodec(TOPICS, WireFormat.AVRO).encode(topic, batch) == EventCodec(TOPICS).encode(topic, batch)


def test_the_wire_needs_no_memory_of_what_was_written() -> None:
    batch = TickBatch.of([tick(TEN)])
    written = EventCodec(TOPICS).encode(TICKS, batch)

    assert EventCodec(TOPICS).encode(TICKS, batch) == written
