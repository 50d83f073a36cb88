"""The raw decoder as a whole: bytes, batches, both of its readers."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.markets.raw_decoder import MAX_VALUE_BYTES, MarketDecoder, _read_exactly, _Topic
from adapters.markets.reading import FastReading, Reading, Values, prices_of
from domain.bronze.raw_event import RawEvents
from domain.errors import Declared
from tests.builders import envelope
from tests.unit.markets.messages import (
    CAISO,
    DECODER,
    MISO,
    TICKS,
    caiso,
    csv,
    csv_row,
    decode_bytes,
    generated,
    miso_lmp,
    mixed,
    told,
)

GOOD = json.dumps(envelope(miso_lmp())).encode()


def reasons(value: bytes) -> list[str]:
    decoded = decode_bytes(GOOD, value, GOOD)
    assert sorted(decoded.prices.frame["event"].to_list()) == [0, 2]
    return [reason for _, _, reason, _ in told(decoded)]


def padded(size: int) -> bytes:
    """A good message of this many bytes."""
    message = json.dumps(envelope(miso_lmp(notes=""))).encode()
    return message.replace(b'"notes": ""', b'"notes": "' + b"x" * (size - len(message)) + b'"')


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "EMPTY"),
        (b" \n\t ", "EMPTY"),
        (b"\xef\xbb\xbf" + GOOD, "ENCODING"),
        (GOOD.decode().encode("utf-16"), "ENCODING"),
        (GOOD.decode().encode("utf-16-le"), "ENCODING"),
        (GOOD.replace(b"INDIANA", b"IND\xff\xfe"), "ENCODING"),
        (GOOD.replace(b"e-1", b"\xff"), "ENCODING"),
        (GOOD.replace(b"1.0.0", b"\xff"), "ENCODING"),
        (GOOD.replace(b"INDIANA", b"\\ud800"), "ENCODING"),
        (GOOD.replace(b"1.0.0", b"\\udc00"), "ENCODING"),
        (b"{not json", "NOT_JSON"),
        (b"hello", "NOT_JSON"),
        (GOOD[:-5], "NOT_JSON"),
        (GOOD + GOOD, "NOT_JSON"),
        (GOOD + b"\x00", "NOT_JSON"),
        (GOOD.replace(b"31.25", b"NaN"), "NOT_JSON"),
        (GOOD.replace(b"31.25", b"-Infinity"), "NOT_JSON"),
        (GOOD.replace(b"31.25", b"031.25"), "NOT_JSON"),
        (GOOD.replace(b"31.25", b"+31.25"), "NOT_JSON"),
        (GOOD.replace(b"INDIANA", b"IND\nIANA"), "NOT_JSON"),
        (b"null", "BAD_SHAPE"),
        (b"42", "BAD_SHAPE"),
        (b"[]", "BAD_SHAPE"),
        (b'"text"', "BAD_SHAPE"),
        (b"{}", "BAD_SHAPE"),
        (b"[" * 100_000, "TOO_DEEP"),
        (b"[" * 50_000 + b"]" * 50_000, "TOO_DEEP"),
        (GOOD.replace(b"31.25", b"[" * 31 + b"]" * 31), "TOO_DEEP"),
        (padded(MAX_VALUE_BYTES + 1), "OVERSIZE"),
        (b" " * (MAX_VALUE_BYTES + 1), "OVERSIZE"),
        (b"\x00", "UNKNOWN_SCHEMA"),
        (b"\x00\x00\x01", "UNKNOWN_SCHEMA"),
        (b"\x00\x7f\xff\xff\xfe\x02\x04ab", "UNKNOWN_SCHEMA"),
    ],
)
def test_hostile_bytes_are_refused_by_name_and_harm_no_neighbour(value: bytes, reason: str) -> None:
    assert reasons(value) == [reason]


def test_the_largest_message_is_read() -> None:
    assert len(decode_bytes(padded(MAX_VALUE_BYTES)).prices) == 1


def test_brackets_within_texts_are_no_depth() -> None:
    message = GOOD.replace(b"1.0.0", b"[" * 40 + b'\\"' + b"{" * 40)
    assert len(decode_bytes(message).prices) == 1


def test_depth_at_the_limit_is_read() -> None:
    deep = GOOD.replace(b'"node"', b'"x": ' + b"[" * 30 + b"]" * 30 + b', "node"')
    assert len(decode_bytes(deep).prices) == 1


@pytest.mark.parametrize(
    "twice",
    [
        GOOD.replace(b'"lmp_usd_per_mwh": 31.25', b'"lmp_usd_per_mwh": 1, "lmp_usd_per_mwh": 31.25'),
        GOOD.replace(b'"lmp_usd_per_mwh": 31.25', b'"lmp_usd_per_mwh": [1], "lmp_usd_per_mwh": 31.25'),
        GOOD.replace(b'"node"', b'"node": 5, "node"'),
        GOOD.replace(b'"data_type"', b'"data_type": "weather", "data_type"'),
        GOOD.replace(b'"payload"', b'"payload": null, "payload"'),
        GOOD.replace(b'"node"', b'"\\u006eode"'),
    ],
)
def test_of_repeated_keys_the_last_counts(twice: bytes) -> None:
    assert decode_bytes(twice).prices == decode_bytes(GOOD).prices


def test_a_last_data_type_that_nobody_knows_counts_too() -> None:
    twice = GOOD.replace(b'"timestamp"', b'"data_type": "weather", "timestamp"')
    assert told(decode_bytes(twice)) == [(0, -1, "UNKNOWN_DATA_TYPE", "data_type")]


def test_a_tombstone_is_filtered() -> None:
    assert decode_bytes(None, GOOD).filtered == [(0, Declared.TOMBSTONE)]


def test_nothing_is_decoded_to_nothing() -> None:
    decoded = DECODER.decode(mixed())
    assert (len(decoded.prices), len(decoded.refusals), decoded.filtered) == (0, 0, [])


def test_topics_may_come_mixed() -> None:
    trade = json.dumps(envelope(csv())).encode()
    point = json.dumps(envelope(caiso())).encode()
    decoded = DECODER.decode(
        mixed((TICKS, trade), (MISO, GOOD), (CAISO, point), (TICKS, None), (MISO, b"{"), ("elsewhere", GOOD))
    )
    names = dict(decoded.prices.frame.select("event", "symbol").rows())
    assert names == {0: "NG_TEST", 1: "INDIANA.HUB", 2: "TH_SP15_GEN-APND"}
    assert told(decoded) == [(4, -1, "NOT_JSON", ""), (5, -1, "UNKNOWN_MARKET", "")]
    assert decoded.filtered == [(3, Declared.TOMBSTONE)]


def test_a_batch_larger_than_a_portion_keeps_every_message_at_its_place() -> None:
    values = [
        json.dumps(
            envelope(miso_lmp(node=f"N{place}" if place % 500 else "", market_run=run, lmp_usd_per_mwh=place))
        ).encode()
        for place in range(2600)
        for run in ["RT" if place < 1300 else "DA"]
    ]
    decoded = decode_bytes(*values)
    expected = [
        (place, f"N{place}", "RT" if place < 1300 else "DA", str(place)) for place in range(2600) if place % 500
    ]
    assert decoded.prices.frame.select("event", "symbol", "market_run", "price").sort("event").rows() == expected
    assert [event for event, *_ in told(decoded)] == [0, 500, 1000, 1500, 2000, 2500]


def test_runs_and_venues_of_one_batch_keep_their_own_names() -> None:
    runs = decode_bytes(*(json.dumps(envelope(miso_lmp(market_run=run))).encode() for run in ("RT", None, "rt_hourly")))
    assert runs.prices.frame.select("market_run", "source_id").rows() == [
        ("RT", "miso.lmp.rt"),
        ("DA", "miso.lmp"),
        ("RT_HOURLY", "miso.lmp.rt_hourly"),
    ]
    venues = decode_bytes(
        *(json.dumps(envelope(csv(csv_row(market=venue)))).encode() for venue in ("ice", "EEX")), topic=TICKS
    )
    assert venues.prices.frame["market"].to_list() == ["ICE", "EEX"]


def test_the_decoder_remembers_nothing() -> None:
    decode_bytes(b"{", GOOD)
    assert decode_bytes(GOOD).prices == decode_bytes(GOOD).prices


class _Breaks:
    """A reader with a mistake in it."""

    def read_fast(self, values: Values, events: Sequence[int]) -> FastReading:
        raise ZeroDivisionError(values, events)

    def read(self, event: int, message: Any) -> Reading:
        raise ZeroDivisionError(event, message)


def test_a_mistake_in_a_reader_is_a_refusal() -> None:
    decoder = MarketDecoder()
    decoder._topics = {MISO: _Topic("miso", _Breaks())}
    decoded = decoder.decode(RawEvents(topics=[MISO], partitions=[0], offsets=[0], timestamps_us=[0], values=[GOOD]))
    assert told(decoded) == [(0, -1, "BAD_SHAPE", "")]
    assert "ZeroDivisionError" in decoded.refusals.frame["message"][0]


EVERY_SHAPE = [
    (MISO, envelope(miso_lmp())),
    (MISO, envelope(miso_lmp(market_run=None, extra=1))),
    (
        MISO,
        envelope(
            {
                "market": "miso",
                "data_type": "as",
                "product": "P",
                "zone": "Z",
                "cleared_price_usd_per_mwh": "1",
                "cleared_quantity_mw": 5,
            }
        ),
    ),
    (CAISO, envelope(caiso())),
    (TICKS, envelope(csv())),
    (TICKS, envelope(csv(csv_row(extra="1")))),
    (MISO, generated()),
]


@pytest.mark.parametrize(("topic", "message"), EVERY_SHAPE)
def test_both_readers_agree(topic: str, message: dict[str, Any]) -> None:
    value = json.dumps(message).encode()
    exact = _read_exactly(DECODER._topics[topic], 0, value)
    assert DECODER.decode(mixed((topic, value))).prices.frame.rows() == prices_of(exact.prices).rows()


@pytest.mark.parametrize("nested", [None, {}, {"tenant_id": "tenant-9", "source": "load", "timestamp": "soon"}])
@pytest.mark.parametrize(("topic", "message"), [*EVERY_SHAPE, (CAISO, envelope(caiso(), extra=1))])
def test_a_field_called_envelope_makes_any_message_one_of_the_load_generators(
    topic: str, message: dict[str, Any], nested: Any
) -> None:
    value = json.dumps(message | {"envelope": nested}).encode()
    exact = _read_exactly(DECODER._topics[topic], 0, value)
    decoded = DECODER.decode(mixed((topic, value)))
    assert decoded.prices.frame.rows() == prices_of(exact.prices).rows()
    assert told(decoded) == [(r.event, r.index, r.reason, r.field) for r in exact.refusals]
    assert len(exact.refusals) == ("raw_data" not in message["payload"] or nested is None)
