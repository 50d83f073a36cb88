"""Raw messages from elsewhere, onto their topics."""

from collections.abc import Sequence

import attrs

from adapters.kafka.access import KafkaAccess
from adapters.kafka.producing import BROKERS_CLOCK, Appender, Record
from domain.bronze.raw_event import RawEvents


@attrs.define
class KafkaRawFeed:
    """Appends raw messages under their own key, partition and timestamp; Kafka gives them new offsets."""

    access: KafkaAccess
    _appender: Appender = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._appender = Appender(self.access)

    def append(self, events: RawEvents, keys: Sequence[bytes | None]) -> None:
        """Append messages in order, and wait until all are durable."""
        by_topic: dict[str, list[Record]] = {}
        stamps = (events.timestamps_us // 1000).fill_null(BROKERS_CLOCK)
        for topic, *record in zip(events.topics, events.partitions, keys, events.values, stamps, strict=True):
            by_topic.setdefault(topic, []).append(tuple(record))  # the four of a Record
        for topic, records in by_topic.items():
            self._appender.append(topic, records)

    def close(self) -> None:
        """Let the connections go."""
        self._appender.close()
