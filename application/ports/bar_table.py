"""Where bars of one interval live."""

from datetime import datetime
from typing import Protocol

import polars as pl

from domain.gold.bar import BarBatch


class BarTable(Protocol):
    """Bars of one interval by key (tenant, instrument, interval_start). Of two writes for one bar the one that takes `precedence` (domain.gold.bar) stays, in whatever order they arrive."""

    def upsert(self, rows: BarBatch) -> None:
        """Keep each bar unless one that takes precedence is there. Raises StoreUnavailable: write the batch again."""

    def stored(self, keys: pl.DataFrame) -> BarBatch:
        """Return the bars with these keys (columns `series`, `interval_start`) that exist, as they stand."""

    def within(self, windows: pl.DataFrame) -> BarBatch:
        """Return the bars whose interval_start lies in one of these half-open windows (`series`, `start`, `end`), disjoint per series."""

    def history(
        self, tenant_id: str, instrument_id: str, start: datetime | None, end: datetime | None, limit: int
    ) -> BarBatch:
        """Return the newest `limit` bars with start <= interval_start < end, in ascending order of interval_start."""

    def final(self) -> pl.DataFrame:
        """All bars as they stand, with the columns the table stores."""
