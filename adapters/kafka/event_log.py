"""The event log on Kafka: typed batches in, typed batches out; bytes, keys and partitions stay in here."""

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPlace
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # documented, not in __all__

from adapters.kafka import marks
from adapters.kafka.access import KafkaAccess
from adapters.kafka.administrator import Administrator
from adapters.kafka.consumer import KafkaConsumer, Membership
from adapters.kafka.onlooking import next_records
from adapters.kafka.producing import BROKERS_CLOCK, Appender, Record
from adapters.wire.events import EventCodec
from application.ports.event_log import Listener, Progress, TopicPartition
from domain.batch import Batch

WITHOUT_LEADER = KafkaError._NOENT  # noqa: SLF001  (librdkafka's own codes begin with an underscore)
"""What a question about partitions is answered where none of them has a leader."""


@attrs.define
class KafkaEventLog:
    """
    Topics on Kafka brokers.

    A record's partition is `crc32(key) % partitions`, as in the log in process, so that every profile deals
    instruments alike.
    """

    access: KafkaAccess
    codec: EventCodec
    partitions_of: Callable[[str], int]
    membership: Membership = attrs.field(factory=Membership)
    _appender: Appender = attrs.field(init=False)
    _admin: Administrator = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._appender = Appender(self.access)
        self._admin = Administrator(self.access)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        """Append each fact under its key, in order, and wait until all are durable."""
        if not len(facts):
            return
        encoded = self.codec.encode(topic, facts)
        count = self.partitions_of(topic)
        crc32, records = zlib.crc32, zip(encoded.keys, encoded.values, strict=True)
        self._appender.append(topic, ((crc32(key) % count, key, value, BROKERS_CLOCK) for key, value in records))

    def append(self, topic: str, records: Sequence[Record]) -> None:
        """Append records as they are."""
        self._appender.append(topic, records)

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> KafkaConsumer:
        """Join a group that shares the partitions of these topics; equal partition numbers go to one member."""
        return KafkaConsumer(self.access, self.codec, self.membership, group, tuple(topics), listener)

    def end_offsets(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset the next record of each partition will get."""
        asked: Any = dict.fromkeys(self._places(topics), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        within_s = self.access.answer_within_s

        def ends(admin: Any) -> dict[TopicPartition, int]:
            answers = admin.list_offsets(asked, request_timeout=within_s)
            try:
                return {_where(place): found.result(self._admin.patience_s).offset for place, found in answers.items()}
            except KafkaException as error:
                if error.args[0].code() == WITHOUT_LEADER:
                    _refuse_absent(topics, admin.list_topics(timeout=within_s).topics)
                raise

        return self._admin.asking("reading where topics end", ends)

    def committed(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The offset from which the group resumes, for each partition it has committed."""
        return {where: progress.floor for where, progress in self.progress(group, topics).items()}

    def progress(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, Progress]:
        """How far the group has come, for each partition it has committed."""
        places = marks.read(self.access, group, self._places(topics))
        return {_where(place): marks.progress(place) for place in places if place.offset >= 0}

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """The offset of the first record at or behind each of these; where none is left, of the next one."""
        return next_records(self.access, positions)

    def close(self) -> None:
        """Let the connections go."""
        self._appender.close()

    def _places(self, topics: Sequence[str]) -> list[KafkaPlace]:
        return [KafkaPlace(topic, number) for topic in topics for number in range(self.partitions_of(topic))]


def _refuse_absent(topics: Sequence[str], known: Collection[str]) -> None:
    """No leader is found where there is no topic, and for a moment where a broker has just come up."""
    if absent := [topic for topic in topics if topic not in known]:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no {', '.join(absent)}"))


def _where(place: KafkaPlace) -> TopicPartition:
    return TopicPartition(place.topic, place.partition)
