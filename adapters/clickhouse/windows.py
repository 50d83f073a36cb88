"""Reading the rows of many series and times at once: the keys travel beside the query, as a table."""

from datetime import timedelta
from typing import Any, TypeVar

import polars as pl

from adapters.clickhouse.client import KEYS
from adapters.clickhouse.table import ClickHouseTable, first_us, keys_of, last_us
from domain.batch import Batch

B = TypeVar("B", bound=Batch[Any])


def rows_within(table: ClickHouseTable[B], windows: pl.DataFrame, condition: str = "") -> B:
    """
    This will read the rows whose instant lies in one of these windows, at their highest version.

    Args:
        table: Where the rows are.
        windows: Columns `series`, `start`, `end`; half-open, disjoint within a series. Further columns are for the
            condition.
        condition: SQL from AND on, about a `row` as it is after replacing and its `window`.
    """
    if not windows.height:
        return table.batch.empty()
    instant = table.layout.instant
    columns = table.columns
    # All of PREWHERE is about the key, so a row and what replaces it are read or left alike.
    # An ASOF join takes each row to the last window of its series that has begun: windows of a series are disjoint.
    sql = f"""
        SELECT {columns.selected("row")}
        FROM (
            SELECT * FROM {table.source} FINAL
            PREWHERE {instant} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC')
              AND {instant} < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
              AND (tenant_id, instrument_id) IN (SELECT tenant_id, instrument_id FROM {KEYS})
        ) AS row
        ASOF JOIN (SELECT * FROM {KEYS}) AS window
          ON row.tenant_id = window.tenant_id AND row.instrument_id = window.instrument_id
         AND row.{instant} >= window.start
        WHERE row.{instant} < window.end {condition}
    """  # noqa: S608 (names of ours)
    span = {"first": first_us(windows["start"]), "last": last_us(windows["end"])}
    return table.asked(sql, span, keys_of(windows, *windows.columns[1:]))


def rows_of_keys(table: ClickHouseTable[B], keys: pl.DataFrame) -> B:
    """
    This will read the rows with these keys that exist, at their highest version.

    Args:
        table: Where the rows are.
        keys: Column `series`, and the column of the table's instant where it has one.
    """
    if not keys.height:
        return table.batch.empty()
    instant = table.layout.instant
    if instant:
        # A join reads scattered keys in half the time of a set of (tenant, instrument, instant) in the condition.
        just = keys.select("series", start=instant, end=pl.col(instant) + timedelta(microseconds=1))
        return rows_within(table, just.unique())
    named = "(tenant_id, instrument_id) IN (SELECT tenant_id, instrument_id"
    return table.found(f"WHERE {named} FROM {KEYS})", keys=keys_of(keys))
