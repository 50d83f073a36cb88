"""Raw messages as Confluent-framed Avro."""

import io
import json
from typing import Any

import fastavro
import pytest

from adapters.wire.raw_avro import RawAvro
from adapters.wire.raw_schemas import SCHEMAS
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason
from tests.builders import envelope
from tests.unit.markets.messages import CAISO, DECODER, MISO, TICKS, caiso, csv, generated, miso_lmp, mixed, told

TYPED, WRAPPER, GENERATED = 1, 2, 3
REGISTRY = json.loads((SCHEMAS / "registry.json").read_text())
AVRO = RawAvro.of_files()


def framed(number: int, message: dict[str, Any]) -> bytes:
    """A message as its Avro, after the Confluent header."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, json.loads((SCHEMAS / REGISTRY[str(number)]).read_text()), message)
    return b"\x00" + number.to_bytes(4, "big") + body.getvalue()


@pytest.mark.parametrize(
    ("topic", "number", "message"),
    [
        (MISO, TYPED, envelope(miso_lmp())),
        (MISO, TYPED, envelope(miso_lmp(lmp_usd_per_mwh="31.123456789012345678"))),
        (CAISO, WRAPPER, envelope(caiso())),
        (TICKS, WRAPPER, envelope(csv())),
        (MISO, GENERATED, generated()),
    ],
)
def test_avro_means_what_its_json_means(topic: str, number: int, message: dict[str, Any]) -> None:
    as_json = DECODER.decode(mixed((topic, json.dumps(message).encode())))
    as_avro = DECODER.decode(mixed((topic, framed(number, message))))
    assert as_avro.prices == as_json.prices
    assert len(as_avro.prices) == 1


def test_avro_and_json_may_alternate() -> None:
    messages = [(MISO, framed(TYPED, envelope(miso_lmp(node=f"N{place}")))) for place in range(3)]
    messages.insert(1, (MISO, json.dumps(envelope(miso_lmp(node="JSON"))).encode()))
    messages.insert(2, (MISO, messages[0][1][:-1]))
    messages.insert(3, (MISO, framed(TYPED, envelope(miso_lmp(node="")))))
    decoded = DECODER.decode(mixed(*messages))
    assert dict(decoded.prices.frame.select("event", "symbol").rows()) == {0: "N0", 1: "JSON", 4: "N1", 5: "N2"}
    assert told(decoded) == [(2, -1, "BAD_SHAPE", ""), (3, -1, "BAD_NAME", "node")]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_doubles_that_are_no_numbers_are_not_taken_for_missing(number: float) -> None:
    decoded = DECODER.decode(mixed((MISO, framed(TYPED, envelope(miso_lmp(lmp_usd_per_mwh=number))))))
    assert decoded.prices.frame["price"].to_list() == [str(number)]


def reason_of(value: bytes) -> Reason:
    with pytest.raises(Unreadable) as refused:
        AVRO.to_json(value)
    return refused.value.reason


@pytest.mark.parametrize("value", [b"\x00", b"\x00\x00\x00\x00", b"\x00\x7f\xff\xff\xfe", b"\x00\x00\x00\x00\x00rest"])
def test_without_the_writer_s_schema_nothing_is_read(value: bytes) -> None:
    assert reason_of(value) == Reason.UNKNOWN_SCHEMA


def test_a_length_of_two_gigabytes_is_refused() -> None:
    two_gigabytes = b"\xfe\xff\xff\xff\x0f"
    assert reason_of(b"\x00\x00\x00\x00\x01\x02" + two_gigabytes + b"abc") == Reason.BAD_SHAPE


def test_a_block_of_billions_is_refused() -> None:
    nothing_known = b"\x00" * 7
    billions = b"\xfe\xff\xff\xff\xff\xff\xff\x7f"
    assert reason_of(b"\x00\x00\x00\x00\x01" + nothing_known + billions) == Reason.BAD_SHAPE


def test_the_wrong_writer_s_schema_is_noticed() -> None:
    other = framed(WRAPPER, envelope(csv()))
    assert reason_of(other[:4] + bytes([TYPED]) + other[5:]) in {Reason.BAD_SHAPE, Reason.ENCODING}


def test_bytes_after_the_record_are_refused() -> None:
    assert reason_of(framed(TYPED, envelope(miso_lmp())) + b"\x00") == Reason.BAD_SHAPE


def test_invalid_utf8_in_a_body_is_told_by_its_name() -> None:
    assert reason_of(framed(TYPED, envelope(miso_lmp())).replace(b"INDIANA", b"IND\xff\xff\xffA")) == Reason.ENCODING
