"""What is in the tables in ClickHouse as wholes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
import polars as pl

from adapters.clickhouse.bar_table import EARLIEST_US, LATEST_US
from adapters.clickhouse.client import ClickHouse, Parameters, quoted
from adapters.clickhouse.latest_table import ClickHouseLatestTable
from adapters.clickhouse.table import READING, micros
from domain.batch import INSTANT
from domain.errors import Reason
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices
from domain.silver.quality import Flag

SILVER = "silver_ticks"
OF_TICKS = (SILVER, "enriched_ticks")
STAGE = "normalization"

AFTER = """
    AND tenant_id >= {after_tenant:String}
    AND (tenant_id > {after_tenant:String} OR instrument_id > {after_instrument:String})
"""
UNTIL = """
    AND tenant_id <= {until_tenant:String}
    AND (tenant_id < {until_tenant:String} OR instrument_id <= {until_instrument:String})
"""
"""In these words, not as tuples, the engine finds them by its primary index."""


@attrs.frozen
class ClickHouseCensus:
    """Counts and lists, all of it counted by the engine."""

    client: ClickHouse

    def days(self, table: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        """Return the UTC days that hold rows of [start, end): `day` and `rows`."""
        sql = f"""
            SELECT toDateTime64(toStartOfDay({_instant(table)}), 6, 'UTC') AS day, toInt64(count()) AS rows
            FROM {self._source(table)} WHERE {_within(table)} GROUP BY day ORDER BY day
        """  # noqa: S608 (names of ours)
        return self._rows(sql, {"day": INSTANT, "rows": pl.Int64}, _span(start, end))

    def series(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return `tenant_id`, `instrument_id` and `rows` of each instrument in [start, end)."""
        sql = f"""
            SELECT tenant_id, instrument_id, toInt64(count()) AS rows
            FROM {self._source(table)} WHERE {_within(table)}
            GROUP BY tenant_id, instrument_id ORDER BY tenant_id, instrument_id
        """  # noqa: S608 (names of ours)
        schema = {"tenant_id": pl.String, "instrument_id": pl.String, "rows": pl.Int64}
        return self._rows(sql, schema, _span(start, end))

    def ticks(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Return `tenant_id`, `instrument_id` and `ticks` of each instrument in [start, end)."""
        sql = f"""
            SELECT tenant_id, instrument_id, toInt64(uniqExact(ts, source_id, source_seq)) AS ticks
            FROM {self._source(table)} WHERE {_within(table)}
            GROUP BY tenant_id, instrument_id ORDER BY tenant_id, instrument_id
        """  # noqa: S608 (names of ours)
        schema = {"tenant_id": pl.String, "instrument_id": pl.String, "ticks": pl.Int64}
        return self._rows(sql, schema, _span(start, end))

    def origins(self) -> pl.DataFrame:
        """Return `topic`, `partition`, `ticks` and `last_offset` of silver's ticks."""
        sql = f"""
            SELECT toString(raw_topic) AS topic, raw_partition AS partition,
                   toInt64(count()) AS ticks, max(raw_offset) AS last_offset
            FROM {self._source(SILVER)} FINAL GROUP BY topic, partition ORDER BY topic, partition
        """  # noqa: S608 (names of ours)
        schema = {"topic": pl.String, "partition": pl.Int32, "ticks": pl.Int64, "last_offset": pl.Int64}
        return self._rows(sql, schema, {})

    def refused(self) -> pl.DataFrame:
        """Return `topic`, `partition`, `rows`, `whole` and `messages` of what normalization refused."""
        sql = f"""
            SELECT topic, partition, toInt64(countIf(row_index >= 0)) AS rows, toInt64(countIf(row_index < 0)) AS whole,
                   toInt64(uniqExact(offset)) AS messages
            FROM {self._source("dead_letters")} FINAL
            WHERE stage = {{stage:String}} AND reason != {{unstored:String}}
            GROUP BY topic, partition ORDER BY topic, partition
        """  # noqa: S608 (names of ours)
        counts = {"rows": pl.Int64, "whole": pl.Int64, "messages": pl.Int64}
        schema = {"topic": pl.String, "partition": pl.Int32, **counts}
        return self._rows(sql, schema, {"stage": STAGE, "unstored": Reason.ROW_REFUSED.value})

    def newest(
        self, after: InstrumentKey | None, until: InstrumentKey | None, since: datetime, known_by: datetime, limit: int
    ) -> pl.DataFrame:
        """Return the highest `ts`, `source_seq` and `version` of each instrument, of ticks that may be prices."""
        bounds = f"{AFTER if after else ''} {UNTIL if until else ''}"
        sql = f"""
            SELECT tenant_id, instrument_id, head.1 AS ts, head.2 AS source_seq, head.3 AS version
            FROM (
                SELECT tenant_id, instrument_id, max((ts, source_seq, version)) AS head
                FROM {self._source(SILVER)}
                PREWHERE ts >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC') {bounds}
                WHERE normalized_at <= fromUnixTimestamp64Micro({{known_by:Int64}}, 'UTC')
                  AND NOT has(quality_flags, '{Flag.TS_FUTURE.name}')
                GROUP BY tenant_id, instrument_id
            ) ORDER BY tenant_id, instrument_id LIMIT {{limit:UInt64}}
        """  # noqa: S608 (names of ours)
        names = {"tenant_id": pl.String, "instrument_id": pl.String}
        schema = {**names, "ts": INSTANT, "source_seq": pl.UInt64, "version": pl.UInt64}
        span: Parameters = {"since": micros(since), "known_by": micros(known_by), "limit": limit}
        return self._rows(sql, schema, {**span, **_named("after", after), **_named("until", until)})

    def latest(self, after: InstrumentKey | None, limit: int) -> LatestPrices:
        """Return the first rows of served_latest that come after this one."""
        return ClickHouseLatestTable(self.client).after(after, limit)

    def _source(self, table: str) -> str:
        return f"{quoted(self.client.database)}.{quoted(table)}"

    def _rows(self, sql: str, schema: Mapping[str, Any], parameters: Parameters) -> pl.DataFrame:
        return self.client.rows(f"{sql} {READING}", schema, parameters)


def _named(what: str, key: InstrumentKey | None) -> Parameters:
    return {f"{what}_tenant": key.tenant_id, f"{what}_instrument": key.instrument_id} if key else {}


def _instant(table: str) -> str:
    return "ts" if table in OF_TICKS else "interval_start"


def _within(table: str) -> str:
    instant = _instant(table)
    return (
        f"{instant} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC')"
        f" AND {instant} < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')"
    )


def _span(start: datetime | None, end: datetime | None) -> dict[str, int]:
    return {
        "first": EARLIEST_US if start is None else micros(start),
        "last": LATEST_US if end is None else micros(end),
    }
