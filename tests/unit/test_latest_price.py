from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import attrs
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.served.latest_price import LatestPrice, LatestPrices, Standing, content_digest, latest_of, rank_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick, content_digests
from tests.builders import TEN, at, micros, tick, ticks
from tests.steps.enriching import enriched_batch


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


def one(*facts: Tick) -> LatestPrice:
    (fact,) = latest(*facts).facts()
    return fact


def source_order(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def order(fact: Tick) -> tuple[Any, ...]:
    content = content_digests(ticks(fact).frame).item()
    return fact.ts, fact.source_seq, fact.version, source_order(fact.source_id), content


def test_rank_is_the_order_in_hexadecimal_digits() -> None:
    said = tick(TEN, source_seq=255, version=16, source_id="trades")
    content = content_digests(ticks(said).frame).item()
    assert one(said).rank == f"{micros(TEN):016x}{255:016x}{16:016x}{source_order('trades'):016x}{content:016x}"


def test_rank_of_nothing_is_nothing() -> None:
    nothing = pl.Series(dtype=pl.UInt64)
    assert rank_of([pl.Series(dtype=pl.Datetime("us", "UTC")), nothing]).to_list() == []


def test_of_two_equally_new_statements_the_greater_content_is_the_latest() -> None:
    said = [tick(price="1"), tick(price="2"), tick("09:59")]
    digests = content_digests(ticks(*said).frame)
    winner = said[digests.head(2).arg_max() or 0]
    assert one(*said).price == one(*reversed(said)).price == winner.price


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ({"ts": TEN}, {"ts": TEN + timedelta(microseconds=1)}),
        ({"source_seq": 1, "version": 9}, {"source_seq": 2, "version": 1}),
        ({"version": 1}, {"version": 2}),
        ({"version": 1, "source_id": "b"}, {"version": 1, "source_id": "a"}),
    ],
)
def test_the_latest_is_the_maximum_by_time_sequence_version_and_source(
    lower: dict[str, Any], higher: dict[str, Any]
) -> None:
    first, second = tick(price="1", **lower), tick(price="2", **higher)
    winner = max(first, second, key=order)
    assert one(first, second).price == one(second, first).price == winner.price


def test_there_is_one_row_a_series() -> None:
    found = latest(tick("10:00"), tick("10:01"), tick("10:02", instrument_id="CLZ26"), tick("10:00", tenant_id="b"))
    told = sorted((fact.tenant_id, fact.instrument_id, fact.ts) for fact in found.facts())
    assert told == [("b", "NG_HH", at("10:00")), ("default", "CLZ26", at("10:02")), ("default", "NG_HH", at("10:01"))]


def test_a_tick_from_the_future_is_left_out() -> None:
    future = tick(datetime(2099, 1, 1, tzinfo=UTC), quality_flags=int(Flag.TS_FUTURE))
    assert one(tick(), future).ts == TEN
    assert len(latest(future)) == 0


def test_only_record_flags_are_served() -> None:
    flags = Flag.PRICE_NEGATIVE | Flag.MISSING_METADATA | Flag.PRICE_OUT_OF_RANGE
    assert one(tick(quality_flags=int(flags))).quality_flags == Flag.PRICE_NEGATIVE


def test_a_row_has_what_its_tick_had() -> None:
    fact = tick(price="3.31", volume="2", version=77, metadata='{"a":"b"}')
    found = attrs.asdict(one(fact))
    shared = attrs.asdict(fact)
    assert {name: found[name] for name in found.keys() & shared.keys()} == {
        name: shared[name] for name in found.keys() & shared.keys()
    }
    assert found["updated_at"] == TEN


@given(
    facts=st.lists(
        st.builds(
            lambda minute, seq, version, source: tick(
                TEN + timedelta(minutes=minute),
                price=f"{minute}.{seq}{version % 10}",
                source_seq=seq,
                version=version,
                source_id=source,
            ),
            st.integers(0, 2),
            st.integers(0, 2),
            st.sampled_from([1, 2, 2**63]),
            st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=12,
    ),
    cut=st.integers(0, 12),
)
def test_any_order_and_cut_of_the_same_ticks_has_the_same_latest(facts: list[Tick], cut: int) -> None:
    winner = max(facts, key=order)
    parts = [part for part in (facts[:cut], facts[cut:]) if part]
    highest = max((one(*part) for part in parts), key=lambda fact: fact.rank)
    assert (highest.ts, highest.source_seq, highest.version, highest.source_id) == (
        winner.ts,
        winner.source_seq,
        winner.version,
        winner.source_id,
    )
    assert one(*facts) == one(*reversed(facts)) == highest


def standing(candidate: Tick, *stored: Tick) -> Standing:
    return Standing.of(latest(candidate), latest(*stored))


def seen(found: Standing) -> tuple[bool, bool, bool]:
    return found.risen.item(), found.outranked.item(), found.repeated.item()


def test_a_price_nobody_stored_rises() -> None:
    found = standing(tick(), tick(instrument_id="OTHER"))
    assert seen(found) == (True, False, False)


def test_a_newer_price_rises() -> None:
    found = standing(tick("10:01", price="2"), tick("10:00", price="1"))
    assert seen(found) == (True, False, False)
    assert found.prices.facts()[0].price == 2


def test_a_repeat_rises_and_has_the_same_content() -> None:
    assert seen(standing(tick(version=2), tick(version=1))) == (True, False, True)


def test_the_same_row_again_neither_rises_nor_is_outranked() -> None:
    assert seen(standing(tick(version=1), tick(version=1))) == (False, False, True)


def test_an_older_price_is_outranked_by_the_stored_one() -> None:
    found = standing(tick("10:00", price="1"), tick("10:01", price="2"))
    assert seen(found) == (False, True, False)
    assert found.prices.facts()[0].price == 2


def test_an_older_statement_of_the_same_content_is_outranked_and_repeated() -> None:
    assert seen(standing(tick(version=1), tick(version=2))) == (False, True, True)


def test_each_candidate_meets_its_own_stored_row() -> None:
    candidates = latest(
        tick("10:00", price="1"), tick("10:05", price="5", instrument_id="B"), tick("10:00", instrument_id="C")
    )
    stored = latest(tick("10:01", price="2", instrument_id="B"), tick("10:01", price="3"))
    found = Standing.of(candidates, stored)
    names = candidates.frame["instrument_id"].to_list()
    assert found.prices.frame["instrument_id"].to_list() == names
    told = dict(zip(names, found.prices.frame["price"].to_list(), strict=True))
    assert told == {"NG_HH": Decimal(3), "B": Decimal(5), "C": Decimal("3.30")}
    assert dict(zip(names, found.outranked.to_list(), strict=True)) == {"NG_HH": True, "B": False, "C": False}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"version": 5}, True),
        ({"metadata": '{"a":"b"}'}, True),
        ({"price": "9"}, False),
        ({"volume": "1"}, False),
        ({"source_seq": 3}, False),
        ({"quality_flags": int(Flag.SOURCE_CONFLICT)}, False),
        ({"currency": "CAD"}, False),
    ],
)
def test_content_leaves_out_version_metadata_and_stamps(changed: dict[str, Any], same: bool) -> None:
    plain, other = content_digest(latest(tick())).item(), content_digest(latest(tick(**changed))).item()
    assert (plain == other) is same
