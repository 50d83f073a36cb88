import gc

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from domain.gold.interval import MINUTES
from domain.gold.watermark import NEVER, Mark, SealBook, Timeline, closing_rows, feed_code, partition_of
from domain.identity import SERIES

A_LONG_TIME_AGO = -(1 << 59)


def whole(*numbers: int) -> pl.Series:
    return pl.Series(numbers, dtype=pl.Int64)


def series(*names: str) -> pl.Series:
    return pl.Series(names).cast(SERIES)


def mark(watermark_us: int = A_LONG_TIME_AGO, lateness_us: int = 10) -> Mark:
    return Mark(watermark_us, heard_at_s=0, lateness_us=lateness_us, idle_s=60)


def feeds(*names: str, tenant: str = "default", partition: int = 0) -> list[int]:
    count = len(names)
    return feed_code(
        pl.Series([partition] * count, dtype=pl.Int32), pl.Series([tenant] * count), pl.Series(names)
    ).to_list()


def test_a_seal_is_unknown_until_it_is_raised_and_never_falls() -> None:
    book = SealBook()
    raised = book.raised(series("s|A", "s|B"), whole(10, 20))
    lower = raised.raised(series("s|B", "s|C"), whole(5, 7))
    asked = series("s|A", "s|B", "s|C", "s|D")
    assert book.until(asked).to_list() == [-1, -1, -1, -1]
    assert raised.until(asked).to_list() == [10, 20, -1, -1]
    assert lower.until(asked).to_list() == [10, 20, 7, -1]


def test_no_seals_are_raised_by_nothing() -> None:
    assert SealBook().raised(series(), whole()).until(series("s|A")).to_list() == [-1]


def test_a_watermark_rises_row_by_row_and_never_falls() -> None:
    line = Timeline.of(whole(7, 7, 7), whole(100, 90, 130), {7: mark()})
    assert line.watermarks() == [120]
    assert line.reaches(whole(7, 7, 7, 7), whole(90, 91, 120, 121)).to_list() == [0, 2, 2, NEVER]


def test_a_feed_that_reached_an_instant_before_says_so() -> None:
    line = Timeline.of(whole(7), whole(40), {7: mark(watermark_us=50)})
    assert (line.watermarks(), line.reaches(whole(7, 7), whole(50, 51)).to_list()) == ([50], [-1, NEVER])


def test_feeds_do_not_move_each_other() -> None:
    line = Timeline.of(whole(9, 7, 9), whole(100, 500, 200), {7: mark(lateness_us=0), 9: mark(), 3: mark(10**15)})
    assert line.feeds.to_list() == [7, 9]
    assert line.watermarks() == [500, 190]
    assert line.reaches(whole(9, 7, 9, 3), whole(190, 190, 191, 1)).to_list() == [2, 1, NEVER, NEVER]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=1, max_size=20),
    st.lists(st.integers(0, 60), min_size=3, max_size=3),
)
def test_watermarks_are_those_of_a_loop(rows: list[tuple[int, int]], before: list[int]) -> None:
    marks = {feed: mark(level, lateness_us=5) for feed, level in enumerate(before)}
    line = Timeline.of(whole(*(feed for feed, _ in rows)), whole(*(ts for _, ts in rows)), marks)
    levels = list(before)
    reached = {(feed, at): -1 if at <= level else NEVER for feed, level in enumerate(before) for at in range(70)}
    for row, (feed, ts) in enumerate(rows):
        levels[feed] = max(levels[feed], ts - 5)
        reached |= {(feed, at): row for at in range(levels[feed] + 1) if reached[feed, at] == NEVER}
    assert line.watermarks() == [levels[feed] for feed in line.feeds]
    spoke = [(feed, at) for feed in line.feeds for at in range(70)]
    found = line.reaches(whole(*(feed for feed, _ in spoke)), whole(*(at for _, at in spoke)))
    assert found.to_list() == [reached[asked] for asked in spoke]


def closing(*ticks: tuple[int, int, int]) -> list[int]:
    """At which row the window of each tick (window, row, reached) closes."""
    return closing_rows(*(whole(*numbers) for numbers in zip(*ticks, strict=True))).to_list()


def test_a_window_closes_with_the_first_of_its_ticks_whose_feed_is_past_it() -> None:
    assert closing((5, 0, 4), (8, 2, NEVER), (5, 1, 3)) == [3, NEVER, 3]


def test_a_tick_does_not_close_its_window_before_it_has_arrived() -> None:
    assert closing((5, 2, -1)) == [2]
    assert closing((5, -1, -1)) == [-1]


def test_with_a_window_close_all_earlier_ones_of_its_instrument_and_no_other() -> None:
    other = MINUTES
    ticks = ((5, 0, NEVER), (other + 1, 1, NEVER), (7, 2, NEVER), (6, 0, 3), (other + 9, 0, 6))
    assert closing(*ticks) == [3, 6, NEVER, 3, 6]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 9), st.integers(-1, 12)), min_size=1, max_size=15))
def test_closings_are_those_of_a_loop(ticks: list[tuple[int, int, int]]) -> None:
    """Windows of two instruments: 0 to 6, and 7 to 12."""
    placed = [
        (window % 7 + window // 7 * MINUTES, row, NEVER if reached > 9 else reached) for window, row, reached in ticks
    ]
    expected = [
        min(
            max(row, reached)
            for other, row, reached in placed
            if other >= window and other // MINUTES == window // MINUTES
        )
        for window, _, _ in placed
    ]
    assert closing(*placed) == expected


def test_a_feed_keeps_its_code_when_others_come_and_go() -> None:
    first, second = feeds("feed-a", "feed-b")
    gc.collect()
    assert feeds("feed-b") == [second]
    gc.collect()
    assert feeds("feed-c", "feed-a")[1] == first


def test_a_feed_is_a_source_of_a_tenant_in_a_partition() -> None:
    codes = [*feeds("a", "b"), *feeds("a", tenant="tenant-1"), *feeds("a", partition=5)]
    assert len(set(codes)) == 4
    assert [partition_of(code) for code in codes] == [0, 0, 0, 5]
