"""What a member does when Kafka's answers fail or come late, on librdkafka's own cluster."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from confluent_kafka import KafkaError

from adapters.kafka import marks
from adapters.kafka.consumer import KafkaConsumer
from application.ports.errors import Denied, LogUnavailable, WrongTopics
from application.ports.event_log import TopicPartition
from tests.builders import as_far_as, tick, ticks
from tests.support.kafka import Cluster, member, mock_kafka, until, unused


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield mock_kafka(stack)


def test_a_member_that_can_not_read_its_offsets_gives_its_partitions_back_and_joins_anew(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, [b"1", b"2", b"3"])
    with member(cluster.log(), group, topic) as first:
        until(lambda: len(first.values()) == 3, first.poll)
        first.consumer.commit(as_far_as({TopicPartition(topic, 0): 1}))
    read, failures = marks.committed, [LogUnavailable("the coordinator moves"), LogUnavailable("and moves")]

    def fails_at_first(*asked: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(*asked)

    monkeypatch.setattr(marks, "committed", fails_at_first)
    told: list[LogUnavailable] = []
    with member(cluster.log(), group, topic) as second:

        def patiently() -> None:
            try:
                second.poll()
            except LogUnavailable as error:
                told.append(error)

        until(lambda: len(second.values()) >= 2, patiently)

    assert (second.values(), [str(error) for error in told]) == ([b"2", b"3"], ["and moves", "the coordinator moves"])


def test_records_fetched_for_an_assignment_of_before_are_let_go(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, fetched = cluster.topic("raw"), list[Any]()
    take = KafkaConsumer._taken

    def remembers(consumer: KafkaConsumer, at_most: int, timeout_s: float) -> list[Any]:
        taken = take(consumer, at_most, timeout_s)
        fetched.extend(taken)
        return taken

    monkeypatch.setattr(KafkaConsumer, "_taken", remembers)
    cluster.put(topic, [b"1", b"2"])
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 2, reader.poll)
        reader.consumer._waiting.extend(fetched)
        cluster.put(topic, [b"3"])
        until(lambda: b"3" in reader.values(), reader.poll)

    assert reader.values() == [b"1", b"2", b"3"]


def test_a_timestamp_from_beyond_all_microseconds_counts_as_the_last_of_them(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    cluster.put(topic, [b"1"], timestamp_ms=[2**62])
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: bool(reader.values()), reader.poll)

    assert [polled.raw.timestamps_us.to_list() for polled in reader.seen if polled.raw] == [
        [(2**63 - 1) // 1000 * 1000]
    ]


def test_what_the_client_was_told_of_brokers_is_told_where_nothing_came(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: reader.heard.owned, reader.poll)
        reader.consumer._troubled(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED))

        with pytest.raises(Denied):
            reader.poll()


def test_a_topic_said_to_be_unknown_is_asked_for_before_the_process_stops(cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: reader.heard.owned, reader.poll)
        reader.consumer._troubled(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))

        assert len(reader.poll()) == 0


def test_a_topic_that_is_not_there_stops_the_process(cluster: Cluster) -> None:
    topic, absent = cluster.topic("raw"), unused("absent")
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: reader.heard.owned, reader.poll)
        reader.consumer.topics = (topic, absent)
        reader.consumer._troubled(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))

        with pytest.raises(WrongTopics):
            reader.poll()


def test_a_commit_of_nothing_owned_asks_nobody(cluster: Cluster) -> None:
    with member(cluster.log(), unused("group"), cluster.topic("raw")) as reader:
        reader.consumer.commit(as_far_as({TopicPartition("another", 0): 3}))


def test_an_appender_that_was_closed_appends_again(cluster: Cluster) -> None:
    topic = cluster.topic()
    log = cluster.log(topic, partitions=4)
    log.publish(topic, ticks(tick()))
    log.close()
    log.publish(topic, ticks(tick()))

    assert sum(log.end_offsets([topic]).values()) == 2
    log.close()
    log.close()
