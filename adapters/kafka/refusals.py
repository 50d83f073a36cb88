"""What Kafka's errors mean to the application: try again, or stop and say why."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
from confluent_kafka import KafkaError, KafkaException

from application.ports.errors import Denied, Fatal, LogUnavailable, OffsetLost, PortError, WrongTopics

KAFKA = "kafka"
"""What readiness calls the brokers."""

C = TypeVar("C")

SAME_INSTANCE = frozenset({KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID})
DENIED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001  (librdkafka's own codes begin with an underscore)
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
NO_SUCH_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
TELLING = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._SSL,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""Why no broker answers, where calls only say that none does."""
OUTSIDE_THE_LOG = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.GROUP_ID_NOT_FOUND,  # of a group with members: the brokers came back without what they held
    }
)
DAMAGED = frozenset({KafkaError._BAD_MSG})  # noqa: SLF001
HOPELESS = frozenset(
    {
        KafkaError._INVALID_ARG,  # noqa: SLF001
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.POLICY_VIOLATION,
    }
)


ADVICE: tuple[tuple[frozenset[int], type[Fatal], str], ...] = (
    (SAME_INSTANCE, Denied, "another process uses the same instance id: give each its own, or stop the other"),
    (DENIED, Denied, "check the credentials and the ACLs of topics and groups"),
    (NO_SUCH_TOPIC, WrongTopics, "run dataproc topics create"),
    (OUTSIDE_THE_LOG, OffsetLost, "what lay there is gone or was never written: see docs/how-to/lost-offset.md"),
    (DAMAGED, Fatal, "what lies there is damaged: see docs/how-to/lost-offset.md"),
)
"""What a person can do about errors that no other try helps."""


def refusal(error: KafkaError, doing: str) -> PortError:
    """
    This will say what an error means.

    Args:
        error: What Kafka or librdkafka said.
        doing: What was being done, e.g. `publishing on normalized.market.ticks.v1`.

    Returns:
        One of the Fatal kinds where trying again can't help; else LogUnavailable.
    """
    code, said = _cause(error), f"{doing}: {error.str()} ({error.name()})"
    for codes, kind, advice in ADVICE:
        if code in codes:
            return kind(f"{said}; {advice}")
    if code == KafkaError._SSL:  # noqa: SLF001
        return LogUnavailable(f"{said}; check DATA_PROC_KAFKA_CA_PATH and the certificates of both sides", KAFKA)
    if code in HOPELESS:
        return Fatal(said)
    return Fatal(said) if error.fatal() or code == KafkaError._FATAL else LogUnavailable(said, KAFKA)  # noqa: SLF001


@attrs.define
class Complaints:
    """What a client tells of brokers beside the answers to its calls."""

    _last: KafkaError | None = None

    def heard(self, error: KafkaError) -> None:
        """Remember it, where it tells why; what librdkafka calls with its errors."""
        if error.code() in TELLING:
            self._last = error

    def explained(self, said: PortError, doing: str) -> PortError:
        """A failure by its reason, where a call got no answer and the client told why."""
        last, self._last = self._last, None
        return refusal(last, doing) if last and isinstance(said, LogUnavailable) else said


def client_of(kind: Callable[[Any], C], config: Mapping[str, Any]) -> C:
    """
    A client of librdkafka.

    Raises:
        Fatal: It can't be configured like this: a certificate or key can't be read, say.
    """
    try:
        return kind(dict(config))
    except KafkaException as error:
        raise refusal(error.args[0], "setting up a client of Kafka by DATA_PROC_KAFKA_*") from error


def _cause(error: KafkaError) -> int:
    """The code of an error; where librdkafka only says that all is over, the one its text tells of."""
    if error.code() != KafkaError._FATAL:  # noqa: SLF001
        return error.code()
    told = (code for code in sorted(SAME_INSTANCE | DENIED | OUTSIDE_THE_LOG) if KafkaError(code).str() in error.str())
    return next(told, error.code())
