"""Any order, any cut, any repetition of the same ticks gives the same bars: those of an independent calculation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from domain.gold.window import Limits
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from tests.aggregating import QUICK, Aggregation, in_batches
from tests.builders import tick
from tests.unit.gold.oracle import bars_of, read

INTERVALS = ("5m", "1h", "1d")
INSTRUMENTS = ("NG_HH", "MISO.LMP.RT.A", "CAISO.LMP.RTM.B", "NYISO.LMP.RT.C", "BTCUSDT")
SOURCES = ("trades", "slow", "unheard-of")
NIGHTS = (datetime(2026, 3, 7, 22, tzinfo=UTC), datetime(2026, 10, 31, 22, tzinfo=UTC))
"""Before the days on which American clocks change."""
PRICES = ("3.30", "3.31", "-0.00000001", "0", "9999999999.99999999", "41.125")
VOLUMES = (None, "1", "2.5", "0", "-1", "0.00000003")
FLAGS = (0, 0, 0, int(Flag.PRICE_NEGATIVE), int(Flag.BAD_SEQUENCE | Flag.TS_ANCIENT))


@st.composite
def statements(draw: st.DrawFn, at_most: int = 40) -> list[Tick]:
    """Ticks of several instruments and feeds over two days: repeats, corrections, ties, some from beyond their horizon."""
    night = draw(st.sampled_from(NIGHTS))
    keys = draw(
        st.lists(
            st.tuples(
                st.sampled_from(INSTRUMENTS),
                st.one_of(st.integers(0, 40), st.integers(0, 2600)),
                st.sampled_from(SOURCES),
                st.integers(0, 1),
            ),
            min_size=1,
            max_size=at_most // 2,
        )
    )
    picks = draw(st.lists(st.integers(0, len(keys) - 1), max_size=at_most - len(keys)))
    chosen = [*range(len(keys)), *picks]
    versions = draw(st.permutations(range(1, len(chosen) + 1)))
    known_by = draw(st.sampled_from((0, 0, 3)))
    return [_stated(draw, night, keys[at], version, known_by) for at, version in zip(chosen, versions, strict=True)]


def _stated(draw: st.DrawFn, night: datetime, key: tuple[str, int, str, int], version: int, known_by: int) -> Tick:
    instrument_id, minute, source_id, seq = key
    # What was beyond the horizon at first need not be later, never the other way round: versions are times of knowledge.
    future = int(Flag.TS_FUTURE) if version <= known_by else 0
    return tick(
        night + timedelta(minutes=minute),
        draw(st.sampled_from(PRICES)),
        instrument_id=instrument_id,
        source_id=source_id,
        source_seq=seq,
        version=version * 4096,
        volume=draw(st.sampled_from(VOLUMES)),
        quality_flags=draw(st.sampled_from(FLAGS)) | future,
        market=instrument_id.split(".")[0],
        raw_offset=version,
    )


def all_read(aggregation: Aggregation) -> dict[str, Any]:
    return {name: read(aggregation.final(name)) for name in INTERVALS}


def all_expected(facts: list[Tick]) -> dict[str, Any]:
    return {name: bars_of(facts, name) for name in INTERVALS}


slowly = settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""A run of a whole aggregation takes a quarter of a second, too long to shrink what fails."""


@slowly
@given(data=st.data(), facts=statements())
def test_any_order_and_any_cut_give_the_bars_of_the_oracle(data: st.DataObject, facts: list[Tick]) -> None:
    arriving = data.draw(st.permutations(facts))
    again = data.draw(st.lists(st.sampled_from(facts), max_size=5))
    aggregation = Aggregation()
    for part in in_batches([*arriving, *again], data.draw(st.lists(st.integers(0, 60), max_size=6))):
        aggregation.take(*part)
        aggregation.clock.seconds += data.draw(st.sampled_from((0.0, 0.1, 1000.0)))
    assert all_read(aggregation.ended()) == all_expected(facts)


@slowly
@given(facts=statements(at_most=16), data=st.data())
def test_what_is_late_does_not_depend_on_how_ticks_were_batched(facts: list[Tick], data: st.DataObject) -> None:
    """Row by row, in one batch, and cut anywhere: the same seals, requests and final bars."""
    results = []
    for cuts in ([], range(len(facts)), data.draw(st.lists(st.integers(0, 16), max_size=4))):
        aggregation = Aggregation()
        for part in in_batches(facts, cuts):
            aggregation.arrive(*part)
            aggregation.turn()
        results.append((aggregation.seals.final().rows(), _asked_windows(aggregation)))
    assert results[1] == results[0]
    assert results[2] == results[0]


def _asked_windows(aggregation: Aggregation) -> set[tuple[str, datetime]]:
    return {(request.series, request.interval_start) for request in aggregation.asked()}


@slowly
@given(facts=statements(), data=st.data())
def test_processes_that_crash_anywhere_end_in_the_same_bars(facts: list[Tick], data: st.DataObject) -> None:
    aggregation = Aggregation(batch=data.draw(st.integers(1, 10)))
    for part in in_batches(facts, data.draw(st.lists(st.integers(0, 40), max_size=5))):
        aggregation.arrive(*part)
        for _ in range(data.draw(st.integers(0, 3))):
            aggregation.turn()
        if data.draw(st.booleans()):
            aggregation.restart()
        aggregation.clock.seconds += data.draw(st.sampled_from((0.0, 400.0, 1000.0)))
    assert all_read(aggregation.ended()) == all_expected(facts)


@slowly
@given(facts=statements(at_most=24), ticks=st.integers(1, 6), lag=st.integers(1, 6))
def test_closing_early_for_want_of_room_changes_no_bar(facts: list[Tick], ticks: int, lag: int) -> None:
    aggregation = Aggregation(patience=attrs.evolve(QUICK, limits=Limits(ticks=ticks, lag=lag)), batch=5)
    aggregation.arrive(*facts)
    assert all_read(aggregation.ended()) == all_expected(facts)


def test_the_oracle_itself_knows_a_short_day() -> None:
    facts = [
        tick("2026-03-08T07:30:00", "1", instrument_id="CAISO.X"),
        tick("2026-03-08T08:30:00", "2", instrument_id="CAISO.X"),
    ]
    bars = bars_of(facts, "1d")
    assert [(start, bar["interval_end"] - start, bar["mean_price"]) for (_, _, start), bar in sorted(bars.items())] == [
        (datetime(2026, 3, 7, 8, tzinfo=UTC), timedelta(hours=24), Decimal(1)),
        (datetime(2026, 3, 8, 8, tzinfo=UTC), timedelta(hours=23), Decimal(2)),
    ]
