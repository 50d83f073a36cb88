from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from domain.gold.limits import BEGINNING, Bounds, PriceLimit, PriceLimits
from domain.gold.taxonomy import (
    FOREVER,
    Classification,
    EnrichedTicks,
    History,
    Step,
    Steps,
    enriched,
    missing_metadata,
    steps_of,
)
from domain.identity import SERIES
from domain.silver.quality import Flag
from tests.builders import TEN, tick, ticks

NO_LIMITS = PriceLimits.of([])
NEW_YEAR = datetime(2022, 1, 1, tzinfo=UTC)
POWER = Classification(commodity="power", region="us-caiso", metadata_version=7)
RENAMED = Classification(since=TEN, commodity="power", region="us-west", metadata_version=8)


def code(series: str) -> int:
    return int(pl.Series([series]).cast(SERIES).to_physical()[0])


def knowing(series: str, history: History, limits: PriceLimits = NO_LIMITS, steps: Steps | None = None) -> Steps:
    own = steps_of(series.partition("|")[2], history, limits)
    return (steps or Steps()).extended({code(series): own})


@pytest.mark.parametrize(("commodity", "missing"), [("", True), ("power", False)])
def test_missing_metadata(commodity: str, missing: bool) -> None:
    assert missing_metadata(pl.Series([commodity])).to_list() == [missing]


def test_an_instrument_that_never_changes_is_one_step() -> None:
    assert steps_of("NG_HH", (POWER,), NO_LIMITS) == [Step(FOREVER, Bounds(None, None), POWER)]


def test_time_is_cut_where_the_classification_or_a_limit_changes() -> None:
    limits = PriceLimits.of(
        [PriceLimit(since=NEW_YEAR, cap=Decimal(5000)), PriceLimit(until=NEW_YEAR, cap=Decimal(9000))]
    )
    assert steps_of("X", (POWER, RENAMED), limits) == [
        Step(NEW_YEAR, Bounds(None, Decimal(9000)), POWER),
        Step(TEN, Bounds(None, Decimal(5000)), POWER),
        Step(FOREVER, Bounds(None, Decimal(5000)), RENAMED),
    ]


def test_a_limit_that_changes_outside_a_classification_cuts_nothing_there() -> None:
    limits = PriceLimits.of([PriceLimit(since=BEGINNING, until=FOREVER, cap=Decimal(1))])
    assert steps_of("X", (POWER,), limits) == [Step(FOREVER, Bounds(None, Decimal(1)), POWER)]


def test_a_limit_by_commodity_follows_the_classification() -> None:
    oil = Classification(since=TEN, commodity="oil", metadata_version=8)
    limits = PriceLimits.of([PriceLimit(commodity="oil", cap=Decimal(250))])
    assert [step.bounds.cap for step in steps_of("X", (POWER, oil), limits)] == [None, Decimal(250)]


def test_a_tick_gets_what_was_known_for_its_time() -> None:
    steps = knowing("default|NG_HH", (POWER, RENAMED))
    batch = ticks(tick(TEN - timedelta(microseconds=1)), tick(TEN), tick(TEN + timedelta(days=1)))
    found = enriched(batch, steps).frame.select("region", "metadata_version").rows()
    assert found == [("us-caiso", 7), ("us-west", 8), ("us-west", 8)]


def test_a_tick_keeps_its_own_columns_and_order() -> None:
    batch = ticks(tick("10:02"), tick("10:01", quality_flags=int(Flag.PRECISION_LOSS)))
    found = enriched(batch, knowing("default|NG_HH", (POWER,)))
    assert found.frame.select(batch.frame.columns).equals(batch.frame)
    assert list(found.frame.schema) == list(EnrichedTicks.schema)


def test_flags_are_added_to_those_a_tick_has() -> None:
    limits = PriceLimits.of([PriceLimit(floor=Decimal(0))])
    batch = ticks(tick(price="-1", quality_flags=int(Flag.PRICE_NEGATIVE)), tick("10:01", price="1"))
    found = enriched(batch, knowing("default|NG_HH", (Classification(),), limits)).frame["quality_flags"].to_list()
    expected = Flag.PRICE_NEGATIVE | Flag.MISSING_METADATA | Flag.PRICE_OUT_OF_RANGE
    assert found == [expected, Flag.MISSING_METADATA]


def test_steps_grow_without_changing_what_was_there() -> None:
    before = knowing("default|A", (POWER,))
    after = knowing("default|B", (POWER, RENAMED), steps=before)
    codes = pl.Series([code("default|A"), code("default|B")], dtype=pl.UInt32)
    assert (len(before), len(after)) == (1, 3)
    assert before.lacking(codes).to_list() == [False, True]
    assert after.lacking(codes).to_list() == [False, False]
    assert after.positions(codes, pl.Series([TEN, TEN])).to_list() == [0, 2]


def test_a_series_never_met_is_lacking() -> None:
    codes = pl.Series([code("default|A"), code("default|NEVER_MET_BEFORE")], dtype=pl.UInt32)
    assert Steps().lacking(codes).to_list() == [True, True]
    assert knowing("default|A", (POWER,)).lacking(codes).to_list() == [False, True]


def test_no_codes_lack_nothing() -> None:
    assert Steps().lacking(pl.Series(dtype=pl.UInt32)).to_list() == []
