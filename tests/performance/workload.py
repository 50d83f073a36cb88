"""
Raw messages for measurements: real ones shifted in time until there are as many distinct points as asked for.

The burst set states about 30,000 points many times. Here each is stated once per shift: CSV ticks a day later each
time, CAISO prices 182 days later (its prices cover that many), in the burst's own mix of topics. Where the set is
absent the project's own samples stand in.
"""

import gzip
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import attrs

from application import topics
from domain.bronze.raw_event import RawEvents
from entrypoints.samples.stream import sample_messages

BURST = (
    Path(os.environ.get("DATA_PROC_SHARED", Path(__file__).parents[2].parent / "shared")) / "data/raw/burst.jsonl.gz"
)
CSV_SHIFT = timedelta(days=1)
CAISO_SHIFT = timedelta(days=182)
CAISO_SHARE = 0.2556
"""Of the burst's messages."""
DATE = re.compile(r"\d{4}-\d\d-\d\d(?=T)")
SAMPLE_START = datetime(2026, 10, 5, 10, tzinfo=UTC)

Message = tuple[str, int, int, bytes]
"""Topic, partition, record time in µs, value."""


@attrs.frozen(kw_only=True)
class Point:
    """One message of the burst, ready to be stated at another time."""

    topic: str
    partition: int
    text: str
    raw: str
    checksum: str
    known_us: int
    dates: tuple[str, ...]
    """The dates its texts speak of, latest first, so that a shift never meets a date it has made."""

    def shifted(self, by: timedelta) -> Message:
        """The same statement at a later time, with a checksum that fits."""
        text, raw = self.text, self.raw
        for day in self.dates:
            later = (date.fromisoformat(day) + by).isoformat()
            text, raw = text.replace(f"{day}T", f"{later}T"), raw.replace(f"{day}T", f"{later}T")
        known_us = self.known_us + by // timedelta(microseconds=1)
        checksum = hashlib.sha256(raw.encode()).hexdigest()
        text = text.replace(self.checksum, checksum).replace(str(self.known_us), str(known_us))
        return self.topic, self.partition, known_us, text.encode()


def source() -> str:
    """What the messages are made of."""
    return "the burst set, shifted in time" if BURST.exists() else "the project's own samples"


def raw_messages(total: int, batch: int = 20_000) -> Iterator[RawEvents]:
    """Distinct raw messages in order of knowledge within each topic, `batch` at a time."""
    messages = islice(_shifted_burst() if BURST.exists() else _samples(), total)
    offsets: Counter[tuple[str, int]] = Counter()
    while part := list(islice(messages, batch)):
        yield _events(part, offsets)


def _events(part: list[Message], offsets: Counter[tuple[str, int]]) -> RawEvents:
    numbers = []
    for topic, partition, _, _ in part:
        numbers.append(offsets[topic, partition])
        offsets[topic, partition] += 1
    told, partitions, times, values = zip(*part, strict=True)
    return RawEvents(topics=told, partitions=partitions, offsets=numbers, timestamps_us=times, values=values)


def live_messages(total: int) -> Iterator[Message]:
    """Messages as feeds send them through a day, all about that day and the next ones: the project's own samples."""
    return islice(_samples(), total)


def _samples() -> Iterator[Message]:
    for sample in sample_messages(1, SAMPLE_START):
        yield sample.topic, sample.partition, sample.timestamp_ms * 1000, sample.value or b""


def _shifted_burst() -> Iterator[Message]:
    points = list(_distinct(BURST))
    caiso = _again_and_again([point for point in points if point.topic == topics.raw("caiso")], CAISO_SHIFT)
    ticks = _again_and_again([point for point in points if point.topic != topics.raw("caiso")], CSV_SHIFT)
    for number in count():
        whole = int((number + 1) * CAISO_SHARE) > int(number * CAISO_SHARE)
        yield next(caiso if whole else ticks)


def _again_and_again(points: list[Point], shift: timedelta) -> Iterator[Message]:
    points.sort(key=lambda point: point.known_us)
    for number in count():
        yield from (point.shifted(number * shift) for point in points)


def _distinct(path: Path) -> Iterator[Point]:
    seen: set[tuple[str, str]] = set()
    with gzip.open(path, "rt") as lines:
        for line in lines:
            checksum = line[line.rindex('"checksum":"') + 12 :][:64]
            topic = line[10 : line.index('"', 10)]
            if (topic, checksum) not in seen:
                seen.add((topic, checksum))
                yield _point(line, checksum)


def _point(line: str, checksum: str) -> Point:
    record = json.loads(line)
    text = line[line.index('"value":') + 8 : line.rindex("}")]
    raw = record["value"]["payload"]["raw_payload"]
    return Point(
        topic=record["topic"],
        partition=record["partition"],
        text=text,
        raw=raw,
        checksum=checksum,
        known_us=record["value"]["ingested_at"],
        dates=tuple(sorted(set(DATE.findall(text)), reverse=True)),
    )


def total_bytes(batches: Iterable[RawEvents]) -> int:
    """Size of all values."""
    return sum(len(value or b"") for batch in batches for value in batch.values)
