"""Where clean ticks live."""

from typing import Protocol

import polars as pl

from domain.silver.tick import TickBatch


class TickTable(Protocol):
    """Silver ticks by key (tenant, instrument, ts, source, source_seq); of two statements the higher version stays."""

    def upsert(self, rows: TickBatch) -> None:
        """Keep each tick unless a higher version of it is there. Raises StoreUnavailable: write the batch again."""

    def within(self, windows: pl.DataFrame, at_most: int | None = None) -> TickBatch:
        """
        Return every tick, at its highest version, whose ts lies in one of these half-open windows of its series.

        Args:
            windows: Columns `series` (SERIES), `start` and `end` (INSTANT); windows of one series neither overlap nor
                share a minute.
            at_most: Where there are more ticks than that, one more than that is returned, whichever.
        """

    def final(self) -> pl.DataFrame:
        """All ticks at their highest version, with the columns the table stores."""
