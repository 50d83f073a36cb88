"""Whatever way a question to brokers fails, it fails in the port's words."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from adapters.kafka.access import KafkaAccess
from adapters.kafka.administrator import Administrator
from adapters.kafka.refusals import Complaints
from application.ports.errors import Denied, Fatal, LogUnavailable, WrongTopics
from tests.support.kafka import nobody


@pytest.fixture
def admin() -> Administrator:
    return Administrator(KafkaAccess(bootstrap=nobody(), env="test"))


def test_an_answer_that_never_comes_is_one_that_may_come_later(admin: Administrator) -> None:
    answer: Future[Any] = Future()

    with pytest.raises(LogUnavailable, match="reading ends: the brokers did not answer in time") as late:
        admin.asking("reading ends", lambda _: answer.result(0))
    assert late.value.away == "kafka"


@pytest.mark.parametrize("failing", ["the question", "the answer"])
def test_a_question_fails_as_its_answer_does(admin: Administrator, failing: str) -> None:
    refused: Future[Any] = Future()
    refused.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))

    def asked(_: Any) -> Any:
        if failing == "the question":
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return refused.result(0)

    with pytest.raises(WrongTopics, match="reading ends"):
        admin.asking("reading ends", asked)


def test_why_no_broker_answers_is_told_in_place_of_that_none_does() -> None:
    complaints, silence = Complaints(), LogUnavailable("nobody answers")
    complaints.heard(KafkaError(KafkaError._AUTHENTICATION))
    complaints.heard(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    assert isinstance(complaints.explained(silence, "asking"), Denied)
    assert complaints.explained(silence, "asking") is silence


def test_an_answer_needs_no_other_reason() -> None:
    complaints, answer = Complaints(), WrongTopics("none")
    complaints.heard(KafkaError(KafkaError._SSL))

    assert complaints.explained(answer, "asking") is answer


def test_a_client_that_can_not_be_set_up_is_told(admin: Administrator) -> None:
    unread = Administrator(KafkaAccess(bootstrap="k:1", env="test", protocol="SSL", ca_path="/nowhere.pem"))

    with pytest.raises(Fatal, match=r"by DATA_PROC_KAFKA_\*"):
        unread.asking("reading ends", lambda client: client)
