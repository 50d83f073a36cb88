"""What only a real broker can do to a member of a group."""

import random
import time

import pytest
from confluent_kafka import Consumer as AnyConsumer
from confluent_kafka import TopicPartition as Place

from adapters.kafka.consumer import Membership
from application.ports.errors import Denied, Fatal, OffsetLost, WrongTopics
from application.ports.event_log import Progress, TopicPartition
from domain.bronze.raw_event import Refusal
from domain.errors import Reason
from tests.builders import as_far_as, tick, ticks
from tests.support.kafka import Cluster, Member, member, real_kafka, until, unused

pytestmark = pytest.mark.services

CLASSIC = Membership(protocol="classic", session_timeout_s=6)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return real_kafka()


def at(topic: str, partition: int = 0) -> TopicPartition:
    return TopicPartition(topic, partition)


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


def commit_by_another_tool(cluster: Cluster, group: str, topic: str, offset: int) -> None:
    tool = AnyConsumer({**cluster.access.config(), "group.id": group})
    tool.commit(offsets=[Place(topic, 0, offset)], asynchronous=False)
    tool.close()


def test_a_committed_offset_that_retention_has_passed_is_told_and_never_skipped(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(10))
    commit_by_another_tool(cluster, group, topic, 2)
    cluster.remove_before(topic, 5)

    with member(cluster.log(), group, topic) as reader, pytest.raises(OffsetLost, match=f"{topic}/0/2"):
        until(lambda: False, reader.poll)

    assert reader.seen == []


def test_a_committed_offset_beyond_the_end_is_told(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(3))
    commit_by_another_tool(cluster, group, topic, 50)

    with member(cluster.log(), group, topic) as reader, pytest.raises(OffsetLost):
        until(lambda: False, reader.poll)


def test_a_new_group_takes_what_retention_has_left(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    cluster.put(topic, numbered(10))
    cluster.remove_before(topic, 7)

    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 3, reader.poll)

    assert reader.values() == numbered(3, first=7)


def test_a_commit_of_another_tool_has_come_as_far_as_its_offset(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    commit_by_another_tool(cluster, group, topic, 2)

    assert cluster.log().progress(group, [topic]) == {at(topic): Progress(floor=2, position=2)}


def test_a_typed_record_nobody_can_read_is_set_apart_and_its_neighbours_pass(cluster: Cluster) -> None:
    topic = cluster.topic()
    log = cluster.log(topic, partitions=1)
    log.publish(topic, ticks(tick(source_seq=1)))
    cluster.put(topic, [b"not json", None])
    log.publish(topic, ticks(tick(source_seq=2)))

    with member(log, unused("group"), topic) as reader:
        until(lambda: sum(map(len, reader.seen)) == 4, reader.poll)

    apart = [polled.unreadable for polled in reader.seen if polled.unreadable]
    found = [
        (part.events.offsets[refusal.event], part.events.values[refusal.event], refusal.reason, refusal.index)
        for part in apart
        for refusal in part.refusals.facts()
        if isinstance(refusal, Refusal)
    ]
    assert found == [(1, b"not json", Reason.NOT_JSON, -1), (2, None, Reason.EMPTY, -1)]
    read = [n for polled in reader.seen for records in polled.records for n in records.facts.frame["source_seq"]]
    assert read == [1, 2]
    assert reader.seen[-1].next_offsets == {at(topic): 4}


def test_a_poll_stops_at_its_byte_budget(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    cluster.put(topic, [b"x" * 100_000] * 6_000)
    budget = Membership(budget_bytes=20_000_000)

    with member(cluster.log(membership=budget), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 6_000, lambda: reader.seen.append(reader.consumer.poll(20_000, 0.1)))

    largest = max(sum(map(len, filter(None, polled.raw.values))) for polled in reader.seen if polled.raw)
    assert largest <= budget.budget_bytes + 2_000 * 100_000


def test_partitions_are_merged_by_time_and_keep_their_order(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    cluster.put(topic, [b"a", b"b", b"c"], 0, [1_000, 3_000, 2_000])
    cluster.put(topic, [b"d", b"e"], 1, [1_500, 3_500])

    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 5, lambda: reader.seen.append(reader.consumer.poll(100, 1)))

    assert reader.values() == [b"a", b"d", b"b", b"c", b"e"]


def test_the_classic_protocol_keeps_equal_partitions_together_too(cluster: Cluster) -> None:
    one, two = cluster.topic(), cluster.topic("twin")
    log, group = cluster.log(one, two, membership=CLASSIC), unused("group")
    with member(log, group, one, two) as first, member(log, group, one, two) as second:
        until(
            lambda: len(first.heard.owned) + len(second.heard.owned) == 6 and first.heard.owned and second.heard.owned,
            first.poll,
            second.poll,
        )

        for each in (first, second):
            numbers = {topic: {w.partition for w in each.heard.owned if w.topic == topic} for topic in (one, two)}
            assert numbers[one] == numbers[two]


def test_the_classic_protocol_resumes_where_it_committed(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(5))
    log = cluster.log(membership=CLASSIC)
    with member(log, group, topic) as first:
        until(lambda: len(first.values()) == 5, first.poll)
        first.consumer.commit(as_far_as({at(topic): 3}))

    with member(log, group, topic) as second:
        until(lambda: len(second.values()) == 2, second.poll)

    assert second.values() == numbered(2, first=3)


@pytest.fixture(params=["consumer", "classic"])
def impatient(request: pytest.FixtureRequest) -> Membership:
    """A member is away after six seconds without a poll."""
    return Membership(protocol=request.param, session_timeout_s=6, poll_within_s=6)


def away(reader: Member, others: Member) -> None:
    """Time passes without a poll until the others own everything."""
    end = time.monotonic() + 40
    while len(others.heard.owned) < 3:
        assert time.monotonic() < end
        others.poll()


def test_who_does_not_poll_loses_its_partitions_hears_so_and_commits_nothing(
    cluster: Cluster, impatient: Membership
) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(4))
    log = cluster.log(membership=impatient)
    with member(log, group, topic) as slow:
        until(lambda: len(slow.values()) == 4, slow.poll)
        with member(log, group, topic) as quick:
            away(slow, quick)
            until(lambda: len(quick.values()) == 4, quick.poll)
            quick.consumer.commit(as_far_as({at(topic): 4}))
            lost = dict(slow.heard.told)

            until(lambda: any(what == "revoked" for what, _ in slow.heard.told), slow.poll, quick.poll)
            if at(topic) not in slow.heard.owned:
                slow.consumer.commit(as_far_as({at(topic): 1}))

    assert list(lost) == ["assigned"]
    assert log.committed(group, [topic])[at(topic)] == 4


def test_who_stays_while_its_store_is_down_keeps_its_partitions(cluster: Cluster, impatient: Membership) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(4))
    with member(cluster.log(membership=impatient), group, topic) as reader:
        until(lambda: len(reader.values()) == 4, reader.poll)
        end = time.monotonic() + 9
        while time.monotonic() < end:
            reader.consumer.stay()
            time.sleep(0.2)  # the store is asked again

        reader.consumer.commit(as_far_as({at(topic): 4}))
        cluster.put(topic, numbered(1, first=4))
        until(lambda: len(reader.values()) == 5, reader.poll)

    assert [what for what, _ in reader.heard.told] == ["assigned"]


def test_a_record_that_comes_during_a_stay_is_not_lost(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.heard.owned) == 3, reader.poll)
        cluster.put(topic, numbered(50))
        for _ in range(20):
            reader.consumer.stay()

        until(lambda: len(reader.values()) >= 50, reader.poll)

    assert reader.values() == numbered(50)


def test_two_processes_with_one_instance_id_are_told_apart(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    log = cluster.log(membership=Membership(instance_id="aggregation-1"))
    with member(log, group, topic) as first:
        until(lambda: len(first.heard.owned) == 3, first.poll)
        with member(log, group, topic) as second, pytest.raises(Denied, match="instance id"):
            until(lambda: False, second.poll, first.poll)


def test_a_restart_under_the_same_instance_id_takes_its_partitions_back(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    log = cluster.log(membership=Membership(instance_id="aggregation-1"))
    with member(log, group, topic) as first:
        until(lambda: len(first.heard.owned) == 3, first.poll)

    with member(log, group, topic) as second:
        until(lambda: len(second.heard.owned) == 3, second.poll)


def test_publishing_on_a_topic_that_does_not_exist_says_what_to_run(cluster: Cluster) -> None:
    log = cluster.log("absent.topic.v1")

    with pytest.raises(WrongTopics, match="dataproc topics create"):
        log.publish("absent.topic.v1", ticks(tick()))


def test_publishing_on_fewer_partitions_than_agreed_is_refused(cluster: Cluster) -> None:
    topic = cluster.topic(partitions=1)

    with pytest.raises(WrongTopics):
        cluster.log(topic, partitions=64).publish(topic, ticks(*(tick(instrument_id=f"I{n}") for n in range(64))))


def test_a_record_larger_than_its_topic_takes_is_fatal_and_the_log_goes_on(cluster: Cluster) -> None:
    topic = cluster.topic(largest_bytes=2_000)
    log = cluster.log(topic, partitions=1)

    incompressible = random.Random(1).randbytes(5_000).hex()

    with pytest.raises(Fatal):
        log.publish(topic, ticks(tick(metadata=f'{{"note":"{incompressible}"}}')))
    log.publish(topic, ticks(tick()))

    assert log.end_offsets([topic]).popitem()[1] == 1


def test_asking_for_the_end_of_an_absent_topic_says_what_to_run(cluster: Cluster) -> None:
    with pytest.raises(WrongTopics, match="dataproc topics create"):
        cluster.log().end_offsets(["absent.topic.v1"])


def test_a_full_queue_waits_for_the_broker(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka.producing.QUEUED_KIB", 64)
    topic = cluster.topic("raw")
    log = cluster.log()

    log.append(topic, [(0, None, b"x" * 1_000, 0)] * 5_000)

    assert log.end_offsets([topic])[at(topic)] == 5_000


def test_nothing_is_committed_through_a_consumer_that_left(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, numbered(2))
    log = cluster.log()
    with member(log, group, topic) as reader:
        until(lambda: len(reader.values()) == 2, reader.poll)

    reader.consumer.commit(as_far_as({at(topic): 2}))

    assert log.committed(group, [topic]) == {}


def test_partitions_that_went_while_it_stayed_and_come_back_bring_their_records(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    log = cluster.log()
    with member(log, group, topic) as reader:
        until(lambda: len(reader.heard.owned) == 3, reader.poll)
        with member(log, group, topic) as other:
            # Held by a call that fails, it lets partitions go to the other one, and is still held.
            until(lambda: other.heard.owned, reader.consumer.stay, other.poll)
        for partition in range(3):
            cluster.put(topic, [b"%d" % partition], partition)

        until(lambda: len(reader.values()) == 3, reader.poll)

    assert sorted(filter(None, reader.values())) == numbered(3)
