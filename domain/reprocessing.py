"""Requests to compute windows anew: for late and corrected ticks, and for backfills."""

from datetime import datetime

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column
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
