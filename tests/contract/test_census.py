"""What every census of the tables promises."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.clickhouse.bar_table import ClickHouseBarTable
from adapters.clickhouse.census import ClickHouseCensus
from adapters.clickhouse.dead_letter_table import ClickHouseDeadLetterTable
from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
from adapters.clickhouse.latest_table import ClickHouseLatestTable
from adapters.clickhouse.tick_table import ClickHouseTickTable
from adapters.memory.census import MemoryCensus
from adapters.memory.tables import (
    MemoryBarTable,
    MemoryDeadLetterTable,
    MemoryEnrichedTable,
    MemoryLatestTable,
    MemoryTickTable,
)
from application.ports.census import Census
from domain.bronze.dead_letter import DeadLetters
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.quality import Flag
from tests.builders import TEN, tick, ticks
from tests.steps.enriching import enriched_batch
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.wire_events.facts import bar, dead_letter

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 10, 5, tzinfo=UTC)
RAW = "ingestion.market.ticks.raw.v1"
Put = Callable[[str, Any], None]
NAMES = ("silver_ticks", "enriched_ticks", "bars_5m", "served_latest", "dead_letters")


def prices(*instruments: str) -> LatestPrices:
    return latest_of(ticks(*(tick(instrument_id=name) for name in instruments)), TEN)


class CensusContract:
    """Inherited by the suite of each adapter, which says how to make empty tables, and to put rows into them."""

    @pytest.fixture
    def census(self) -> Census:
        raise NotImplementedError

    @pytest.fixture
    def put(self) -> Put:
        raise NotImplementedError

    def test_nothing_is_found_at_first(self, census: Census) -> None:
        assert census.days("silver_ticks", None, None).height == 0
        assert census.series("bars_5m", MIDNIGHT, MIDNIGHT + DAY).height == 0
        assert census.origins().height == census.refused().height == 0
        assert len(census.latest(None, 10)) == 0

    def test_days_that_hold_rows_are_listed(self, census: Census, put: Put) -> None:
        last_moment = MIDNIGHT + DAY - timedelta(microseconds=1)
        put("silver_ticks", ticks(*(tick(ts) for ts in (TEN, MIDNIGHT - DAY, last_moment, MIDNIGHT + 3 * DAY))))
        found = [(MIDNIGHT - DAY, 1), (MIDNIGHT, 2), (MIDNIGHT + 3 * DAY, 1)]
        assert census.days("silver_ticks", None, None).rows() == found
        assert census.days("silver_ticks", MIDNIGHT, MIDNIGHT + 3 * DAY).rows() == [(MIDNIGHT, 2)]

    def test_instruments_of_a_span_are_counted(self, census: Census, put: Put) -> None:
        facts = [tick(TEN + timedelta(seconds=second), instrument_id="B") for second in range(3)]
        put("silver_ticks", ticks(*facts, tick(instrument_id="A"), tick(tenant_id="acme"), tick(TEN + DAY)))
        assert census.series("silver_ticks", MIDNIGHT, MIDNIGHT + DAY).rows() == [
            ("acme", "NG_HH", 1),
            ("default", "A", 1),
            ("default", "B", 3),
        ]

    def test_bars_are_counted_by_their_start(self, census: Census, put: Put) -> None:
        put("bars_5m", bar_batch())
        start = bar().interval_start
        assert census.days("bars_5m", None, None)["day"].to_list() == [start.replace(hour=0, minute=0)]
        assert census.series("bars_5m", start, start + timedelta(microseconds=1))["rows"].to_list() == [1]
        assert census.series("bars_5m", start - DAY, start).height == 0

    def test_ticks_of_a_span_are_counted_each_once(self, census: Census, put: Put) -> None:
        corrected, last = tick(price="9", version=2), tick(MIDNIGHT + DAY)
        for table, make in (("silver_ticks", ticks), ("enriched_ticks", lambda *facts: enriched_batch(facts))):
            put(
                table, make(tick(version=1), tick(source_seq=4), tick(source_id="other"), tick(instrument_id="A"), last)
            )
            put(table, make(corrected))
            found = census.ticks(table, MIDNIGHT, MIDNIGHT + DAY).rows()
            assert found == [("default", "A", 1), ("default", "NG_HH", 3)]

    def test_ticks_are_counted_by_where_they_came_from_each_once(self, census: Census, put: Put) -> None:
        put("silver_ticks", ticks(tick(raw_partition=1, raw_offset=7), tick("10:01", raw_partition=1, raw_offset=5)))
        newer = tick("10:02", raw_partition=2, raw_offset=9, version=2)
        put("silver_ticks", ticks(tick("10:02", raw_partition=1, raw_offset=8, version=1), newer))
        assert census.origins().rows() == [(RAW, 1, 2, 7), (RAW, 2, 1, 9)]

    def test_what_normalization_refused_is_counted(self, census: Census, put: Put) -> None:
        where: dict[str, Any] = {"stage": "normalization", "topic": RAW, "partition": 1}
        letters = [
            dead_letter(**where, offset=1, row_index=-1),
            dead_letter(**where, offset=2, row_index=0),
            dead_letter(**where, offset=2, row_index=4),
            dead_letter(**where, offset=3, row_index=-1, reason="ROW_REFUSED"),
            dead_letter(**(where | {"stage": "enrichment"}), offset=4, row_index=-1),
        ]
        put("dead_letters", DeadLetters.of(letters))
        assert census.refused().rows() == [(RAW, 1, 2, 1, 2)]

    def test_latest_prices_are_read_page_by_page(self, census: Census, put: Put) -> None:
        put("served_latest", prices("A", "B", "C"))
        first = census.latest(None, 2)
        assert first.frame["instrument_id"].to_list() == ["A", "B"]
        assert census.latest(InstrumentKey("default", "B"), 2) == prices("C")
        assert len(census.latest(InstrumentKey("default", "C"), 2)) == 0
        assert len(census.latest(InstrumentKey("acme", "Z"), 9)) == 3

    def test_the_newest_tick_of_each_instrument_is_told(self, census: Census, put: Put) -> None:
        newer = tick("10:01", version=7, instrument_id="B")
        put("silver_ticks", ticks(tick(instrument_id="B"), tick("10:01", instrument_id="B", version=3), newer))
        put("silver_ticks", ticks(tick("10:01", source_seq=5, version=1), tick("10:01", source_seq=4, version=9)))
        put("silver_ticks", ticks(tick("10:02", quality_flags=int(Flag.TS_FUTURE)), tick("10:03", tenant_id="acme")))
        found = census.newest(None, None, MIDNIGHT, MIDNIGHT + DAY, 10)
        assert found.columns == ["tenant_id", "instrument_id", "ts", "source_seq", "version"]
        assert found.rows() == [
            ("acme", "NG_HH", TEN + timedelta(minutes=3), 0, tick("10:03").version),
            ("default", "B", TEN + timedelta(minutes=1), 0, 7),
            ("default", "NG_HH", TEN + timedelta(minutes=1), 5, 1),
        ]

    def test_of_the_newest_ticks_those_asked_for_are_told(self, census: Census, put: Put) -> None:
        names = [("a", "C"), ("b", "A"), ("b", "B"), ("b", "C"), ("c", "A")]
        put("silver_ticks", ticks(*(tick(tenant_id=tenant, instrument_id=name) for tenant, name in names)))

        def told(after: tuple[str, str] | None, until: tuple[str, str] | None, limit: int = 9) -> list[tuple[str, str]]:
            bounds = after and InstrumentKey(*after), until and InstrumentKey(*until)
            found = census.newest(*bounds, MIDNIGHT, MIDNIGHT + DAY, limit)
            return found.select("tenant_id", "instrument_id").rows()

        assert told(None, None) == names
        assert told(("b", "A"), None) == names[2:]
        assert told(None, ("b", "B")) == names[:3]
        assert told(("a", "D"), ("b", "B")) == names[1:3]
        assert told(("a", "A"), None, 2) == names[:2]
        assert told(("c", "A"), None) == []

    def test_the_newest_tick_is_one_of_the_time_asked_for_that_was_known_then(self, census: Census, put: Put) -> None:
        put("silver_ticks", ticks(tick("10:00", normalized_at=TEN), tick("10:05", normalized_at=TEN + DAY)))
        minute = timedelta(minutes=1)
        assert census.newest(None, None, TEN, TEN, 9)["ts"].to_list() == [TEN]
        assert census.newest(None, None, TEN, TEN - minute, 9).height == 0
        assert census.newest(None, None, TEN + minute, TEN, 9).height == 0
        assert census.newest(None, None, TEN + minute, TEN + DAY, 9)["ts"].to_list() == [TEN + 5 * minute]


def bar_batch() -> Any:
    """One 5-minute bar."""
    return MemoryBarTable("5m").batch.of([bar()])


class TestMemoryCensus(CensusContract):
    @pytest.fixture
    def tables(self) -> dict[str, Any]:
        return {
            "silver_ticks": MemoryTickTable(),
            "enriched_ticks": MemoryEnrichedTable(),
            "bars_5m": MemoryBarTable("5m"),
            "served_latest": MemoryLatestTable(),
            "dead_letters": MemoryDeadLetterTable(),
        }

    @pytest.fixture
    def census(self, tables: dict[str, Any]) -> Census:
        return MemoryCensus(tables)

    @pytest.fixture
    def put(self, tables: dict[str, Any]) -> Put:
        return lambda name, rows: tables[name].upsert(rows)


class TestClickHouseCensus(CensusContract):
    @pytest.fixture(params=TRANSPORTS)
    def tables(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        client = emptied(database(request.param), *NAMES)
        return {
            "silver_ticks": ClickHouseTickTable(client),
            "enriched_ticks": ClickHouseEnrichedTable(client),
            "bars_5m": ClickHouseBarTable(client, "5m"),
            "served_latest": ClickHouseLatestTable(client),
            "dead_letters": ClickHouseDeadLetterTable(client),
        }

    @pytest.fixture
    def census(self, tables: dict[str, Any]) -> Census:
        return ClickHouseCensus(tables["silver_ticks"].client)

    @pytest.fixture
    def put(self, tables: dict[str, Any]) -> Put:
        return lambda name, rows: tables[name].upsert(rows)
