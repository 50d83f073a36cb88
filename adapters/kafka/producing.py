"""Appending records: durable when the call returns, in order within a partition."""

from collections.abc import Iterable
from time import monotonic

import attrs
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from adapters.kafka.access import KafkaAccess
from adapters.kafka.refusals import KAFKA, Complaints, client_of, refusal
from application.ports.errors import Denied, LogUnavailable, PortError

DELIVERED_WITHIN = 3
"""A record that no broker has acknowledged in so many times an answer may take has failed, and with it the call."""
QUEUED_KIB = 64 * 1024
"""Most that waits for brokers; more is appended as it is acknowledged."""
LARGEST_RECORD = 8 * 1024 * 1024

BROKERS_CLOCK = 0
"""As a record's timestamp: the broker's clock shall say."""

Record = tuple[int, bytes | None, bytes | None, int]
"""Partition, key, value, timestamp in ms or BROKERS_CLOCK."""


@attrs.define
class Appender:
    """
    An idempotent producer that is replaced after every failure.

    After a record whose fate is unknown, a producer may neither skip nor repeat it without breaking its own sequence;
    the caller appends everything again through a new one, and what lies in the log twice is a repeat like any other.
    """

    access: KafkaAccess
    delivered_within_s: float = attrs.field()
    _producer: Producer | None = attrs.field(init=False, default=None)
    _failure: KafkaError | None = attrs.field(init=False, default=None)
    _complaints: Complaints = attrs.field(init=False, factory=Complaints)

    @delivered_within_s.default
    def _as_patient_as_the_access(self) -> float:
        return DELIVERED_WITHIN * self.access.answer_within_s

    def append(self, topic: str, records: Iterable[Record]) -> None:
        """
        Append records and wait until every one is durable.

        Raises:
            Retryable: Some may be appended, some not.
            Fatal: The brokers will never take them.
        """
        self._failure = None
        producer = self._connected()
        try:
            self._produce(producer, topic, records)
            left = producer.flush(self.delivered_within_s + 1)
        except KafkaException as error:
            self._replace()
            raise refusal(error.args[0], f"publishing on {topic}") from error
        self._refuse_failure(topic)
        if left:
            self._replace()
            raise self._late(topic, f"{left} records were not acknowledged in time")

    def _refuse_failure(self, topic: str) -> None:
        failure = self._failure
        if failure is None:
            return
        self._replace()
        doing = f"publishing on {topic}"
        said = self._complaints.explained(refusal(failure, doing), doing)
        # What ends an idempotent producer is over with the next one: everything is appended again.
        raise LogUnavailable(str(said), KAFKA) if failure.fatal() else said

    def close(self) -> None:
        """Let the producer go. Everything appended is durable already."""
        if self._producer:
            self._replace()

    def _produce(self, producer: Producer, topic: str, records: Iterable[Record]) -> None:
        produce = producer.produce
        for partition, key, value, timestamp_ms in records:
            try:
                produce(topic, value, key, partition, timestamp=timestamp_ms)
            except BufferError:
                self._wait_for_room(producer, topic)
                produce(topic, value, key, partition, timestamp=timestamp_ms)
            if self._failure:
                return

    def _wait_for_room(self, producer: Producer, topic: str) -> None:
        """Let a tenth of the queue drain, so that the wait is paid once for many records."""
        until, enough = monotonic() + self.delivered_within_s + 1, len(producer) * 0.9
        while len(producer) > enough:
            if monotonic() > until:
                self._replace()
                raise self._late(topic, "the brokers take no more")
            producer.poll(0.1)

    def _late(self, topic: str, why: str) -> PortError:
        doing = f"publishing on {topic}"
        return self._complaints.explained(LogUnavailable(f"{doing}: {why}", KAFKA), doing)

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = client_of(
                Producer,
                {
                    **self.access.config(
                        enable_idempotence=True,
                        acks="all",
                        linger_ms=5,
                        compression_type="lz4",
                        topic_metadata_propagation_max_ms=10_000,
                        delivery_timeout_ms=round(self.delivered_within_s * 1000),
                        message_max_bytes=LARGEST_RECORD,
                        queue_buffering_max_messages=500_000,
                        queue_buffering_max_kbytes=QUEUED_KIB,
                        delivery_report_only_error=True,
                    ),
                    "on_delivery": self._undelivered,
                    "error_cb": self._troubled,
                },
            )
        return self._producer

    def _replace(self) -> None:
        producer, self._producer = self._producer, None
        if producer:
            producer.purge()
            producer.flush(0)

    def _undelivered(self, error: KafkaError | None, _: Message) -> None:
        """The first failure tells why; those that follow it are purged records."""
        self._failure = self._failure or error

    def _troubled(self, error: KafkaError) -> None:
        self._complaints.heard(error)
        if isinstance(refusal(error, ""), Denied):
            self._failure = self._failure or error
