"""A broker that has just come up knows its topics before they have leaders."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from confluent_kafka import KafkaError, KafkaException

from adapters.kafka.access import KafkaAccess
from adapters.kafka.event_log import KafkaEventLog
from adapters.wire.events import EventCodec
from application.ports.errors import LogUnavailable, WrongTopics
from tests.support.kafka import nobody


@attrs.frozen
class WithoutLeaders:
    """Answers as a client does while no partition has a leader."""

    topics: Sequence[str]

    def list_offsets(self, asked: Mapping[Any, Any], **_: Any) -> dict[Any, Any]:
        answer: Future[Any] = Future()
        answer.set_exception(KafkaException(KafkaError(KafkaError._NOENT, "No leaders found")))
        return dict.fromkeys(asked, answer)

    def list_topics(self, **_: Any) -> Any:
        return SimpleNamespace(topics=dict.fromkeys(self.topics))

    def poll(self, timeout_s: float) -> int:
        return 0


def log_with(client: Any) -> KafkaEventLog:
    log = KafkaEventLog(KafkaAccess(bootstrap=nobody(), env="test"), EventCodec({}), lambda _: 2)
    log._admin._client = client
    return log


def test_it_is_asked_again() -> None:
    with pytest.raises(LogUnavailable, match="reading where topics end: No leaders found") as later:
        log_with(WithoutLeaders(["raw.v1", "other.v1"])).end_offsets(["raw.v1"])

    assert later.value.away == "kafka"


def test_a_topic_that_is_not_there_is_named_with_what_to_run() -> None:
    with pytest.raises(WrongTopics, match=r"there is no absent\.v1 .*; run dataproc topics create"):
        log_with(WithoutLeaders(["raw.v1"])).end_offsets(["raw.v1", "absent.v1"])
