"""A dead letter whose topic is not there stops everything behind it; one of a huge message fits a small topic."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import attrs
import pytest

from application import topics
from application.commands.topics import all_topics, plan_of
from application.ports.errors import WrongTopics
from application.ports.event_log import TopicPartition
from domain.bronze.dead_letter import RAW_KEPT_BYTES
from domain.errors import Reason
from tests.support.kafka import Cluster, broker_of_its_own, member, until
from tests.support.members import Refinery

pytestmark = pytest.mark.services

LETTERS = topics.dead_letters("normalization")
HUGE = b'{"payload":"' + b"x" * (7 << 20) + b'"}'
SMALL_BYTES = 16 * 1024
"""As much as a topic must take for any letter: twice what of a raw message is kept."""


@pytest.fixture
def refinery() -> Iterator[Refinery]:
    with broker_of_its_own() as broker:
        yield Refinery(Cluster(broker.settings["DATA_PROC_KAFKA_BOOTSTRAP"]), batch=100)


def told(refinery: Refinery) -> list[dict[str, Any]]:
    """The letters on their topic."""
    with member(refinery.cluster.log(), "reader", LETTERS) as reader:
        until(reader.values, reader.poll)
        return [json.loads(value or b"")["payload"] for value in reader.values()]


def test_a_letter_of_a_huge_message_waits_for_its_topic_and_fits_a_small_one(refinery: Refinery) -> None:
    raw, planned = topics.raw("miso"), [plan_of(topic) for topic in all_topics(["5m", "1h", "1d"])]
    refinery.container.kafka_topics().create([plan for plan in planned if plan.name != LETTERS])
    refinery.container.log().append(raw, [(0, None, HUGE, 0)])
    unlucky = refinery.process("normalization")
    with pytest.raises(WrongTopics, match=f"publishing on {LETTERS}.*run dataproc topics create"):
        until(lambda: False, unlucky.step)
    unlucky.leave()
    where, group = TopicPartition(raw, 0), "members-normalization"
    assert refinery.container.log().committed(group, [raw]).get(where, 0) == 0

    refinery.container.kafka_topics().create([attrs.evolve(plan_of(LETTERS), largest_bytes=SMALL_BYTES)])
    process = refinery.process("normalization")
    until(lambda: refinery.container.log().committed(group, [raw])[where] == 1, process.step)
    process.leave()

    (letter,) = told(refinery)
    assert (letter["error_code"], letter["raw_sha256"]) == (Reason.OVERSIZE, sha256(HUGE).hexdigest())
    assert base64.b64decode(letter["raw_event"]) == HUGE[:RAW_KEPT_BYTES]
