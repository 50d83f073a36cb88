from collections.abc import Mapping
from typing import Any

import attrs
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.gold.interval import Interval
from domain.gold.window import Limits, Taken, Waits, Windows, arrived, contested, digests, in_order, winners
from domain.silver.feed import FeedPolicies, FeedPolicy
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch
from tests.builders import at, micros, tick

BASE = Interval.parse("5m")
FEEDS = FeedPolicies.of([FeedPolicy(market="NYMEX", data_type="tick", horizon_s=300, lateness_s=600, idle_s=900)])


def windows(limits: Limits | None = None, lateness_s: Mapping[str, float] | None = None) -> Windows:
    return Windows(BASE, Waits(FEEDS, lateness_s or {}, {"restless": 60}), limits or Limits())


def arrivals(*facts: Tick, offset: int = 0, partition: int = 0) -> pl.DataFrame:
    count = len(facts)
    return arrived(
        TickBatch.of(facts).frame,
        pl.Series("partition", [partition] * count, dtype=pl.Int32),
        pl.Series("offset", range(offset, offset + count), dtype=pl.Int64),
        BASE,
    )


def take(before: Windows, *facts: Tick, offset: int = 0, now_s: float = 0) -> Taken:
    return before.take(arrivals(*facts, offset=offset), {0: offset + len(facts)}, now_s)


def instants(ticks: pl.DataFrame) -> list[Any]:
    return sorted(ticks["ts"])


def statements(*facts: Tick) -> pl.DataFrame:
    frame = TickBatch.of(facts).frame
    return frame.with_columns(*digests(frame))


ONE_KEY = st.builds(
    lambda version, price: tick(version=version, price=str(price)), st.integers(1, 3), st.integers(1, 3)
)
SOME = st.builds(
    lambda minute, version, price: tick(f"10:{minute:02}", version=version, price=str(price)),
    st.integers(0, 2),
    st.integers(1, 3),
    st.integers(1, 3),
)


def merged(*parts: pl.DataFrame) -> set[tuple[int, int, int]]:
    return {*winners(pl.concat(parts)).select("key", "version", "content").rows()}


@given(st.lists(SOME, min_size=1), st.lists(SOME, min_size=1), st.lists(SOME, min_size=1))
def test_merging_is_associative_commutative_and_idempotent(a: list[Tick], b: list[Tick], c: list[Tick]) -> None:
    one, two, three = (statements(*facts) for facts in (a, b, c))
    whole = merged(one, two, three)
    assert merged(winners(pl.concat([one, two])), three) == whole
    assert merged(one, winners(pl.concat([two, three]))) == whole
    assert merged(three, two, one) == whole
    assert merged(one, one, two, three, two) == whole


@given(st.lists(ONE_KEY, min_size=1, max_size=6))
def test_of_one_key_the_highest_version_stays(facts: list[Tick]) -> None:
    assert winners(statements(*facts))["version"].to_list() == [max(fact.version for fact in facts)]


def test_at_equal_versions_the_same_statement_stays_whatever_came_first() -> None:
    one, other = statements(tick(price="1", version=1)), statements(tick(price="2", version=1))
    assert winners(pl.concat([one, other]))["price"].to_list() == winners(pl.concat([other, one]))["price"].to_list()


def test_ticks_of_one_place_are_contested_others_are_not() -> None:
    facts = (tick(), tick(source_id="other"), tick(source_seq=1), tick("10:01"), tick(instrument_id="BTCUSDT"))
    assert contested(statements(*facts)).to_list() == [True, True, False, False, False]


def test_order_is_that_of_time_and_sequence() -> None:
    facts = (tick("10:02"), tick("10:01", source_seq=2), tick("10:01", source_seq=1))
    assert in_order(statements(*facts)).select("ts", "source_seq").rows() == [
        (at("10:01"), 1),
        (at("10:01"), 2),
        (at("10:02"), 0),
    ]


def test_ticks_beyond_their_horizon_do_not_arrive() -> None:
    facts = (tick("10:00"), tick("11:00", quality_flags=int(Flag.TS_FUTURE)), tick("10:01"))
    assert arrivals(*facts).select("ts", "offset").rows() == [(at("10:00"), 0), (at("10:01"), 2)]


def test_a_window_closes_when_the_watermark_reaches_its_end() -> None:
    waiting = take(windows(), tick("10:00"), tick("10:14:59"))
    assert (instants(waiting.closed), instants(waiting.windows.ticks)) == ([], [at("10:00"), at("10:14:59")])
    closing = take(waiting.windows, tick("10:15"), offset=2)
    assert (instants(closing.closed), instants(closing.windows.ticks)) == ([at("10:00")], [at("10:14:59"), at("10:15")])
    assert closing.sealed.frame.select("instrument_id", "partition", "sealed_until").rows() == [
        ("NG_HH", 0, at("10:05"))
    ]
    assert closing.sealed_from.select("seal").rows() == [(-1,)]


def test_another_feed_closes_nothing_of_this_one_but_where_they_share_an_instrument() -> None:
    taken = take(windows(), tick("10:00"), tick("11:00", instrument_id="BTCUSDT", source_id="other"))
    assert instants(taken.closed) == []
    shared = take(taken.windows, tick("10:06", source_id="other"), offset=2)
    assert instants(shared.closed) == [at("10:00"), at("10:06")]


def test_each_feed_waits_as_its_policy_or_a_setting_says() -> None:
    closed = [
        len(take(windows(lateness_s=lateness), tick("10:00", **feed), tick("10:20", **feed)).closed)
        for lateness, feed in (({}, {}), ({"trades": 1200}, {}), ({}, {"market": "UNKNOWN"}))
    ]
    assert closed == [1, 0, 0]


def test_a_tick_is_late_when_its_window_is_sealed_whatever_its_watermark_says() -> None:
    sealed = take(windows(), tick("10:00"), tick("10:30")).windows
    forgetful = attrs.evolve(sealed, marks={})
    late = take(forgetful, tick("10:04:59"), tick("10:05"), offset=2)
    assert (instants(late.late), len(late.closed)) == ([at("10:04:59")], 0)


def test_a_tick_is_late_when_a_row_before_it_closed_its_window() -> None:
    taken = take(windows(), tick("10:00"), tick("10:30"), tick("10:01"))
    assert (instants(taken.closed), instants(taken.late)) == ([at("10:00")], [at("10:01")])


def test_the_tick_that_comes_after_its_own_feed_passed_it_opens_and_closes_its_window() -> None:
    taken = take(
        windows(), tick("10:30"), tick("10:00", instrument_id="BTCUSDT"), tick("10:01", instrument_id="BTCUSDT")
    )
    assert (instants(taken.closed), instants(taken.late)) == ([at("10:00")], [at("10:01")])


def test_late_ticks_move_the_watermark_too() -> None:
    sealed = take(windows(), tick("12:00"), tick("12:30")).windows
    other = take(attrs.evolve(sealed, marks={}), tick("11:00", instrument_id="BTCUSDT"), offset=2).windows
    taken = take(other, tick("11:59"), offset=3)
    assert (instants(taken.late), instants(taken.closed)) == ([at("11:59")], [at("11:00")])


def test_a_silent_feed_closes_its_windows_and_is_forgotten() -> None:
    heard = take(windows(), tick("10:00"), tick("10:00", source_id="restless"), now_s=100).windows
    early = take(heard, now_s=159)
    silent = take(heard, now_s=160)
    assert (len(early.closed), len(early.windows.marks)) == (0, 2)
    assert (len(silent.closed), len(silent.windows.marks)) == (2, 1)
    later = take(take(windows(), tick("10:00"), now_s=100).windows, now_s=1000)
    assert (len(later.closed), later.windows.marks) == (1, {})


def test_a_feed_that_speaks_again_is_not_silent() -> None:
    heard = take(windows(), tick("10:00"), now_s=0).windows
    again = take(heard, tick("10:01"), offset=1, now_s=899).windows
    assert instants(take(again, now_s=1500).closed) == []


def test_the_floor_is_the_first_offset_of_any_open_window() -> None:
    open_ = take(windows(), tick("10:00"), tick("10:01"), tick("10:02"), offset=7).windows
    assert open_.floors({0: 10, 3: 5}) == {0: 7, 3: 5}
    assert take(open_, tick("11:00"), offset=10).windows.floors({0: 11}) == {0: 10}
    assert windows().floors({0: 4}) == {0: 4}


def test_windows_that_hold_back_more_than_the_replay_limit_close_early() -> None:
    taken = take(
        windows(Limits(lag=2)), tick("10:00"), tick("10:20", instrument_id="B"), tick("10:21", instrument_id="B")
    )
    assert instants(taken.closed) == [at("10:00")]
    assert taken.windows.floors({0: 3}) == {0: 1}


def test_beyond_the_memory_cap_the_oldest_windows_close_early() -> None:
    facts = [tick(f"10:{minute:02}", instrument_id=f"I{minute}", source_id=f"s{minute}") for minute in range(10)]
    kept = take(windows(Limits(ticks=10)), *facts).windows
    pressed = take(windows(Limits(ticks=9)), *facts)
    assert kept.ticks.height == 10
    assert pressed.windows.ticks.height <= 9
    assert pressed.windows.floors({0: 10})[0] > 0
    assert instants(pressed.closed)[0] == at("10:00")


def test_what_a_close_frees_needs_no_early_closing() -> None:
    taken = take(windows(Limits(ticks=2)), tick("10:00"), tick("10:01"), tick("10:20"))
    assert (instants(taken.closed), instants(taken.windows.ticks)) == ([at("10:00"), at("10:01")], [at("10:20")])


def test_touched_windows_are_whole_and_told_of_once() -> None:
    first = take(windows(), tick("10:00"), tick("10:06")).windows
    assert instants(first.touched()) == [at("10:00"), at("10:06")]
    told = first.told()
    assert instants(told.touched()) == []
    again = take(told, tick("10:01"), offset=2).windows
    assert instants(again.touched()) == [at("10:00"), at("10:01")]


def test_partitions_go_with_their_windows_and_marks() -> None:
    both = windows().take(arrivals(tick("10:00")), {0: 1}, 0).windows
    both = both.take(arrivals(tick("10:01", instrument_id="B"), partition=1), {0: 1, 1: 1}, 0).windows
    left = both.without([0])
    assert (instants(left.ticks), len(left.marks)) == ([at("10:01")], 1)
    assert both.without([0, 1]).marks == {}


def test_taking_changes_nothing_of_what_was() -> None:
    before = take(windows(), tick("10:00")).windows
    ticks, marks, seal = before.ticks.clone(), dict(before.marks), before.seals.until(before.ticks["series"]).to_list()
    take(before, tick("11:00"), offset=1)
    assert before.ticks.equals(ticks)
    assert (dict(before.marks), before.seals.until(before.ticks["series"]).to_list()) == (marks, seal)


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_a_window_ends_with_its_interval(minutes: int) -> None:
    base = Interval(minutes, f"{minutes}m")
    frame = TickBatch.of([tick("10:07")]).frame
    window = arrived(frame, pl.Series("partition", [0], dtype=pl.Int32), pl.Series("offset", [0]), base)["window"]
    ends = attrs.evolve(windows(), base=base).end_us(window).to_list()
    assert ends == [micros(at("10:00")) + -(-7 // minutes) * minutes * 60_000_000]
