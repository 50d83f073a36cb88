"""Enriched ticks in ClickHouse."""

import polars as pl

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import Layout
from adapters.clickhouse.tick_table import KEY, TickStatements
from adapters.clickhouse.windows import rows_within
from domain.batch import INSTANT
from domain.gold.taxonomy import EnrichedTicks

LAYOUT = Layout("enriched_ticks", KEY, "ts", "1d")

EXTENTS = {
    "tenant_id": pl.String,
    "instrument_id": pl.String,
    "rows": pl.UInt64,
    "first_ts": INSTANT,
    "last_ts": INSTANT,
    "lowest": pl.UInt64,
}


class ClickHouseEnrichedTable(TickStatements[EnrichedTicks]):
    """Ticks with what is known of their instruments; a newer tick wins, and of one tick the newer metadata."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, EnrichedTicks)

    def extents(self) -> pl.DataFrame:
        """Say how much there is of each series. Without FINAL: what was replaced and not merged yet still counts."""
        sql = f"""
            SELECT tenant_id, instrument_id, count() AS rows, min(ts) AS first_ts, max(ts) AS last_ts,
                min(metadata_version) AS lowest
            FROM {self.source} GROUP BY tenant_id, instrument_id ORDER BY tenant_id, instrument_id
        """  # noqa: S608 (names of ours)
        return self.client.rows(sql, EXTENTS)

    def behind(self, spans: pl.DataFrame) -> EnrichedTicks:
        """Return the rows in one of these spans of their series, with older metadata than it asks."""
        return rows_within(self, spans, "AND row.metadata_version < window.wanted")
