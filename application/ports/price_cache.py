"""Where latest prices are read from in a hurry."""

from typing import Protocol

import polars as pl

from domain.served.latest_price import LatestPrices


class PriceCache(Protocol):
    """
    Latest prices by key (tenant, instrument), which may be lost at any time and then are filled again from the table.

    A row is only ever replaced by one of a higher `rank` (compare-and-set), so a slow writer never moves a price back.
    Its contract suite is tests/contract/test_price_cache.py.
    """

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there. Raises StoreUnavailable: write the batch again."""

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        """
        Return the rank of each of these instruments that the cache has.

        Args:
            keys: Columns `tenant_id`, `instrument_id` and `series`, distinct.

        Returns:
            Columns `series` and `rank`, in any order.

        Raises:
            StoreUnavailable: The cache can't be reached.
        """

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none. Raises StoreUnavailable."""
