"""Where latest prices live durably."""

from typing import Protocol

import polars as pl

from domain.served.latest_price import LatestPrices


class LatestTable(Protocol):
    """
    Latest prices by key (tenant, instrument). Of two rows for one key the higher `rank` stays, in whatever order they arrive.

    Its contract suite is tests/contract/test_latest_table.py.
    """

    def upsert(self, rows: LatestPrices) -> None:
        """Keep each row unless one of a higher rank is there. Raises StoreUnavailable: write the batch again."""

    def stored(self, keys: pl.DataFrame) -> LatestPrices:
        """Return the rows of these keys (column `series`, distinct) that exist, at their highest rank, in any order."""

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where it has none."""

    def listed(self, tenant_id: str, market: str | None, limit: int) -> LatestPrices:
        """Return the first `limit` rows of a tenant by instrument_id, of one market where one is named."""

    def final(self) -> pl.DataFrame:
        """All rows at their highest rank, with the columns the table stores."""
