"""An event's id follows from topic, natural key and version, and from nothing else."""

import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import polars as pl
import pytest

from adapters.wire.event_ids import id_text, key_lanes
from adapters.wire.events import EventCodec
from domain.gold.bar import BarBatch
from domain.silver.tick import TickBatch
from tests.builders import TEN, micros, tick
from tests.unit.wire_events.facts import bar

TOPIC = "normalized.market.ticks.v1"


def ids(topic: str = TOPIC, **fields: Any) -> tuple[str, str]:
    value = json.loads(EventCodec({}).encode(topic, TickBatch.of([tick(**fields)])).values[0])
    return value["event_id"], value["payload"]["tick_id"]


def text_hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def lane(seed: int, *values: int) -> int:
    """One half of an id in plain arithmetic: the values in order, each mixed in by the finaliser of splitmix64."""
    mixed, *others = values
    for value in (seed, *others):
        mixed = ((mixed ^ value) + 0x9E3779B97F4A7C15) % 2**64
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
        mixed ^= mixed >> 31
    return mixed


def test_ids_are_the_same_on_every_machine_and_in_every_release() -> None:
    key = (text_hash("default|NG_HH"), text_hash("trades"), micros(TEN), 7)
    event = (*key, text_hash(TOPIC), 2**64 - 1)
    seeds = (0x243F6A8885A308D3, 0x13198A2E03707344)

    expected = tuple("".join(f"{lane(seed, *values):016x}" for seed in seeds) for values in (event, key))

    assert ids(source_seq=7, version=2**64 - 1) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"instrument_id": "NG_HI"},
        {"tenant_id": "acme"},
        {"source_id": "other"},
        {"source_seq": 1},
        {"source_seq": 2**63 - 1},
        {"ts": TEN + timedelta(microseconds=1), "version": 1},
    ],
)
def test_another_key_has_other_ids(other: dict[str, Any]) -> None:
    (event, one), (other_event, another) = ids(version=1), ids(**({"version": 1} | other))

    assert event != other_event
    assert one != another


def test_another_version_is_another_event_about_the_same_tick() -> None:
    (event, one), (other_event, another) = ids(version=1), ids(version=2)

    assert event != other_event
    assert one == another


def test_another_topic_makes_another_event_about_the_same_tick() -> None:
    (event, one), (other_event, another) = ids(TOPIC), ids("another.market.ticks.v1")

    assert event != other_event
    assert one == another


def test_content_and_stamps_change_no_id() -> None:
    assert ids(version=1) == ids(version=1, price="9", normalized_at=TEN, trace_id="t")


def test_both_halves_of_a_revision_count() -> None:
    revisions = [5, 5 + (1 << 64), 6, 2**128 - 1]
    batch = BarBatch.of([bar(revision=revision) for revision in revisions])

    written = EventCodec({}).encode("aggregated.market.bars.5m.v1", batch).values

    assert len({json.loads(value)["event_id"] for value in written}) == len(revisions)


def test_many_neighbouring_keys_never_meet() -> None:
    height = 100_000
    numbers = pl.int_range(height, dtype=pl.UInt64, eager=True)
    texts = pl.Series(["a", "b"] * (height // 2))

    lanes = key_lanes([texts], [numbers // 8, numbers % 8])

    assert id_text(lanes).n_unique() == height
    assert id_text(lanes).str.len_chars().unique().to_list() == [32]
