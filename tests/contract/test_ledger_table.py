"""What every table of the conservation ledger promises."""

import polars as pl
import pytest

from adapters.clickhouse.ledger_table import ClickHouseLedgerTable
from adapters.memory.tables import MemoryLedgerTable
from application.ports.ledger_table import LedgerTable
from domain.batch import INSTANT
from domain.bronze.ledger import Ledger, LedgerRow
from tests.builders import TEN
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.bronze.test_ledger import ledger_row

NINE = TEN.replace(hour=9)


def keys(*rows: LedgerRow) -> pl.DataFrame:
    """The keys of these rows."""
    return pl.DataFrame(
        [(row.topic, row.partition, row.hour) for row in rows],
        schema={"topic": pl.String, "partition": pl.Int32, "hour": INSTANT},
        orient="row",
    )


class LedgerTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> LedgerTable:
        raise NotImplementedError

    def test_a_ledger_begins_empty(self, table: LedgerTable) -> None:
        assert table.stored(keys(ledger_row())) == Ledger.empty()
        assert table.final().columns == list(Ledger.schema)

    def test_rows_come_back_by_their_keys(self, table: LedgerTable) -> None:
        rows = [ledger_row(), ledger_row(hour=NINE, messages=2**40), ledger_row(partition=7), ledger_row(topic="z")]
        table.upsert(Ledger.of(rows))
        read = table.stored(keys(*rows[:3], ledger_row(hour=NINE, partition=7)))
        found = sorted(read.facts(), key=lambda row: (row.partition, row.hour))
        assert found == [rows[1], rows[0], rows[2]]
        assert table.stored(keys()) == Ledger.empty()

    def test_all_rows_are_listed_in_the_order_of_their_keys(self, table: LedgerTable) -> None:
        ordered = [ledger_row(hour=NINE), ledger_row(), ledger_row(partition=1), ledger_row(topic="z")]
        table.upsert(Ledger.of(reversed(ordered)))
        assert table.final().equals(Ledger.of(ordered).frame)

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_row_that_counts_further_stays(self, table: LedgerTable, order: tuple[int, int]) -> None:
        rows = [ledger_row(messages=9, counted_to=9), ledger_row(messages=10, counted_to=10)]
        for position in order:
            table.upsert(Ledger.of([rows[position]]))
        assert table.stored(keys(ledger_row())).facts() == [rows[1]]


class TestMemoryLedgerTable(LedgerTableContract):
    @pytest.fixture
    def table(self) -> LedgerTable:
        return MemoryLedgerTable()


class TestClickHouseLedgerTable(LedgerTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> LedgerTable:
        return ClickHouseLedgerTable(emptied(database(request.param), "ledger"))
