"""Where latest prices are read from in a hurry."""

from typing import Protocol

from domain.served.latest_price import LatestPrices


class PriceCache(Protocol):
    """
    Latest prices by key (tenant, instrument), which may be lost at any time and then are filled again from the table.

    A row is only ever replaced by one of a higher `rank` (compare-and-set), so a slow writer never moves a price back.
    Its contract suite is tests/contract/test_price_cache.py.
    """

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there. Raises StoreUnavailable: write the batch again."""

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none. Raises StoreUnavailable."""
