"""Many Avro bodies at once say what each says by itself."""

import io
import json
from collections.abc import Mapping
from typing import Any

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.wire import avro_bulk
from adapters.wire.avro_bulk import FEW, BulkAvro, is_plain
from adapters.wire.raw_avro import HEADER_BYTES, RawAvro
from adapters.wire.raw_schemas import SCHEMAS, SchemasInHand
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason
from tests.builders import envelope
from tests.unit.markets.messages import caiso, csv, generated, miso_lmp

REGISTRY: Mapping[str, str] = json.loads((SCHEMAS / "registry.json").read_text())
SHAPES: Mapping[int, dict[str, Any]] = {
    int(number): json.loads((SCHEMAS / name).read_text()) for number, name in REGISTRY.items()
}
TYPED, WRAPPER, GENERATED = 1, 2, 3
AVRO = RawAvro.of_files()


def body_of(schema: dict[str, Any], message: Any) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema, message)
    return written.getvalue()


def framed(number: int, message: dict[str, Any]) -> bytes:
    return b"\x00" + number.to_bytes(4, "big") + body_of(SHAPES[number], message)


GOOD = [
    framed(TYPED, envelope(miso_lmp())),
    framed(TYPED, envelope(miso_lmp(lmp_usd_per_mwh="31.5", node='N "1" \\ Ж\n', market_run=None, energy=1e22))),
    framed(TYPED, envelope(miso_lmp(lmp_usd_per_mwh=float("nan"), sequence=-5, settled=True))),
    framed(TYPED, envelope({})),
    framed(WRAPPER, envelope(csv())),
    framed(WRAPPER, envelope(caiso())),
    framed(GENERATED, generated()),
]
HUGE = [
    b"\xfe\xff\xff\xff\x0f",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff" * 9 + b"\x01",
    b"\x80" * 11,
    b"\x80\x00",
    b"\x01",
    b"\xff\xfe",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message with some of its bytes replaced, left out or put in."""
    value = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(value)))
        stop = start + draw(st.integers(0, 3)) if draw(st.booleans()) else len(value)
        value = value[:start] + draw(st.sampled_from(HUGE) | st.binary(max_size=3)) + value[stop:]
    return value


def one_by_one(values: Mapping[int, bytes]) -> dict[int, object]:
    said: dict[int, object] = {}
    for place, value in values.items():
        try:
            said[place] = AVRO.to_json(value)
        except Unreadable as why:
            said[place] = (why.reason, why.field, str(why))
    return said


def together(values: Mapping[int, bytes]) -> dict[int, object]:
    texts, unreadable = AVRO.all_to_json(values)
    said: dict[int, object] = dict(texts)
    return said | {place: (why.reason, why.field, str(why)) for place, why in unreadable.items()}


@settings(max_examples=150)
@given(odd=st.lists(mutated(), max_size=12), good=st.lists(st.sampled_from(GOOD), max_size=30), random=st.randoms())
@example(
    odd=[GOOD[0][:-1], GOOD[4] + b"\x00", GOOD[0].replace(b"INDIANA", b"IND\xff\xff\xffA")], good=GOOD * 4, random=None
)
def test_together_they_say_what_each_says_alone(odd: list[bytes], good: list[bytes], random: Any) -> None:
    messages = [*odd, *good]
    if random:
        random.shuffle(messages)
    values = dict(enumerate(messages, start=7))
    assert together(values) == one_by_one(values)


@pytest.mark.parametrize("number", SHAPES)
def test_what_writers_write_is_read_in_columns(number: int) -> None:
    bodies = [value[HEADER_BYTES:] for value in GOOD if value[HEADER_BYTES - 1] == number] * FEW * 2
    texts = BulkAvro(SHAPES[number]).json_of(bodies)
    assert None not in texts


def test_a_bad_body_costs_only_the_few_around_it_their_columns() -> None:
    bodies = [GOOD[0][HEADER_BYTES:]] * 1000
    bodies[500] = bodies[500][:-1]
    texts = BulkAvro(SHAPES[TYPED]).json_of(bodies)
    assert texts[500] is None
    assert texts.count(None) <= 2 * FEW


def test_what_follows_a_record_is_noticed() -> None:
    bodies = [GOOD[0][HEADER_BYTES:]] * 20
    bodies[3] += b"\x00"
    assert [place for place, text in enumerate(BulkAvro(SHAPES[TYPED]).json_of(bodies)) if text is None] == [3]


def test_what_no_writer_writes_is_left_to_the_single_reader() -> None:
    two_blocks = body_of(SHAPES[TYPED], envelope({"a": 1})).removesuffix(b"\x00") + b"\x02\x02b\x04\x06\x00"
    values = dict.fromkeys(range(20), b"\x00\x00\x00\x00\x01" + two_blocks)
    assert set(BulkAvro(SHAPES[TYPED]).json_of([two_blocks] * 20)) == {two_blocks and None} or together(
        values
    ) == one_by_one(values)
    assert json.loads(AVRO.to_json(values[0]))["payload"] == {"a": 1, "b": 3}


def test_of_a_key_given_twice_the_last_value_counts() -> None:
    once = body_of(SHAPES[TYPED], envelope({"a": 1, "b": 2}))
    twice = once.replace(b"\x02b\x04\x04", b"\x02a\x04\x04")
    values = dict.fromkeys(range(20), b"\x00\x00\x00\x00\x01" + twice)
    assert together(values) == one_by_one(values)
    assert json.loads(AVRO.to_json(values[0]))["payload"] == {"a": 2}


def test_portions_are_bounded_by_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_bulk, "BODIES_AT_ONCE", 3)
    monkeypatch.setattr(avro_bulk, "BYTES_AT_ONCE", 5)
    cut = avro_bulk._portions([b"1", b"2", b"3", b"4", b"4444", b"5"])
    assert list(cut) == [[b"1", b"2", b"3"], [b"4", b"4444"], [b"5"]]


@pytest.mark.parametrize("schema", [*SHAPES.values(), "long", ["null", "string"], {"type": "array", "items": "int"}])
def test_plain_schemas_are_read_in_columns(schema: Any) -> None:
    assert is_plain(schema)


@pytest.mark.parametrize(
    "schema",
    [
        "bytes",
        "SomeRecord",
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "string", "logicalType": "uuid"},
        {"type": "bytes", "logicalType": "decimal", "precision": 9},
        {"type": "enum", "name": "E", "symbols": ["A"]},
        {"type": "fixed", "name": "F", "size": 2},
        {"type": "record", "name": "R", "fields": [{"name": "f", "type": ["null", "bytes"]}]},
        {"type": "map", "values": "float"},
        {},
    ],
)
def test_other_schemas_are_not(schema: Any) -> None:
    assert not is_plain(schema)


def test_messages_of_other_schemas_are_read_one_by_one() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "b", "type": ["null", {"type": "enum", "name": "E", "symbols": ["X"]}]}],
    }
    avro = RawAvro(SchemasInHand({9: schema}))
    values = dict.fromkeys(range(20), b"\x00\x00\x00\x00\x09" + body_of(schema, {"b": "X"}))
    assert avro.all_to_json(values) == (dict.fromkeys(range(20), b'{"b":"X"}'), {})


def test_nothing_gives_nothing() -> None:
    assert AVRO.all_to_json({}) == ({}, {})


def test_numbers_that_are_none_are_spelled_out_wherever_they_stand() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "a", "type": {"type": "array", "items": ["null", "double"]}}],
    }
    avro = RawAvro(SchemasInHand({1: schema}))
    values = dict.fromkeys(range(20), b"\x00\x00\x00\x00\x01" + body_of(schema, {"a": [float("-inf"), None, 0.1]}))
    texts, _ = avro.all_to_json(values)
    assert set(texts.values()) == {b'{"a":["-inf",null,0.1]}'} == {avro.to_json(values[0])}


def test_an_unknown_schema_is_told_for_each_message() -> None:
    values = {3: b"\x00\x00\x00\x00\x63body", 4: b"\x00"}
    texts, unreadable = AVRO.all_to_json(values)
    assert (texts, {place: why.reason for place, why in unreadable.items()}) == (
        {},
        dict.fromkeys(values, Reason.UNKNOWN_SCHEMA),
    )
