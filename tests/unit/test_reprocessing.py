from datetime import datetime, timedelta

import polars as pl
import pytest

from domain.batch import INSTANT
from domain.gold.interval import Interval, period_code
from domain.gold.window import arrived
from domain.identity import SERIES
from domain.reprocessing import RecomputeRequest, RecomputeRequests, Waiting, base_windows, halved, requests_for
from domain.silver.tick import Tick, TickBatch
from tests.builders import at, tick

BASE = Interval.parse("5m")
NONE = pl.Series([], dtype=pl.Int64)


def late(*facts: Tick) -> pl.DataFrame:
    count = len(facts)
    partition, offset = (
        pl.Series("partition", [0] * count, dtype=pl.Int32),
        pl.Series("offset", range(count), dtype=pl.Int64),
    )
    return arrived(TickBatch.of(facts).frame, partition, offset, BASE)


def request(
    start: str = "10:00", interval: str = "5m", reason: str = "late", instrument_id: str = "NG_HH"
) -> RecomputeRequest:
    return RecomputeRequest(
        tenant_id="default",
        instrument_id=instrument_id,
        interval=interval,
        interval_start=at(start),
        reason=reason,
        cause="j",
        series=f"default|{instrument_id}",
    )


def windows(*requests: RecomputeRequest, base: str = "5m") -> list[tuple[str, datetime, datetime, str]]:
    placed = RecomputeRequests.of(requests).frame.with_columns(
        partition=pl.lit(0, dtype=pl.Int32), offset=pl.int_range(pl.len())
    )
    return base_windows(placed, Interval.parse(base)).drop("partition", "offset").rows()


def test_late_ticks_ask_once_for_each_window_and_say_which_of_them_did() -> None:
    facts = (
        tick("10:01", raw_offset=7),
        tick("10:02", raw_offset=8),
        tick("10:07", raw_partition=3),
        tick("10:01", instrument_id="B"),
    )
    asked = requests_for(late(*facts), pl.Series([False, False, True, False]), BASE).facts()
    assert [(a.series, a.interval, a.interval_start, a.reason) for a in asked] == [
        ("default|NG_HH", "5m", at("10:00"), "late"),
        ("default|NG_HH", "5m", at("10:05"), "correction"),
        ("default|B", "5m", at("10:00"), "late"),
    ]
    assert asked[0].cause == "ingestion.market.ticks.raw.v1/0/7"


def test_a_window_that_any_tick_corrects_is_a_correction() -> None:
    asked = requests_for(late(tick("10:01"), tick("10:02")), pl.Series([False, True]), BASE).facts()
    assert [a.reason for a in asked] == ["correction"]


def test_no_late_ticks_ask_for_nothing() -> None:
    assert requests_for(late(), pl.Series([], dtype=pl.Boolean), BASE) == RecomputeRequests.empty()


def waiting(*rows: tuple[str, str, int]) -> pl.DataFrame:
    """Windows of an instrument, by its name, their start and the offset of the request."""
    columns = [
        pl.Series("series", [f"default|{name}" for name, _, _ in rows], dtype=SERIES),
        pl.Series("start", [at(start) for _, start, _ in rows], dtype=INSTANT),
        pl.Series("end", [at(start) + timedelta(minutes=5) for _, start, _ in rows], dtype=INSTANT),
        pl.Series("cause", ["late"] * len(rows)),
        pl.Series("partition", [2] * len(rows), dtype=pl.Int32),
        pl.Series("offset", [offset for _, _, offset in rows], dtype=pl.Int64),
    ]
    return pl.DataFrame(columns)


def test_windows_wait_once_and_are_served_in_the_order_they_came() -> None:
    first = Waiting().joined_by(waiting(("A", "10:00", 3))).joined_by(waiting(("B", "10:00", 4)))
    queue = first.joined_by(waiting(("A", "10:00", 9), ("A", "10:05", 10)))
    assert len(queue) == 3
    served = queue.served(2, NONE, NONE)
    assert served.windows["offset"].to_list() == [3, 4]
    assert (served.rest.windows["offset"].to_list(), served.due) == ([10], 1)


def test_windows_that_are_not_sealed_go_on_waiting_and_are_not_due() -> None:
    queue = Waiting().joined_by(waiting(("A", "10:00", 3), ("A", "10:05", 4), ("A", "10:10", 5)))
    first = queue.windows[:1]
    code = period_code(first["series"], first["start"])
    for closing, still_open, due in ((code, NONE, 2), (NONE, code, 1)):
        served = queue.served(1, closing, still_open)
        assert (served.windows["offset"].to_list(), served.rest.windows["offset"].to_list()) == ([4], [3, 5])
        assert served.due == due


def test_what_is_asked_for_together_waits_instrument_by_instrument() -> None:
    asked = waiting(("A", "10:05", 3), ("B", "10:00", 4), ("A", "10:00", 5), ("B", "10:05", 6), ("A", "10:10", 7))
    queue = Waiting().joined_by(asked)
    assert queue.windows["offset"].to_list() in ([5, 3, 7, 4, 6], [4, 6, 5, 3, 7])
    assert queue.joined_by(waiting(("A", "09:55", 8))).windows["offset"][-1] == 8


def test_the_floor_is_the_first_offset_that_waits() -> None:
    queue = Waiting().joined_by(waiting(("A", "10:05", 7), ("A", "10:00", 8)))
    assert queue.floors({1: 5, 2: 20}) == {1: 5, 2: 7}
    assert queue.without([1]).floors({2: 20}) == {2: 7}
    assert queue.without([2]).floors({2: 20}) == {2: 20}


def test_windows_asked_for_again_are_computed_once() -> None:
    assert windows(request(reason="late"), request("10:05"), request(reason="correction")) == [
        ("default|NG_HH", at("10:00"), at("10:05"), "late"),
        ("default|NG_HH", at("10:05"), at("10:10"), "late"),
    ]


@pytest.mark.parametrize(
    ("asked", "base", "starts"),
    [
        (request("10:00", "15m"), "5m", ["10:00", "10:05", "10:10"]),
        (request("10:00", "1h"), "15m", ["10:00", "10:15", "10:30", "10:45"]),
        (request("10:05", "5m"), "15m", ["10:00"]),
        (request("10:55", "5m"), "1h", ["10:00"]),
    ],
)
def test_a_request_of_another_base_interval_covers_what_it_asked_for(
    asked: RecomputeRequest, base: str, starts: list[str]
) -> None:
    assert [start for _, start, _, _ in windows(asked, base=base)] == [at(start) for start in starts]


def test_requests_of_several_base_intervals_share_windows() -> None:
    found = windows(request("10:00", "15m", "backfill"), request("10:10", "5m"), request("10:15", "5m"))
    assert [(start, cause) for _, start, _, cause in found] == [
        (at("10:00"), "backfill"),
        (at("10:05"), "backfill"),
        (at("10:10"), "backfill"),
        (at("10:15"), "late"),
    ]


def test_no_requests_ask_for_no_windows() -> None:
    assert windows() == []


def spans(*facts: tuple[str, datetime, datetime]) -> pl.DataFrame:
    schema = {"series": SERIES, "start": INSTANT, "end": INSTANT}
    return pl.DataFrame(facts, schema=schema, orient="row")


def instants(*clocks: str) -> pl.Series:
    return pl.Series([at(clock) for clock in clocks], dtype=INSTANT)


def test_many_windows_are_halved_by_number() -> None:
    one, two, three = (("A", at(f"10:0{n}"), at(f"10:0{n + 1}")) for n in range(3))
    assert [half.rows() for half in halved(spans(one, two, three), instants("10:00:10"))] == [[one], [two, three]]


def test_one_window_is_halved_amid_its_ticks() -> None:
    window, middle = ("A", at("10:00"), at("10:05")), at("10:00:20")
    halves = halved(spans(window), instants("10:00:30", "10:00:10", "10:00:20"))
    assert [half.rows() for half in halves] == [[("A", window[1], middle)], [("A", middle, window[2])]]


def test_a_window_whose_ticks_are_at_its_start_is_halved_behind_them() -> None:
    start, middle, end = at("10:00"), at("10:00") + timedelta(microseconds=1), at("10:05")
    halves = halved(spans(("A", start, end)), instants("10:00", "10:00"))
    assert [half.rows() for half in halves] == [[("A", start, middle)], [("A", middle, end)]]


def test_an_instant_can_not_be_halved() -> None:
    instant = at("10:00")
    assert halved(spans(("A", instant, instant + timedelta(microseconds=1))), instants("10:00")) == ()
