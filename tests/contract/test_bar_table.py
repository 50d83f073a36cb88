"""What every table of bars promises."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from adapters.clickhouse.bar_table import ClickHouseBarTable
from adapters.memory.tables import MemoryBarTable
from application.ports.bar_table import BarTable
from domain.batch import INSTANT, stored_columns
from domain.gold.bar import Bar, BarBatch
from domain.identity import SERIES
from tests.builders import TEN, at
from tests.contract.test_tick_table import windows
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.wire_events.facts import bar as finished

FIVE_MINUTES = timedelta(minutes=5)


def bar(start: str | datetime = TEN, **fields: Any) -> Bar:
    """A bar of NG_HH; its series follows from tenant and instrument."""
    moment = at(start) if isinstance(start, str) else start
    series = f"{fields.get('tenant_id', 'default')}|{fields.get('instrument_id', 'NG_HH')}"
    times = {"interval_start": moment, "interval_end": moment + FIVE_MINUTES, "open_ts": moment, "close_ts": moment}
    return finished(**(times | {"series": series} | fields))


def keys(*rows: tuple[str, str | datetime]) -> pl.DataFrame:
    """Keys of bars, as (series, interval_start)."""
    starts = [at(start) if isinstance(start, str) else start for _, start in rows]
    return pl.DataFrame(
        {
            "series": pl.Series([series for series, _ in rows], dtype=pl.String).cast(SERIES),
            "interval_start": pl.Series(starts, dtype=INSTANT),
        }
    )


def starts(bars: BarBatch) -> list[tuple[str, datetime]]:
    """Which bars were read."""
    return sorted(bars.frame.select(pl.col("series").cast(pl.String), "interval_start").rows())


class BarTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> BarTable:
        raise NotImplementedError

    def test_a_table_begins_empty(self, table: BarTable) -> None:
        assert table.final().columns == stored_columns(Bar)
        assert len(table.final()) == 0
        assert len(table.stored(keys(("default|NG_HH", TEN)))) == 0
        assert len(table.history("default", "NG_HH", None, None, 10)) == 0

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"volume": None, "notional": None, "vwap": None, "lineage_partitions": [], "quality_flags": 0},
            {"revision": 2**128 - 1, "lineage_digest": 0, "state": "provisional", "reason": "late"},
        ],
    )
    def test_a_bar_comes_back_as_it_was_stored(self, table: BarTable, fields: dict[str, Any]) -> None:
        rows = BarBatch.of([bar(**fields)])
        table.upsert(rows)
        assert table.stored(keys(("default|NG_HH", TEN))) == rows
        assert table.history("default", "NG_HH", None, None, 1) == rows
        assert table.within(windows(("default|NG_HH", TEN, TEN + FIVE_MINUTES))) == rows
        assert table.final().equals(rows.frame.select(stored_columns(Bar)))

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_bars_the_higher_revision_stays(self, table: BarTable, order: tuple[int, int]) -> None:
        rows = [bar(revision=2**100, trade_count=1), bar(revision=2**100 + 1, trade_count=2)]
        for position in order:
            table.upsert(BarBatch.of([rows[position]]))
        assert table.stored(keys(("default|NG_HH", TEN))) == BarBatch.of([rows[1]])
        assert table.final()["trade_count"].to_list() == [2]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    @pytest.mark.parametrize("sealed", [0, 1])
    def test_of_two_bars_of_equal_versions_the_greater_content_stays(
        self, table: BarTable, order: tuple[int, int], sealed: int
    ) -> None:
        rows = [
            bar(revision=2**100 + sealed, lineage_digest=2**96, trade_count=1),
            bar(revision=2**100, lineage_digest=2**96 + 1, trade_count=2),
        ]
        for position in order:
            table.upsert(BarBatch.of([rows[position]]))
        assert table.stored(keys(("default|NG_HH", TEN))) == BarBatch.of([rows[1]])
        assert table.final()["trade_count"].to_list() == [2]

    def test_only_known_keys_are_returned(self, table: BarTable) -> None:
        table.upsert(BarBatch.of([bar(), bar("10:05"), bar(instrument_id="B"), bar(tenant_id="acme")]))
        asked = keys(("default|NG_HH", "10:05"), ("acme|NG_HH", TEN), ("default|B", "10:05"), ("default|NEVER", TEN))
        assert starts(table.stored(asked)) == [("acme|NG_HH", TEN), ("default|NG_HH", at("10:05"))]
        assert len(table.stored(keys())) == 0

    def test_bars_lie_within_a_window_by_their_start(self, table: BarTable) -> None:
        table.upsert(
            BarBatch.of([bar(f"{hour}:55", instrument_id=name) for hour in (9, 10, 11) for name in ("A", "B")])
        )
        read = table.within(windows(("default|A", "09:55", "10:55"), ("default|B", "10:00", "12:00")))
        assert starts(read) == [("default|A", at("09:55")), ("default|B", at("10:55")), ("default|B", at("11:55"))]

    def test_history_is_the_newest_in_ascending_order(self, table: BarTable) -> None:
        table.upsert(BarBatch.of([bar(f"10:{minute:02}") for minute in range(0, 60, 5)]))
        table.upsert(BarBatch.of([bar(instrument_id="B"), bar(tenant_id="acme")]))
        read = table.history("default", "NG_HH", at("10:10"), at("10:40"), 3).frame["interval_start"]
        assert read.to_list() == [at("10:25"), at("10:30"), at("10:35")]

    def test_a_batch_may_span_years(self, table: BarTable) -> None:
        table.upsert(BarBatch.of([bar(TEN - timedelta(days=31 * month)) for month in range(150)]))
        assert len(table.final()) == 150


class TestMemoryBarTable(BarTableContract):
    @pytest.fixture
    def table(self) -> BarTable:
        return MemoryBarTable("5m")


class TestClickHouseBarTable(BarTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> BarTable:
        return ClickHouseBarTable(emptied(database(request.param), "bars_5m"), "5m")
