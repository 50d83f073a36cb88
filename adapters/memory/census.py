"""What is in the tables in process as wholes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
import polars as pl

from domain.batch import INSTANT
from domain.errors import Reason
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices

SERVED_LATEST = "served_latest"


@attrs.frozen
class MemoryCensus:
    """Counts and lists."""

    tables: Mapping[str, Any]
    """By name."""

    def days(self, table: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        """Return the UTC days that hold rows of [start, end): `day` and `rows`."""
        rows = self._instants(table, start, end)
        day = pl.col("instant").dt.truncate("1d").alias("day")
        return rows.group_by(day).agg(pl.len().cast(pl.Int64).alias("rows")).sort("day")

    def series(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return `tenant_id`, `instrument_id` and `rows` of each instrument in [start, end)."""
        rows = self._instants(table, start, end)
        names = ("tenant_id", "instrument_id")
        return rows.group_by(names).agg(pl.len().cast(pl.Int64).alias("rows")).sort(names)

    def origins(self) -> pl.DataFrame:
        """Return `topic`, `partition`, `ticks` and `last_offset` of silver's ticks."""
        ticks: pl.DataFrame = self.tables["silver_ticks"].final()
        return (
            ticks.group_by(topic="raw_topic", partition="raw_partition")
            .agg(pl.len().cast(pl.Int64).alias("ticks"), pl.col("raw_offset").max().alias("last_offset"))
            .sort("topic", "partition")
        )

    def refused(self) -> pl.DataFrame:
        """Return `topic`, `partition`, `rows`, `whole` and `messages` of what normalization refused."""
        letters: pl.DataFrame = self.tables["dead_letters"].final()
        ours = letters.filter((pl.col("stage") == "normalization") & (pl.col("reason") != Reason.ROW_REFUSED.value))
        whole = pl.col("row_index") < 0
        return (
            ours.group_by("topic", "partition")
            .agg(
                (~whole).sum().cast(pl.Int64).alias("rows"),
                whole.sum().cast(pl.Int64).alias("whole"),
                pl.col("offset").n_unique().cast(pl.Int64).alias("messages"),
            )
            .sort("topic", "partition")
        )

    def latest(self, after: InstrumentKey | None, limit: int) -> LatestPrices:
        """Return the first rows of served_latest that come after this one."""
        names = ("tenant_id", "instrument_id")
        rows: pl.DataFrame = self.tables[SERVED_LATEST].final().sort(names)
        if after:
            same_tenant = (pl.col("tenant_id") == after.tenant_id) & (pl.col("instrument_id") > after.instrument_id)
            rows = rows.filter((pl.col("tenant_id") > after.tenant_id) | same_tenant)
        series = pl.concat_str("tenant_id", pl.lit("|"), "instrument_id").cast(LatestPrices.schema["series"])
        return LatestPrices(rows.head(limit).with_columns(series.alias("series")))

    def _instants(self, table: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        rows: pl.DataFrame = self.tables[table].final()
        name = "interval_start" if "interval_start" in rows.columns else "ts"
        found = rows.select("tenant_id", "instrument_id", instant=pl.col(name).cast(INSTANT))
        if start:
            found = found.filter(pl.col("instant") >= start)
        return found.filter(pl.col("instant") < end) if end else found
