"""Lag on a real broker: offsets that hold no record keep nobody waiting."""

from collections.abc import Sequence

import attrs
import pytest
from confluent_kafka import Producer

from application.pipeline import STAGES
from application.ports.event_log import Progress, TopicPartition
from application.queries.lag import PartitionLag, ReadLag, all_done
from tests.builders import as_far_as
from tests.support.kafka import WITHIN_S, Cluster, member, real_kafka, until, unused

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return real_kafka()


@pytest.fixture
def producer(cluster: Cluster) -> Producer:
    producer = Producer(cluster.access.config(transactional_id=unused("producer")))
    producer.init_transactions(WITHIN_S)
    return producer


def appended(producer: Producer, topic: str, *values: bytes, committed: bool = True) -> None:
    """One transaction, whose end takes an offset of its own."""
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    if committed:
        producer.commit_transaction(WITHIN_S)
    else:
        producer.flush(WITHIN_S)
        producer.abort_transaction(WITHIN_S)


def lag(cluster: Cluster, topic: str, group: str) -> list[PartitionLag]:
    stage = attrs.evolve(STAGES[0], consumes=(topic,))
    return ReadLag(cluster.log(partitions=1), [stage], lambda _: group)()


def consumed(cluster: Cluster, topic: str, group: str, values: Sequence[bytes]) -> None:
    """A member of the group takes what there is and commits where it stands."""
    with member(cluster.log(), group, topic) as reader:
        until(lambda: reader.values() == values, reader.poll)
        reader.consumer.commit(as_far_as(reader.seen[-1].next_offsets))


def test_the_end_of_a_transaction_keeps_nobody_waiting(cluster: Cluster, producer: Producer) -> None:
    topic, group = cluster.topic("raw", partitions=1), unused("group")
    appended(producer, topic, b"1", b"2")
    consumed(cluster, topic, group, [b"1", b"2"])
    (done,) = lag(cluster, topic, group)
    appended(producer, topic, b"never", committed=False)
    (aborted,) = lag(cluster, topic, group)
    appended(producer, topic, b"3", b"4")
    (behind,) = lag(cluster, topic, group)

    assert [(row.position, row.floor, row.end, row.lag) for row in (done, aborted)] == [(3, 2, 3, 0), (5, 2, 5, 0)]
    assert all_done([done, aborted])
    assert (behind.position, behind.end, behind.lag) == (5, 8, 3)


def test_what_a_transaction_has_not_committed_yet_is_waited_for(cluster: Cluster, producer: Producer) -> None:
    topic = cluster.topic("raw", partitions=1)
    producer.begin_transaction()
    producer.produce(topic, b"1", partition=0)
    producer.flush(WITHIN_S)

    assert [row.lag for row in lag(cluster, topic, unused("group"))] == [1]
    producer.commit_transaction(WITHIN_S)


def test_a_group_that_never_committed_is_not_behind_by_what_retention_took(cluster: Cluster) -> None:
    topic = cluster.topic("raw", partitions=1)
    cluster.put(topic, [b"1", b"2", b"3"])
    cluster.remove_before(topic, 2)
    some = lag(cluster, topic, unused("group"))
    cluster.remove_before(topic, 3)
    none = lag(cluster, topic, unused("group"))

    assert [(row.position, row.end, row.lag) for row in (*some, *none)] == [(None, 3, 1), (None, 3, 0)]
    assert all_done(none)


def test_what_a_group_had_still_to_read_and_retention_took_is_no_progress(cluster: Cluster) -> None:
    topic, group = cluster.topic("raw", partitions=1), unused("group")
    cluster.put(topic, [b"1"])
    consumed(cluster, topic, group, [b"1"])
    cluster.put(topic, [b"2", b"3"])
    cluster.remove_before(topic, 3)

    assert [(row.position, row.lag) for row in lag(cluster, topic, group)] == [(1, 2)]
    assert cluster.log().next_records({TopicPartition(topic, 0): 1}) == {TopicPartition(topic, 0): 1}
    assert cluster.log(partitions=1).progress(group, [topic]) == {TopicPartition(topic, 0): Progress(1, 1)}
