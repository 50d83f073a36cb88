from datetime import datetime, timedelta

import attrs
import polars as pl
import pytest

from adapters.memory.clock import SystemClock
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.tables import MemoryBarTable, MemoryEnrichedTable, MemorySealTable, MemoryTickTable
from domain.batch import INSTANT
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.watermark import Seal, Seals
from domain.identity import SERIES
from domain.silver.tick import TickBatch
from tests.builders import at, tick, ticks
from tests.steps.enriching import enriched_batch
from tests.unit.gold.folding import bars_over


def window(start: str, end: str, instrument_id: str = "NG_HH") -> pl.DataFrame:
    return pl.DataFrame(
        {"series": [f"default|{instrument_id}"], "start": [at(start)], "end": [at(end)]},
        schema={"series": SERIES, "start": INSTANT, "end": INSTANT},
    )


def seal(instrument_id: str, until: str, partition: int = 0) -> Seal:
    return Seal(
        tenant_id="default",
        instrument_id=instrument_id,
        partition=partition,
        sealed_until=at(until),
        series=f"default|{instrument_id}",
    )


def test_ticks_are_read_by_window_at_their_highest_version() -> None:
    table = MemoryTickTable()
    table.upsert(ticks(tick("10:00:00"), tick("10:04:59.999999", "1"), tick("10:05"), tick("10:01", instrument_id="B")))
    table.upsert(ticks(tick("10:04:59.999999", "2", version=2**63)))
    found = table.within(window("10:00", "10:05"))
    assert isinstance(found, TickBatch)
    assert found.frame.sort("ts").select("ts", "price").rows() == [
        (at("10:00"), tick().price),
        (at("10:04:59.999999"), 2),
    ]
    assert table.final().height == 4


def test_both_newer_ticks_and_newer_metadata_win_in_enriched_ticks() -> None:
    table = MemoryEnrichedTable()

    def row(version: int, metadata_version: int) -> EnrichedTicks:
        return EnrichedTicks(
            enriched_batch([tick(version=version)]).frame.with_columns(
                metadata_version=pl.lit(metadata_version, dtype=pl.UInt64)
            )
        )

    for version, metadata_version in ((2**63, 1), (2**63, 3), (2**63, 2), (1, 9)):
        table.upsert(row(version, metadata_version))
    assert table.final().select("version", "metadata_version").rows() == [(2**63, 3)]


def test_bars_are_read_by_key() -> None:
    table = MemoryBarTable("5m")
    table.upsert(bars_over([tick("10:01"), tick("10:06"), tick("10:01", instrument_id="B")]))
    keys = window("10:05", "10:10").select("series", interval_start="start")
    found = table.stored(keys)
    assert [(bar.instrument_id, bar.interval_start, bar.interval) for bar in found.facts()] == [
        ("NG_HH", at("10:05"), "5m")
    ]
    assert len(table.stored(keys.with_columns(interval_start=pl.lit(at("10:10")).cast(INSTANT)))) == 0


HOUR = [tick(at("10:00") + timedelta(minutes=minute)) for minute in range(0, 30, 5)]


@pytest.mark.parametrize(
    ("start", "end", "limit", "minutes"),
    [
        (None, None, 100, [0, 5, 10, 15, 20, 25]),
        (None, None, 2, [20, 25]),
        ("10:05", "10:15", 100, [5, 10]),
        ("10:06", None, 100, [10, 15, 20, 25]),
        ("10:05:00.000001", "10:15:00.000001", 100, [10, 15]),
        (None, "10:10", 1, [5]),
        ("10:15", "10:05", 100, []),
    ],
)
def test_the_history_of_bars_is_the_newest_in_a_half_open_span(
    start: str | None, end: str | None, limit: int, minutes: list[int]
) -> None:
    table = MemoryBarTable("5m")
    table.upsert(bars_over(HOUR))

    def instant(text: str | None) -> datetime | None:
        return at(text) if text else None

    found = table.history("default", "NG_HH", instant(start), instant(end), limit)
    assert [bar.interval_start.minute for bar in found.facts()] == minutes
    assert len(table.history("tenant-1", "NG_HH", None, None, 10)) == 0


def test_seals_only_rise_and_are_read_by_partition() -> None:
    table = MemorySealTable()
    table.upsert(Seals.of([seal("A", "10:05"), seal("B", "10:05", 1)]))
    table.upsert(Seals.of([seal("A", "10:00"), seal("B", "10:10", 1)]))
    assert [(found.instrument_id, found.sealed_until) for found in table.of_partitions([0]).facts()] == [
        ("A", at("10:05"))
    ]
    assert len(table.of_partitions([0, 1])) == 2
    assert len(table.of_partitions([])) == 0


def test_the_epoch_only_rises() -> None:
    epoch = MemoryLogicEpoch()
    assert epoch.highest() == 0
    for mark in (3, 2):
        epoch.mark(mark)
    assert epoch.highest() == 3


def test_the_clock_is_that_of_the_machine() -> None:
    clock = SystemClock()
    before, now = clock.monotonic_s(), clock.now()
    clock.sleep(0.01)
    assert clock.monotonic_s() - before >= 0.01
    assert (now.utcoffset(), clock.now() >= now) == (timedelta(0), True)
    assert attrs.evolve(tick(), ts=now).ts == now
