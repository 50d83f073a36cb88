"""What keeps commits from advancing: asked for at any time, told now and then."""

import attrs
import pytest

from application.ports.errors import LogUnavailable, StoreUnavailable
from application.troubles import Troubles, Vigilance
from tests.aggregating import Lines
from tests.performing import StandingClock

AWAY = StoreUnavailable("nobody answers", "clickhouse")


@attrs.frozen
class Bench:
    """Troubles with a clock that the test moves."""

    clock: StandingClock = attrs.field(factory=StandingClock)
    journal: Lines = attrs.field(factory=Lines)

    def troubles(self) -> Troubles:
        return Troubles("normalization", self.clock, self.journal, Vigilance(told_every_s=30, slow_after_s=10))


def test_none_at_first() -> None:
    troubles = Bench().troubles()

    assert (troubles.told, troubles.away) == ("", frozenset())


def test_a_failed_call_is_in_trouble_until_it_succeeds() -> None:
    troubles = Bench().troubles()
    troubles.begin("storing a")
    troubles.fail("storing a", AWAY, "storing a failed")
    before = troubles.told, troubles.away
    troubles.succeed("storing b")
    meanwhile = troubles.told
    troubles.succeed("storing a")

    assert before == ("storing a: nobody answers", frozenset({"clickhouse"}))
    assert meanwhile == "storing a: nobody answers"
    assert (troubles.told, troubles.away) == ("", frozenset())


def test_what_has_no_name_is_told_in_words_alone() -> None:
    troubles = Bench().troubles()
    troubles.fail("polling", LogUnavailable("not now"), "polling failed")

    assert (troubles.told, troubles.away) == ("polling: not now", frozenset())


def test_one_thing_that_comes_and_goes_is_told_of_once_in_a_while() -> None:
    bench = Bench()
    troubles = bench.troubles()
    for bench.clock.seconds, what in ((0, "storing a"), (5, "storing b"), (29, "storing a"), (31, "storing b")):
        troubles.fail(what, AWAY, f"{what} failed")
        troubles.succeed(what)

    assert bench.journal.told == ["storing a failed", "it works again", "storing b failed", "it works again"]


def test_two_things_are_told_of_each_by_itself_and_the_end_only_when_no_call_fails_any_more() -> None:
    bench = Bench()
    troubles = bench.troubles()
    troubles.fail("storing a", AWAY, "a failed")
    troubles.fail("committing", LogUnavailable("no broker", "kafka"), "commit failed")
    troubles.fail("storing b", AWAY, "b failed")
    troubles.succeed("storing a")
    troubles.succeed("storing b")

    assert bench.journal.told == ["a failed", "commit failed", "it works again"]
    assert troubles.away == {"kafka"}


@pytest.mark.parametrize(("after_s", "told"), [(10, ""), (11, "storing a has not returned for 11 s")])
def test_a_call_that_does_not_return_is_trouble_after_a_while(after_s: int, told: str) -> None:
    bench = Bench()
    troubles = bench.troubles()
    troubles.begin("storing a")
    bench.clock.seconds = after_s

    assert troubles.told == told
    troubles.succeed("storing a")
    assert troubles.told == ""


def test_a_call_that_failed_and_is_tried_again_is_one_trouble() -> None:
    bench = Bench()
    troubles = bench.troubles()
    troubles.fail("storing a", AWAY, "a failed")
    troubles.begin("storing a")
    bench.clock.seconds = 60

    assert troubles.told == "storing a: nobody answers"
