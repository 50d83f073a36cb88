"""Seals in ClickHouse."""

from collections.abc import Sequence

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from domain.gold.watermark import Seals

LAYOUT = Layout("bar_seals", ("tenant_id", "instrument_id"))


class ClickHouseSealTable(ClickHouseTable[Seals]):
    """Up to where each instrument's windows are closed; the later seal stays."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, Seals)

    def of_partitions(self, partitions: Sequence[int]) -> Seals:
        """Return the seals of all instruments that these partitions of the tick topic carry."""
        return self.found("WHERE has({partitions:Array(Int32)}, partition)", {"partitions": list(partitions)})

    def of(self, tenant_id: str, instrument_id: str) -> Seals:
        """Return the seal of this instrument; nothing where it has none."""
        return self.found(
            "WHERE tenant_id = {tenant:String} AND instrument_id = {instrument:String}",
            {"tenant": tenant_id, "instrument": instrument_id},
        )
