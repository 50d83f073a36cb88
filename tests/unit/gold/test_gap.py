"""Periods without a bar, and why."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from domain.batch import INSTANT
from domain.gold.gap import Gap, Quiet, TooLong, gaps, periods_within
from domain.gold.interval import Interval, Periods
from domain.identity import SERIES
from tests.builders import TEN, at

QUIET, DEAD = Quiet.NO_TRADES, Quiet.FEED_GAP


def periods(interval: str, start: datetime, end: datetime, name: str = "NG_HH") -> pl.DataFrame:
    series = pl.Series([f"default|{name}"], dtype=pl.String).cast(SERIES)
    return periods_within(Periods(), Interval.parse(interval), series, start, end)


def found(bars: list[str], spoken: list[tuple[str, str]], end: str = "10:30") -> list[tuple[str, str, int, Quiet]]:
    told = gaps(
        periods("5m", TEN, at(end)),
        pl.Series([at(text) for text in bars], dtype=INSTANT),
        pl.DataFrame(
            [(at(first), at(last)) for first, last in spoken], schema={"first": INSTANT, "last": INSTANT}, orient="row"
        ),
    )
    return [(f"{gap.start:%H:%M}", f"{gap.end:%H:%M}", gap.bars, gap.reason) for gap in told]


def test_where_every_bar_is_there_is_no_gap() -> None:
    assert found(["10:00", "10:05", "10:10"], [], end="10:15") == []


def test_a_market_is_quiet_while_its_feed_speaks_of_others() -> None:
    assert found(
        ["10:00", "10:25"], [("10:15", "10:15"), ("10:05", "10:05"), ("10:10", "10:10"), ("10:20", "10:20")]
    ) == [("10:05", "10:25", 4, QUIET)]


def test_a_feed_that_said_nothing_is_dead() -> None:
    assert found(["10:00"], []) == [("10:05", "10:30", 5, DEAD)]


def test_adjacent_periods_are_told_apart_by_their_reason() -> None:
    assert found(["10:15"], [("10:00", "10:00"), ("10:20", "10:20")]) == [
        ("10:00", "10:05", 1, QUIET),
        ("10:05", "10:15", 2, DEAD),
        ("10:20", "10:25", 1, QUIET),
        ("10:25", "10:30", 1, DEAD),
    ]


def test_a_price_of_an_hour_speaks_of_all_of_it_whatever_is_said_later() -> None:
    assert found(["10:00"], [("09:00", "10:10"), ("10:00", "10:00")]) == [
        ("10:05", "10:15", 2, QUIET),
        ("10:15", "10:30", 3, DEAD),
    ]


def test_only_whole_periods_count() -> None:
    told = periods("5m", TEN + timedelta(seconds=1), at("10:14"))
    assert told.rows() == [(at("10:05"), at("10:10"))]
    assert periods("1h", TEN, at("10:59")).height == 0


def test_days_follow_the_clock_of_their_market() -> None:
    told = periods("1d", at("2026-10-31T00:00"), at("2026-11-03T12:00"), "CAISO.X")
    assert told.rows() == [
        (at("2026-10-31T07:00"), at("2026-11-01T07:00")),
        (at("2026-11-01T07:00"), at("2026-11-02T08:00")),
        (at("2026-11-02T08:00"), at("2026-11-03T08:00")),
    ]


def test_a_range_of_too_many_periods_is_refused() -> None:
    with pytest.raises(TooLong, match="100,000 steps of 5 minutes"):
        periods("5m", at("2020-01-01T00:00"), TEN)


def test_a_gap_knows_its_ends() -> None:
    spoken = pl.DataFrame(schema={"first": INSTANT, "last": INSTANT})
    assert gaps(periods("1h", TEN, at("11:00")), pl.Series([], dtype=INSTANT), spoken) == [
        Gap(start=TEN, end=at("11:00"), bars=1, reason=DEAD)
    ]
