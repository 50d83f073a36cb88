"""Which late ticks are repeats, on single ticks."""

from datetime import timedelta
from decimal import Decimal

import attrs
import polars as pl
import pytest

from domain.gold.interval import Interval
from domain.gold.recognition import KNOWN_BY, Recognition
from domain.gold.window import arrived
from domain.silver.tick import Tick, TickBatch
from tests.builders import micros, tick

BASE = Interval.parse("5m")
FIRST = tick("10:01", "3.30")
NONE = arrived(TickBatch.empty().frame, pl.Series([], dtype=pl.Int32), pl.Series([], dtype=pl.Int64), BASE)


def read(*facts: Tick) -> pl.DataFrame:
    """Ticks as they were read from partition 0, from offset 0 on."""
    offset = pl.int_range(len(facts), eager=True)
    return arrived(TickBatch.of(facts).frame, offset.cast(pl.Int32) * 0, offset, BASE)


def again(fact: Tick, price: str | None = None) -> Tick:
    """The same a second later, or at another price."""
    known = fact.ingested_at + timedelta(seconds=1)
    stated = fact.price if price is None else Decimal(price)
    return attrs.evolve(fact, ingested_at=known, version=micros(known) * 4096, price=stated)


@pytest.fixture
def recognition() -> Recognition:
    return Recognition(BASE, remembered=1000)


def closed(recognition: Recognition, *facts: Tick) -> None:
    recognition.learn(read(*facts), NONE[list(KNOWN_BY)], NONE, NONE)


def read_back(recognition: Recognition, *facts: Tick) -> None:
    recognition.learn(NONE, read(*facts)[list(KNOWN_BY)], NONE, NONE)


def judged(recognition: Recognition, *facts: Tick) -> list[tuple[bool, bool]]:
    """Of each late tick, whether it is a repeat, and whether it corrects what is known."""
    found = recognition.judge(read(*facts), NONE)
    return list(zip(found.repeat, found.corrects, strict=True))


def test_a_tick_that_nobody_knows_is_no_repeat_and_corrects_nothing(recognition: Recognition) -> None:
    assert judged(recognition, FIRST) == [(False, False)]


def test_the_same_version_and_the_same_content_are_repeats_and_other_content_corrects(recognition: Recognition) -> None:
    closed(recognition, FIRST)
    assert judged(recognition, FIRST, again(FIRST), again(FIRST, price="9")) == [
        (True, False),
        (True, False),
        (False, True),
    ]


def test_what_asks_is_unknown_until_it_is_read_back(recognition: Recognition) -> None:
    closed(recognition, FIRST)
    corrected = again(FIRST, price="9")
    recognition.learn(NONE, NONE[list(KNOWN_BY)], NONE, read(corrected))
    assert judged(recognition, FIRST, again(corrected)) == [(False, False), (False, False)]
    read_back(recognition, corrected)
    assert judged(recognition, again(corrected)) == [(True, False)]


def test_repeats_of_ticks_that_share_their_instant_with_another_source_are_never_idle(recognition: Recognition) -> None:
    other = attrs.evolve(FIRST, source_id="other")
    closed(recognition, FIRST, other)
    assert judged(recognition, again(FIRST), again(other)) == [(False, False)] * 2


def test_where_another_owner_may_have_read_the_first_repeat_asks(recognition: Recognition) -> None:
    recognition.inherit({0: 1})
    closed(recognition, FIRST)
    assert judged(recognition, FIRST, again(FIRST)) == [(True, False), (False, False)]
    assert recognition.judge(read(again(FIRST)), read(FIRST)).repeat.to_list() == [False]
    read_back(recognition, again(FIRST))
    assert judged(recognition, again(again(FIRST))) == [(True, False)]


def test_what_lies_behind_the_end_that_was_there_is_this_owners_alone(recognition: Recognition) -> None:
    recognition.inherit({0: 0})
    closed(recognition, FIRST)
    assert judged(recognition, again(FIRST)) == [(True, False)]


def test_a_window_that_was_computed_too_early_is_doubted(recognition: Recognition) -> None:
    closed(recognition, FIRST)
    recognition.doubt(read(FIRST)["window"])
    assert judged(recognition, again(FIRST)) == [(False, False)]


def test_whoever_forgets_knows_nothing(recognition: Recognition) -> None:
    closed(recognition, FIRST)
    recognition.forget()
    assert judged(recognition, FIRST) == [(False, False)]
