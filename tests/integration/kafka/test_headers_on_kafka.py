"""Headers of raw messages: anybody may write anything there, so nobody reads them."""

import json

import attrs
import pytest
from confluent_kafka import Producer

from adapters.markets.raw_decoder import MarketDecoder
from application.topics import raw
from domain.bronze.raw_event import RawEvents
from tests.builders import envelope
from tests.support.kafka import WITHIN_S, Cluster, member, real_kafka, until, unused
from tests.unit.markets.messages import miso_lmp

pytestmark = pytest.mark.services

LIES: dict[str, str | bytes | None] = {
    "event_id": b"forged",
    "trace_id": b"0" * 32,
    "tenant_id": b"acme",
    "offset": b"7",
    "topic": b"elsewhere",
}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return real_kafka()


def test_headers_change_nothing(cluster: Cluster) -> None:
    topic, value = cluster.topic("raw"), json.dumps(envelope(miso_lmp())).encode()
    producer = Producer(cluster.access.config())
    for headers in (None, LIES):
        producer.produce(topic, value, partition=1, headers=headers, timestamp=1_791_194_400_000)
    assert producer.flush(WITHIN_S) == 0

    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 2, reader.poll)

    found = RawEvents.concat([polled.raw for polled in reader.seen if polled.raw])
    places = [found.topics.to_list(), found.partitions.to_list(), found.offsets.to_list()]
    assert places == [[topic] * 2, [1, 1], [0, 1]]
    assert found.timestamps_us.to_list() == [1_791_194_400_000_000] * 2
    known_here = attrs.evolve(found, topics=[raw("miso")] * 2)
    plain, lied = MarketDecoder().decode(known_here).prices.facts()
    assert (lied.source_event_id, lied.tenant_id, lied.trace_id) == (plain.source_event_id, "default", plain.trace_id)
