"""What bars become of ticks, through the loop, on tables and a log in memory."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import polars as pl
import pytest

from application import topics
from application.ports.errors import NewerLogic
from application.ports.event_log import TopicPartition
from application.stage import Share
from application.stages.aggregate import AggregateBars
from domain.batch import INSTANT
from domain.gold.bar import LOGIC_EPOCH
from domain.gold.lateness import Adaptation
from domain.gold.window import Limits
from domain.identity import SERIES
from domain.reprocessing import RecomputeRequest, RecomputeRequests
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch, content_digests
from tests.aggregating import QUICK, Aggregation
from tests.builders import at, micros, tick, ticks
from tests.unit.gold.oracle import bars_of, read

FIRST, SECOND, CLOSING = tick("10:01", "3.30"), tick("10:06", "3.31"), tick("10:20", "3.32")
"""One of each of the first windows, and one that closes both."""


def again(fact: Tick, **changes: Any) -> Tick:
    """The same statement, made a day later."""
    later = fact.ingested_at + timedelta(days=1)
    if "price" in changes:
        changes["price"] = Decimal(changes["price"])
    return attrs.evolve(fact, ingested_at=later, version=micros(later) * 4096, **changes)


def states(aggregation: Aggregation, interval: str = "5m") -> list[tuple[datetime, str, str]]:
    return aggregation.final(interval).select("interval_start", "state", "reason").rows()


def told(aggregation: Aggregation, interval: str = "5m") -> list[tuple[datetime, str, str]]:
    return [(bar.interval_start, bar.state, f"{bar.close_price:.2f}") for bar in aggregation.told(interval)]


@pytest.fixture
def aggregation() -> Aggregation:
    return Aggregation()


def test_a_touched_window_is_provisional_and_so_are_the_bars_above_it(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    for interval, start in (("5m", at("10:00")), ("1h", at("10:00")), ("1d", at("00:00"))):
        assert states(aggregation, interval) == [(start, "provisional", "live")]
        assert told(aggregation, interval) == [(start, "provisional", "3.30")]


def test_a_window_that_the_watermark_passed_is_final(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING)
    assert states(aggregation) == [
        (at("10:00"), "final", "live"),
        (at("10:05"), "final", "live"),
        (at("10:20"), "provisional", "live"),
    ]
    assert aggregation.seals.final()["sealed_until"].to_list() == [at("10:10")]
    assert states(aggregation, "1h") == [(at("10:00"), "provisional", "live")]


def test_a_final_bar_follows_a_provisional_one_of_equal_content_and_is_announced(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    aggregation.take(CLOSING)
    assert told(aggregation)[:1] == [(at("10:00"), "provisional", "3.30")]
    assert (at("10:00"), "final", "3.30") in told(aggregation)


def test_coarser_bars_are_final_once_the_seal_has_reached_their_end(aggregation: Aggregation) -> None:
    aggregation.take(tick("10:01"), tick("10:58"))
    aggregation.take(tick("11:10"))
    assert states(aggregation, "1h") == [(at("10:00"), "final", "live"), (at("11:00"), "provisional", "live")]
    aggregation.take(tick("2026-10-06T00:20:00"), tick("2026-10-06T00:40:00"))
    assert [state for _, state, _ in states(aggregation, "1d")] == ["final", "provisional"]


def test_a_coarser_bar_becomes_final_though_none_of_its_children_closes_now(aggregation: Aggregation) -> None:
    aggregation.take(tick("10:01"), tick("12:30"))
    assert aggregation.column("state", "1h") == ["provisional", "provisional"]
    aggregation.take(tick("12:50"))
    assert aggregation.column("state", "1h") == ["final", "provisional"]
    assert (at("10:00"), "final", "3.30") in told(aggregation, "1h")


def test_windows_are_told_of_about_once_a_second_but_closings_at_once() -> None:
    aggregation = Aggregation(patience=attrs.evolve(QUICK, provisional_every_s=1.0))
    aggregation.take(FIRST)
    aggregation.take(tick("10:02", "3.40"))
    assert told(aggregation) == []
    aggregation.take(CLOSING)
    assert told(aggregation) == [(at("10:00"), "final", "3.40")]
    aggregation.wait(1.0)
    assert told(aggregation)[1:] == [(at("10:20"), "provisional", "3.32")]


def announcements(aggregation: Aggregation) -> list[str]:
    return [topic for topic, _ in aggregation.heard]


def test_repeats_of_open_and_of_closed_ticks_announce_nothing_and_ask_for_nothing(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING)
    before = announcements(aggregation)
    for fact in (CLOSING, FIRST, SECOND, FIRST):
        aggregation.take(again(fact))
    assert announcements(aggregation) == before
    assert states(aggregation)[0] == (at("10:00"), "final", "live")


def test_a_repeat_that_arrives_with_the_close_asks_for_nothing(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING, again(FIRST))
    assert aggregation.asked() == []


def test_a_new_late_tick_revises_exactly_its_bars(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING, tick("11:30"), tick("11:50"))
    aggregation.take(tick("10:02", "9"))
    assert [(request.interval_start, request.reason) for request in aggregation.asked()] == [(at("10:00"), "late")]
    assert states(aggregation)[:2] == [(at("10:00"), "revised", "late"), (at("10:05"), "final", "live")]
    assert aggregation.column("close_price")[:2] == [9, Decimal("3.31")]
    assert states(aggregation, "1h")[0] == (at("10:00"), "revised", "late")
    assert aggregation.column("high_price", "1d") == [9]


def test_a_corrected_late_tick_revises_its_bars_as_a_correction(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING, tick("11:30"), tick("11:50"))
    aggregation.take(again(FIRST, price="5"))
    assert states(aggregation)[0] == (at("10:00"), "revised", "correction")
    assert states(aggregation, "1h")[0] == (at("10:00"), "revised", "correction")
    assert (aggregation.column("open_price")[0], aggregation.column("trade_count")[0]) == (5, 1)


@pytest.mark.parametrize("closed", [False, True])
def test_a_tick_stated_again_of_another_market_is_a_correction(aggregation: Aggregation, closed: bool) -> None:
    said = (again(FIRST, market="ICE"), CLOSING)
    aggregation.take(FIRST)
    for fact in reversed(said) if closed else said:
        aggregation.take(fact)
    assert aggregation.column("market")[0] == "ICE"


@pytest.mark.parametrize("prices", [("3.30", "5"), ("5", "3.30")])
@pytest.mark.parametrize("late", [False, True])
def test_of_two_equally_new_statements_the_greater_content_counts(
    aggregation: Aggregation, late: bool, prices: tuple[str, str]
) -> None:
    first, second = (tick("10:01", price) for price in prices)
    greater = max((first, second), key=lambda fact: content_digests(ticks(fact).frame).item())
    for fact in (first, CLOSING, second) if late else (first, second, CLOSING):
        aggregation.take(fact)
    assert aggregation.column("close_price")[0] == greater.price
    assert [request.reason for request in aggregation.asked()] == ["correction"] * (late and greater is second)


def test_coarser_bars_are_revised_for_the_reason_of_the_bar_that_changed(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING, tick("2026-10-06T01:00:00"), tick("2026-10-06T02:00:00"))
    aggregation.restart()
    aggregation.take(again(FIRST), again(SECOND, price="9"), again(CLOSING))
    assert states(aggregation)[:3] == [
        (at("10:00"), "final", "live"),
        (at("10:05"), "revised", "late"),
        (at("10:20"), "final", "live"),
    ]
    assert states(aggregation, "1h")[0] == (at("10:00"), "revised", "late")
    assert states(aggregation, "1d")[0] == (at("00:00"), "revised", "late")


def test_a_late_tick_of_lower_version_is_no_repeat_but_changes_nothing(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    aggregation.take(attrs.evolve(FIRST, version=1, price=Decimal(9)))
    assert len(aggregation.asked()) == 1
    assert states(aggregation)[0] == (at("10:00"), "final", "live")


def test_a_late_repeat_that_nobody_remembers_is_recomputed_once_and_changes_nothing(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING)
    aggregation.restart()
    before = states(aggregation)
    for _ in range(3):
        aggregation.take(again(FIRST))
    assert len(aggregation.asked()) == 1
    assert states(aggregation) == before


def test_a_repeat_may_swap_two_sources_of_one_instant_and_then_it_counts(aggregation: Aggregation) -> None:
    rival = tick("10:01", "4", source_id="rival", version=FIRST.version + 1)
    aggregation.take(FIRST, rival, CLOSING)
    assert aggregation.column("close_price")[0] == 4
    swapped = again(FIRST)
    aggregation.take(swapped)
    assert read(aggregation.final()) == bars_of([FIRST, rival, CLOSING, swapped], "5m")


def test_gaps_have_no_bar(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    assert aggregation.column("interval_start") == [at("10:00"), at("10:20")]


def test_ticks_from_beyond_their_horizon_are_in_no_bar_and_close_nothing(aggregation: Aggregation) -> None:
    future = tick("2030-01-01T00:00:00", quality_flags=int(Flag.TS_FUTURE))
    aggregation.take(FIRST, future)
    assert states(aggregation) == [(at("10:00"), "provisional", "live")]
    assert aggregation.committed() != {}


def test_nor_are_they_in_a_bar_that_is_computed_anew(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    aggregation.silver.upsert(TickBatch.of([tick("10:02", "9", quality_flags=int(Flag.TS_FUTURE))]))
    aggregation.take(tick("10:03", "3.35"))
    assert aggregation.column("high_price")[0] == Decimal("3.35")


def test_a_feed_that_falls_silent_closes_its_windows(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    aggregation.wait(899)
    assert aggregation.column("state") == ["provisional"]
    aggregation.wait(1)
    assert aggregation.column("state") == ["final"]
    floors = aggregation.committed()
    assert floors == {
        where.partition: end for where, end in aggregation.log.end_offsets([topics.ENRICHED]).items() if end
    }


LATE = [tick(f"08:{minute}", str(minute)) for minute in (45, 46, 47)]
"""More than two hours behind 11:00, where an unknown feed is allowed two."""
ADAPTIVE = attrs.evolve(QUICK, lateness_s={}, adaptation=Adaptation(after=3))


def allowed_s(aggregation: Aggregation) -> list[float]:
    """What the feeds are allowed to be late, in seconds."""
    stage = aggregation.loop.stage
    assert isinstance(stage, AggregateBars)
    return [mark.lateness_us / 1_000_000 for mark in stage.marks.values()]


def test_a_feed_that_is_often_late_is_allowed_to_be() -> None:
    aggregation = Aggregation(patience=ADAPTIVE)
    aggregation.take(tick("11:00"))
    assert allowed_s(aggregation) == [7200]
    aggregation.take(*LATE)
    assert allowed_s(aggregation) == [10_800]


def test_what_is_stated_again_was_not_late() -> None:
    aggregation = Aggregation(patience=ADAPTIVE)
    aggregation.take(*LATE)
    aggregation.take(tick("11:00"))
    aggregation.take(*[again(fact) for fact in LATE])
    assert allowed_s(aggregation) == [7200]


def test_a_batch_that_spans_hours_is_not_hours_late() -> None:
    aggregation = Aggregation(patience=ADAPTIVE)
    aggregation.take(tick("08:00"))
    aggregation.take(tick("09:00"), tick("10:00"), tick("11:00"))
    assert allowed_s(aggregation) == [3600]


def test_lateness_that_is_set_stays_as_it_is() -> None:
    aggregation = Aggregation(patience=attrs.evolve(ADAPTIVE, lateness_s={"trades": 600}))
    aggregation.take(tick("11:00"))
    aggregation.take(*LATE)
    assert allowed_s(aggregation) == [600]


def test_content_does_not_depend_on_lateness() -> None:
    aggregation = Aggregation(patience=ADAPTIVE)
    facts = [tick("11:00"), *LATE, tick("13:00"), tick("08:44", "1")]
    for fact in facts:
        aggregation.take(fact)
    assert read(aggregation.ended().final()) == bars_of(facts, "5m")


def test_the_end_of_an_input_leaves_open_windows_provisional() -> None:
    aggregation = Aggregation(patience=attrs.evolve(QUICK, provisional_every_s=60.0))
    aggregation.take(FIRST)
    assert aggregation.final().height == 0
    assert states(aggregation.ended()) == [(at("10:00"), "provisional", "live")]


def test_the_floor_is_committed_and_not_the_position(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, tick("10:02"))
    (floor,) = aggregation.committed().values()
    assert floor == 0
    aggregation.take(CLOSING)
    (floor,) = aggregation.committed().values()
    assert floor == 2


def test_a_restart_reads_open_windows_again_and_ends_in_the_same_tables(aggregation: Aggregation) -> None:
    facts = [FIRST, SECOND, tick("10:07", "9")]
    aggregation.take(*facts)
    before = aggregation.final()
    aggregation.restart()
    aggregation.drain()
    assert aggregation.final().equals(before)
    aggregation.take(tick("10:02", "1"))
    assert read(aggregation.final()) == bars_of([*facts, tick("10:02", "1")], "5m")


def test_what_was_sealed_stays_late_after_a_restart_though_its_watermark_died(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    aggregation.restart()
    aggregation.take(tick("10:02", "9"))
    assert [request.interval_start for request in aggregation.asked()] == [at("10:00")]
    assert states(aggregation)[0] == (at("10:00"), "revised", "late")


def test_after_a_restart_what_is_unchanged_is_announced_once_more(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    before = len(aggregation.told())
    aggregation.restart()
    aggregation.drain()
    assert told(aggregation)[before:] == [(at("10:00"), "provisional", "3.30")]
    aggregation.wait(1.0)
    assert len(aggregation.told()) == before + 1


def left_by_another(aggregation: Aggregation, *facts: Tick) -> None:
    """Another process, gone since, had stored the 10:00 bar of these ticks."""
    other = Aggregation()
    other.take(*facts)
    aggregation.silver.upsert(TickBatch.of(facts))
    aggregation.bars["5m"].upsert(other.bars["5m"].within(TEN_OCLOCK))


TEN_OCLOCK = pl.DataFrame(
    {"series": ["default|NG_HH"], "start": [at("10:00")], "end": [at("10:05")]},
    schema={"series": SERIES, "start": INSTANT, "end": INSTANT},
)


def test_a_close_that_finds_a_fuller_bar_stored_recomputes_it_before_its_seal(aggregation: Aggregation) -> None:
    left_by_another(aggregation, FIRST, tick("10:02", "9"))
    aggregation.take(FIRST, CLOSING)
    assert states(aggregation)[0] == (at("10:00"), "final", "live")
    assert aggregation.column("trade_count")[0] == 2
    assert aggregation.meter.figures["recompute_trigger_count"] == 1


def test_a_close_that_finds_the_same_bar_of_a_higher_revision_still_makes_it_final(aggregation: Aggregation) -> None:
    """Another process had seen a repeat before it was gone; this one closes the window without it."""
    left_by_another(aggregation, FIRST, again(FIRST))
    aggregation.take(FIRST, CLOSING)
    assert states(aggregation)[0] == (at("10:00"), "final", "live")
    assert (at("10:00"), "final", "3.30") in told(aggregation)


def test_while_a_window_is_open_a_fuller_bar_stored_stays_and_is_not_announced_over(aggregation: Aggregation) -> None:
    left_by_another(aggregation, FIRST, tick("10:02", "9"))
    aggregation.take(FIRST)
    assert (aggregation.column("trade_count"), told(aggregation)) == ([2], [])


def test_windows_that_hold_back_too_much_close_early_and_what_still_comes_is_late() -> None:
    aggregation = Aggregation(patience=attrs.evolve(QUICK, limits=Limits(lag=1)))
    aggregation.take(FIRST)
    aggregation.take(tick("10:06", instrument_id="NG_HH"), tick("10:07"))
    assert states(aggregation)[0][1] == "final"
    aggregation.take(tick("10:02", "9"))
    assert aggregation.column("close_price")[0] == 9


def request(
    start: str, interval: str = "5m", reason: str = "backfill", instrument_id: str = "NG_HH"
) -> RecomputeRequests:
    fact = RecomputeRequest(
        tenant_id="default",
        instrument_id=instrument_id,
        interval=interval,
        interval_start=at(start),
        reason=reason,
        cause="job-1",
        series=f"default|{instrument_id}",
    )
    return RecomputeRequests.of([fact])


def test_a_backfill_uses_the_same_door(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, SECOND, CLOSING, tick("11:30"), tick("11:50"))
    aggregation.silver.upsert(TickBatch.of([tick("10:02", "9"), tick("10:07", "1")]))
    aggregation.ask(request("10:00", "15m"))
    aggregation.drain()
    assert states(aggregation)[:2] == [(at("10:00"), "revised", "backfill"), (at("10:05"), "revised", "backfill")]
    assert states(aggregation, "1h")[0] == (at("10:00"), "revised", "backfill")
    assert aggregation.committed(topics.RECOMPUTE).values()


def asked_for_two_windows() -> Aggregation:
    """One of them is served a turn, and the first turn is over."""
    aggregation = Aggregation(patience=attrs.evolve(QUICK, recomputed_at_once=1))
    aggregation.take(FIRST, SECOND, CLOSING, tick("11:30"), tick("11:50"))
    aggregation.silver.upsert(TickBatch.of([tick("10:02", "9"), tick("10:07", "1")]))
    aggregation.ask(request("10:00", "15m"))
    aggregation.turn()
    return aggregation


def remembered(aggregation: Aggregation, interval: str = "5m") -> list[tuple[datetime, str, str, str]]:
    """What bars were: start, close, state and reason, in the order of their revisions."""
    rows = aggregation.revisions.final().filter(interval=interval).sort("interval_start", "revision")
    return [
        (start, f"{close:.2f}", state, reason)
        for start, close, state, reason in rows.select("interval_start", "close_price", "state", "reason").rows()
    ]


def test_every_content_a_bar_has_had_is_remembered(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    aggregation.take(tick("10:02", "4"))
    aggregation.take(CLOSING)
    aggregation.take(tick("10:03", "5"))
    ten = at("10:00")
    assert [row for row in remembered(aggregation) if row[0] == ten] == [
        (ten, "3.30", "provisional", "live"),
        (ten, "4.00", "provisional", "live"),
        (ten, "5.00", "revised", "late"),
    ]


def test_a_bar_that_only_settles_or_is_stated_again_is_not_remembered_twice(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    aggregation.take(CLOSING)
    aggregation.take(again(FIRST))
    assert len([row for row in remembered(aggregation) if row[0] == at("10:00")]) == 1


def test_a_bar_is_known_since_the_last_of_its_ticks_was(aggregation: Aggregation) -> None:
    facts = [FIRST, tick("10:02"), again(SECOND), CLOSING]
    aggregation.take(*facts)
    latest = {name: aggregation.final(name)["known_at"].max() for name in aggregation.names}
    assert aggregation.column("known_at")[0] == max(FIRST.ingested_at, facts[1].ingested_at)
    assert latest["1h"] == latest["1d"] == again(SECOND).ingested_at


def test_of_many_requests_some_are_served_a_turn_and_the_floor_waits_for_the_others() -> None:
    aggregation = asked_for_two_windows()
    assert [state for _, state, _ in states(aggregation)[:2]] == ["revised", "final"]
    assert set(aggregation.committed(topics.RECOMPUTE).values()) <= {0}
    aggregation.drain()
    assert [state for _, state, _ in states(aggregation)[:2]] == ["revised", "revised"]
    assert 1 in aggregation.committed(topics.RECOMPUTE).values()


def test_live_ticks_need_not_wait_for_requests() -> None:
    aggregation = asked_for_two_windows()
    aggregation.arrive(tick("13:00", "5"))
    aggregation.turn()
    assert at("13:00") in aggregation.column("interval_start")
    assert set(aggregation.committed(topics.RECOMPUTE).values()) <= {0}, "the third window still waits"


def owed(aggregation: Aggregation) -> set[int]:
    """What the last commits say is still to be told."""
    progress = aggregation.log.progress("aggregation", [topics.RECOMPUTE])
    return {come.owed for come in progress.values()}


def test_requests_that_wait_are_owed_until_they_are_served() -> None:
    aggregation = asked_for_two_windows()
    assert max(owed(aggregation)) > 0
    aggregation.drain()
    assert max(owed(aggregation)) == 0


def test_a_process_that_stands_still_while_others_close_its_window_leaves_their_bar() -> None:
    aggregation, first, second = Aggregation(names=("5m",)), tick("10:01", "3.30"), tick("10:02", "3.31")
    known_next, repeated = again(first, price="9.99"), again(again(second))
    aggregation.take(first, second)
    aggregation.silver.upsert(TickBatch.of([repeated]))  # and not announced yet
    aggregation.ask(request("10:00"))
    aggregation.clock.seconds += 1000  # the feed is silent, and the window closes
    stalled = aggregation.loop

    def overtaken(_number: int, effect: str) -> None:
        if effect == "store" and aggregation.loop is stalled:
            stalled.close()
            aggregation.restart()
            aggregation.take(known_next)
            aggregation.take(tick("10:20"))

    aggregation.script.failing = overtaken
    stalled.step()
    assert aggregation.column("open_price")[0] == known_next.price
    aggregation.take(repeated)
    assert aggregation.column("open_price")[0] == known_next.price


def test_a_restart_serves_the_requests_that_were_waiting() -> None:
    aggregation = asked_for_two_windows()
    aggregation.restart()
    aggregation.drain()
    assert [state for _, state, _ in states(aggregation)[:2]] == ["revised", "revised"]


def test_requests_of_a_revoked_partition_are_left_to_its_next_owner() -> None:
    aggregation = asked_for_two_windows()
    aggregation.loop.stage.revoked([TopicPartition(topics.RECOMPUTE, number) for number in range(6)])
    aggregation.turn()
    assert [state for _, state, _ in states(aggregation)[:2]] == ["revised", "final"]


def test_a_request_for_a_window_that_has_no_ticks_changes_nothing(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    before = aggregation.final()
    aggregation.ask(request("03:00"))
    aggregation.drain()
    assert aggregation.final().equals(before)
    assert set(aggregation.committed(topics.RECOMPUTE).values()) == {1}


def test_a_request_for_a_window_that_is_still_open_waits_for_its_close_and_holds_up_nobody(
    aggregation: Aggregation,
) -> None:
    aggregation.take(FIRST)
    before = aggregation.final()
    aggregation.ask(request("10:00"))
    aggregation.ask(request("03:00"))
    aggregation.drain()
    assert aggregation.final().equals(before)
    assert set(aggregation.committed(topics.RECOMPUTE).values()) == {0}

    aggregation.silver.upsert(TickBatch.of([tick("10:02", "9")]))
    aggregation.take(CLOSING)
    assert states(aggregation)[0] == (at("10:00"), "revised", "backfill")
    assert set(aggregation.committed(topics.RECOMPUTE).values()) == {2}


def test_a_recompute_that_changes_nothing_keeps_state_and_reason(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    before = announcements(aggregation)
    aggregation.ask(request("10:00"))
    aggregation.drain()
    assert states(aggregation)[0] == (at("10:00"), "final", "live")
    assert announcements(aggregation) == before


def test_a_recompute_of_a_sealed_window_never_keeps_it_provisional(aggregation: Aggregation) -> None:
    """The seal outlived the bar that was to be stored before it, as in a table that was restored from an older copy."""
    provisional = Aggregation()
    provisional.take(FIRST)
    aggregation.take(FIRST, CLOSING)
    aggregation.bars["5m"] = provisional.bars["5m"]
    aggregation.restart()
    aggregation.ask(request("10:00"))
    aggregation.drain()
    assert states(aggregation)[0] == (at("10:00"), "final", "live")


def test_several_instruments_tenants_and_partitions_keep_apart(aggregation: Aggregation) -> None:
    facts = [
        tick(f"10:0{minute}", str(minute), instrument_id=f"I{number}", tenant_id=tenant)
        for number in range(8)
        for minute in (1, 3)
        for tenant in ("default", "tenant-1")
    ]
    aggregation.take(*facts)
    assert len(aggregation.committed()) > 1
    assert read(aggregation.ended().final()) == bars_of(facts, "5m")


def test_two_members_share_the_partitions_and_end_in_the_same_bars(aggregation: Aggregation) -> None:
    facts = [
        tick(f"10:{minute:02}", str(minute), instrument_id=f"I{number}") for number in range(8) for minute in (1, 3, 30)
    ]
    other = aggregation.process()
    for begin in range(0, len(facts), 5):
        aggregation.arrive(*facts[begin : begin + 5])
        aggregation.turn()
        other.step()
    other.close()
    aggregation.drain()
    assert read(aggregation.ended().final()) == bars_of(facts, "5m")


def test_a_revoked_partition_is_forgotten_with_its_windows(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    stage = aggregation.loop.stage
    stage.revoked([TopicPartition(topics.ENRICHED, number) for number in range(6)])
    outcome = stage.finish()
    assert outcome.store == ()
    assert outcome.then is None


def test_what_was_known_of_ticks_is_forgotten_where_another_process_had_them_meanwhile(
    aggregation: Aggregation,
) -> None:
    stage, there = aggregation.loop.stage, {TopicPartition(topics.ENRICHED, number): Share() for number in range(6)}
    aggregation.take(FIRST, SECOND, CLOSING)
    correction = again(FIRST, price="9")
    stage.revoked(list(there))
    aggregation.silver.upsert(TickBatch.of([correction]))
    stage.assigned(there)

    aggregation.take(again(correction, price=str(FIRST.price)))
    assert [request.reason for request in aggregation.asked()] == ["late"]


@pytest.mark.parametrize(
    "names", [("5m",), ("5m", "15m", "4h"), ("15m", "45m", "1h", "1d"), ("1m", "5m", "1h", "12h", "1d")]
)
def test_bars_of_any_intervals_are_those_of_the_oracle(names: tuple[str, ...]) -> None:
    aggregation = Aggregation(names=names)
    facts = [
        tick(f"{hour}:{minute:02}", f"{hour}.{minute}", volume=str(minute), instrument_id=name)
        for name in ("NG_HH", "CAISO.LMP.DAM.X")
        for hour in (0, 6, 7, 8, 23)
        for minute in (0, 4, 29, 44, 59)
    ]
    for fact in facts[::-1]:
        aggregation.arrive(fact)
    aggregation.ended()
    for name in names:
        assert read(aggregation.final(name)) == bars_of(facts, name), name


def test_a_newer_logic_epoch_stops_the_loop_before_it_commits(aggregation: Aggregation) -> None:
    aggregation.take(FIRST)
    before = aggregation.committed()
    aggregation.epoch.mark(LOGIC_EPOCH + 1)
    aggregation.arrive(CLOSING)
    with pytest.raises(NewerLogic, match="a newer release owns these tables"):
        aggregation.drain()
    assert aggregation.committed() == before


def test_figures_are_counted(aggregation: Aggregation) -> None:
    aggregation.take(FIRST, CLOSING)
    aggregation.take(tick("10:02"))
    assert aggregation.meter.figures["recompute_trigger_count"] == 1
    assert aggregation.meter.figures["aggregation_bars_generated_total"] > 0


@pytest.mark.parametrize("read_at_once", [1, 2, 3, 5])
def test_what_does_not_fit_into_memory_is_computed_in_slices(read_at_once: int) -> None:
    late = [tick("10:02", "9"), tick("10:02", "8", source_seq=1), tick("10:02:30", "7", volume="2"), tick("10:07", "6")]
    worlds = [
        Aggregation(patience=attrs.evolve(QUICK, read_at_once=limit)) for limit in (QUICK.read_at_once, read_at_once)
    ]
    at_once = [tick("10:03", str(price), source_seq=price) for price in range(1, 8)]
    for world in worlds:
        world.take(FIRST, SECOND, *at_once, tick("10:04", "3", source_id="other"), CLOSING)
        world.take(*late)
        world.take(again(late[0]), again(late[1], price="1"))
    whole, sliced = worlds
    for name in whole.names:
        assert sliced.final(name).equals(whole.final(name))


# An owner that stands still while another goes on


def overtaken(stalled: Aggregation, meanwhile: Callable[[], None]) -> None:
    """Let the process at work stand still before it stores, another take over and do this, and the first one go on."""
    process, went = stalled.loop, list[int]()

    def stand_still(_: int, effect: str) -> None:
        if effect == "store" and stalled.loop is process and not went:
            went.append(1)
            process.close()
            meanwhile()

    stalled.script.failing = stand_still
    process.step()
    stalled.script.failing = lambda *_: None


def test_a_repeat_that_a_former_owner_may_have_read_settles_its_bar_again_and_asks_once() -> None:
    """Its provisional bar counts the repeat, so it lies above the final one, which does not."""
    patient = attrs.evolve(QUICK, lateness_s={"trades": 3600.0})
    aggregation = Aggregation(names=("5m", "1h"), patience=patient)
    aggregation.take(FIRST)
    aggregation.arrive(CLOSING, again(FIRST))

    def take_over() -> None:
        aggregation.patience, aggregation.batch = QUICK, 2
        aggregation.restart()
        aggregation.batch = 20_000

    overtaken(aggregation, take_over)
    assert states(aggregation)[0] == (at("10:00"), "provisional", "live")

    aggregation.drain()
    assert states(aggregation)[0] == (at("10:00"), "final", "live")
    assert [asked.interval_start for asked in aggregation.asked()] == [at("10:00")]
    aggregation.take(again(again(FIRST)))
    assert len(aggregation.asked()) == 1


def test_who_goes_on_once_all_is_settled_does_not_have_the_last_word() -> None:
    """Its provisional bar counts the repeat, so it ranks above the final one that was told before the repeat was read."""
    patient = attrs.evolve(QUICK, lateness_s={"trades": 7200.0})
    aggregation = Aggregation(names=("5m", "1h"), patience=patient)
    aggregation.arrive(FIRST, tick("11:01"), tick("11:20"), again(FIRST))

    def take_over() -> None:
        aggregation.patience, aggregation.batch = QUICK, 3
        aggregation.restart()
        aggregation.batch = 20_000
        aggregation.drain()

    overtaken(aggregation, take_over)

    for name in aggregation.names:
        bars = [bar for bar in aggregation.told(name) if bar.interval_start == at("10:00")]
        assert states(aggregation, name)[0][1] == "final"
        assert max(bars, key=lambda bar: bar.revision).state == "final", name


def test_a_bar_computed_for_a_request_before_its_ticks_were_read_never_outlives_a_correction() -> None:
    """It lacks the correction, but counts a repeat that was not announced yet."""
    aggregation = Aggregation(names=("5m",))
    second = tick("10:02", "3.31")
    corrected, repeated = again(FIRST, price="9.99"), again(again(second))
    aggregation.silver.upsert(TickBatch.of([FIRST, second, repeated]))
    aggregation.ask(request("10:00"))

    def take_over() -> None:
        aggregation.arrive(FIRST, second)
        aggregation.restart()
        aggregation.drain()
        aggregation.take(corrected)
        aggregation.take(tick("10:20"))

    overtaken(aggregation, take_over)
    aggregation.arrive(repeated)
    aggregation.drain()
    assert aggregation.column("open_price")[0] == corrected.price


def test_a_bar_computed_for_a_request_before_its_ticks_were_read_is_settled_when_they_come_late(
    aggregation: Aggregation,
) -> None:
    slow = tick("10:01", "3.30", source_id="slow")
    aggregation.silver.upsert(TickBatch.of([slow]))
    aggregation.ask(request("10:00"))
    aggregation.drain()
    assert states(aggregation) == [(at("10:00"), "provisional", "backfill")]

    aggregation.take(tick("10:20"), tick("10:40"))
    aggregation.take(slow)
    assert states(aggregation)[0] == (at("10:00"), "final", "backfill")
