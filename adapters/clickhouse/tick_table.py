"""Silver ticks in ClickHouse."""

import polars as pl

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from adapters.clickhouse.windows import rows_within
from domain.silver.tick import TickBatch

KEY = ("tenant_id", "instrument_id", "ts", "source_id", "source_seq")
LAYOUT = Layout("silver_ticks", KEY, "ts", "1d")


class ClickHouseTickTable(ClickHouseTable[TickBatch]):
    """Clean ticks, partitioned by day."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, TickBatch)

    def within(self, windows: pl.DataFrame, at_most: int | None = None) -> TickBatch:
        """Return every tick, at its highest version, whose ts lies in one of these windows of its series."""
        return rows_within(self, windows, "" if at_most is None else f"LIMIT {at_most + 1:d}")
