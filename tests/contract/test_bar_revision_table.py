"""What every table of bar revisions promises: nothing that a bar was is ever replaced."""

from typing import Any

import pytest

from adapters.clickhouse.bar_revision_table import NAME, ClickHouseBarRevisionTable
from adapters.memory.tables import MemoryBarRevisionTable
from domain.gold.bar import BarRevision, BarRevisions
from tests.builders import tick
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.gold.folding import bars_over


def revision(number: int, interval: str = "5m") -> BarRevision:
    """The bar of one tick, at some revision."""
    rows = bars_over([tick("10:01")]).frame.to_dicts()[0]
    return BarRevision(**(rows | {"revision": number, "interval": interval}))


class BarRevisionTableContract:
    def test_every_revision_stays(self, table: Any) -> None:
        table.upsert(BarRevisions.of([revision(5)]))
        table.upsert(BarRevisions.of([revision(4), revision(2**128 - 1)]))
        assert sorted(table.final()["revision"].to_list()) == [4, 5, 2**128 - 1]

    def test_a_revision_written_twice_is_there_once(self, table: Any) -> None:
        table.upsert(BarRevisions.of([revision(5)]))
        table.upsert(BarRevisions.of([revision(5)]))
        assert table.final().height == 1

    def test_intervals_keep_apart(self, table: Any) -> None:
        table.upsert(BarRevisions.of([revision(5), revision(5, "1h")]))
        assert sorted(table.final()["interval"].to_list()) == ["1h", "5m"]

    def test_it_comes_back_as_it_was_stored(self, table: Any) -> None:
        fact = revision(5)
        table.upsert(BarRevisions.of([fact]))
        (row,) = table.final().to_dicts()
        assert {name: getattr(fact, name) for name in row} == row


class TestMemoryBarRevisionTable(BarRevisionTableContract):
    @pytest.fixture
    def table(self) -> Any:
        return MemoryBarRevisionTable()


class TestClickHouseBarRevisionTable(BarRevisionTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> Any:
        return ClickHouseBarRevisionTable(emptied(database(request.param), NAME))
