"""Where enriched ticks live."""

from typing import Protocol

import polars as pl

from domain.gold.taxonomy import EnrichedTicks


class EnrichedTable(Protocol):
    """
    Enriched ticks by key (tenant, instrument, ts, source, source_seq).

    Of two rows of a key the newer statement stays, and of one statement the row with the newer metadata. Its contract
    suite is tests/contract/test_enriched_table.py.
    """

    def upsert(self, rows: EnrichedTicks) -> None:
        """Keep each row unless a higher version of it is there. Raises StoreUnavailable: write the batch again."""

    def extents(self) -> pl.DataFrame:
        """
        Say how much there is of each series, and how old its metadata may be.

        Returns:
            Columns `tenant_id`, `instrument_id`, `rows`, `first_ts`, `last_ts` and `lowest`, the lowest
            metadata_version; ordered by series. Rows that were replaced may still count, so `lowest` may be too low
            and `rows` too many.
        """

    def behind(self, spans: pl.DataFrame) -> EnrichedTicks:
        """
        Return the rows whose ts lies in one of these half-open spans of their series, with older metadata than it asks.

        Args:
            spans: Columns `series` (SERIES), `start` and `end` (INSTANT) and `wanted` (Int64), the metadata_version that
                rows should have at least; spans of one series do not overlap.
        """
