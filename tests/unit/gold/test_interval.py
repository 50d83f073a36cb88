from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from domain.batch import INSTANT
from domain.errors import BadInterval
from domain.gold.interval import BarIntervals, Interval, Periods, clock_of, minute_of, period_code, series_of
from domain.identity import SERIES
from tests.builders import at, micros


def folds(*names: str) -> list[tuple[str, str]]:
    return [(interval.name, finer.name) for interval, finer in BarIntervals.parse(names).coarser]


def period(interval: str, instrument_id: str, instant: str) -> tuple[datetime, datetime]:
    series = pl.Series([f"default|{instrument_id}"]).cast(SERIES)
    start, end = Periods().bounds(Interval.parse(interval), series, pl.Series([at(instant)], dtype=INSTANT))
    return start.item(), end.item()


@pytest.mark.parametrize(
    ("name", "minutes"), [("1m", 1), ("5m", 5), (" 15m ", 15), ("4h", 240), ("12h", 720), ("1d", 1440), ("24h", 1440)]
)
def test_an_interval_is_written_as_operators_write_it(name: str, minutes: int) -> None:
    assert Interval.parse(name).minutes == minutes


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "is no interval"),
        ("5", "is no interval"),
        ("05m", "is no interval"),
        ("5s", "is no interval"),
        ("-5m", "is no interval"),
        ("7m", "does not divide a day"),
        ("5h", "does not divide a day"),
        ("16h", "does not divide a day"),
        ("18h", "does not divide a day"),
        ("2d", "does not divide a day"),
    ],
)
def test_what_is_no_interval_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(BadInterval, match=complaint):
        Interval.parse(name)


def test_intervals_come_finest_first_each_folded_from_the_coarsest_that_tiles_it() -> None:
    assert [interval.name for interval in BarIntervals.parse(("1d", "1h", "5m")).all] == ["5m", "1h", "1d"]
    assert folds("5m", "1h", "1d") == [("1h", "5m"), ("1d", "1h")]
    assert folds("5m", "15m", "4h") == [("15m", "5m"), ("4h", "15m")]
    assert folds("15m", "45m", "1h") == [("45m", "15m"), ("1h", "15m")]
    assert folds("5m") == []


def test_a_day_is_never_folded_from_more_than_an_hour_since_it_may_begin_at_any_hour() -> None:
    assert folds("1h", "4h", "1d") == [("4h", "1h"), ("1d", "1h")]
    assert folds("15m", "45m", "1d") == [("45m", "15m"), ("1d", "15m")]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ((), "no bar interval is enabled"),
        (("1d",), "must divide an hour"),
        (("45m", "1d"), "must divide an hour"),
        (("2h",), "must divide an hour"),
        (("10m", "15m"), "15m: no multiple of the finest interval 10m"),
        (("5m", "fortnight"), "is no interval"),
    ],
)
def test_intervals_that_do_not_fit_are_refused(names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(BadInterval, match=complaint):
        BarIntervals.parse(names)


@pytest.mark.parametrize(
    ("instrument_id", "clock"),
    [
        ("MISO.LMP.RT.INDIANA.HUB", "Etc/GMT+5"),
        ("CAISO.LMP.DAM.X", "America/Los_Angeles"),
        ("ERCOT.LMP.RTM.X", "America/Chicago"),
        ("AESO.POOL_PRICE", "America/Edmonton"),
        ("NG_HH", "UTC"),
        ("MISOX.LMP", "UTC"),
    ],
)
def test_a_day_follows_the_clock_of_its_market(instrument_id: str, clock: str) -> None:
    assert clock_of(instrument_id) == clock


@pytest.mark.parametrize(
    ("interval", "instant", "start", "end"),
    [
        ("5m", "10:04:59.999999", "10:00", "10:05"),
        ("5m", "10:05", "10:05", "10:10"),
        ("15m", "10:59:59", "10:45", "11:00"),
        ("4h", "10:00", "08:00", "12:00"),
        ("45m", "2026-10-05T00:50:00", "00:45", "01:30"),
    ],
)
def test_shorter_bars_are_aligned_in_utc(interval: str, instant: str, start: str, end: str) -> None:
    assert period(interval, "CAISO.LMP.DAM.X", instant) == (at(start), at(end))


@pytest.mark.parametrize(
    ("instrument_id", "instant", "start", "hours"),
    [
        ("NG_HH", "2026-03-08T23:59:59", "2026-03-08T00:00:00", 24),
        ("MISO.A", "2026-03-08T04:59:59", "2026-03-07T05:00:00", 24),
        ("MISO.A", "2026-03-08T05:00:00", "2026-03-08T05:00:00", 24),
        ("MISO.A", "2026-07-01T05:00:00", "2026-07-01T05:00:00", 24),
        ("CAISO.A", "2026-03-08T07:59:59", "2026-03-07T08:00:00", 24),
        ("CAISO.A", "2026-03-08T08:00:00", "2026-03-08T08:00:00", 23),
        ("CAISO.A", "2026-03-09T06:59:59", "2026-03-08T08:00:00", 23),
        ("CAISO.A", "2026-03-09T07:00:00", "2026-03-09T07:00:00", 24),
        ("NYISO.A", "2026-11-01T04:00:00", "2026-11-01T04:00:00", 25),
        ("NYISO.A", "2026-11-02T04:59:59", "2026-11-01T04:00:00", 25),
    ],
)
def test_a_day_runs_from_midnight_to_midnight_of_its_market(
    instrument_id: str, instant: str, start: str, hours: int
) -> None:
    assert period("1d", instrument_id, instant) == (at(start), at(start) + timedelta(hours=hours))


def test_days_of_several_clocks_keep_their_rows_apart_however_often_they_are_asked_for() -> None:
    periods, day = Periods(), Interval.parse("1d")
    names = ["default|NG_HH", "default|CAISO.A", "default|MISO.A", "tenant-1|CAISO.A", "default|NG_HH"]
    instants = pl.Series([at("2026-03-08T06:00:00")] * 5, dtype=INSTANT)
    expected = [at(f"2026-03-{start}:00:00") for start in ("08T00", "07T08", "08T05", "07T08", "08T00")]
    for upto in (2, 5, 5):
        start, _ = periods.bounds(day, pl.Series(names[:upto]).cast(SERIES), instants.head(upto))
        assert start.to_list() == expected[:upto]


def test_codes_of_periods_ascend_in_time_and_differ_between_series() -> None:
    series = pl.Series(["default|A", "default|A", "default|B"]).cast(SERIES)
    codes = period_code(series, pl.Series([at("10:00"), at("10:01"), at("10:00")], dtype=INSTANT))
    assert codes[1] - codes[0] == 1
    assert codes.n_unique() == 3


@pytest.mark.parametrize("instant", ["1969-12-31T05:00:00", "1970-01-01T00:00:00", "2026-10-05T10:01:30", "2100-01-01"])
def test_a_code_tells_its_minute_and_its_series_apart(instant: str) -> None:
    series = pl.Series(["default|A", "default|B"]).cast(SERIES)
    moment = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    codes = period_code(series, pl.Series([moment] * 2, dtype=INSTANT))
    assert minute_of(codes).to_list() == [micros(moment) // 60_000_000] * 2
    assert series_of(codes).to_list() == series.to_physical().to_list()
    assert (codes >= 0).all()
