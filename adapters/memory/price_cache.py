"""The price cache in memory."""

from threading import Lock

import attrs
import polars as pl

from domain.served.latest_price import LatestPrices

UNMERGED_ROWS = 100_000
"""Rows of unmerged writes a read may have to look through: about 0.2 ms."""


@attrs.define
class MemoryPriceCache:
    """
    Latest prices in columns. Writes are put beside what is there, and merged when enough of them are.

    Safe for one writer and any number of readers at a time.
    """

    _parts: list[pl.DataFrame] = attrs.field(factory=list, init=False)
    _unmerged: int = attrs.field(default=0, init=False)
    _lock: Lock = attrs.field(factory=Lock, init=False)

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there."""
        with self._lock:
            self._parts = [*self._parts, rows.frame]
            self._unmerged += len(rows)
            if self._unmerged > UNMERGED_ROWS:
                self._parts, self._unmerged = [_highest(self._parts)], 0

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none."""
        asked = (pl.col("instrument_id") == instrument_id) & (pl.col("tenant_id") == tenant_id)
        found = [part.filter(asked) for part in self._parts]
        return LatestPrices(_highest(found)) if found else LatestPrices.empty()

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return `series` and `rank` of those of these instruments that the cache has."""
        found = [part.select("series", "rank").join(keys, on="series", how="semi") for part in self._parts]
        return _highest(found) if found else LatestPrices.empty().frame.select("series", "rank")


def _highest(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row a series. Of equal ranks the first stays: it was there."""
    return pl.concat(parts).sort("rank", descending=True, maintain_order=True).unique("series", keep="first")
