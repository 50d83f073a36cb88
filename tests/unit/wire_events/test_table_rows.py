"""Rows leave in the form the contract gives each table."""

from decimal import Decimal

import polars as pl
import pytest

from adapters.wire.event_columns import flag_names
from adapters.wire.table_rows import to_stored
from domain.bronze.dead_letter import DeadLetter, DeadLetters
from domain.gold.bar import Bar, BarBatch
from domain.gold.taxonomy import EnrichedTick, EnrichedTicks
from domain.gold.watermark import Seal, Seals
from domain.served.latest_price import LatestPrice, LatestPrices
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch
from tests.builders import TEN, tick
from tests.unit.wire_events.facts import bar, dead_letter, enriched_tick, latest_price

MAP = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
SILVER = (
    "tenant_id market symbol instrument_id source_id ts ingested_at normalized_at interval_end source_seq version price "
    "volume bid_price ask_price energy_price congestion_price loss_price currency unit data_type market_run "
    "quality_flags metadata raw_topic raw_partition raw_offset raw_index"
)
BARS = (
    "tenant_id instrument_id market interval_start interval_end open_ts close_ts open_price high_price low_price "
    "close_price mean_price price_sum volume notional vwap trade_count quality_flags currency unit state reason revision "
    "lineage_partitions lineage_digest"
)
LATEST = (
    "tenant_id market symbol instrument_id ts price volume quality_flags source_id source_seq version currency unit "
    "metadata updated_at rank"
)
DEAD = (
    "stage reason field message topic partition offset row_index first_failed_at retry_count raw raw_sha256 "
    "service_version"
)


@pytest.mark.parametrize(
    ("fact", "rows", "columns"),
    [
        (Tick, TickBatch.of([tick()]), SILVER),
        (
            EnrichedTick,
            EnrichedTicks.of([enriched_tick()]),
            f"{SILVER} commodity region product_tier taxonomy tags metadata_version row_version",
        ),
        (Bar, BarBatch.of([bar()]), f"{BARS} known_at"),
        (LatestPrice, LatestPrices.of([latest_price()]), LATEST),
        (DeadLetter, DeadLetters.of([dead_letter()]), DEAD),
        (Seal, Seals.empty(), "tenant_id instrument_id partition sealed_until"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_table_has_the_columns_of_the_contract(fact: type, rows: object, columns: str) -> None:
    assert to_stored(rows.frame, fact).columns == columns.split()  # type: ignore[attr-defined]


def test_flags_leave_as_sorted_names() -> None:
    odd = int(Flag.VOLUME_NEGATIVE | Flag.BAD_SEQUENCE)

    stored = to_stored(TickBatch.of([tick(quality_flags=odd), tick(), tick(quality_flags=odd)]).frame, Tick)

    assert stored["quality_flags"].to_list() == [
        ["BAD_SEQUENCE", "VOLUME_NEGATIVE"],
        [],
        ["BAD_SEQUENCE", "VOLUME_NEGATIVE"],
    ]
    assert stored["quality_flags"].dtype == pl.List(pl.String)


@pytest.mark.parametrize(("mask", "names"), [(0, []), (3, ["PRICE_NEGATIVE", "VOLUME_NEGATIVE"])])
def test_a_mask_is_its_sorted_names(mask: int, names: list[str]) -> None:
    assert flag_names(mask) == names


def test_metadata_leaves_as_a_map() -> None:
    stored = to_stored(TickBatch.of([tick(metadata='{"a":"1","b":"é"}'), tick()]).frame, Tick)

    assert stored["metadata"].to_list() == [[{"key": "a", "value": "1"}, {"key": "b", "value": "é"}], []]
    assert stored["metadata"].dtype == MAP


def test_an_enriched_tick_gains_the_version_that_decides() -> None:
    batch = EnrichedTicks.of(
        [enriched_tick(version=2**64 - 1, metadata_version=5), enriched_tick(version=0, metadata_version=5)]
    )

    stored = to_stored(batch.frame, EnrichedTick)

    assert stored["row_version"].to_list() == [str(((2**64 - 1) << 64) + 5).zfill(39), "5".zfill(39)]
    assert stored["taxonomy"].to_list()[0] == [
        {"key": "confidence", "value": "1"},
        {"key": "method", "value": "catalog"},
    ]
    assert stored["tags"].to_list()[0] == ["liquid", "physical"]


def test_a_bar_keeps_its_decimals_and_tells_revision_and_digest_as_text() -> None:
    stored = to_stored(BarBatch.of([bar(revision=2**128 - 1, lineage_digest=255)]).frame, Bar).row(0, named=True)

    assert stored["revision"] == str(2**128 - 1)
    assert stored["lineage_digest"] == "000000000000000000000000000000ff"
    assert stored["notional"] == Decimal("1234567890123456789012.1234567890123456")
    assert stored["interval_start"] == TEN


def test_a_rank_leaves_as_a_number_of_256_bits() -> None:
    stored = to_stored(
        LatestPrices.of([latest_price(rank="f" * 80), latest_price(rank="0" * 63 + "a" + "f" * 16)]).frame, LatestPrice
    )

    assert stored["rank"].to_list() == [str(2**256 - 1), "10".zfill(78)]


def test_no_rows_leave_with_the_same_columns_and_types() -> None:
    some = to_stored(EnrichedTicks.of([enriched_tick()]).frame, EnrichedTick)

    assert to_stored(EnrichedTicks.empty().frame, EnrichedTick).schema == some.schema
