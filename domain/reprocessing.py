"""Requests to compute windows anew: for late and corrected ticks, and for backfills."""

from datetime import datetime, timedelta

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column
from domain.gold.bar import Cause
from domain.gold.interval import MINUTE_US, MINUTES, Interval
from domain.identity import SERIES


@attrs.frozen(kw_only=True)
class RecomputeRequest:
    """One base window of one instrument that must be computed from stored ticks. Source: contracts.md §3."""

    tenant_id: str = column(pl.String, "Whose data.")
    instrument_id: str = column(pl.String, "The price series.")
    interval: str = column(pl.String, "The base interval, e.g. 5m.")
    interval_start: datetime = column(INSTANT, "First instant of the window.")
    reason: str = column(pl.String, "late, correction or backfill.")
    cause: str = column(pl.String, "What asked for it: raw coordinates of the tick, or a job id.")
    series: str = column(SERIES, "Key of the event: tenant_id|instrument_id.", stored=False)


class RecomputeRequests(Batch[RecomputeRequest]):
    """Windows to compute anew. Order and repetition mean nothing."""

    fact = RecomputeRequest


def requests_for(late: pl.DataFrame, corrects: pl.Series, base: Interval) -> RecomputeRequests:
    """
    Ask for the windows of late ticks, once each.

    Args:
        late: Open-tick columns of domain.gold.window, in order of arrival.
        corrects: Whether each is known to change a tick that is in its bar; a window any tick corrects is a correction.
        base: The finest interval.
    """
    windows = (
        late.with_columns(corrects=corrects)
        .group_by("window", maintain_order=True)
        .agg(
            pl.col("tenant_id", "instrument_id", "series", "raw_topic", "raw_partition", "raw_offset").first(),
            pl.col("corrects").any(),
        )
    )
    return RecomputeRequests(
        windows.select(
            "tenant_id",
            "instrument_id",
            pl.lit(base.name).alias("interval"),
            (pl.col("window") % MINUTES * MINUTE_US).cast(INSTANT).alias("interval_start"),
            pl.when("corrects")
            .then(pl.lit(Cause.CORRECTION.value))
            .otherwise(pl.lit(Cause.LATE.value))
            .alias("reason"),
            pl.concat_str("raw_topic", pl.lit("/"), "raw_partition", pl.lit("/"), "raw_offset").alias("cause"),
            "series",
        )
    )


def base_windows(requests: pl.DataFrame, base: Interval) -> pl.DataFrame:
    """
    The base windows that requests ask for, once each, even where the finest interval has changed since they asked.

    Returns:
        Columns `series`, `start`, `end`, `cause` (the first request's reason).
    """
    length = timedelta(minutes=base.minutes)
    asked = pl.duration(minutes=pl.col("minutes"))
    return (
        requests.with_columns(_minutes(requests["interval"]))
        .with_columns(
            pl.datetime_ranges(
                pl.col("interval_start").dt.truncate(f"{base.minutes}m"),
                pl.col("interval_start") + asked,
                length,
                closed="left",
            ).alias("start")
        )
        .explode("start")
        .select("series", "start", end=pl.col("start") + length, cause="reason")
        .unique(["series", "start"], keep="first", maintain_order=True)
    )


def _minutes(names: pl.Series) -> pl.Series:
    return pl.Series("minutes", [Interval.parse(name).minutes for name in names], dtype=pl.Int64)
