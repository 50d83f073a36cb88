"""Silver ticks in ClickHouse."""

from typing import Any, TypeVar

import polars as pl

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from adapters.clickhouse.windows import rows_within
from domain.batch import Batch
from domain.silver.tick import TickBatch, content_digests

B = TypeVar("B", bound=Batch[Any])

KEY = ("tenant_id", "instrument_id", "ts", "source_id", "source_seq")
LAYOUT = Layout("silver_ticks", KEY, "ts", "1d")


class TickStatements(ClickHouseTable[B]):
    """Statements about ticks: of two that are equally new the one of the greater content stays."""

    def _sent(self, rows: B) -> pl.DataFrame:
        return super()._sent(rows).with_columns(content_digests(rows.frame).alias("content"))


class ClickHouseTickTable(TickStatements[TickBatch]):
    """Clean ticks, partitioned by day."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, TickBatch)

    def within(self, windows: pl.DataFrame, at_most: int | None = None) -> TickBatch:
        """Return every tick, at its highest version, whose ts lies in one of these windows of its series."""
        return rows_within(self, windows, "" if at_most is None else f"LIMIT {at_most + 1:d}")
