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
from domain.silver.quality import eligible

SERVED_LATEST = "served_latest"
SILVER = "silver_ticks"
NAMES = ("tenant_id", "instrument_id")


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
        return rows.group_by(NAMES).agg(pl.len().cast(pl.Int64).alias("rows")).sort(NAMES)

    def ticks(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return `tenant_id`, `instrument_id` and `ticks` of each instrument in [start, end)."""
        return self.series(table, start, end).rename({"rows": "ticks"})

    def origins(self) -> pl.DataFrame:
        """Return `topic`, `partition`, `ticks` and `last_offset` of silver's ticks."""
        ticks: pl.DataFrame = self.tables[SILVER].final()
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

    def newest(
        self, after: InstrumentKey | None, until: InstrumentKey | None, since: datetime, known_by: datetime, limit: int
    ) -> pl.DataFrame:
        """Return the highest `ts`, `source_seq` and `version` of each instrument, of ticks that may be prices."""
        rows: pl.DataFrame = self.tables[SILVER].final()
        rows = rows.filter(
            _after(after),
            ~_after(until) if until else pl.lit(value=True),
            pl.col("ts") >= since,
            pl.col("normalized_at") <= known_by,
            eligible(rows["quality_flags"]),
        )
        highest = rows.sort("ts", "source_seq", "version").unique(NAMES, keep="last")
        return highest.sort(NAMES).select(*NAMES, "ts", "source_seq", "version").head(limit)

    def latest(self, after: InstrumentKey | None, limit: int) -> LatestPrices:
        """Return the first rows of served_latest that come after this one."""
        rows: pl.DataFrame = self.tables[SERVED_LATEST].final().filter(_after(after)).sort(NAMES)
        series = pl.concat_str("tenant_id", pl.lit("|"), "instrument_id").cast(LatestPrices.schema["series"])
        return LatestPrices(rows.head(limit).with_columns(series.alias("series")))

    def _instants(self, table: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        rows: pl.DataFrame = self.tables[table].final()
        name = "interval_start" if "interval_start" in rows.columns else "ts"
        found = rows.select("tenant_id", "instrument_id", instant=pl.col(name).cast(INSTANT))
        if start:
            found = found.filter(pl.col("instant") >= start)
        return found.filter(pl.col("instant") < end) if end else found


def _after(key: InstrumentKey | None) -> pl.Expr:
    """Whether an instrument comes after this one by tenant and instrument."""
    if key is None:
        return pl.lit(value=True)
    same_tenant = (pl.col("tenant_id") == key.tenant_id) & (pl.col("instrument_id") > key.instrument_id)
    return (pl.col("tenant_id") > key.tenant_id) | same_tenant
