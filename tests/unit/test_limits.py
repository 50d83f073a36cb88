from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from domain.batch import PRICE
from domain.gold.instrument_name import InstrumentName
from domain.gold.limits import Bounds, PriceLimit, PriceLimits, Subject, price_out_of_range

YEAR_2022 = datetime(2022, 1, 1, tzinfo=UTC)
JUST_BEFORE = YEAR_2022 - timedelta(microseconds=1)


def subject(instrument_id: str, commodity: str = "") -> Subject:
    return Subject(InstrumentName.of(instrument_id), commodity)


def bounds(instrument_id: str, *limits: PriceLimit, commodity: str = "", at: datetime = YEAR_2022) -> Bounds:
    return PriceLimits.of(limits).covering(subject(instrument_id, commodity)).bounds(at)


GLOBAL = PriceLimit(floor=Decimal(-1), cap=Decimal(1))
POWER = PriceLimit(commodity="power", floor=Decimal(-2), cap=Decimal(2))
CAISO = PriceLimit(market="CAISO", floor=Decimal(-3), cap=Decimal(3))
HUB = PriceLimit(market="CAISO", location="TH_NP15", floor=Decimal(-4), cap=Decimal(4))
ONE = PriceLimit(instrument_id="CAISO.LMP.DAM.TH_NP15", floor=Decimal(-5), cap=Decimal(5))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([GLOBAL], 1),
        ([GLOBAL, POWER], 2),
        ([POWER, CAISO, GLOBAL], 3),
        ([HUB, GLOBAL, POWER, CAISO], 4),
        ([GLOBAL, ONE, HUB, CAISO, POWER], 5),
    ],
)
def test_the_most_specific_limit_counts(limits: list[PriceLimit], expected: int) -> None:
    assert bounds("CAISO.LMP.DAM.TH_NP15", *limits, commodity="power") == Bounds(Decimal(-expected), Decimal(expected))


def test_a_limit_of_another_market_commodity_kind_or_instrument_does_not_count() -> None:
    others = [
        PriceLimit(market="MISO", floor=Decimal(9)),
        PriceLimit(commodity="oil", floor=Decimal(9)),
        PriceLimit(market="CAISO", kind="AS", floor=Decimal(9)),
        PriceLimit(instrument_id="CAISO.LMP.DAM.TH_SP15", floor=Decimal(9)),
    ]
    assert bounds("CAISO.LMP.DAM.TH_NP15", *others, commodity="power") == (None, None)


def test_floor_and_cap_come_each_from_the_most_specific_that_states_one() -> None:
    only_cap = PriceLimit(market="CAISO", cap=Decimal(7))
    assert bounds("CAISO.LMP.DAM.X", GLOBAL, only_cap) == (Decimal(-1), Decimal(7))


@pytest.mark.parametrize(("at", "cap"), [(JUST_BEFORE, 9000), (YEAR_2022, 5000)])
def test_a_limit_holds_from_its_since_until_just_before_its_until(at: datetime, cap: int) -> None:
    old = PriceLimit(market="ERCOT", until=YEAR_2022, cap=Decimal(9000))
    new = PriceLimit(market="ERCOT", since=YEAR_2022, cap=Decimal(5000))
    assert bounds("ERCOT.LMP.RTM.HB_NORTH", old, new, at=at).cap == cap


def test_of_two_equally_specific_limits_the_later_one_counts() -> None:
    always = PriceLimit(market="ERCOT", cap=Decimal(9000))
    later = PriceLimit(market="ERCOT", since=YEAR_2022, cap=Decimal(5000))
    assert bounds("ERCOT.LMP.RTM.HB_NORTH", always, later).cap == 5000


@pytest.mark.parametrize(
    ("price", "floor", "cap", "outside"),
    [
        ("0", "0", "30", False),
        ("30", "0", "30", False),
        ("-0.00000001", "0", "30", True),
        ("30.00000001", "0", "30", True),
    ],
)
def test_price_out_of_range(price: str, floor: str, cap: str, outside: bool) -> None:
    columns = [pl.Series([number]).cast(PRICE) for number in (price, floor, cap)]
    assert price_out_of_range(*columns).to_list() == [outside]


def test_a_bound_nobody_states_leaves_the_other() -> None:
    price, nothing, cap = (pl.Series([number]).cast(PRICE) for number in ("31", None, "30"))
    assert price_out_of_range(price, nothing, cap).to_list() == [True]


@pytest.mark.parametrize(
    ("instrument_id", "parts"),
    [
        ("MISO.LMP.RT.INDIANA.HUB", ("MISO", "LMP", "RT", "INDIANA.HUB")),
        ("ISONE.LMP.DA..H.INTERNAL_HUB", ("ISONE", "LMP", "DA", ".H.INTERNAL_HUB")),
        ("AESO.POOL_PRICE", ("AESO", "POOL_PRICE", "", "")),
        ("BTCUSDT", ("", "", "", "")),
    ],
)
def test_an_id_is_taken_apart(instrument_id: str, parts: tuple[str, ...]) -> None:
    name = InstrumentName.of(instrument_id)
    assert (name.market, name.kind, name.run, name.location) == parts
