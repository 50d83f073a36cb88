"""Messages are replayed with key, partition and time, as fast, at the rate or at the pace that is asked for."""

from collections.abc import Iterator, Sequence

import attrs
import pytest

from application.commands.replay import ReplayPace, ReplayRaw
from application.ports.raw_source import Lines
from domain.bronze.raw_event import RawEvents
from tests.performing import StandingClock

SECOND_US = 1_000_000


@attrs.define
class Given:
    """A source of one message at each of these seconds; None says nothing about when it came."""

    seconds: Sequence[float | None]
    keyed: bool = True

    def lines(self, at_most: int) -> Iterator[Lines]:
        for begin in range(0, len(self.seconds), at_most):
            yield self._lines(range(begin, min(begin + at_most, len(self.seconds))))

    def _lines(self, rows: range) -> Lines:
        events = RawEvents(
            topics=["raw.v1"] * len(rows),
            partitions=[row % 2 for row in rows],
            offsets=list(rows),
            timestamps_us=[
                None if came is None else round(came * SECOND_US) for came in map(self.seconds.__getitem__, rows)
            ],
            values=[b"%d" % row for row in rows],
        )
        keys = [b"key %d" % row for row in rows] if self.keyed else ()
        return Lines(events, {0: "first"}, [f"f:{row}" for row in rows], [True] * len(rows), keys)


@attrs.define
class Fed:
    """A feed that notes what it was given, and when."""

    clock: StandingClock
    given: list[tuple[float, RawEvents, list[bytes | None]]] = attrs.field(factory=list)

    def append(self, events: RawEvents, keys: Sequence[bytes | None]) -> None:
        self.given.append((self.clock.seconds, events, list(keys)))

    @property
    def when(self) -> list[tuple[float, int]]:
        return [(seconds, len(events)) for seconds, events, _ in self.given]


def replayed(source: Given, pace: ReplayPace | None = None, topic: str | None = None) -> Fed:
    clock = StandingClock()
    fed = Fed(clock)
    command = ReplayRaw(source, fed, clock, pace or ReplayPace(), topic)
    sent = list(command.batches())
    assert sent[-1] == command.sent == len(source.seconds)
    return fed


def test_everything_goes_at_once_where_no_pace_is_asked_for() -> None:
    assert replayed(Given([0, 50, 100])).when == [(0, 3)]


def test_a_message_keeps_its_key_partition_time_and_bytes() -> None:
    ((_, events, keys),) = replayed(Given([7, 8])).given

    assert (keys, list(events.partitions), list(events.timestamps_us), list(events.values)) == (
        [b"key 0", b"key 1"],
        [0, 1],
        [7 * SECOND_US, 8 * SECOND_US],
        [b"0", b"1"],
    )


def test_messages_without_keys_have_none() -> None:
    assert replayed(Given([1, 2], keyed=False)).given[0][2] == [None, None]


def test_everything_can_go_to_another_topic() -> None:
    ((_, events, _),) = replayed(Given([1]), topic="ingestion.miso.raw.v1").given

    assert events.topics.to_list() == ["ingestion.miso.raw.v1"]


def test_at_a_rate_messages_go_in_quarters_of_a_second() -> None:
    assert replayed(Given([0.0] * 10), ReplayPace(rate=16)).when == [(0, 4), (0.25, 4), (0.5, 2)]


def test_a_rate_below_one_in_a_slice_still_goes_on() -> None:
    assert replayed(Given([0.0] * 2), ReplayPace(rate=0.5)).when == [(0, 1), (2, 1)]


def test_at_a_speed_messages_go_when_they_came_so_many_times_faster() -> None:
    assert replayed(Given([100, 100.1, 110, 130]), ReplayPace(speed=10)).when == [(0, 2), (1, 1), (3, 1)]


def test_messages_out_of_time_order_are_not_waited_for() -> None:
    assert replayed(Given([100, 90, 110]), ReplayPace(speed=10)).when == [(0, 1), (0, 1), (1, 1)]


def test_a_message_that_does_not_say_when_it_came_goes_with_its_neighbours_and_the_log_says_its_time() -> None:
    fed = replayed(Given([None, 100, None, 110]), ReplayPace(speed=10))
    assert fed.when == [(0, 3), (1, 1)]
    assert fed.given[0][1].timestamps_us.to_list() == [None, 100 * SECOND_US, None]
    assert replayed(Given([None, None]), ReplayPace(speed=10)).when == [(0, 2)]


def test_a_source_with_nothing_sends_nothing() -> None:
    clock = StandingClock()

    assert list(ReplayRaw(Given([]), Fed(clock), clock, ReplayPace(speed=1)).batches()) == []


@pytest.mark.parametrize(("begin", "end", "ids"), [(0, 3, {0: "first"}), (0, 2, {0: "first"}), (1, 3, {})])
def test_a_part_of_lines_keeps_what_stands_beside_its_messages(begin: int, end: int, ids: dict[int, str]) -> None:
    (lines,) = Given([1, 2, 3]).lines(3)

    part = lines.part(begin, end)

    assert (part.events.values, part.ids, part.places, part.keys) == (
        [b"0", b"1", b"2"][begin:end],
        ids,
        ["f:0", "f:1", "f:2"][begin:end],
        [b"key 0", b"key 1", b"key 2"][begin:end],
    )
