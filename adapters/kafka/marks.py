"""
What a group leaves beside a committed offset: how far it has really come.

A stage commits the floor from which a restart must read again, which may lie far behind what it has performed. The
position, what the stage still owes of it, and what must be run apart, ride as metadata of the same commit, so nothing
else must be kept in step.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from time import monotonic, sleep

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPlace

from adapters.kafka.access import KafkaAccess
from adapters.kafka.refusals import Complaints, client_of, refusal
from adapters.wire.progress import apart, with_apart
from application.ports.errors import LogUnavailable
from application.ports.event_log import Progress, TopicPartition

MOVING = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}
)
"""A group's keeper is being found or changes, which passes in a moment."""


def mark(where: TopicPartition, progress: Progress) -> KafkaPlace:
    """This will write progress as a commit."""
    said = {"position": progress.position, "owed": progress.owed, **apart(progress)}
    beside = json.dumps(said, separators=(",", ":"))
    return KafkaPlace(where.topic, where.partition, progress.floor, beside)


def progress(place: KafkaPlace) -> Progress:
    """Progress as it was committed; a commit by another tool has come as far as its offset."""
    floor = place.offset
    try:
        beside = json.loads(place.metadata or "")
        come = Progress(floor, max(floor, int(beside["position"])), int(beside["owed"]))
        return with_apart(come, beside)
    except (ValueError, KeyError, TypeError):
        return Progress(floor, floor)


def read(access: KafkaAccess, group: str, places: Sequence[KafkaPlace]) -> list[KafkaPlace]:
    """
    The commits of a group, without joining it.

    Raises:
        Retryable: The brokers did not answer.
    """
    complaints = Complaints()
    config = {**access.config(), "group.id": group, "enable.auto.commit": False, "error_cb": complaints.heard}
    with closing(client_of(Consumer, config)) as onlooker:
        try:
            return committed(onlooker, places, group, access.answer_within_s)
        except LogUnavailable as error:
            onlooker.poll(0)  # lets what it told of brokers through
            raise complaints.explained(error, reading(group)) from error


def committed(consumer: Consumer, places: Sequence[KafkaPlace], group: str, within_s: float) -> list[KafkaPlace]:
    """The commits of a consumer's group at these places, offset below 0 where there is none."""
    until_s = monotonic() + within_s
    while True:
        found, trouble = _asked(consumer, places, within_s)
        if trouble is None:
            return found
        if trouble.code() not in MOVING or monotonic() > until_s:
            raise refusal(trouble, reading(group))
        sleep(0.05)


def _asked(
    consumer: Consumer, places: Sequence[KafkaPlace], within_s: float
) -> tuple[list[KafkaPlace], KafkaError | None]:
    try:
        found = consumer.committed(list(places), within_s)
    except KafkaException as error:
        return [], error.args[0]
    return found, next((place.error for place in found if place.error), None)


def reading(group: str) -> str:
    """Names it in errors."""
    return f"reading the offsets of group {group}"
