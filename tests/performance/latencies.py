"""How long after its intended time a raw message was in silver, in a bar and in the latest price, read from Kafka."""

import bisect
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from confluent_kafka import Consumer, TopicPartition

from adapters.wire.events import EventCodec
from application import topics
from domain.batch import Batch
from domain.gold.bar import BarBatch
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch

BARS = topics.bars("5m")
FIVE_MINUTES_US = 300_000_000
FOLLOWED: Mapping[str, type[Batch[Any]]] = {topics.NORMALIZED: TickBatch, BARS: BarBatch, topics.LATEST: LatestPrices}
"""Topics whose records announce what is stored."""

Place = tuple[str, int]
"""Topic and partition."""
Coordinates = tuple[str, int, int]
"""Topic, partition and offset."""


@attrs.frozen
class Latency:
    """Of so many messages, in ms."""

    messages: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, waits_s: Sequence[float]) -> "Latency":
        """The percentiles of these waits; nan where there are fewer than two."""
        cuts = statistics.quantiles(waits_s, n=100) if len(waits_s) > 1 else [float("nan")] * 99
        return cls(len(waits_s), *(round(1000 * cuts[at - 1], 1) for at in (50, 95, 99)))


@attrs.frozen
class Announced:
    """What services announced, in the order of the log: each fact with the seconds at which it was appended."""

    ticks: Sequence[tuple[float, Mapping[str, Any]]]
    bars: Sequence[tuple[float, Mapping[str, Any]]]
    latest: Sequence[tuple[float, Mapping[str, Any]]]


def log_ends(bootstrap: str) -> dict[Place, int]:
    """The next offset of every partition of raw and followed topics."""
    consumer = _reader(bootstrap)
    places = [(topic, number) for topic in (*topics.RAW, *FOLLOWED) for number in range(topics.partitions(topic))]
    ends = {place: consumer.get_watermark_offsets(TopicPartition(*place))[1] for place in places}
    consumer.close()
    return ends


def announced(bootstrap: str, since: Mapping[Place, int]) -> Announced:
    """Everything announced since those offsets."""
    ends = log_ends(bootstrap)
    codec = EventCodec(FOLLOWED)
    found: dict[str, list[tuple[float, Mapping[str, Any]]]] = {topic: [] for topic in FOLLOWED}
    for topic in FOLLOWED:
        places = [place for place in ends if place[0] == topic]
        for at_s, values in _batches(bootstrap, {place: (since[place], ends[place]) for place in places}):
            found[topic] += zip(at_s, codec.decode(topic, values).facts.frame.iter_rows(named=True), strict=True)
        found[topic].sort(key=lambda fact: fact[0])
    return Announced(*found.values())


def _batches(
    bootstrap: str, wanted: Mapping[Place, tuple[int, int]]
) -> Iterator[tuple[list[float], list[bytes | None]]]:
    """Times and values of the records of these partitions, from one offset to before another."""
    left = sum(end - begin for begin, end in wanted.values())
    consumer = _reader(bootstrap)
    consumer.assign([TopicPartition(*place, begin) for place, (begin, _) in wanted.items()])
    while left > 0:
        messages = consumer.consume(min(left, 10_000), 5.0)
        if not messages:
            raise TimeoutError(f"{left} records did not come")
        left -= len(messages)
        yield [message.timestamp()[1] / 1000 for message in messages], [message.value() for message in messages]
    consumer.close()


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "looking-on",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )


def latencies(intended_s: Mapping[Coordinates, float], told: Announced) -> dict[str, Latency]:
    """
    Waits of raw messages that became a tick.

    Args:
        intended_s: When each message was to be sent, by its coordinates.
        told: What was announced since.

    Returns:
        By where to. To silver: the message's own tick. To a bar: the first 5-minute bar of its window that counts it
        in. To the latest price: the first price of its instrument that is this one or a newer one; a message that is
        older than what was served before is left out.
    """
    ticks = [
        (intended_s[where], at_s, tick)
        for at_s, tick in told.ticks
        if (where := (tick["raw_topic"], tick["raw_partition"], tick["raw_offset"])) in intended_s
    ]
    return {
        "silver": Latency.of([at_s - due_s for due_s, at_s, _ in ticks]),
        "bar": Latency.of(list(_to_bars(ticks, told.bars))),
        "latest": Latency.of(list(_to_latest(ticks, told.latest))),
    }


def _to_bars(ticks: Iterable[tuple[float, float, Mapping[str, Any]]], bars: Iterable[Any]) -> Iterator[float]:
    by_window: dict[tuple[str, int], list[tuple[float, Mapping[str, int]]]] = defaultdict(list)
    for at_s, bar in bars:
        spans = {span["partition"]: span["last_offset"] for span in bar["lineage_partitions"]}
        by_window[bar["series"], _micros(bar["interval_start"])].append((at_s, spans))
    for due_s, _, tick in ticks:
        start = _micros(tick["ts"]) // FIVE_MINUTES_US * FIVE_MINUTES_US
        place = f"{tick['raw_topic']}/{tick['raw_partition']}"
        counted = (
            at_s for at_s, spans in by_window[tick["series"], start] if spans.get(place, -1) >= tick["raw_offset"]
        )
        first_s = next(counted, None)
        if first_s is not None:
            yield first_s - due_s


def _to_latest(ticks: Iterable[tuple[float, float, Mapping[str, Any]]], latest: Iterable[Any]) -> Iterator[float]:
    served: dict[str, tuple[list[Any], list[float]]] = defaultdict(lambda: ([], []))
    for at_s, price in latest:
        ranks, times = served[price["series"]]
        ranks.append(_rank(price))
        times.append(at_s)
    for due_s, _, tick in ticks:
        ranks, times = served[tick["series"]]
        first = bisect.bisect_left(ranks, _rank(tick))
        if first < len(ranks) and times[first] >= due_s:
            yield times[first] - due_s


def _rank(fact: Mapping[str, Any]) -> tuple[Any, ...]:
    return fact["ts"], fact["source_seq"], fact["version"]


def _micros(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)
