"""What every event log promises, whatever it is made of."""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest

from adapters.memory.event_log import MemoryEventLog
from adapters.sql.event_log import SqliteEventLog
from adapters.wire.events import EventCodec, WireFormat
from application.ports.errors import LogUnavailable
from application.ports.event_log import Consumer, Doubt, EventLog, Listener, Polled, Progress, TopicPartition
from domain.bronze.raw_event import RawEvents
from domain.silver.tick import Tick, TickBatch
from tests.builders import TEN, as_far_as, tick, ticks
from tests.support.kafka import Cluster, Heard, mock_kafka, real_kafka, unused

PARTITIONS = 4
NAMES = [f"INSTRUMENT_{number}" for number in range(12)]
"""Enough for every partition to get some."""


@attrs.define
class World:
    """A log with two typed topics and a raw one, all with as many partitions, and the members of its groups."""

    log: EventLog
    typed: str
    twin: str
    raw: str
    put: Callable[[RawEvents], None]
    group: str = attrs.field(factory=lambda: unused("group"))
    members: list[Consumer] = attrs.field(factory=list)

    def join(self, *topics: str, group: str = "", listener: Listener | None = None) -> Consumer:
        """Another member."""
        consumer = self.log.subscribe(group or self.group, topics or (self.typed,), listener or Heard().listener)
        self.members.append(consumer)
        return consumer

    def leave(self, consumer: Consumer) -> None:
        """A member leaves."""
        self.members.remove(consumer)
        consumer.close()

    def everywhere(self, topic: str) -> set[TopicPartition]:
        """All partitions of a topic."""
        return {TopicPartition(topic, number) for number in range(PARTITIONS)}


def in_memory(stack: ExitStack) -> World:
    log = MemoryEventLog(lambda _: PARTITIONS, retain=True)
    return World(log, unused("ticks"), unused("twin"), unused("raw"), log.append)


def on_disk(stack: ExitStack, held_records: int) -> World:
    typed, twin = unused("ticks"), unused("twin")
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="dataproc-log-")))
    codec = EventCodec(dict.fromkeys((typed, twin), TickBatch), WireFormat.AVRO)
    log = SqliteEventLog(folder, codec, lambda _: PARTITIONS, retain=True, held_records=held_records)
    stack.callback(log.close)
    return World(log, typed, twin, unused("raw"), log.append)


def on_kafka(cluster: Cluster, stack: ExitStack) -> World:
    typed, twin, raw = (cluster.topic(name, PARTITIONS) for name in ("ticks", "twin", "raw"))
    log = cluster.log(typed, twin, partitions=PARTITIONS)
    stack.callback(log.close)
    return World(log, typed, twin, raw, lambda events: put_on_kafka(cluster, events))


def put_on_kafka(cluster: Cluster, events: RawEvents) -> None:
    for number in sorted(set(events.partitions)):
        rows = [row for row, partition in enumerate(events.partitions) if partition == number]
        part = events.taken(rows)
        cluster.put(part.topics[0], part.values, number, [stamp // 1000 for stamp in part.timestamps_us])


WORLDS: dict[str, Callable[[ExitStack], World]] = {
    "memory": in_memory,
    "SQLite, at hand": lambda stack: on_disk(stack, held_records=1_000),
    "SQLite, from the file": lambda stack: on_disk(stack, held_records=0),
    "librdkafka's mock": lambda stack: on_kafka(mock_kafka(stack), stack),
    "Kafka": lambda stack: on_kafka(real_kafka(), stack),
}
MARKS = {"Kafka": [pytest.mark.services]}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in WORLDS])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        made = WORLDS[request.param](stack)
        yield made
        for consumer in made.members:
            consumer.close()


def some_ticks(count: int = 24) -> list[Tick]:
    return [tick(instrument_id=NAMES[number % len(NAMES)], source_seq=number) for number in range(count)]


def some_raw(topic: str, *partitions: int) -> RawEvents:
    """One message a named partition, each a second after the one before."""
    offsets = [list(partitions[:at]).count(number) for at, number in enumerate(partitions)]
    return RawEvents(
        topics=[topic] * len(partitions),
        partitions=list(partitions),
        offsets=offsets,
        timestamps_us=[1_790_000_000_000_000 + at * 1_000_000 for at in range(len(partitions))],
        values=[f"message {at}".encode() for at in range(len(partitions))],
    )


def drained(consumer: Consumer, count: int, at_most: int = 1_000) -> list[Polled]:
    """Polls until so many records came, and once more: nothing else must."""
    polls: list[Polled] = []
    until(lambda: sum(map(len, polls)) >= count, lambda: polls.append(consumer.poll(at_most, 0.05)))
    polls.append(consumer.poll(at_most, 0.05))
    assert sum(map(len, polls)) == count
    return polls


def until(done: Callable[[], object], *turns: Callable[[], object]) -> None:
    end_s = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end_s, "what was waited for did not come"
        for turn in turns:
            turn()


def sequences(polls: Sequence[Polled]) -> list[int]:
    return sorted(n for polled in polls for records in polled.records for n in records.facts.frame["source_seq"])


def facts_by_partition(polls: Sequence[Polled]) -> dict[int, list[tuple[int, Any]]]:
    found: dict[int, list[tuple[int, Any]]] = {}
    for polled in polls:
        for records in polled.records:
            for number, offset, fact in zip(records.partition, records.offset, records.facts.facts(), strict=True):
                found.setdefault(number, []).append((offset, fact))
    return found


def positions(polls: Sequence[Polled]) -> dict[TopicPartition, int]:
    return {where: offset for polled in polls for where, offset in polled.next_offsets.items()}


def settled(world: World, *members: tuple[Consumer, Heard], topics: Sequence[str]) -> None:
    """Polls until these members share all partitions of the topics."""
    wanted = set().union(*(world.everywhere(topic) for topic in topics))

    def shared() -> bool:
        owned = [heard.owned for _, heard in members]
        return set().union(*owned) == wanted and sum(map(len, owned)) == len(wanted) and all(owned)

    until(shared, *(lambda c=consumer: c.poll(1_000, 0.02) for consumer, _ in members))


def test_facts_come_back_as_they_were_published(world: World) -> None:
    facts = some_ticks()
    world.log.publish(world.typed, ticks(*facts))

    found = facts_by_partition(drained(world.join(), len(facts)))

    assert sorted((fact for run in found.values() for _, fact in run), key=lambda fact: fact.source_seq) == facts


def test_a_key_has_one_partition_the_same_in_every_log(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))

    found = facts_by_partition(drained(world.join(), 24))

    dealt = {fact.series: number for number, run in found.items() for _, fact in run}
    assert dealt == {f"default|{name}": zlib.crc32(f"default|{name}".encode()) % PARTITIONS for name in NAMES}


def test_a_partition_comes_in_offset_order_without_repetition(world: World) -> None:
    for _ in range(3):
        world.log.publish(world.typed, ticks(*some_ticks()))

    found = facts_by_partition(drained(world.join(), 72))

    for run in found.values():
        assert [offset for offset, _ in run] == list(range(len(run)))


def test_a_poll_says_where_each_partition_goes_on(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))

    polls = drained(world.join(), 24)

    ends = {where: end for where, end in world.log.end_offsets([world.typed]).items() if end}
    assert positions(polls) == ends


def test_the_next_record_of_a_partition_is_looked_for_from_any_offset(world: World) -> None:
    world.put(some_raw(world.raw, 0, 0, 1, 0))
    where = [TopicPartition(world.raw, number) for number in range(3)]

    assert world.log.next_records({where[0]: None, where[1]: 0, where[2]: None}) == {
        where[0]: 0,
        where[1]: 0,
        where[2]: 0,
    }
    assert world.log.next_records({where[0]: 2, where[1]: 1}) == {where[0]: 2, where[1]: 1}
    assert world.log.next_records({where[0]: 3}) == {where[0]: 3}
    assert world.log.next_records({}) == {}


def test_a_poll_brings_at_most_what_was_asked_for(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))

    polls = drained(world.join(), 24, at_most=5)

    assert max(map(len, polls)) <= 5


def test_a_poll_with_nothing_to_bring_brings_nothing(world: World) -> None:
    assert len(world.join().poll(10, 0.01)) == 0


def test_an_empty_batch_leaves_no_trace(world: World) -> None:
    world.log.publish(world.typed, TickBatch.empty())

    assert set(world.log.end_offsets([world.typed]).values()) == {0}


def test_a_new_group_begins_at_the_beginning_and_is_told_that_nothing_was_committed(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    heard = Heard()

    drained(world.join(listener=heard.listener), 24)

    assert heard.told == [("assigned", dict.fromkeys(world.everywhere(world.typed)))]


def test_what_was_not_committed_comes_again(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    drained(first, 24)
    world.leave(first)

    assert sequences(drained(world.join(), 24)) == list(range(24))


def test_a_group_resumes_where_it_committed_and_is_told_so(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    done = positions(drained(first, 24))
    first.commit(as_far_as(done))
    world.leave(first)
    world.log.publish(world.typed, ticks(tick(instrument_id=NAMES[0], source_seq=99)))
    heard = Heard()

    again = drained(world.join(listener=heard.listener), 1)

    assert (sequences(again), heard.told[0][1]) == ([99], dict.fromkeys(world.everywhere(world.typed)) | done)


def test_a_floor_behind_the_position_is_where_a_group_resumes(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    done = positions(drained(first, 24))
    first.commit({where: Progress(floor=0, position=end, owed=7) for where, end in done.items()})
    world.leave(first)

    assert world.log.progress(world.group, [world.typed]) == {
        where: Progress(floor=0, position=end, owed=7) for where, end in done.items()
    }
    assert sequences(drained(world.join(), 24)) == list(range(24))


def test_what_is_in_doubt_or_set_aside_is_told_to_the_next_owner(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    ends = positions(drained(first, 24))
    come = {
        where: Progress(0, end, 7, Doubt(since=1, until=end, tries=2, survived=1), (0, end - 1))
        for where, end in ends.items()
    }
    first.commit(come)
    world.leave(first)
    told: dict[TopicPartition, Progress | None] = {}

    drained(world.join(listener=Listener(told.update, lambda _: None)), 24)

    assert {where: told[where] for where in come} == come
    assert world.log.progress(world.group, [world.typed]) == come


def test_progress_may_be_committed_before_anything_of_it_is_performed(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    ends = positions(drained(first, 24))
    begun = {where: Progress(0, 0, doubt=Doubt(since=0, until=end, tries=1)) for where, end in ends.items()}
    first.commit(begun)
    assert world.log.progress(world.group, [world.typed]) == begun

    first.commit(as_far_as(ends))

    assert world.log.progress(world.group, [world.typed]) == as_far_as(ends)


def test_what_is_committed_can_be_asked_for_by_anybody(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    first = world.join()
    done = positions(drained(first, 24))
    first.commit(as_far_as(done))

    assert world.log.committed(world.group, [world.typed]) == done
    assert world.log.committed(unused("stranger"), [world.typed]) == {}


def test_each_group_gets_everything(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))

    assert sequences(drained(world.join(group=unused("one")), 24)) == list(range(24))
    assert sequences(drained(world.join(group=unused("other")), 24)) == list(range(24))


def test_members_share_partitions_and_equal_numbers_of_two_topics_stay_together(world: World) -> None:
    one, other = Heard(), Heard()
    first = world.join(world.typed, world.twin, listener=one.listener)
    settled(world, (first, one), topics=[world.typed, world.twin])
    second = world.join(world.typed, world.twin, listener=other.listener)

    settled(world, (first, one), (second, other), topics=[world.typed, world.twin])

    for heard in (one, other):
        numbers = {topic: {w.partition for w in heard.owned if w.topic == topic} for topic in (world.typed, world.twin)}
        assert numbers[world.typed] == numbers[world.twin]


def test_who_stays_takes_over_from_where_who_left_had_committed(world: World) -> None:
    one, other = Heard(), Heard()
    first = world.join(listener=one.listener)
    settled(world, (first, one), topics=[world.typed])
    second = world.join(listener=other.listener)
    settled(world, (first, one), (second, other), topics=[world.typed])
    world.log.publish(world.typed, ticks(*some_ticks()))
    mine: list[Polled] = []
    theirs: list[Polled] = []
    until(
        lambda: len(sequences(mine)) + len(sequences(theirs)) == 24,
        lambda: mine.append(first.poll(100, 0.02)),
        lambda: theirs.append(second.poll(100, 0.02)),
    )
    first.commit(as_far_as(positions(mine)))
    half = sorted(positions(theirs))[:1]
    second.commit(as_far_as({where: offset for where, offset in positions(theirs).items() if where in half}))
    kept = len([1 for polled in theirs for r in polled.records for n in r.partition if n != half[0].partition])

    world.leave(second)
    again: list[Polled] = []
    until(lambda: one.owned == world.everywhere(world.typed), lambda: again.append(first.poll(100, 0.02)))
    until(lambda: len(sequences(again)) >= kept, lambda: again.append(first.poll(100, 0.02)))

    assert len(sequences(again)) == kept
    assert set(sequences(mine)) | set(sequences(theirs)) == set(range(24))


def test_a_partition_that_is_no_longer_owned_is_left_out_of_a_commit(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    one, other = Heard(), Heard()
    first = world.join(listener=one.listener)
    done = positions(drained(first, 24))
    second = world.join(listener=other.listener)
    settled(world, (first, one), (second, other), topics=[world.typed])

    first.commit(as_far_as(done))

    assert set(world.log.committed(world.group, [world.typed])) == one.owned & set(done)


def test_a_listener_that_fails_is_told_again_and_nothing_is_lost(world: World) -> None:
    world.log.publish(world.typed, ticks(*some_ticks()))
    told: list[int] = []

    def fails_twice(_: object) -> None:
        told.append(1)
        if len(told) < 3:
            raise LogUnavailable("the seals can't be read")

    consumer = world.join(listener=Listener(fails_twice, lambda _: None))
    polls: list[Polled] = []

    def patiently() -> None:
        try:
            polls.append(consumer.poll(100, 0.05))
        except LogUnavailable:
            assert not any(map(len, polls))
            consumer.stay()

    until(lambda: len(sequences(polls)) >= 24, patiently)

    assert (sequences(polls), len(told)) == (list(range(24)), 3)


def test_who_stays_while_a_store_is_down_loses_nothing(world: World) -> None:
    consumer = world.join()
    world.log.publish(world.typed, ticks(*some_ticks()))
    before = drained(consumer, 24)
    world.log.publish(world.typed, ticks(tick(instrument_id=NAMES[0], source_seq=99)))

    for _ in range(3):
        consumer.stay()
    after = drained(consumer, 1)

    assert sequences([*before, *after]) == [*range(24), 99]


def test_raw_messages_come_with_bytes_coordinates_and_times(world: World) -> None:
    events = attrs.evolve(some_raw(world.raw, 1, 1, 1), values=[b"{}", None, b"\xff\x00"])
    world.put(events)

    raw = [polled.raw for polled in drained(world.join(world.raw), 3) if polled.raw]

    assert RawEvents.concat(raw) == events


def test_raw_messages_of_several_partitions_come_by_time(world: World) -> None:
    events = some_raw(world.raw, 2, 0, 1, 1, 0, 2, 2, 0)
    world.put(events)

    raw = [polled.raw for polled in drained(world.join(world.raw), 8) if polled.raw]

    stamps = [part.timestamps_us.to_list() for part in raw]
    assert stamps == [sorted(part) for part in stamps]
    assert sorted(chain.from_iterable(stamps)) == events.timestamps_us.to_list()


def test_typed_and_raw_topics_can_be_read_together(world: World) -> None:
    world.log.publish(world.typed, ticks(tick(TEN)))
    world.put(some_raw(world.raw, 0))

    polls = drained(world.join(world.typed, world.raw), 2)

    assert sequences(polls) == [0]
    assert [polled.raw.values for polled in polls if polled.raw] == [[b"message 0"]]


def test_offsets_are_whole_numbers_beside_the_rows(world: World) -> None:
    world.log.publish(world.typed, ticks(tick(TEN)))

    (records,) = [records for polled in drained(world.join(), 1) for records in polled.records]

    assert [str(records.partition.dtype), str(records.offset.dtype)] == ["Int32", "Int64"]
