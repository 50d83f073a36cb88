"""What lies in partitions, read without joining a group."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from time import monotonic

import attrs
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPlace

from adapters.kafka.access import KafkaAccess
from adapters.kafka.refusals import KAFKA, OUTSIDE_THE_LOG, Complaints, client_of, refusal
from application.ports.errors import LogUnavailable
from application.ports.event_log import TopicPartition

DOING = "looking for the next record"
LOOKED_AT_ONCE = 1_000


def next_records(access: KafkaAccess, positions: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
    """
    This will look for the first record at or behind an offset of each partition, None being its beginning.

    Only reading tells: the log keeps offsets for the ends of transactions, and what retention took has left a hole.

    Returns:
        Its offset, or where none is left the one behind all; an offset before the beginning stands as it is.

    Raises:
        Retryable: The brokers did not answer in time.
    """
    if not positions:
        return {}
    complaints = Complaints()
    with closing(_onlooker(access, complaints)) as onlooker:
        try:
            return dict(_Looking(onlooker, dict(positions)).found(monotonic() + access.answer_within_s))
        except KafkaException as error:
            raise refusal(error.args[0], DOING) from error
        except LogUnavailable as error:
            raise complaints.explained(error, DOING) from error


def _onlooker(access: KafkaAccess, complaints: Complaints) -> Consumer:
    """One record a partition is enough, so little is fetched, and brokers do not wait for more."""
    return client_of(
        Consumer,
        {
            **access.config(),
            "error_cb": complaints.heard,
            "group.id": access.client,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "max.partition.fetch.bytes": 1,
            "fetch.wait.max.ms": 10,
        },
    )


@attrs.define
class _Looking:
    """Partitions whose next record is not known yet."""

    onlooker: Consumer
    left: dict[TopicPartition, int | None]

    def found(self, until_s: float) -> Iterator[tuple[TopicPartition, int]]:
        """Each partition with the offset, in the order in which brokers tell."""
        begin = {where: OFFSET_BEGINNING if at is None else at for where, at in self.left.items()}
        self.onlooker.assign([KafkaPlace(where.topic, where.partition, at) for where, at in begin.items()])
        while self.left:
            if monotonic() > until_s:
                raise LogUnavailable(f"{DOING}: the brokers did not answer in time", KAFKA)
            for message in self.onlooker.consume(LOOKED_AT_ONCE, 0.05):
                yield from self._told(message)

    def _told(self, message: Message) -> Iterator[tuple[TopicPartition, int]]:
        topic, partition, offset, error = message.topic(), message.partition(), message.offset(), message.error()
        if error and error.code() not in OUTSIDE_THE_LOG | {KafkaError._PARTITION_EOF}:  # noqa: SLF001
            raise refusal(error, DOING)
        if topic is None or partition is None or offset is None:
            return
        where = TopicPartition(topic, partition)
        if where not in self.left:
            return
        at = self.left.pop(where)
        self.onlooker.incremental_unassign([KafkaPlace(topic, partition)])
        yield where, (at or 0) if error and error.code() in OUTSIDE_THE_LOG else offset
