from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.batch import NOTIONAL, PRICE, PRICE_SUM
from domain.gold.bar import (
    CONTENT,
    LOGIC_EPOCH,
    BarBatch,
    Cause,
    State,
    digest_of,
    fold,
    mean_price,
    notional,
    precedence,
    precedes,
    revision,
    vwap,
)
from domain.gold.interval import Interval, Periods
from domain.gold.settling import Change
from domain.silver.quality import Flag
from domain.silver.tick import Tick, content_digests
from tests.builders import at, tick, ticks
from tests.unit.gold.folding import bars_over, folded, folded_in_slices, parts_of, refolded, settled
from tests.unit.gold.oracle import EXACT, bars_of, read, rounded, vwap_of

EPOCH = LOGIC_EPOCH << 104
LARGEST = "9999999999.99999999"

prices = st.decimals(Decimal("-9999999999.99999999"), Decimal(LARGEST), places=8)
volumes = st.none() | prices | st.sampled_from([Decimal(0), Decimal("0.00000001")])


def only(bars: pl.DataFrame) -> dict[str, Any]:
    assert bars.height == 1
    return bars.to_dicts()[0]


def test_a_bar_opens_and_closes_with_its_first_and_last_tick() -> None:
    bar = only(folded([tick("10:01", "3.31"), tick("10:04:59", "3.29"), tick("10:00:30", "3.30")]))
    told = ("open_ts", "open_price", "high_price", "low_price", "close_ts", "close_price", "trade_count")
    assert [bar[name] for name in told] == [
        at("10:00:30"), Decimal("3.30"), Decimal("3.31"), Decimal("3.29"), at("10:04:59"), Decimal("3.29"), 3,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ({"source_seq": 8, "version": 9}, {"source_seq": 9, "version": 1}),
        ({"source_id": "b", "version": 1}, {"source_id": "a", "version": 2}),
        ({"source_id": "binance-spot", "version": 1}, {"source_id": "binance-us", "version": 1}),
    ],
    ids=["sequence", "version", "hash of the source"],
)
def test_ticks_of_one_instant_are_ordered_by(first: dict[str, Any], last: dict[str, Any]) -> None:
    facts = [tick(price="1", **first), tick(price="2", **last)]
    bar = only(folded(reversed(facts)))
    assert (bar["open_price"], bar["close_price"]) == (1, 2)


def test_labels_are_those_of_the_close_tick() -> None:
    facts = [
        tick("10:01", market="OLD", currency="EUR", unit="MWh"),
        tick("10:02", market="NEW", currency="USD", unit="bbl"),
    ]
    assert [only(folded(facts))[name] for name in ("market", "currency", "unit")] == ["NEW", "USD", "bbl"]


def test_flags_are_the_union_of_those_that_bars_carry() -> None:
    facts = [
        tick("10:01", quality_flags=int(Flag.PRICE_NEGATIVE | Flag.TS_ANCIENT)),
        tick("10:02", quality_flags=int(Flag.BAD_SEQUENCE | Flag.PRICE_OUT_OF_RANGE)),
        tick("10:06"),
    ]
    assert folded(facts)["quality_flags"].to_list() == [int(Flag.PRICE_NEGATIVE | Flag.BAD_SEQUENCE), 0]


ORIGINS = [
    tick("10:01", raw_partition=0, raw_offset=7),
    tick("10:02", raw_partition=0, raw_offset=3),
    tick("10:03", raw_partition=2, raw_offset=5),
    tick("10:06", raw_partition=1, raw_offset=1),
    tick("10:07", raw_partition=2, raw_offset=9),
]


def origins_of(bars: pl.DataFrame) -> list[list[tuple[int, int, int]]]:
    return [
        sorted((int(o["partition"].rpartition("/")[2]), o["first_offset"], o["last_offset"]) for o in found)
        for found in bars["lineage_partitions"].to_list()
    ]


def test_a_bar_knows_which_raw_offsets_it_came_from() -> None:
    bars = folded(ORIGINS)
    assert bars["lineage_partitions"][0][0]["partition"].startswith("ingestion.market.ticks.raw.v1/")
    assert origins_of(bars) == [[(0, 3, 7), (2, 5, 5)], [(1, 1, 1), (2, 9, 9)]]


def test_a_coarser_bar_knows_those_of_all_bars_below() -> None:
    assert origins_of(refolded(bars_over(ORIGINS), "1h")) == [[(0, 3, 7), (1, 1, 1), (2, 5, 9)]]
    alone = refolded(bars_over(ORIGINS[:2]), "1h")
    assert origins_of(alone) == [[(0, 3, 7)]]


@pytest.mark.parametrize(
    ("price_sum", "count", "mean"),
    [
        ("10", 4, "2.5"),
        ("0.00000001", 2, "0"),
        ("0.00000003", 2, "0.00000002"),
        ("-0.00000003", 2, "-0.00000002"),
        ("1", 3, "0.33333333"),
        ("2", 3, "0.66666667"),
    ],
)
def test_the_mean_is_rounded_half_even_once(price_sum: str, count: int, mean: str) -> None:
    row = pl.DataFrame({"sum": [Decimal(price_sum)], "count": [count]}, schema={"sum": PRICE_SUM, "count": pl.UInt64})
    assert row.select(mean_price(pl.col("sum"), pl.col("count")).cast(PRICE)).item() == Decimal(mean)


def test_the_mean_takes_plain_numbers_too() -> None:
    assert mean_price(10.0, 4) == 2.5  # type: ignore[arg-type]


@given(st.lists(st.tuples(prices, st.integers(1, 10**6)), min_size=1, max_size=20))
def test_the_mean_is_that_of_exact_decimals(rows: list[tuple[Decimal, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"sum": PRICE_SUM, "count": pl.UInt64}, orient="row")
    found = frame.select(mean_price(pl.col("sum"), pl.col("count")).cast(PRICE)).to_series().to_list()
    assert found == [rounded(total / count) for total, count in rows]


def the_vwap(notional_: Decimal | None, volume: Decimal | None) -> Any:
    row = pl.DataFrame({"n": [notional_], "v": [volume]}, schema={"n": NOTIONAL, "v": PRICE_SUM})
    return row.select(vwap(pl.col("n"), pl.col("v"))).item()


@pytest.mark.parametrize(
    ("turnover", "volume", "price"),
    [
        ("6.60", "2", "3.30"),
        ("0.0000000100000000", "2", "0"),
        ("0.0000000300000000", "2", "0.00000002"),
        ("-0.0000000300000000", "2", "-0.00000002"),
        ("0.0000000300000001", "2", "0.00000002"),
        ("6.60", "0", None),
        ("6.60", "-2", None),
        (None, "2", None),
        ("6.60", None, None),
        ("9899999999999999999999.9999999999999999", "990000000000", "10000000000"),
        ("9899999999999999999999.9999999999999999", "0.00000001", None),
    ],
)
def test_the_vwap_is_rounded_half_even_once_and_null_where_it_can_not_be_told(
    turnover: str | None, volume: str | None, price: str | None
) -> None:
    given_ = [None if text is None else Decimal(text) for text in (turnover, volume)]
    expected = None if price is None or Decimal(price) >= 10**10 else Decimal(price)
    assert the_vwap(*given_) == expected


@given(
    st.none() | st.decimals(Decimal("-9.8e21"), Decimal("9.8e21"), places=16),
    st.none() | st.decimals(Decimal(-1), Decimal("1e20"), places=8),
)
def test_the_vwap_is_that_of_exact_decimals(turnover: Decimal | None, volume: Decimal | None) -> None:
    assert the_vwap(turnover, volume) == vwap_of(turnover, volume)


@given(prices, st.none() | prices)
def test_notional_is_exact(price: Decimal, volume: Decimal | None) -> None:
    found = notional(pl.Series([price], dtype=PRICE), pl.Series([volume], dtype=PRICE))
    assert found.dtype == NOTIONAL
    assert found.item() == (None if volume is None else EXACT.multiply(price, volume))


def test_volume_is_unknown_only_where_no_tick_has_one() -> None:
    some = only(folded([tick("10:01", "3", volume="2"), tick("10:02", "4")]))
    none = only(folded([tick("10:01"), tick("10:02")]))
    assert [some[name] for name in ("volume", "notional", "vwap")] == [2, 6, 3]
    assert [none[name] for name in ("volume", "notional", "vwap")] == [None, None, None]


def huge(count: int, begin: int = 0) -> list[Tick]:
    return [tick("10:01", LARGEST, volume=LARGEST, source_seq=seq) for seq in range(begin, begin + count)]


def test_a_notional_that_outgrows_38_digits_is_unknown_never_wrong() -> None:
    fits, outgrown = only(folded(huge(98))), only(folded(huge(99)))
    exact = EXACT.multiply(98, EXACT.multiply(Decimal(LARGEST), Decimal(LARGEST)))
    assert (fits["notional"], fits["vwap"]) == (exact, Decimal(LARGEST))
    assert (outgrown["notional"], outgrown["vwap"], outgrown["volume"]) == (None, None, 99 * Decimal(LARGEST))


def test_it_stays_unknown_in_coarser_bars_and_harms_no_other() -> None:
    facts = [*huge(99), tick("10:06", "2", volume="3"), tick("11:01", "2", volume="3")]
    hours = refolded(bars_over(facts), "1h").sort("interval_start")
    assert hours["notional"].to_list() == [None, 6]
    assert hours["volume"].to_list() == [99 * Decimal(LARGEST) + 3, 3]


def test_a_coarser_notional_outgrows_38_digits_as_well() -> None:
    facts = [*huge(60), *(tick("10:06", LARGEST, volume=LARGEST, source_seq=seq) for seq in range(60))]
    fives = bars_over(facts)
    assert fives.frame["notional"].null_count() == 0
    assert only(refolded(fives, "1h"))["notional"] is None


ticks_of_a_day = st.lists(
    st.builds(
        lambda minute, price, volume, seq, flags: tick(
            at(f"{minute // 60}:{minute % 60}"),
            str(price),
            volume=volume,
            source_seq=seq,
            quality_flags=flags,
            version=seq + 1,
        ),
        minute=st.integers(0, 1439),
        price=prices,
        volume=volumes,
        seq=st.integers(0, 3),
        flags=st.sampled_from([0, 1, 2, 512]),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda fact: (fact.ts, fact.source_seq),
)


@settings(max_examples=30)
@given(ticks_of_a_day, st.sampled_from(["5m", "15m", "1h", "4h", "1d"]))
def test_bars_are_those_of_the_oracle(facts: list[Tick], interval: str) -> None:
    assert read(bars_over(facts, interval).frame) == bars_of(facts, interval)


@settings(max_examples=20)
@given(ticks_of_a_day)
def test_folding_is_associative(facts: list[Tick]) -> None:
    straight = folded(facts, "1d")
    by_hours = refolded(bars_over(facts, "1h"), "1d")
    by_all = refolded(settled(refolded(settled(refolded(bars_over(facts), "15m"), "15m")[0], "1h"), "1h")[0], "1d")
    for other in (by_hours, by_all):
        assert other.select(CONTENT).rows() == straight.select(CONTENT).rows()
        assert other.select("mean_price", "vwap").rows() == straight.select("mean_price", "vwap").rows()


@settings(max_examples=20)
@given(ticks_of_a_day, st.integers(1, 29), st.integers(1, 29))
def test_ticks_that_are_gathered_in_slices_fold_into_the_same_bars(facts: list[Tick], one: int, other: int) -> None:
    by_time = sorted(facts, key=lambda fact: fact.ts)
    moments = sorted({fact.ts for fact in facts})
    cuts = sorted({moments[one % len(moments)], moments[other % len(moments)]})
    slices = [
        [fact for fact in by_time if begin <= fact.ts < end]
        for begin, end in pairwise([at("0001-01-02T00:00:00"), *cuts, at("9999-01-01T00:00:00")])
    ]
    straight, sliced = folded(facts, "1d"), folded_in_slices([some for some in slices if some], "1d")
    told = [name for name in straight.columns if name not in {"last", "volumes", "notionals"}]
    assert sliced.select(told).to_dicts() == straight.select(told).to_dicts()


def revisions(bars: BarBatch) -> list[int]:
    return bars.frame["revision"].to_list()


def test_a_revision_is_the_epoch_the_sum_of_versions_and_finality() -> None:
    facts = [tick("10:01", version=1000), tick("10:02", version=234), tick("10:06", version=7)]
    assert revisions(bars_over(facts)) == [(EPOCH + 1234) * 256 + 1, (EPOCH + 7) * 256 + 1]
    assert revisions(settled(folded(facts), closed=False)[0]) == [(EPOCH + 1234) * 256, (EPOCH + 7) * 256]


def test_a_bar_of_bars_adds_up_their_epochs_as_well_as_their_sums() -> None:
    fives = bars_over([tick("10:01", version=1000), tick("10:06", version=234)])
    assert revisions(settled(refolded(fives, "1h"), "1h")[0]) == [(2 * EPOCH + 1234) * 256 + 1]


@pytest.mark.parametrize("count", [65_535, 65_536, 200_000])
def test_a_revision_grows_however_many_ticks_a_bar_has(count: int) -> None:
    parts = pl.concat([parts_of([tick(version=2**63)])] * count)
    bars = fold(parts, *Periods().bounds(Interval.parse("1d"), parts["series"], parts["ts"]))
    assert revisions(settled(bars, "1d")[0]) == [(EPOCH + count * 2**63) * 256 + 1]


@settings(max_examples=20)
@given(ticks_of_a_day, st.randoms())
def test_a_revision_depends_on_the_set_alone_and_grows_with_it(facts: list[Tick], random: Any) -> None:
    shuffled = random.sample(facts, len(facts))
    (whole,) = revisions(bars_over(facts, "1d"))
    assert revisions(bars_over([*shuffled, *facts], "1d")) == [whole]
    for part in (facts[:-1], facts[1:]):
        assert all(less < whole for less in revisions(bars_over(part, "1d")))


def test_finality_outweighs_no_version() -> None:
    less, more = tick("10:01", version=1), tick("10:02", version=1)
    assert revisions(settled(folded([less, more]), closed=False)[0]) > revisions(bars_over([less]))


@settings(max_examples=20)
@given(ticks_of_a_day, prices, prices)
def test_of_equally_new_ticks_the_greater_content_takes_precedence(
    facts: list[Tick], first: Decimal, second: Decimal
) -> None:
    one, other = (tick("10:00", str(price), source_id="another", version=7) for price in (first, second))
    mine, theirs = (bars_over([*facts, said], "1d").frame for said in (one, other))
    assert mine["revision"].equals(theirs["revision"])
    standing, against = (precedence(bars["revision"], bars["lineage_digest"]) for bars in (mine, theirs))
    assert precedes(standing, against).to_list() == [content_of(one) > content_of(other)]


def content_of(fact: Tick) -> int:
    return int(content_digests(ticks(fact).frame)[0])


def test_what_a_tick_adds_to_a_lineage_digest_binds_key_and_content_and_never_wraps() -> None:
    most = pl.Series([2**64 - 1], dtype=pl.UInt64)
    key, content = pl.Series([5 << 32 | 3] * 2, dtype=pl.UInt64), pl.Series([7, 2**64 - 1], dtype=pl.UInt64)
    assert digest_of(key, content).to_list() == [7 * 5 + (5 << 32 | 3), (2**64 - 1) * 5 + (5 << 32 | 3)]
    assert digest_of(most, most).to_list() == [(2**64 - 1) * (2**32 - 1) + 2**64 - 1]


def test_a_plain_revision() -> None:
    weight, settled = pl.Series([5, 5], dtype=pl.UInt128), pl.Series([False, True])
    assert revision(weight, settled).to_list() == [1280, 1281]


ONE = [tick("10:01", "1", version=10)]
OTHER = [tick("10:01", "2", version=20)]
REPEATED = [tick("10:01", "1", version=30)]
LESSER, GREATER = ([fact] for fact in sorted((ONE[0], tick("10:01", "2", version=10)), key=content_of))


@pytest.mark.parametrize(
    ("before", "closed_before", "now", "closed", "state", "reason", "change"),
    [
        (None, False, ONE, False, State.PROVISIONAL, Cause.LATE, Change.NEWS),
        (None, False, ONE, True, State.FINAL, Cause.LATE, Change.NEWS),
        (ONE, False, ONE, False, State.PROVISIONAL, Cause.LIVE, Change.NONE),
        (ONE, False, ONE, True, State.FINAL, Cause.LIVE, Change.NEWS),
        (ONE, False, OTHER, False, State.PROVISIONAL, Cause.LATE, Change.NEWS),
        (ONE, False, OTHER, True, State.FINAL, Cause.LATE, Change.NEWS),
        (ONE, True, ONE, True, State.FINAL, Cause.LIVE, Change.NONE),
        (ONE, True, ONE, False, State.FINAL, Cause.LIVE, Change.NONE),
        (ONE, True, REPEATED, True, State.FINAL, Cause.LIVE, Change.NONE),
        (ONE, True, OTHER, True, State.REVISED, Cause.LATE, Change.NEWS),
        (ONE, True, OTHER, False, State.PROVISIONAL, Cause.LATE, Change.NEWS),
        (OTHER, True, ONE, True, State.REVISED, Cause.LATE, Change.OVERTAKEN),
        (OTHER, False, ONE, False, State.PROVISIONAL, Cause.LATE, Change.OVERTAKEN),
        (LESSER, True, GREATER, True, State.REVISED, Cause.LATE, Change.NEWS),
        (GREATER, True, LESSER, True, State.REVISED, Cause.LATE, Change.OVERTAKEN),
        (GREATER, False, LESSER, True, State.FINAL, Cause.LATE, Change.OVERTAKEN),
        (LESSER, True, GREATER, False, State.PROVISIONAL, Cause.LATE, Change.NEWS),
        (REPEATED, True, ONE, True, State.FINAL, Cause.LIVE, Change.NONE),
        (REPEATED, False, ONE, False, State.PROVISIONAL, Cause.LIVE, Change.NONE),
        (REPEATED, False, ONE, True, State.FINAL, Cause.LIVE, Change.OVERTAKEN),
    ],
)
def test_state_and_reason_follow_from_what_is_stored(
    before: list[Tick] | None,
    closed_before: bool,
    now: list[Tick],
    closed: bool,
    state: State,
    reason: Cause,
    change: Change,
) -> None:
    stored = settled(folded(before), closed=closed_before)[0] if before else None
    rows, changes = settled(folded(now), closed=closed, cause=Cause.LATE, stored=stored)
    assert (rows.frame["state"].to_list(), rows.frame["reason"].to_list(), changes) == ([state], [reason], [change])


def test_a_revised_bar_that_changes_no_more_stays_revised() -> None:
    revised, _ = settled(folded(OTHER), stored=bars_over(ONE), cause=Cause.CORRECTION)
    again, changes = settled(folded(OTHER), stored=revised, cause=Cause.LATE)
    assert again.frame.select("state", "reason").rows() == [("revised", "correction")]
    assert changes == [Change.NONE]


def test_bars_are_settled_beside_their_own_rows_and_no_others() -> None:
    stored = bars_over([tick("10:06", "5", version=1), tick("10:01", "9", version=2, instrument_id="OTHER")])
    rows, changes = settled(folded([tick("10:01"), tick("10:06", "6")]), cause=Cause.LATE, stored=stored)
    assert rows.frame.select("interval_start", "state").rows() == [(at("10:00"), "final"), (at("10:05"), "revised")]
    assert changes == [Change.NEWS, Change.NEWS]
    assert set(rows.frame["interval"]) == {"5m"}
