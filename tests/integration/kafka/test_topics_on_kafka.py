"""Topics as a real broker makes them, and raw messages fed into them as a connector would."""

from datetime import UTC, datetime

import attrs
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import RESOURCE_TOPIC

from adapters.kafka.raw_feed import KafkaRawFeed
from adapters.kafka.topics import KafkaTopics
from application.commands.topics import plan_of
from application.ports.errors import Fatal, WrongTopics
from domain.bronze.raw_event import RawEvents
from tests.builders import micros
from tests.support.kafka import Cluster, member, real_kafka, until, unused

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return real_kafka()


def config_of(cluster: Cluster, topic: str) -> dict[str, str]:
    from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # noqa: PLC0415

    admin = AdminClient(cluster.access.config())
    (answer,) = admin.describe_configs([ConfigResource(RESOURCE_TOPIC, topic)]).values()
    wanted = ("retention.ms", "message.timestamp.type", "max.message.bytes")
    return {name: answer.result(10)[name].value for name in wanted}


@pytest.mark.parametrize(
    ("agreed", "config"),
    [
        ("ingestion.miso.raw.v1", {"retention.ms": "-1", "message.timestamp.type": "CreateTime"}),
        ("normalized.market.ticks.v1", {"retention.ms": "604800000", "message.timestamp.type": "LogAppendTime"}),
    ],
)
def test_a_topic_is_made_as_planned(cluster: Cluster, agreed: str, config: dict[str, str]) -> None:
    plan = attrs.evolve(plan_of(agreed), name=unused("planned"))
    topics = KafkaTopics(cluster.access)

    assert topics.create([plan]) == [plan.name]
    assert topics.partitions()[plan.name] == plan.partitions
    assert config_of(cluster, plan.name) == {**config, "max.message.bytes": "8388608"}


def test_a_topic_that_is_there_is_left_as_it_is(cluster: Cluster) -> None:
    name = cluster.topic(partitions=2)
    topics = KafkaTopics(cluster.access)

    assert topics.create([attrs.evolve(plan_of("ingestion.miso.raw.v1"), name=name)]) == []
    assert topics.partitions()[name] == 2


def test_more_copies_than_there_are_brokers_are_refused(cluster: Cluster) -> None:
    with pytest.raises(Fatal, match=r"INVALID_REPLICATION_FACTOR|REPLICATION"):
        KafkaTopics(cluster.access, replication=3).create([attrs.evolve(plan_of("x.v1"), name=unused("copies"))])


def test_raw_messages_arrive_on_their_partition_with_key_time_and_bytes(cluster: Cluster) -> None:
    one, two = cluster.topic("raw"), cluster.topic("raw")
    events = RawEvents(
        topics=[one, two, one],
        partitions=[2, 0, 1],
        offsets=[77, 78, 79],
        timestamps_us=[1_551_398_400_000_000, 1_551_398_401_000_000, 1_551_398_402_000_000],
        values=[b"{}", None, b"\xff"],
    )
    feed = KafkaRawFeed(cluster.access)
    feed.append(events, [b"k", None, b"l"])
    feed.close()

    with member(cluster.log(), unused("group"), one, two) as reader:
        until(lambda: len(reader.values()) == 3, reader.poll)

    raw = RawEvents.concat([polled.raw for polled in reader.seen if polled.raw])
    got = zip(raw.topics, raw.partitions, raw.offsets, raw.timestamps_us, raw.values, strict=True)
    sent = zip(events.topics, events.partitions, [0, 0, 0], events.timestamps_us, events.values, strict=True)
    assert sorted(got) == sorted(sent)


def test_a_raw_message_without_a_time_gets_the_brokers(cluster: Cluster) -> None:
    topic, began_us = cluster.topic("raw", partitions=1), micros(datetime.now(UTC))
    events = RawEvents(topics=[topic], partitions=[0], offsets=[0], timestamps_us=[None], values=[b"{}"])
    feed = KafkaRawFeed(cluster.access)
    feed.append(events, [None])
    feed.close()

    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 1, reader.poll)

    (stamp,) = [stamp for polled in reader.seen if polled.raw for stamp in polled.raw.timestamps_us]
    assert began_us // 1000 * 1000 <= stamp <= micros(datetime.now(UTC))


def test_a_partition_that_does_not_exist_is_refused(cluster: Cluster) -> None:
    topic = cluster.topic("raw", partitions=1)
    events = RawEvents(topics=[topic], partitions=[5], offsets=[0], timestamps_us=[0], values=[b""])

    with pytest.raises(WrongTopics):
        KafkaRawFeed(cluster.access).append(events, [None])
