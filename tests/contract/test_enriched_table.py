"""What every table of enriched ticks promises beyond what all tables do (test_tables.py)."""

from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
from adapters.memory.tables import MemoryEnrichedTable
from application.ports.enriched_table import EnrichedTable
from application.reenrichment import SPANS
from domain.gold.taxonomy import EnrichedTick, EnrichedTicks
from domain.silver.tick import content_digests
from tests.builders import at
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.wire_events.facts import enriched_tick

MICROSECOND = timedelta(microseconds=1)


def row(ts: str = "10:00", metadata_version: int = 1, **fields: object) -> EnrichedTick:
    return enriched_tick(ts=at(ts), metadata_version=metadata_version, **fields)


def spans(*told: tuple[str, str, str, int]) -> pl.DataFrame:
    """Spans of series, as (series, start, end, wanted)."""
    rows = [(series, at(start), at(end), wanted) for series, start, end, wanted in told]
    return pl.DataFrame(rows, schema=dict(SPANS), orient="row")


def found(rows: EnrichedTicks) -> list[tuple[str, datetime, int]]:
    return sorted((one.series, one.ts, one.metadata_version) for one in rows.facts())


class EnrichedTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> EnrichedTable:
        raise NotImplementedError

    def test_an_empty_table_has_no_series(self, table: EnrichedTable) -> None:
        assert table.extents().rows() == []
        assert found(table.behind(spans(("default|NG_HH", "10:00", "11:00", 9)))) == []
        assert found(table.behind(spans())) == []

    def test_each_series_is_told_with_how_far_it_reaches(self, table: EnrichedTable) -> None:
        table.upsert(
            EnrichedTicks.of(
                [row("10:00", 3), row("10:05", 2), row("10:09", 7, tenant_id="b"), row("10:01", 4, instrument_id="A")]
            )
        )
        assert table.extents().columns == ["tenant_id", "instrument_id", "rows", "first_ts", "last_ts", "lowest"]
        assert table.extents().rows() == [
            ("b", "NG_HH", 1, at("10:09"), at("10:09"), 7),
            ("default", "A", 1, at("10:01"), at("10:01"), 4),
            ("default", "NG_HH", 2, at("10:00"), at("10:05"), 2),
        ]

    def test_rows_behind_are_those_of_older_metadata_than_asked(self, table: EnrichedTable) -> None:
        table.upsert(EnrichedTicks.of([row("10:00", 1), row("10:01", 2), row("10:02", 3), row("10:03", 0)]))
        assert found(table.behind(spans(("default|NG_HH", "10:00", "10:05", 2)))) == [
            ("default|NG_HH", at("10:00"), 1),
            ("default|NG_HH", at("10:03"), 0),
        ]

    def test_a_span_is_half_open_and_of_its_series_alone(self, table: EnrichedTable) -> None:
        table.upsert(EnrichedTicks.of([row(f"10:0{n}", instrument_id=name) for n in range(6) for name in ("A", "B")]))
        asked = spans(
            ("default|A", "10:00", "10:02", 2), ("default|A", "10:02", "10:04", 1), ("default|B", "10:05", "10:06", 9)
        )
        assert [(series, ts) for series, ts, _ in found(table.behind(asked))] == [
            ("default|A", at("10:00")),
            ("default|A", at("10:01")),
            ("default|B", at("10:05")),
        ]

    def test_a_row_that_was_replaced_is_not_behind(self, table: EnrichedTable) -> None:
        table.upsert(EnrichedTicks.of([row("10:00", 1, version=5)]))
        table.upsert(EnrichedTicks.of([row("10:00", 4, version=5)]))
        assert found(table.behind(spans(("default|NG_HH", "10:00", "11:00", 4)))) == []
        table.upsert(EnrichedTicks.of([row("10:00", 2, version=6)]))
        assert found(table.behind(spans(("default|NG_HH", "10:00", "11:00", 4)))) == [("default|NG_HH", at("10:00"), 2)]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_equally_new_ticks_the_greater_content_stays_whatever_the_metadata(
        self, table: EnrichedTable, order: tuple[int, int]
    ) -> None:
        said = EnrichedTicks.of([row(price=Decimal(5)), row(price=Decimal(6))]).frame
        greater = content_digests(said).arg_max() or 0
        said = said.with_columns(
            metadata_version=pl.Series([1 if at == greater else 2 for at in (0, 1)], dtype=pl.UInt64)
        )
        for position in order:
            table.upsert(EnrichedTicks(said[position : position + 1]))
        left = table.behind(spans(("default|NG_HH", "10:00", "11:00", 9)))
        assert left.frame["price"].to_list() == [said["price"][greater]]

    def test_rows_come_back_as_they_were_stored(self, table: EnrichedTable) -> None:
        stored = row(quality_flags=3, tags='["a"]', source_event_id="", source_system="", trace_id="")
        table.upsert(EnrichedTicks.of([stored]))
        assert list(table.behind(spans(("default|NG_HH", "10:00", "11:00", 9))).facts()) == [stored]

    def test_a_span_may_be_all_time(self, table: EnrichedTable) -> None:
        table.upsert(EnrichedTicks.of([row("1970-01-01T00:00:00"), row("2099-12-31T00:00:00")]))
        asked = spans(("default|NG_HH", "1970-01-01T00:00:00", "2100-01-01T00:00:00", 2))
        assert len(table.behind(asked)) == 2


class TestMemoryEnrichedTable(EnrichedTableContract):
    @pytest.fixture
    def table(self) -> EnrichedTable:
        return MemoryEnrichedTable()


class TestClickHouseEnrichedTable(EnrichedTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> EnrichedTable:
        return ClickHouseEnrichedTable(emptied(database(request.param), "enriched_ticks"))
