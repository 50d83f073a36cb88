"""The law of the RawDecoder port: total, fair to neighbours, a function of the messages alone."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.markets.raw_decoder import MarketDecoder, _read_exactly
from adapters.markets.reading import prices_of
from application.ports.raw_decoder import RawDecoder
from application.topics import RAW
from domain.bronze.raw_event import Decoded, RawEvents
from tests.builders import envelope
from tests.unit.markets.messages import (
    CAISO,
    MISO,
    TICKS,
    caiso,
    csv,
    generated,
    miso_lmp,
    mixed,
    row,
    topic_of,
    wrapper,
)

DECODER = MarketDecoder()
DECODERS: Sequence[Callable[[], RawDecoder]] = [lambda: DECODER]

GOOD: Sequence[tuple[str, dict[str, Any]]] = [
    (MISO, envelope(miso_lmp())),
    (MISO, envelope(miso_lmp(market_run=None, unheard="of"))),
    (
        MISO,
        envelope(
            {
                "market": "miso",
                "data_type": "tcr",
                "path": "A-B",
                "auction": "X",
                "class_type": "ON",
                "round_id": 2,
                "source": "A",
            }
        ),
    ),
    (
        topic_of("aeso"),
        envelope({"market": "aeso", "data_type": "pool_price", "pool_price_cad_per_mwh": 1, "begin_datetime_utc": "t"}),
    ),
    (CAISO, envelope(caiso())),
    (CAISO, envelope(caiso(row("LMP", "1"), row("LMP", "2", NODE="B")))),
    (TICKS, envelope(csv())),
    (MISO, generated()),
]
ODD = st.sampled_from(
    [
        None,
        "",
        " ",
        "x",
        "5",
        "null",
        5,
        -1,
        2**70,
        1.5,
        1e300,
        True,
        [],
        [1],
        {},
        {"a": 1},
        "\u0000",
        "\ud7ff",
        "Ж",
        "a\\b",
        "[",
        "9" * 70,
        "default",
        "pjm",
    ]
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for name, member in members for path in paths(member, (*at, name)))]


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The document with one place holding something else."""
    if not path:
        return odd
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], odd)
    return copy


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good message with some places, also of its inner text, holding something odd."""
    topic, message = draw(st.sampled_from(GOOD))
    payload = message["payload"]
    if "raw_payload" in payload and draw(st.booleans()):
        rows = json.loads(payload["raw_payload"])
        rows = changed(rows, draw(st.sampled_from(paths(rows))), draw(ODD))
        message = message | {
            "payload": wrapper(rows, payload["metadata"], market=payload["market"], sequence=payload["sequence"])
        }
    if draw(st.booleans()):
        message = message | {draw(st.sampled_from(["envelope", "payload", "unheard"])): draw(ODD)}
    for _ in range(draw(st.integers(0, 2))):
        message = changed(message, draw(st.sampled_from(paths(message))), draw(ODD))
        if not isinstance(message, dict):
            break
    return topic, json.dumps(message).encode()


@st.composite
def corrupted(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good message with some bytes replaced, left out or put in."""
    topic, message = draw(st.sampled_from(GOOD))
    value = json.dumps(message).encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(value)))
        cut = draw(st.integers(0, 3))
        value = (
            value[:start]
            + draw(st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"[", b"{", b"null", b"\x00", b"\\ud800"]))
            + value[start + cut :]
        )
    return topic, value


ARBITRARY = st.tuples(
    st.sampled_from([*RAW, "elsewhere"]),
    st.none() | st.binary(max_size=80) | st.binary(max_size=40).map(lambda body: b"\x00\x00\x00\x00\x01" + body),
)
MESSAGES = st.lists(mutated() | corrupted() | ARBITRARY, max_size=8)


def places(decoded: Decoded) -> list[tuple[int, int]]:
    """Event and index of everything that came out; -1 for a whole message."""
    return [
        *decoded.prices.frame.select("event", "index").rows(),
        *decoded.refusals.frame.select("event", "index").rows(),
        *((event, -1) for event, _ in decoded.filtered),
    ]


def alone(decoder: RawDecoder, events: RawEvents, event: int) -> Decoded:
    return decoder.decode(mixed((events.topics[event], events.values[event])))


@pytest.mark.parametrize("make", DECODERS)
@settings(max_examples=150)
@given(messages=MESSAGES)
def test_no_message_is_lost_and_none_raises(
    make: Callable[[], RawDecoder], messages: list[tuple[str, bytes | None]]
) -> None:
    found = places(make().decode(mixed(*messages)))
    assert max(Counter(found).values(), default=1) == 1
    assert {event for event, _ in found} == set(range(len(messages)))
    whole = {event for event, index in found if index == -1}
    assert not [event for event, index in found if index >= 0 and event in whole]


@settings(max_examples=100)
@given(messages=MESSAGES)
def test_neighbours_change_nothing(messages: list[tuple[str, bytes | None]]) -> None:
    events = mixed(*messages)
    together = DECODER.decode(events)
    for event in range(len(messages)):
        single = alone(DECODER, events, event)
        prices = together.prices.frame.filter(together.prices.frame["event"] == event).drop("event").sort("index")
        refusals = together.refusals.frame.filter(together.refusals.frame["event"] == event).drop("event")
        assert prices.rows() == single.prices.frame.drop("event").sort("index").rows()
        assert refusals.rows() == single.refusals.frame.drop("event").rows()


@settings(max_examples=300)
@given(message=mutated() | corrupted())
def test_the_fast_reader_says_what_the_exact_one_says(message: tuple[str, bytes]) -> None:
    topic, value = message
    exact = _read_exactly(DECODER._topics[topic], 0, value)
    decoded = DECODER.decode(mixed(message))
    if value[:1] != b"\x00":
        assert decoded.prices.frame.rows() == prices_of(exact.prices).rows()
        assert [tuple(reason) for reason in decoded.refusals.frame.select("index", "reason").rows()] == [
            (r.index, r.reason) for r in exact.refusals
        ]
