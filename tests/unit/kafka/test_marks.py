"""Reading a group's commits while its keeper changes."""

from typing import Any

import attrs
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPlace

from adapters.kafka.marks import MOVING, committed
from application.ports.errors import Denied, LogUnavailable

PLACE = KafkaPlace("raw", 0, 7)


@attrs.define
class Onlooker:
    """A member whose group answers with these, one after the other, the last one again and again."""

    answers: list[int | None]

    def committed(self, places: list[KafkaPlace], within_s: float) -> list[KafkaPlace]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            raise KafkaException(KafkaError(answer))
        return places


def asked(within_s: float, *answers: int | None) -> list[KafkaPlace]:
    onlooker: Any = Onlooker(list(answers))
    return committed(onlooker, [PLACE], "g", within_s)


def test_a_keeper_that_moves_is_waited_for() -> None:
    assert asked(60, *MOVING, None) == [PLACE]


def test_a_keeper_that_goes_on_moving_is_a_log_that_is_away() -> None:
    with pytest.raises(LogUnavailable, match="reading the offsets of group g"):
        asked(0, KafkaError.NOT_COORDINATOR)


def test_what_waiting_can_not_help_is_told_at_once() -> None:
    with pytest.raises(Denied):
        asked(60, KafkaError.GROUP_AUTHORIZATION_FAILED, None)
