"""The event log in process, beyond what every event log promises."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest

from adapters.memory.event_log import MemoryConsumer, MemoryEventLog
from application.ports.event_log import Listener, Polled, Progress, TopicPartition
from domain.batch import Batch
from domain.bronze.raw_event import RawEvents
from domain.silver.tick import TickBatch
from tests.builders import as_far_as, tick, ticks

RAW, TICKS = "raw", "ticks"


@attrs.define
class Told:
    assigned: list[dict[TopicPartition, int | None]] = attrs.field(factory=list)
    revoked: list[list[TopicPartition]] = attrs.field(factory=list)
    failures: list[Exception] = attrs.field(factory=list)

    def listener(self) -> Listener:
        return Listener(self._assigned, lambda partitions: self.revoked.append(list(partitions)))

    def _assigned(self, committed: Mapping[TopicPartition, Progress | None]) -> None:
        if self.failures:
            raise self.failures.pop()
        self.assigned.append({where: come.floor if come else None for where, come in committed.items()})


def log(partitions: int = 2, **options: Any) -> MemoryEventLog:
    return MemoryEventLog(lambda _: partitions, **options)


def join(events: MemoryEventLog, *topics: str, group: str = "g", told: Told | None = None) -> MemoryConsumer:
    return events.subscribe(group, topics or (RAW,), (told or Told()).listener())


def raw(*coordinates: tuple[int, int], topic: str = RAW) -> RawEvents:
    return RawEvents(
        topics=[topic] * len(coordinates),
        partitions=[partition for partition, _ in coordinates],
        offsets=[offset for _, offset in coordinates],
        timestamps_us=[0] * len(coordinates),
        values=[f"{partition}/{offset}".encode() for partition, offset in coordinates],
    )


def values(polled: Polled) -> list[bytes | None]:
    return list(polled.raw.values) if polled.raw else []


def test_raw_events_keep_their_coordinates_and_come_in_order_of_arrival() -> None:
    events = log()
    events.append(raw((0, 5), (1, 2)))
    events.append(raw((0, 9)))
    polled = join(events).poll(10, 0)
    assert values(polled) == [b"0/5", b"1/2", b"0/9"]
    assert polled.next_offsets == {TopicPartition(RAW, 0): 10, TopicPartition(RAW, 1): 3}


def test_several_topics_may_be_appended_at_once() -> None:
    events = log()
    both = RawEvents.concat([raw((0, 0)), raw((0, 0), topic="other"), raw((0, 1))])
    events.append(both)
    assert events.end_offsets([RAW, "other"])[TopicPartition("other", 0)] == 1
    assert sorted(str(value) for value in values(join(events, RAW, "other").poll(10, 0))) == [
        "b'0/0'",
        "b'0/0'",
        "b'0/1'",
    ]


def test_what_lies_below_the_end_of_its_partition_is_refused() -> None:
    events = log()
    events.append(raw((0, 5)))
    with pytest.raises(ValueError, match="raw/0/5 lies below the end 6"):
        events.append(raw((0, 5)))


def test_the_log_knows_which_offsets_it_ever_held() -> None:
    events = log()
    events.append(raw((0, 3), (0, 4), (0, 7)))
    where, other = TopicPartition(RAW, 0), TopicPartition(RAW, 1)
    assert [offset for offset in range(10) if events.holds(where, offset)] == [3, 4, 7]
    assert (events.end(where), events.end(other), events.holds(other, 0)) == (8, 0, False)


def test_a_poll_takes_at_most_so_many_and_goes_on_where_it_stopped() -> None:
    events = log()
    events.append(raw(*((n % 2, n) for n in range(5))))
    consumer = join(events)
    assert [len(consumer.poll(2, 0)) for _ in range(4)] == [2, 2, 1, 0]


def test_a_full_topic_starves_no_other() -> None:
    events = log(1)
    consumer = join(events, "a", "b")
    events.append(raw(*((0, n) for n in range(10)), topic="a"))
    events.append(raw((0, 0), topic="b"))
    seen = [polled.raw.topics[0] for polled in (consumer.poll(1, 0), consumer.poll(1, 0)) if polled.raw]
    assert sorted(seen) == ["a", "b"]


def test_uncommitted_records_come_again_after_a_crash_and_committed_ones_do_not() -> None:
    events = log(1)
    events.append(raw((0, 0), (0, 1), (0, 2)))
    first = join(events)
    first.poll(2, 0)
    first.commit(as_far_as({TopicPartition(RAW, 0): 1}))
    first.close()
    told = Told()
    second = join(events, told=told)
    assert values(second.poll(10, 0)) == [b"0/1", b"0/2"]
    assert told.assigned == [{TopicPartition(RAW, 0): 1}]


def test_two_members_share_partitions_and_equal_numbers_go_to_one() -> None:
    events = log(4)
    told = (Told(), Told())
    first, second = join(events, RAW, TICKS, told=told[0]), None
    first.poll(1, 0)
    second = join(events, RAW, TICKS, told=told[1])
    first.poll(1, 0)
    second.poll(1, 0)
    assert {where.partition for where in told[0].revoked[0]} == {where.partition for where in told[1].assigned[0]}
    mine, theirs = (
        {where.partition for where in found}
        for found in (set(told[0].assigned[0]) - set(told[0].revoked[0]), told[1].assigned[0])
    )
    assert (mine | theirs, mine & theirs) == ({0, 1, 2, 3}, set())


def test_a_member_that_lost_a_partition_can_not_commit_it_even_before_it_is_told() -> None:
    events = log(2)
    events.append(raw((0, 0), (1, 0)))
    first = join(events)
    first.poll(10, 0)
    second = join(events)
    first.commit(as_far_as({TopicPartition(RAW, 0): 1, TopicPartition(RAW, 1): 1}))
    assert len(events.committed("g", [RAW])) == 1
    first.close()
    first.commit(as_far_as({TopicPartition(RAW, 0): 1, TopicPartition(RAW, 1): 1}))
    assert len(events.committed("g", [RAW])) == 1
    assert len(second.poll(10, 0)) == 1


def test_a_listener_that_fails_is_told_again_by_the_next_poll() -> None:
    events = log(1)
    events.append(raw((0, 0)))
    told = Told(failures=[RuntimeError("not now")])
    consumer = join(events, told=told)
    with pytest.raises(RuntimeError):
        consumer.poll(1, 0)
    assert values(consumer.poll(1, 0)) == [b"0/0"]
    assert told.assigned == [{TopicPartition(RAW, 0): None}]


def test_records_that_every_group_has_passed_are_let_go() -> None:
    events = log(1)
    one, other = join(events, group="one"), join(events, group="other")
    events.append(raw((0, 0)))
    for consumer in (one, other):
        consumer.poll(1, 0)
    one.commit(as_far_as({TopicPartition(RAW, 0): 1}))
    assert values(join(events, group="late").poll(1, 0)) == [b"0/0"]
    events = log(1)
    one = join(events)
    events.append(raw((0, 0), (0, 1)))
    one.poll(1, 0)
    one.commit(as_far_as({TopicPartition(RAW, 0): 1}))
    assert values(join(events, group="late").poll(10, 0)) == [b"0/0", b"0/1"]
    one.poll(1, 0)
    one.commit(as_far_as({TopicPartition(RAW, 0): 2}))
    assert events._segments[RAW] != []
    passed = log(1)
    only = join(passed)
    passed.append(raw((0, 0)))
    only.poll(1, 0)
    only.commit(as_far_as({TopicPartition(RAW, 0): 1}))
    assert passed._segments[RAW] == []


def test_a_log_that_retains_lets_nothing_go() -> None:
    events = log(1, retain=True)
    consumer = join(events)
    events.append(raw((0, 0)))
    consumer.poll(1, 0)
    consumer.commit(as_far_as({TopicPartition(RAW, 0): 1}))
    assert values(join(events, group="late").poll(1, 0)) == [b"0/0"]


def test_facts_go_by_their_key_in_order() -> None:
    events = log(6)
    consumer = join(events, TICKS)
    facts = [tick(f"10:{minute:02}", instrument_id=f"I{minute % 5}") for minute in range(20)]
    events.publish(TICKS, ticks(*facts))
    (records,) = consumer.poll(100, 0).records
    assert records.facts == ticks(*facts)
    by_series: dict[str, set[int]] = {}
    offsets: dict[int, list[int]] = {}
    for series, partition, offset in zip(records.facts.frame["series"], records.partition, records.offset, strict=True):
        by_series.setdefault(series, set()).add(partition)
        offsets.setdefault(partition, []).append(offset)
    assert all(len(partitions) == 1 for partitions in by_series.values())
    assert all(found == list(range(len(found))) for found in offsets.values())


def test_what_nobody_reads_is_not_kept_and_nothing_is_not_appended() -> None:
    events = log(1)
    events.publish(TICKS, ticks(tick()))
    consumer = join(events, TICKS)
    events.publish(TICKS, TickBatch.empty())
    assert (len(consumer.poll(10, 0)), events.end(TopicPartition(TICKS, 0))) == (0, 0)


def test_a_codec_stands_between_who_tells_and_who_reads() -> None:
    def halved(topic: str, facts: Batch[Any]) -> Batch[Any]:
        assert topic == TICKS
        return TickBatch(facts.frame.head(len(facts) // 2))

    codec: Callable[[str, Batch[Any]], Batch[Any]] = halved
    events = log(1, codec=codec)
    consumer = join(events, TICKS)
    events.publish(TICKS, ticks(tick(), tick("10:01")))
    assert len(consumer.poll(10, 0)) == 1


def test_offsets_of_a_group_nobody_has_joined_are_unknown() -> None:
    events: MemoryEventLog = log()
    sequence: Sequence[str] = [RAW]
    assert events.committed("nobody", sequence) == {}
