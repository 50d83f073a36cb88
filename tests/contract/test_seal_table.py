"""What every table of seals promises."""

from datetime import datetime

import pytest

from adapters.clickhouse.seal_table import ClickHouseSealTable
from adapters.memory.tables import MemorySealTable
from application.ports.seal_table import SealTable
from domain.gold.watermark import Seal, Seals
from tests.builders import TEN, at
from tests.support.clickhouse import TRANSPORTS, database, emptied


def seal(instrument_id: str, until: str | datetime = TEN, partition: int = 0, tenant_id: str = "default") -> Seal:
    """Up to where an instrument is closed."""
    return Seal(
        tenant_id=tenant_id,
        instrument_id=instrument_id,
        partition=partition,
        sealed_until=at(until) if isinstance(until, str) else until,
        series=f"{tenant_id}|{instrument_id}",
    )


def told(seals: Seals) -> list[tuple[str, datetime]]:
    """Which seals were read."""
    return sorted((fact.series, fact.sealed_until) for fact in seals.facts())


class SealTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> SealTable:
        raise NotImplementedError

    def test_nothing_is_sealed_at_first(self, table: SealTable) -> None:
        assert table.of_partitions([0, 1]) == Seals.empty()

    def test_seals_come_back_by_partition(self, table: SealTable) -> None:
        table.upsert(Seals.of([seal("A", partition=0), seal("B", "10:05", partition=1), seal("C", partition=2)]))
        assert told(table.of_partitions([0, 1])) == [("default|A", TEN), ("default|B", at("10:05"))]
        assert told(table.of_partitions([3])) == []
        assert told(table.of_partitions([])) == []

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_a_seal_never_falls(self, table: SealTable, order: tuple[int, int]) -> None:
        rows = [seal("A", "10:00"), seal("A", "10:05")]
        for position in order:
            table.upsert(Seals.of([rows[position]]))
        assert told(table.of_partitions([0])) == [("default|A", at("10:05"))]

    def test_tenants_are_apart(self, table: SealTable) -> None:
        table.upsert(Seals.of([seal("A"), seal("A", "10:05", tenant_id="acme")]))
        assert told(table.of_partitions([0])) == [("acme|A", at("10:05")), ("default|A", TEN)]

    def test_the_seal_of_one_instrument_is_found_by_its_name(self, table: SealTable) -> None:
        table.upsert(Seals.of([seal("A"), seal("A", "10:05", tenant_id="acme"), seal("B")]))
        assert told(table.of("acme", "A")) == [("acme|A", at("10:05"))]
        assert told(table.of("acme", "B")) == []


class TestMemorySealTable(SealTableContract):
    @pytest.fixture
    def table(self) -> SealTable:
        return MemorySealTable()


class TestClickHouseSealTable(SealTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> SealTable:
        return ClickHouseSealTable(emptied(database(request.param), "bar_seals"))
