"""What the label of a price means, feed by feed, with the policies that come with the program."""

from datetime import UTC, datetime

import polars as pl
import pytest

from adapters.memory.policies import MemoryPolicies
from domain.silver.feed import FeedPolicy
from domain.silver.labels import place

FEEDS = MemoryPolicies.from_files().feeds()
MISO_RT = ("MISO", "lmp", "RT")
TRADES = ("BINANCE", "tick", "")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def policy(feed: tuple[str, str, str]) -> FeedPolicy:
    found = FEEDS.find(*feed)
    assert found is not None
    return found


def labelled(feed: tuple[str, str, str], *labels: tuple[str | None, str | None]) -> pl.DataFrame:
    found = policy(feed)
    return pl.DataFrame(
        {
            "time": pl.Series([time for time, _ in labels], dtype=pl.String),
            "end_time": pl.Series([end for _, end in labels], dtype=pl.String),
            "clock": [found.clock] * len(labels),
            "label": [str(found.label)] * len(labels),
            "interval_us": pl.Series([found.interval_s and found.interval_s * 1_000_000] * len(labels), dtype=pl.Int64),
            "naive_by_policy": [found.naive_by_policy] * len(labels),
        }
    )


def read(feed: tuple[str, str, str], time: str | None, end: str | None = None) -> dict[str, object]:
    return place(labelled(feed, (time, end))).row(0, named=True)


@pytest.mark.parametrize(
    ("feed", "time", "ts", "interval_end"),
    [
        (("MISO", "lmp", "DA"), "2026-10-01T00:00:00", utc(2026, 10, 1, 5), utc(2026, 10, 1, 6)),
        (("MISO", "lmp", "RT_HOURLY"), "2026-07-01T00:00:00", utc(2026, 7, 1, 5), utc(2026, 7, 1, 6)),
        (MISO_RT, "2026-10-02T15:00:00", utc(2026, 10, 2, 19, 55), utc(2026, 10, 2, 20)),
        (MISO_RT, "2026-03-08T02:30:00", utc(2026, 3, 8, 7, 25), utc(2026, 3, 8, 7, 30)),
        (MISO_RT, "2026-10-02T15:00:00Z", utc(2026, 10, 2, 19, 55), utc(2026, 10, 2, 20)),
        (MISO_RT, "2026-10-02T15:00:00+00:00", utc(2026, 10, 2, 19, 55), utc(2026, 10, 2, 20)),
        (MISO_RT, "2026-10-02T15:00:00-04:00", utc(2026, 10, 2, 18, 55), utc(2026, 10, 2, 19)),
        (("MISO", "lmp", "EXANTE"), "2026-10-02T15:00:00", utc(2026, 10, 2, 20), None),
        (("MISO", "as", ""), "2026-10-02T15:00:00", utc(2026, 10, 2, 20), utc(2026, 10, 2, 21)),
        (("NYISO", "lbmp", "DA"), "2026-07-01T00:00:00", utc(2026, 7, 1, 4), utc(2026, 7, 1, 5)),
        (("NYISO", "lbmp", "RT"), "2026-07-01T00:15:00", utc(2026, 7, 1, 4), utc(2026, 7, 1, 4, 15)),
        (("NYISO", "rt_lbmp", "RT"), "2026-01-01T00:05:00", utc(2026, 1, 1, 5), utc(2026, 1, 1, 5, 5)),
        (("PJM", "lmp", "DA"), "2026-07-01T00:00:00+00:00", utc(2026, 7, 1, 4), utc(2026, 7, 1, 5)),
        (("PJM", "rtm_lmp", "RT"), "2026-07-01T00:00:00", utc(2026, 7, 1, 4), utc(2026, 7, 1, 4, 5)),
        (("ISONE", "rt_lmp", "RT"), "2026-07-01T00:00:00", utc(2026, 7, 1, 4), utc(2026, 7, 1, 4, 5)),
        (("ERCOT", "dam", ""), "2026-07-01T00:00:00", utc(2026, 7, 1, 5), utc(2026, 7, 1, 6)),
        (("ERCOT", "rtm", ""), "2026-01-01T00:00:00", utc(2026, 1, 1, 6), utc(2026, 1, 1, 6, 15)),
        (("AESO", "pool_price", ""), "2026-10-05 00:00", utc(2026, 10, 5), utc(2026, 10, 5, 1)),
        (("PJM", "rpm", ""), "2026-07-01", utc(2026, 7, 1, 4), None),
        (("MISO", "pra", ""), "2026-07-01", utc(2026, 7, 1, 5), None),
        (("MISO", "pra", ""), "2026-07-01T13:00:00Z", utc(2026, 7, 1, 5), None),
        (("ERCOT", "crr", ""), "2026-07-01T00:00:00-05:00", utc(2026, 7, 1, 5), None),
        (("NYISO", "icap", ""), "2026-03", utc(2026, 3, 1, 5), utc(2026, 4, 1, 4)),
        (("NYISO", "icap", ""), "2026-12-15", utc(2026, 12, 1, 5), utc(2027, 1, 1, 5)),
        (("NYISO", "icap", ""), "2026-05-01T00:00:00Z", utc(2026, 5, 1, 4), utc(2026, 6, 1, 4)),
        (("NYISO", "icap", ""), "2026-05-01T00:00:00-04:00", utc(2026, 5, 1, 4), utc(2026, 6, 1, 4)),
        (("NYISO", "icap", ""), "2026-11-30T23:00:00-08:00", utc(2026, 12, 1, 5), utc(2027, 1, 1, 5)),
        (TRADES, "2024-08-09T00:00:01.437Z", utc(2024, 8, 9, 0, 0, 1, 437_000), None),
        (TRADES, "2024-08-09T00:00:01", utc(2024, 8, 9, 0, 0, 1), None),
        (TRADES, "2022-01-06T00:00:00.000+0100", utc(2022, 1, 5, 23), None),
    ],
)
def test_each_feed_labels_its_prices_in_its_own_way(
    feed: tuple[str, str, str], time: str, ts: datetime, interval_end: datetime | None
) -> None:
    assert read(feed, time) == {
        "ts": ts,
        "interval_end": interval_end,
        "bad_time": False,
        "bad_end": False,
        "ambiguous": False,
        "guessed": False,
    }


def test_an_end_the_source_states_counts() -> None:
    placed = read(("CAISO", "lmp", "RTPD"), "2024-01-01T07:15:00-00:00", "2024-01-01T07:30:00-00:00")
    assert (placed["ts"], placed["interval_end"]) == (utc(2024, 1, 1, 7, 15), utc(2024, 1, 1, 7, 30))


def test_a_stated_end_of_one_price_says_nothing_of_the_next() -> None:
    label = "2026-10-05 00:00"
    placed = place(labelled(("AESO", "pool_price", ""), (label, "2026-10-05 00:07"), (label, None), (label, " ")))
    assert placed["interval_end"].to_list() == [utc(2026, 10, 5, 0, 7), utc(2026, 10, 5, 1), utc(2026, 10, 5, 1)]
    assert placed["bad_end"].to_list() == [False, False, False]


@pytest.mark.parametrize(
    "end", ["2024-01-01T07:15:00Z", "2024-01-01T07:00:00Z", "soon", "2024-01-01", "2101-01-01T00:00Z"]
)
def test_an_end_must_come_after_its_start(end: str) -> None:
    assert read(("CAISO", "lmp", "RTPD"), "2024-01-01T07:15:00-00:00", end)["bad_end"] is True


@pytest.mark.parametrize(
    ("feed", "time"),
    [
        (TRADES, None),
        (TRADES, ""),
        (TRADES, "2026-10-05"),
        (TRADES, "2026-10"),
        (TRADES, "1969-12-31T23:59:59Z"),
        (TRADES, "2100-01-01T00:00:00Z"),
        (TRADES, "1600-01-01T00:05:00"),
        (TRADES, "42"),
        (TRADES, "-1791176700"),
        (TRADES, "1791176700.5"),
        (TRADES, "17911767000000000000000"),
        (MISO_RT, "1970-01-01T00:00:00+00:30"),
        (MISO_RT, "2026-10-05"),
        (("NYISO", "lbmp", "RT"), "2026-03-08T02:15:00"),
        (("NYISO", "lbmp", "RT"), "2026-03-08T02:15:00Z"),
        (("PJM", "rpm", ""), "2026-07"),
        (("PJM", "rpm", ""), "2026-02-30"),
        (("NYISO", "icap", ""), "2026-13"),
    ],
)
def test_refuses_what_names_no_instant(feed: tuple[str, str, str], time: str | None) -> None:
    assert read(feed, time)["bad_time"] is True


def test_takes_the_first_of_a_local_time_that_exists_twice() -> None:
    placed = read(("NYISO", "lbmp", "RT"), "2026-11-01T01:15:00")
    assert (placed["ts"], placed["ambiguous"]) == (utc(2026, 11, 1, 5), True)


def test_asks_no_clock_where_the_source_says_which() -> None:
    placed = read(("NYISO", "lbmp", "RT"), "2026-11-01T01:15:00-05:00")
    assert (placed["ts"], placed["ambiguous"]) == (utc(2026, 11, 1, 6), False)


@pytest.mark.parametrize("number", ["1791176700", "1791176700000", "1791176700000000", "1791176700000000000"])
def test_an_integer_is_an_instant_that_is_still_moved_to_the_start(number: str) -> None:
    placed = read(MISO_RT, number)
    assert (placed["ts"], placed["interval_end"]) == (utc(2026, 10, 5, 5), utc(2026, 10, 5, 5, 5))
    assert placed["guessed"] is True


def test_an_integer_may_name_a_month() -> None:
    placed = place(labelled(("NYISO", "icap", ""), ("1777608000", None), ("1777607999", None), ("soon", None)))
    assert placed["ts"].to_list() == [utc(2026, 5, 1, 4), utc(2026, 4, 1, 4), None]
    assert placed["interval_end"].to_list() == [utc(2026, 6, 1, 4), utc(2026, 5, 1, 4), None]
    assert placed["guessed"].to_list() == [True, True, False]


@pytest.mark.parametrize(
    ("label", "guessed"),
    [
        ("2026-04-01T10:00:00-05:00", False),
        ("2026-04-02T02:00:00+00:30", False),
        ("2026-04-01T23:00:00Z", False),
        ("1775055600", True),
    ],
)
def test_an_instant_names_the_day_its_market_s_clock_shows(label: str, guessed: bool) -> None:
    placed = read(("PJM", "rpm", ""), label)
    assert (placed["ts"], placed["guessed"]) == (utc(2026, 4, 1, 4), guessed)


def test_an_integer_may_name_an_end() -> None:
    placed = read(("CAISO", "lmp", "DAM"), "2026-10-05T04:00:00Z", "1791176700")
    assert (placed["interval_end"], placed["guessed"]) == (utc(2026, 10, 5, 5, 5), True)


def test_one_bad_label_leaves_its_neighbours_alone() -> None:
    placed = place(labelled(MISO_RT, ("2026-10-02T15:00:00", None), ("x", None), ("1791176700", None)))
    assert placed["ts"].to_list() == [utc(2026, 10, 2, 19, 55), None, utc(2026, 10, 5, 5)]
    assert placed["bad_time"].to_list() == [False, True, False]
