"""The sample markets send what believable connectors send, and the same again for the same seed."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zlib import crc32

import pytest

from entrypoints.samples import oddities
from entrypoints.samples.__main__ import write
from entrypoints.samples.feeds import futures_month
from entrypoints.samples.messages import SampleMessage, line
from entrypoints.samples.oddities import ODDITIES, Oddity, spoiled
from entrypoints.samples.stream import Chances, SampleFeed, sample_messages
from tests.builders import TEN
from tests.oracle import raw
from tests.oracle.meaning import judge
from tests.oracle.results import Results, results

UNTROUBLED = Chances(repeat=0, correction=0, late=0, broken=0)
TROUBLED = Chances(repeat=0.2, correction=0.1, late=0.05, broken=0.05)


def taken(count: int, chances: Chances | None = None, seed: int = 1, start: datetime = TEN) -> list[SampleMessage]:
    return list(islice(sample_messages(seed, start, chances), count))


def as_read(sample: SampleMessage, offset: int = 0) -> raw.RawMessage:
    return raw.message(line(sample, offset))


def judged(samples: list[SampleMessage]) -> Results:
    return results(as_read(sample, number) for number, sample in enumerate(samples))


def test_the_same_seed_and_start_send_the_same_messages() -> None:
    assert taken(3_000) == taken(3_000)


def test_another_seed_sends_others() -> None:
    assert taken(10, seed=1) != taken(10, seed=2)


def test_messages_arrive_in_order() -> None:
    times = [sample.timestamp_ms for sample in taken(5_000, TROUBLED)]

    assert times == sorted(times)


def test_the_key_decides_the_partition() -> None:
    partitions = {"ingestion.miso.raw.v1": 4, "ingestion.caiso.raw.v1": 6, "ingestion.market.ticks.raw.v1": 6}
    samples = taken(1_000)

    assert [sample.partition for sample in samples] == [
        crc32(sample.key.encode()) % partitions[sample.topic] for sample in samples
    ]


def test_an_untroubled_market_sends_only_good_distinct_prices_of_its_feeds() -> None:
    found = judged(taken(6_000, UNTROUBLED))
    sources = {tick.source_id for tick in found.silver.values()}

    assert {verdict.outcome for _, verdict in found.outcomes.values()} == {"accepted"}
    assert len(found.silver) == 6_000
    assert sources == {
        "miso.lmp.da", "miso.lmp.rt", "caiso.lmp.dam", "caiso.lmp.rtpd", "nymex-trades", "ice-trades", "binance-spot",
    }  # fmt: skip
    assert {flag for tick in found.silver.values() for flag in tick.flags} <= {"PRICE_NEGATIVE"}


def test_a_troubled_market_repeats_corrects_and_breaks() -> None:
    found = judged(taken(4_000, TROUBLED))
    outcomes = Counter(verdict.outcome for _, verdict in found.outcomes.values())

    assert set(outcomes) == {"accepted", "dead_letter", "filtered"}
    assert sum(counted["ticks"] for counted in found.counts.values()) > len(found.silver)


def test_california_has_negative_prices_at_noon() -> None:
    noon = datetime(2026, 10, 5, 20, tzinfo=UTC)
    prices = [
        tick.price
        for tick in judged(taken(3_000, UNTROUBLED, start=noon)).silver.values()
        if tick.source_id == "caiso.lmp.rtpd"
    ]

    assert min(prices) < 0


def test_days_ahead_are_published_once_a_day() -> None:
    before_publication = datetime(2026, 10, 5, 18, 20, tzinfo=UTC)
    slow = [
        sample
        for sample in taken(3_000, UNTROUBLED, start=before_publication)
        if sample.topic == "ingestion.miso.raw.v1"
    ]
    days = {
        json.loads(sample.value or b"")["payload"]["timestamp"][:10]
        for sample in slow
        if json.loads(sample.value or b"")["payload"]["market_run"] == "DA"
    }

    assert days == {"2026-10-05", "2026-10-06"}


@pytest.mark.parametrize(
    ("start", "month"),
    [
        (datetime(2026, 10, 5, tzinfo=UTC), "Z26"),
        (datetime(2026, 11, 5, tzinfo=UTC), "F27"),
        (datetime(2027, 1, 1, tzinfo=UTC), "H27"),
    ],
)
def test_futures_of_the_month_after_next_are_traded(start: datetime, month: str) -> None:
    assert futures_month(start) == month


FILTERED = {oddities.tombstone, oddities.outage}
KEPT = {oddities.no_ingestion_time, oddities.price_too_fine, oddities.confusable_name}


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.__name__)
def test_each_oddity_is_what_it_says_on_every_feed(oddity: Oddity) -> None:
    good: dict[str, SampleMessage] = {}
    for sample in taken(3_000, UNTROUBLED):
        good.setdefault(sample.topic, sample)
    outcomes = {topic: judge(as_read(spoiled(sample, oddity))).outcome for topic, sample in good.items()}

    typed = "ingestion.miso.raw.v1"
    expected = "filtered" if oddity in FILTERED else "accepted" if oddity in KEPT else "dead_letter"
    assert len(good) == 3
    if oddity is oddities.outage:
        assert outcomes == {topic: "filtered" if topic == typed else "dead_letter" for topic in good}
    elif oddity is oddities.from_the_future:
        assert set(outcomes.values()) == {"accepted"}
    else:
        assert set(outcomes.values()) == {expected}


def test_a_feed_gives_what_has_arrived_and_nothing_twice() -> None:
    feed = SampleFeed.since(TEN, seed=3)
    minute = TEN + timedelta(minutes=1)
    first = feed.due(minute, 10)
    rest = feed.due(minute, 10_000)

    assert feed.due(minute, 10) == []
    assert [*first, *rest] == taken(len(first) + len(rest), seed=3)
    assert max(sample.timestamp_ms for sample in rest) <= minute.timestamp() * 1000


@pytest.mark.parametrize("name", ["sample.jsonl", "sample.jsonl.gz"])
def test_a_file_of_samples_reads_back(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    write(file, count=500, seed=9, start=TEN.replace(tzinfo=None))
    messages = list(raw.read(file))

    assert [message.value for message in messages] == [sample.value for sample in taken(500, seed=9)]
    assert len({message.coordinates for message in messages}) == 500


def test_samples_can_be_piped() -> None:
    program = [sys.executable, "-m", "entrypoints.samples", "--out", "-", "--count", "3"]
    answer = subprocess.run(program, cwd=Path(__file__).parents[3], capture_output=True, check=True)

    assert len(answer.stdout.splitlines()) == 3
