"""Reading labels as texts and numbers, and putting local ones on a clock."""
# ruff: noqa: DTZ001 local times have no zone until a clock gives them one

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.time import LATEST_US, epoch_us, off_clock, offset_us, on_clock, read_iso, within_years

NEW_YORK = "America/New_York"
HOUR_US = 3_600_000_000


def iso(text: str | None) -> tuple[datetime | None, int | None]:
    return read_iso(pl.Series([text], dtype=pl.String)).row(0)


@pytest.mark.parametrize(
    ("text", "local", "offset"),
    [
        ("2026-10-05T00:05:00", datetime(2026, 10, 5, 0, 5), None),
        ("2026-10-05 00:05", datetime(2026, 10, 5, 0, 5), None),
        ("2026-10-05T00:05Z", datetime(2026, 10, 5, 0, 5), 0),
        ("2026-10-05T00:05:00+00:00", datetime(2026, 10, 5, 0, 5), 0),
        ("2026-10-05T00:05:00-00:00", datetime(2026, 10, 5, 0, 5), 0),
        ("2022-01-06T00:00:00.000+0100", datetime(2022, 1, 6), HOUR_US),
        ("2022-01-06T00:00:00+01", datetime(2022, 1, 6), HOUR_US),
        ("2026-03-02T14:30:00-05:30", datetime(2026, 3, 2, 14, 30), -5 * HOUR_US - HOUR_US // 2),
        ("2024-08-09T00:00:01.437Z", datetime(2024, 8, 9, 0, 0, 1, 437_000), 0),
        ("2025-11-10T17:23:53.9717449Z", datetime(2025, 11, 10, 17, 23, 53, 971_744), 0),
        ("2024-02-29T23:59:59", datetime(2024, 2, 29, 23, 59, 59), None),
    ],
)
def test_reads_dates_with_a_time_of_day(text: str, local: datetime, offset: int | None) -> None:
    assert iso(text) == (local, offset)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "not a time",
        "invalid_ts",
        "2026-10-05",
        "2026-10",
        "2026-10-05T24:00:00",
        "2026-10-05T23:60:00",
        "2026-10-05T23:59:60",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00",
        "2026-W40-1T00:00",
        "2026-278T00:00",
        "2026-10-05T08",
        "2026-10-05T08:05:",
        "2026-10-05T08:05.5",
        "2026-10-05T08:05:00 EST",
        "2026-10-05T08:05:00[America/New_York]",
        "2026-10-05T08:05:00+24:00",
        "2026-10-05T08:05:00+01:60",
        "10/05/2026 08:05",
        "20261005T080500Z",
        "1791176700",
        " 2026-10-05T08:05:00",
        "2026-10-05T08:05:00Z\n",
        "٢٠٢٦-10-05T08:05:00",
    ],
)
def test_reads_nothing_into_other_texts(text: str | None) -> None:
    assert iso(text)[0] is None


def test_reads_repeated_and_distinct_labels_alike() -> None:
    texts = ["2026-10-05T08:05:00Z", None, "x", "2026-10-05T08:05:00Z"] * 3
    assert read_iso(pl.Series(texts)).rows() == [iso(text) for text in texts]


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(["T", " "]),
    st.one_of(st.none(), st.integers(-14 * 60, 14 * 60)),
)
def test_agrees_with_the_standard_library(moment: datetime, separator: str, offset_min: int | None) -> None:
    zone = None if offset_min is None else timezone(timedelta(minutes=offset_min))
    text = moment.replace(tzinfo=zone).isoformat(sep=separator)
    assert iso(text) == (moment, None if offset_min is None else offset_min * 60_000_000)


@pytest.mark.parametrize(("text", "hours"), [("Z", 0), ("-00:00", 0), ("+0100", 1), ("+01", 1), ("-05:00", -5)])
def test_measures_offsets(text: str, hours: int) -> None:
    assert offset_us(text) == hours * HOUR_US


def clocked(local: datetime | None, zone: str) -> tuple[datetime | None, bool]:
    return on_clock(pl.Series([local], dtype=pl.Datetime("us")), pl.Series([zone])).row(0)


@pytest.mark.parametrize(
    ("local", "zone", "instant", "ambiguous"),
    [
        (datetime(2026, 7, 1, 12), "Etc/GMT+5", datetime(2026, 7, 1, 17, tzinfo=UTC), False),
        (datetime(2026, 7, 1, 12), NEW_YORK, datetime(2026, 7, 1, 16, tzinfo=UTC), False),
        (datetime(2026, 11, 1, 1, 30), NEW_YORK, datetime(2026, 11, 1, 5, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 1, 1, 30), "Etc/GMT+5", datetime(2026, 11, 1, 6, 30, tzinfo=UTC), False),
        (datetime(2026, 3, 8, 2, 30), "Etc/GMT+5", datetime(2026, 3, 8, 7, 30, tzinfo=UTC), False),
        (datetime(2026, 3, 8, 2, 30), NEW_YORK, None, False),
        (datetime(2026, 3, 8, 3, 0), NEW_YORK, datetime(2026, 3, 8, 7, tzinfo=UTC), False),
        (datetime(2026, 3, 8, 2, 30), "America/Chicago", None, False),
        (None, "UTC", None, False),
    ],
)
def test_puts_local_times_on_their_clock(
    local: datetime | None, zone: str, instant: datetime | None, ambiguous: bool
) -> None:
    assert clocked(local, zone) == (instant, ambiguous)


def test_reads_instants_off_their_clocks() -> None:
    moment = datetime(2026, 7, 1, 2, tzinfo=UTC)
    read = off_clock(pl.Series([moment, moment, None, moment]), pl.Series(["UTC", NEW_YORK, "UTC", NEW_YORK]))
    assert read.to_list() == [datetime(2026, 7, 1, 2), datetime(2026, 6, 30, 22), None, datetime(2026, 6, 30, 22)]


def test_keeps_each_clock_to_its_own_rows() -> None:
    noon = datetime(2026, 1, 5, 12)
    zones = ["UTC", NEW_YORK, "America/Los_Angeles", "UTC"]
    read = on_clock(pl.Series([noon] * 4, dtype=pl.Datetime("us")), pl.Series(zones))
    assert read["instant"].to_list() == [noon.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for zone in zones]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1_791_176_700, 1_791_176_700_000_000),
        (1_791_177_000_000, 1_791_177_000_000_000),
        (1_791_177_000_000_001, 1_791_177_000_000_001),
        (1_791_177_300_000_000_999, 1_791_177_300_000_000),
        (631_152_000, 631_152_000_000_000),
        (4_102_444_799, 4_102_444_799_000_000),
        (631_151_999, None),
        (4_102_444_800, None),
        (0, None),
        (20_261_005, None),
        (202_610_050_825, None),
        (20_261_005_082_500, None),
        (4_102_444_800_000_000_000, None),
        (9_223_372_036_854_775_807, None),
        (None, None),
    ],
)
def test_guesses_the_unit_of_a_number_by_its_range(number: int | None, expected: int | None) -> None:
    assert epoch_us(pl.Series([number], dtype=pl.Int64)).to_list() == [expected]


@pytest.mark.parametrize(("instant", "inside"), [(-1, False), (0, True), (LATEST_US - 1, True), (LATEST_US, False)])
def test_knows_the_years_that_tables_hold(instant: int, inside: bool) -> None:
    assert within_years(instant) == inside
