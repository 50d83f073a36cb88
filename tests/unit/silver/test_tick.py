"""Digests of keys and contents: stable numbers, worked out here in plain arithmetic."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.silver.quality import Flag
from domain.silver.tick import Tick, content_digests, key_digests, source_hashes
from tests.builders import at, micros, tick, ticks
from tests.oracle.digests import digest, text, units


def content(fact: Tick) -> int:
    return int(content_digests(ticks(fact).frame)[0])


def key(fact: Tick) -> int:
    return int(key_digests(ticks(fact).frame)[0])


ORDINARY = tick(volume="2", energy_price="-1.5", interval_end=at("10:05:00"), quality_flags=int(Flag.PRICE_NEGATIVE))


def test_a_key_digests_tenant_instrument_instant_source_and_sequence() -> None:
    fact = tick("10:01:00", source_seq=2**63 - 1)
    assert key(fact) == digest(text("default|NG_HH"), micros(fact.ts), text("trades"), 2**63 - 1)


def test_a_content_digests_numbers_labels_and_flags() -> None:
    numbers = [units(Decimal(number)) if number else None for number in ("3.30", "2", None, None, "-1.5", None, None)]
    labels = map(text, ("USD", "MMBtu", "NYMEX"))
    expected = digest(*numbers, micros(at("10:05:00")), *labels, int(Flag.PRICE_NEGATIVE))
    assert content(ORDINARY) == expected


CHANGES: list[dict[str, Any]] = [
    {"price": Decimal("3.31")},
    {"volume": None},
    {"volume": Decimal(0)},
    {"bid_price": Decimal(0)},
    {"ask_price": Decimal(0)},
    {"energy_price": Decimal("1.5")},
    {"congestion_price": Decimal(0)},
    {"loss_price": Decimal(0)},
    {"interval_end": None},
    {"currency": "CAD"},
    {"unit": ""},
    {"market": "ICE"},
    {"quality_flags": 0},
    {"quality_flags": int(Flag.PRICE_NEGATIVE | Flag.TS_FUTURE)},
]


def test_any_change_of_content_changes_the_digest() -> None:
    digests = {content(attrs.evolve(ORDINARY, **change)) for change in CHANGES}
    assert len(digests | {content(ORDINARY)}) == len(CHANGES) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"version": 7},
        {"metadata": '{"a": "b"}'},
        {"raw_offset": 9},
        {"normalized_at": at("11:00:00")},
        {"quality_flags": int(Flag.PRICE_NEGATIVE | Flag.TS_ANCIENT | Flag.INGESTED_AT_ASSUMED)},
    ],
)
def test_what_is_no_content_does_not(change: dict[str, Any]) -> None:
    assert content(attrs.evolve(ORDINARY, **change)) == content(ORDINARY)


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(0, 3))), min_size=1, max_size=20))
def test_digests_do_not_depend_on_the_batch(pairs: list[tuple[int, int | None]]) -> None:
    facts = [tick(price=str(price), volume=None if volume is None else str(volume)) for price, volume in pairs]
    assert content_digests(ticks(*facts).frame).to_list() == [content(fact) for fact in facts]


def test_an_empty_batch_has_no_digests() -> None:
    assert content_digests(ticks().frame).to_list() == []
    assert key_digests(ticks().frame).to_list() == []


def test_the_last_rung_of_the_order_is_the_sources_hash() -> None:
    assert source_hashes(ticks(tick()).frame["source_id"]).to_list() == [text("trades")]
