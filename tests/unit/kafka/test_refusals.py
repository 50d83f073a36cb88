"""Each error of Kafka is either worth another try or not, and says what to do."""

import pytest
from confluent_kafka import KafkaError
from confluent_kafka import TopicPartition as Place

from adapters.kafka import marks
from adapters.kafka.refusals import refusal
from application.ports.errors import Denied, Fatal, LogUnavailable, OffsetLost, PortError, WrongTopics
from application.ports.event_log import Doubt, Progress, TopicPartition


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (KafkaError._ALL_BROKERS_DOWN, LogUnavailable, ""),
        (KafkaError._MSG_TIMED_OUT, LogUnavailable, ""),
        (KafkaError.NOT_ENOUGH_REPLICAS, LogUnavailable, ""),
        (KafkaError.ILLEGAL_GENERATION, LogUnavailable, ""),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, WrongTopics, "dataproc topics create"),
        (KafkaError._UNKNOWN_PARTITION, WrongTopics, "dataproc topics create"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Denied, "ACLs"),
        (KafkaError.SASL_AUTHENTICATION_FAILED, Denied, "credentials"),
        (KafkaError.FENCED_INSTANCE_ID, Denied, "instance id"),
        (KafkaError.OFFSET_OUT_OF_RANGE, OffsetLost, "docs/how-to/lost-offset.md"),
        (KafkaError._AUTO_OFFSET_RESET, OffsetLost, "docs/how-to/lost-offset.md"),
        (KafkaError.MSG_SIZE_TOO_LARGE, Fatal, ""),
        (KafkaError._BAD_MSG, Fatal, "docs/how-to/lost-offset.md"),
        (KafkaError._FATAL, Fatal, ""),
    ],
)
def test_an_error_says_whether_to_try_again_and_what_to_do(code: int, kind: type[PortError], advice: str) -> None:
    said = refusal(KafkaError(code), "publishing on x.v1")

    assert type(said) is kind
    assert str(said).startswith("publishing on x.v1: ")
    assert advice in str(said)


@pytest.mark.parametrize(
    ("code", "kind"), [(KafkaError.UNRELEASED_INSTANCE_ID, Denied), (KafkaError.GROUP_ID_NOT_FOUND, OffsetLost)]
)
def test_an_error_that_only_says_that_all_is_over_is_known_by_its_text(code: int, kind: type[PortError]) -> None:
    over = KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(code).str()}: heartbeat")

    assert type(refusal(over, "polling")) is kind


def test_progress_is_read_back_as_it_was_marked() -> None:
    progress = Progress(floor=5, position=90, owed=3)
    place = marks.mark(TopicPartition("t", 2), progress)

    assert ((place.topic, place.partition, place.offset), marks.progress(place)) == (("t", 2, 5), progress)


def test_what_is_run_apart_is_read_back_as_it_was_marked() -> None:
    progress = Progress(5, 90, 3, Doubt(since=90, until=100, tries=2), (7, 89))

    assert marks.progress(marks.mark(TopicPartition("t", 2), progress)) == progress


def test_a_doubt_of_before_survivors_were_counted_is_read() -> None:
    progress = marks.progress(Place("t", 0, 5, '{"position":9,"owed":0,"doubt":[9,10,2]}'))

    assert progress == Progress(5, 9, 0, Doubt(since=9, until=10, tries=2))


def test_a_mark_that_says_nothing_of_doubts_has_none() -> None:
    assert marks.mark(TopicPartition("t", 0), Progress(5, 9)).metadata == '{"position":9,"owed":0}'
    assert marks.progress(Place("t", 0, 5, '{"position":9,"owed":0}')) == Progress(5, 9)


@pytest.mark.parametrize(
    "beside", ['"doubt":[1,2]', '"doubt":[1,2,3,4,5]', '"doubt":["x",2,3]', '"aside":1', '"aside":["x"]']
)
def test_a_mark_with_doubts_nobody_can_read_has_come_as_far_as_its_offset(beside: str) -> None:
    assert marks.progress(Place("t", 0, 5, f'{{"position":9,"owed":0,{beside}}}')) == Progress(5, 5)


@pytest.mark.parametrize("beside", ["", "what another tool wrote", "[]", '{"position":"x","owed":0}', "{}"])
def test_a_commit_without_a_mark_has_come_as_far_as_its_offset(beside: str) -> None:
    assert marks.progress(Place("t", 0, 5, beside)) == Progress(floor=5, position=5)


def test_a_mark_below_its_offset_is_lifted_to_it() -> None:
    assert marks.progress(Place("t", 0, 5, '{"position":3,"owed":0}')) == Progress(floor=5, position=5)
