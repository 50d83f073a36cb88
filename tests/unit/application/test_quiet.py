"""Silence: gaps of an instrument, feeds that speak or don't, and seals."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs
import polars as pl
import pytest

from adapters.memory.feed_history import MemoryFeedHistory
from adapters.telemetry.meter import PrometheusMeter
from application.queries import feeds as module
from application.queries.feeds import FIGURES, FeedState, ReadFeeds, Voice
from application.queries.gaps import FindGaps, UnknownInstrument
from application.queries.seals import FindSeal
from domain.errors import BadInterval
from domain.gold.gap import Gap, Quiet
from domain.gold.interval import BarIntervals
from domain.gold.taxonomy import InstrumentKey
from domain.gold.watermark import Mark, feed_code
from tests.aggregating import Aggregation
from tests.builders import TEN, at, tick
from tests.performing import StandingClock, Tally

NG = InstrumentKey("default", "NG_HH")


@attrs.define
class HalfPastTen(StandingClock):
    """Half past ten, always."""

    def now(self) -> datetime:
        return at("10:30")


@pytest.fixture
def aggregation() -> Aggregation:
    world = Aggregation()
    world.take(tick("10:01"), tick("10:06", instrument_id="X"), tick("10:16"), tick("10:21", source_id="b"))
    return world.ended()


def finding(world: Aggregation) -> FindGaps:
    return FindGaps(world.bars, MemoryFeedHistory(world.silver), BarIntervals.parse(world.names), HalfPastTen())


def test_gaps_are_told_up_to_now(aggregation: Aggregation) -> None:
    assert finding(aggregation)(NG, "5m", TEN, None) == [
        Gap(start=at("10:05"), end=at("10:10"), bars=1, reason=Quiet.NO_TRADES),
        Gap(start=at("10:10"), end=at("10:15"), bars=1, reason=Quiet.FEED_GAP),
        Gap(start=at("10:25"), end=at("10:30"), bars=1, reason=Quiet.FEED_GAP),
    ]


def test_what_is_to_come_is_no_gap(aggregation: Aggregation) -> None:
    find = finding(aggregation)
    assert find(NG, "5m", at("10:25"), at("23:00")) == find(NG, "5m", at("10:25"), at("10:30"))
    assert find(NG, "5m", at("10:30"), at("23:00")) == []


def test_what_nobody_can_answer_is_refused(aggregation: Aggregation) -> None:
    with pytest.raises(BadInterval, match="there are of 5m, 1h, 1d"):
        finding(aggregation)(NG, "2m", TEN, None)
    with pytest.raises(UnknownInstrument, match="no tick of NOBODY"):
        finding(aggregation)(InstrumentKey("default", "NOBODY"), "5m", TEN, None)


def test_a_feed_is_live_until_it_was_silent_for_its_idle_limit(aggregation: Aggregation) -> None:
    read = ReadFeeds(aggregation.loop.stage, aggregation.clock, aggregation.meter)  # type: ignore[arg-type]
    mine = [feed for feed in read("default") if feed.source_id == "trades"]
    ours = next(feed for feed in mine if feed.watermark == at("10:06"))
    assert ours == FeedState(
        tenant_id="default",
        source_id="trades",
        partition=ours.partition,
        watermark=at("10:06"),
        heard_at=TEN,
        lateness_s=600,
        idle_s=900,
        state=Voice.LIVE,
    )
    aggregation.wait(900)
    told = {feed.partition: feed for feed in read() if feed.source_id == "trades"}[ours.partition]
    assert told == attrs.evolve(ours, state=Voice.SILENT, heard_at=TEN - timedelta(seconds=900))


def code(source_id: str, partition: int = 0) -> int:
    names = (pl.Series([name]) for name in ("default", source_id))
    found: int = feed_code(pl.Series([partition], dtype=pl.Int64), *names).item()
    return found


@attrs.define
class Heard:
    """Somebody who hears what a test says."""

    marks: Mapping[int, Mark]
    partitions: frozenset[int] = frozenset({0, 1})


def test_a_feed_of_a_partition_that_went_away_is_no_feed_of_ours() -> None:
    heard = Heard({code("a", partition=1): Mark(-(1 << 59), 0.0, 1_000_000, 60.0)})
    read = ReadFeeds(heard, StandingClock(30.0), Tally())
    (state,) = read()
    assert (state.watermark, state.state) == (None, Voice.LIVE)
    heard.marks = {}
    assert len(read()) == 1
    assert read("acme") == []
    heard.partitions = frozenset({0})
    assert read() == []


def test_a_feed_is_measured_as_long_as_its_partition_is_here() -> None:
    meter = PrometheusMeter(strict=True)
    clock = StandingClock(30.0)
    heard = Heard({code("a", partition): Mark(1_000_000, 0.0, 1_000_000, 60.0) for partition in (0, 1)})
    read = ReadFeeds(heard, clock, meter)

    read.notice()
    assert measured(meter, 'partition="1"') == FIGURES
    heard.partitions = frozenset({0})
    clock.sleep(10)
    read.notice()
    assert measured(meter, 'partition="1"') == ()
    assert measured(meter, 'partition="0"') == FIGURES


def measured(meter: PrometheusMeter, label: str) -> tuple[str, ...]:
    """The figures of feeds that are told with this label."""
    told = meter.exposition().decode().splitlines()
    return tuple(figure for figure in FIGURES if any(line.startswith(figure + "{") and label in line for line in told))


def test_only_so_many_feeds_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FEEDS", 2)
    marks = {
        feed: Mark(0, heard_at_s, 0, 60.0)
        for feed, heard_at_s in ((code("a"), 3.0), (code("b"), 1.0), (code("c"), 2.0))
    }
    read = ReadFeeds(Heard(marks), StandingClock(3.0), Tally())
    assert sorted(state.heard_at for state in read()) == [TEN - timedelta(seconds=1), TEN]


def test_a_seal_is_found(aggregation: Aggregation) -> None:
    aggregation.take(tick("12:00"))
    find = FindSeal(aggregation.seals)
    found = find(NG)
    assert found is not None
    assert found.sealed_until == at("10:20")
    assert find(InstrumentKey("acme", "NG_HH")) is None
