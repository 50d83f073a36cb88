"""Bars of one interval in ClickHouse."""

from datetime import datetime

import polars as pl

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout, micros
from adapters.clickhouse.windows import rows_of_keys, rows_within
from domain.gold.bar import BarBatch

KEY = ("tenant_id", "instrument_id", "interval_start")
EARLIEST_US = 0
LATEST_US = 7_258_118_400_000_000
"""2200-01-01, after everything the tables hold."""


def table_name(interval: str) -> str:
    """The table of an interval's bars."""
    return f"bars_{interval}"


class ClickHouseBarTable(ClickHouseTable[BarBatch]):
    """Bars of one interval, partitioned by month."""

    def __init__(self, client: ClickHouse, interval: str) -> None:
        layout = Layout(table_name(interval), KEY, "interval_start", "1mo")
        super().__init__(client, layout, BarBatch, {"interval": interval})

    def stored(self, keys: pl.DataFrame) -> BarBatch:
        """Return the bars with these keys (columns `series`, `interval_start`) that exist, as they stand."""
        return rows_of_keys(self, keys)

    def within(self, windows: pl.DataFrame) -> BarBatch:
        """Return the bars whose interval_start lies in one of these windows (`series`, `start`, `end`)."""
        return rows_within(self, windows)

    def history(
        self, tenant_id: str, instrument_id: str, start: datetime | None, end: datetime | None, limit: int
    ) -> BarBatch:
        """Return the newest `limit` bars with start <= interval_start < end, in ascending order of interval_start."""
        newest = self.found(
            """
            WHERE tenant_id = {tenant:String} AND instrument_id = {instrument:String}
              AND interval_start >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
              AND interval_start < fromUnixTimestamp64Micro({last:Int64}, 'UTC')
            ORDER BY interval_start DESC LIMIT {limit:UInt64}
            """,
            {
                "tenant": tenant_id,
                "instrument": instrument_id,
                "first": EARLIEST_US if start is None else micros(start),
                "last": LATEST_US if end is None else micros(end),
                "limit": limit,
            },
        )
        return BarBatch(newest.frame.sort("interval_start"))
