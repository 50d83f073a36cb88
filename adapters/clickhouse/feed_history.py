"""When feeds spoke, from ticks in ClickHouse."""

from collections.abc import Sequence
from datetime import datetime

import attrs
import polars as pl

from adapters.clickhouse.client import ClickHouse, quoted
from adapters.clickhouse.table import READING, micros
from domain.batch import INSTANT
from domain.gold.interval import MINUTE_US
from domain.gold.taxonomy import InstrumentKey
from domain.silver.quality import Flag


@attrs.frozen
class ClickHouseFeedHistory:
    """Times that feeds have spoken of, found by the engine; statements that were replaced count, for they were made."""

    client: ClickHouse

    def sources(self, key: InstrumentKey) -> Sequence[str]:
        """Return the feeds that ever spoke of an instrument, in order."""
        sql = f"""
            SELECT DISTINCT toString(source_id) AS source_id FROM {self._ticks}
            WHERE tenant_id = {{tenant:String}} AND instrument_id = {{instrument:String}}
              AND NOT has(quality_flags, '{Flag.TS_FUTURE.name}')
            ORDER BY source_id {READING}
        """  # noqa: S608 (names of ours)
        named = {"tenant": key.tenant_id, "instrument": key.instrument_id}
        return self.client.rows(sql, {"source_id": pl.String}, named)["source_id"].to_list()

    def spoken(
        self, tenant_id: str, sources: Sequence[str], start: datetime, end: datetime, step_min: int
    ) -> pl.DataFrame:
        """Return of which times any of these feeds spoke: `first` and `last`."""
        sql = f"""
            SELECT DISTINCT
                fromUnixTimestamp64Micro(intDiv(from_us, {{step:Int64}}) * {{step:Int64}}, 'UTC') AS first,
                fromUnixTimestamp64Micro(intDiv(to_us, {{step:Int64}}) * {{step:Int64}}, 'UTC') AS last
            FROM (
                SELECT toUnixTimestamp64Micro(ts) AS from_us,
                       greatest(from_us, toUnixTimestamp64Micro(ifNull(interval_end, ts)) - 1) AS to_us
                FROM {self._ticks}
                WHERE tenant_id = {{tenant:String}} AND has({{sources:Array(String)}}, toString(source_id))
                  AND ts >= fromUnixTimestamp64Micro({{start:Int64}}, 'UTC')
                  AND ts < fromUnixTimestamp64Micro({{end:Int64}}, 'UTC')
                  AND NOT has(quality_flags, '{Flag.TS_FUTURE.name}')
            ) {READING}
        """  # noqa: S608 (names of ours)
        return self.client.rows(
            sql,
            {"first": INSTANT, "last": INSTANT},
            {
                "tenant": tenant_id,
                "sources": list(sources),
                "start": micros(start),
                "end": micros(end),
                "step": step_min * MINUTE_US,
            },
        )

    @property
    def _ticks(self) -> str:
        return f"{quoted(self.client.database)}.{quoted('silver_ticks')}"
