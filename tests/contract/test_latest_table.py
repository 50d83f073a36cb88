"""What every table of latest prices promises."""

import polars as pl
import pytest

from adapters.clickhouse.latest_table import ClickHouseLatestTable
from adapters.memory.tables import MemoryLatestTable
from application.ports.latest_table import LatestTable
from domain.batch import stored_columns
from domain.identity import SERIES
from domain.served.latest_price import LatestPrice, LatestPrices, latest_of
from domain.silver.tick import Tick
from tests.builders import TEN, tick
from tests.steps.enriching import enriched_batch
from tests.support.clickhouse import TRANSPORTS, database, emptied


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


def keys(*series: str) -> pl.DataFrame:
    return pl.DataFrame({"series": pl.Series(series).cast(SERIES)})


class LatestTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> LatestTable:
        raise NotImplementedError

    def test_a_table_begins_empty(self, table: LatestTable) -> None:
        assert table.of("default", "NG_HH") == LatestPrices.empty()
        assert table.stored(keys("default|NG_HH")) == LatestPrices.empty()
        assert table.listed("default", None, 10) == LatestPrices.empty()
        assert table.final().columns == stored_columns(LatestPrice)

    def test_a_row_comes_back_as_it_was_stored(self, table: LatestTable) -> None:
        rows = latest(tick(price="3.12345678", volume="2", metadata='{"a":"b"}'))
        table.upsert(rows)
        assert table.of("default", "NG_HH") == rows
        assert table.stored(keys("default|NG_HH")) == rows
        assert table.final().equals(rows.frame.drop("series"))

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_rows_the_higher_rank_stays_in_any_order(self, table: LatestTable, order: tuple[int, int]) -> None:
        rows = [latest(tick("10:00", price="1")), latest(tick("10:01", price="2"))]
        for position in order:
            table.upsert(rows[position])
        assert table.of("default", "NG_HH") == rows[1]
        assert table.final()["price"].to_list() == [2]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_rows_of_equal_versions_the_greater_content_stays(
        self, table: LatestTable, order: tuple[int, int]
    ) -> None:
        rows = [latest(tick(price=price)) for price in ("1", "2", "3")]
        rows.sort(key=lambda row: str(row.frame["rank"][0]))
        for position in order:
            table.upsert(rows[1 + position])
        table.upsert(rows[0])
        assert table.of("default", "NG_HH") == rows[2]

    def test_only_the_rows_of_known_keys_are_returned(self, table: LatestTable) -> None:
        table.upsert(latest(tick(), tick(instrument_id="B"), tick(instrument_id="C"), tick(tenant_id="b")))
        found = table.stored(keys("b|NG_HH", "default|C", "default|NEVER"))
        assert sorted(found.frame["series"].cast(pl.String)) == ["b|NG_HH", "default|C"]

    def test_a_list_is_of_one_tenant_and_market_and_no_longer_than_asked(self, table: LatestTable) -> None:
        table.upsert(
            latest(
                tick(instrument_id="B"),
                tick(instrument_id="A"),
                tick(instrument_id="M", market="MISO"),
                tick(instrument_id="A", tenant_id="b"),
            )
        )
        names = [
            table.listed(*asked).frame["instrument_id"].to_list()
            for asked in (
                ("default", None, 10),
                ("default", None, 2),
                ("default", "MISO", 10),
                ("b", None, 10),
                ("c", None, 1),
            )
        ]
        assert names == [["A", "B", "M"], ["A", "B"], ["M"], ["A"], []]


class TestMemoryLatestTable(LatestTableContract):
    @pytest.fixture
    def table(self) -> LatestTable:
        return MemoryLatestTable()


class TestClickHouseLatestTable(LatestTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> LatestTable:
        return ClickHouseLatestTable(emptied(database(request.param), "served_latest"))
