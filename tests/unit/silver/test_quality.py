"""Flags on plain numbers, and as bitmasks."""

import polars as pl
import pytest

from domain.silver import quality
from domain.silver.quality import BAR_FLAGS, Flag


def test_a_price_below_zero_is_negative() -> None:
    assert [quality.price_negative(price) for price in (-0.01, 0, 0.01)] == [True, False, False]


def test_a_volume_below_zero_is_negative() -> None:
    assert [quality.volume_negative(volume) for volume in (-1, 0, 1)] == [True, False, False]


@pytest.mark.parametrize(("ts", "future"), [(1_300, False), (1_301, True)])
def test_beyond_the_horizon_is_future(ts: int, future: bool) -> None:
    assert quality.ts_future(ts, ingested_at_us=1_000, horizon_us=300) is future


@pytest.mark.parametrize(("ts", "ancient"), [(0, False), (-1, True)])
def test_more_than_a_year_before_is_ancient(ts: int, ancient: bool) -> None:
    assert quality.ts_ancient(ts, ingested_at_us=365 * 86_400 * 1_000_000) is ancient


@pytest.mark.parametrize(
    ("price", "gas", "gap"),
    [
        (45_670_000, 0, False),
        (45_671_000, 0, False),
        (45_669_000, 0, False),
        (45_671_001, 0, True),
        (45_668_999, 0, True),
        (46_670_000, 1_000_000, False),
    ],
)
def test_a_price_is_the_sum_of_its_components(price: int, gas: int, gap: bool) -> None:
    assert quality.component_gap(price, 44_000_000, 1_200_000, 470_000, gas, tolerance=1_000) is gap


def test_a_gap_is_a_mismatch_or_a_component_nobody_publishes() -> None:
    gap, incomplete = pl.Series([True, True, False, False]), pl.Series([False, True, False, True])
    assert quality.component_mismatch(gap, incomplete).to_list() == [True, False, False, False]
    assert quality.component_incomplete(gap, incomplete).to_list() == [False, True, False, False]


def test_flags_add_up_to_one_mask() -> None:
    rules = {Flag.PRICE_NEGATIVE: pl.Series([True, False, None]), Flag.TS_FUTURE: pl.Series([True, True, False])}
    before = pl.Series([0, int(Flag.SOURCE_CONFLICT), int(Flag.PRICE_NEGATIVE)], dtype=pl.UInt32)
    assert [Flag(mask) for mask in quality.flagged(before, rules)] == [
        Flag.PRICE_NEGATIVE | Flag.TS_FUTURE,
        Flag.SOURCE_CONFLICT | Flag.TS_FUTURE,
        Flag.PRICE_NEGATIVE,
    ]


@pytest.mark.parametrize("flag", [Flag.TS_FUTURE, Flag.TS_ANCIENT, Flag.INGESTED_AT_ASSUMED, Flag.MISSING_METADATA])
def test_bars_do_not_carry_what_depends_on_knowledge_or_policy(flag: Flag) -> None:
    assert flag not in BAR_FLAGS


@pytest.mark.parametrize("flag", [Flag.PRICE_NEGATIVE, Flag.PRECISION_LOSS, Flag.SOURCE_CONFLICT])
def test_bars_carry_the_other_record_flags(flag: Flag) -> None:
    assert flag in BAR_FLAGS


@pytest.mark.parametrize(("flags", "may"), [(Flag(0), True), (Flag.PRICE_NEGATIVE, True), (Flag.TS_FUTURE, False)])
def test_eligible(flags: Flag, may: bool) -> None:
    assert quality.eligible(pl.Series([int(flags)], dtype=pl.UInt32)).to_list() == [may]
