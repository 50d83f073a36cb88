from collections.abc import Iterator, Sequence

import attrs
import pytest

from adapters.memory.event_log import MemoryEventLog
from application import topics
from application.commands.load import LoadRaw
from application.ports.event_log import Listener
from application.ports.raw_source import BadInput, Lines
from domain.bronze.raw_event import RawEvents
from tests.builders import TEN, micros
from tests.performing import StandingClock

TOPIC = topics.RAW_TICKS
Said = tuple[int, int | None] | tuple[int, int | None, str]
"""Partition, offset where the line has one, and its id where it has one."""


@attrs.frozen
class Given:
    """A source that yields these batches of lines."""

    batches: Sequence[Sequence[Said]]
    topic: str = TOPIC
    recorded_us: int | None = 0

    def lines(self, at_most: int) -> Iterator[Lines]:
        for number, batch in enumerate(self.batches):
            events = RawEvents(
                topics=[self.topic] * len(batch),
                partitions=[said[0] for said in batch],
                offsets=[-1 if said[1] is None else said[1] for said in batch],
                timestamps_us=[self.recorded_us] * len(batch),
                values=[f"{number}.{row}".encode() for row in range(len(batch))],
            )
            ids = {row: said[2] for row, said in enumerate(batch) if len(said) == 3}
            places = [f"file{number}:{row + 1}" for row in range(len(batch))]
            yield Lines(events, ids, places, [said[1] is not None for said in batch])


@attrs.define
class Loading:
    log: MemoryEventLog = attrs.field(factory=lambda: MemoryEventLog(lambda _: 2, retain=True))
    clock: StandingClock = attrs.field(factory=StandingClock)

    def load(self, *batches: Sequence[Said], as_new: bool = False, recorded_us: int | None = 0) -> LoadRaw:
        load = LoadRaw(Given(batches, recorded_us=recorded_us), self.log, self.clock, as_new)
        assert [*load.batches(100)] == [len(batch) for batch in batches]
        return load

    def raw(self) -> RawEvents | None:
        """Everything in the log."""
        consumer = self.log.subscribe("reader", [TOPIC], Listener(lambda _: None, lambda _: None))
        raw = consumer.poll(1000, 0).raw
        consumer.close()
        return raw

    def held(self) -> list[tuple[int, int, bytes | None]]:
        """The same, by partition and offset."""
        raw = self.raw()
        return sorted(zip(raw.partitions, raw.offsets, raw.values, strict=True)) if raw else []

    def coordinates(self) -> list[tuple[int, int]]:
        return [(partition, offset) for partition, offset, _ in self.held()]


@pytest.fixture
def loading() -> Loading:
    return Loading()


def test_messages_keep_their_coordinates_gaps_included(loading: Loading) -> None:
    load = loading.load([(0, 3), (1, 0), (0, 7)], [(0, 8)])
    assert loading.coordinates() == [(0, 3), (0, 7), (0, 8), (1, 0)]
    assert (load.read, load.skipped) == (4, 0)


def test_a_message_that_is_in_the_log_already_is_skipped_so_a_load_can_be_repeated(loading: Loading) -> None:
    loading.load([(0, 0), (0, 1)])
    again = loading.load([(0, 0), (0, 1), (0, 2)], [(0, 1)])
    assert loading.held() == [(0, 0, b"0.0"), (0, 1, b"0.1"), (0, 2, b"0.2")]
    assert (again.read, again.skipped) == (4, 3)


def test_a_message_keeps_its_time_and_one_without_is_recorded_when_it_is_loaded(loading: Loading) -> None:
    loading.load([(0, 0)], recorded_us=5)
    loading.load([(0, 0), (0, 1)], recorded_us=None)
    raw = loading.raw()
    assert raw is not None
    assert raw.timestamps_us.to_list() == [5, micros(TEN)]


def test_a_coordinate_that_comes_twice_in_one_batch_counts_once(loading: Loading) -> None:
    load = loading.load([(0, 5), (0, 5), (0, 6), (0, 5)])
    assert loading.held() == [(0, 5, b"0.0"), (0, 6, b"0.2")]
    assert load.skipped == 2


def test_a_line_without_an_offset_gets_the_next_one(loading: Loading) -> None:
    loading.load([(0, 5)])
    loading.load([(0, None), (0, 9), (0, None), (1, None)])
    assert loading.coordinates() == [(0, 5), (0, 6), (0, 9), (0, 10), (1, 0)]


@pytest.mark.parametrize("batches", [([(0, 5)], [(0, 3)]), ([(0, 5), (0, 3)],)])
def test_a_line_below_one_of_the_same_load_is_named_with_what_puts_it_in_order(
    loading: Loading, batches: Sequence[Sequence[Said]]
) -> None:
    with pytest.raises(
        BadInput,
        match=r"file\d:\d: ingestion.market.ticks.raw.v1/0/3 .* below the end 6 .* earlier line .* a file .* --as-new",
    ):
        loading.load(*batches)


def test_a_line_below_what_was_loaded_before_is_named_with_what_helps(loading: Loading) -> None:
    loading.load([(0, 5)])
    with pytest.raises(BadInput, match=r"0/3 .* below the end 8 .* earlier load .* a new folder, .* --as-new"):
        loading.load([(0, 7), (0, 3)])


def test_as_new_gives_every_line_a_fresh_offset(loading: Loading) -> None:
    loading.load([(0, 7), (1, 0)])
    load = loading.load([(0, 7), (0, 3), (1, None)], [(0, 7)], as_new=True)
    assert loading.coordinates() == [(0, 7), (0, 8), (0, 9), (0, 10), (1, 0), (1, 1)]
    assert load.skipped == 0


def test_ids_are_kept_by_the_coordinate_a_message_got(loading: Loading) -> None:
    load = loading.load([(0, 0, "a"), (0, None, "b"), (0, 0, "again")])
    assert load.ids == {(TOPIC, 0, 0): "a", (TOPIC, 0, 1): "b"}
    new = loading.load([(0, 0, "c")], as_new=True)
    assert new.ids == {(TOPIC, 0, 2): "c"}


def test_the_id_of_a_message_that_is_skipped_is_kept_by_where_the_log_holds_it(loading: Loading) -> None:
    loading.load([(0, 0, "a"), (1, 3, "b")])
    again = loading.load([(0, 0, "a"), (1, 3, "b"), (1, 4, "c")], [(0, 0, "another")])
    assert again.ids == {(TOPIC, 0, 0): "a", (TOPIC, 1, 3): "b", (TOPIC, 1, 4): "c"}
    assert again.skipped == 3


def test_a_topic_that_nobody_reads_is_refused_before_anything_is_lost(loading: Loading) -> None:
    load = LoadRaw(Given([[(0, 0)]], topic="normalized.market.ticks.v1"), loading.log, loading.clock)
    with pytest.raises(BadInput, match=r"file0:1: nobody reads the topic 'normalized.market.ticks.v1'"):
        list(load.batches(100))
    assert loading.held() == []
