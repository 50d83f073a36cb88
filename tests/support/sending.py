"""Raw messages on their way to a broker, kept as the lines of a file that a program or an oracle reads."""

from collections import Counter
from collections.abc import Iterable

import attrs
from confluent_kafka import Producer

from entrypoints.samples.messages import SampleMessage, line

WITHIN_S = 30


@attrs.define
class Sender:
    """Sends raw messages straight to a broker, and remembers all of them."""

    bootstrap: str
    lines: list[bytes] = attrs.field(init=False, factory=list)
    """All of them so far, with the offsets the log gave them."""
    _producer: Producer = attrs.field(init=False)
    _offsets: Counter[tuple[str, int]] = attrs.field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def send(self, samples: Iterable[SampleMessage]) -> None:
        """Send these, and wait until the log has them."""
        for sample in samples:
            place = sample.topic, sample.partition
            self.lines.append(line(sample, self._offsets[place]))
            self._offsets[place] += 1
            self._producer.produce(
                sample.topic, sample.value, sample.key, sample.partition, timestamp=sample.timestamp_ms
            )
        assert self._producer.flush(WITHIN_S) == 0
