"""A price cache that may be away without holding up who writes to it."""

import attrs
import polars as pl

from application.ports.clock import Clock
from application.ports.errors import StoreUnavailable
from application.ports.journal import Journal
from application.ports.price_cache import PriceCache
from domain.served.latest_price import LatestPrices


@attrs.define
class PatientPriceCache:
    """
    What can't be set now is kept, the latest row of each instrument, and set with what comes after.

    The table that lasts has every row already, and who asks for a price finds it there meanwhile, so nothing waits for
    a cache. While it is away it is tried again once in `again_after_s`. For one writer.
    """

    cache: PriceCache
    clock: Clock
    journal: Journal
    again_after_s: float = 1.0
    told_every_s: float = 30.0
    _waiting: LatestPrices = attrs.field(init=False, factory=LatestPrices.empty)
    _not_before_s: float = attrs.field(init=False, default=float("-inf"))
    _told_s: float = attrs.field(init=False, default=float("-inf"))

    @property
    def waiting(self) -> int:
        """Rows that are still to be set."""
        return len(self._waiting)

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there; later, where the cache is away."""
        due = _latest(self._waiting, rows)
        now_s = self.clock.monotonic_s()
        if now_s < self._not_before_s:
            self._waiting = due
            return
        try:
            self.cache.upsert(due)
        except StoreUnavailable as error:
            self._waiting, self._not_before_s = due, self.clock.monotonic_s() + self.again_after_s
            self._tell(error, now_s)
        else:
            self._waiting = LatestPrices.empty()

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none."""
        return self.cache.of(tenant_id, instrument_id)

    def _tell(self, error: StoreUnavailable, now_s: float) -> None:
        if now_s - self._told_s < self.told_every_s:
            return
        self._told_s = now_s
        self.journal.warning(
            "the price cache is away; prices come from the table meanwhile",
            error=str(error),
            waiting=len(self._waiting),
        )


def _latest(waiting: LatestPrices, rows: LatestPrices) -> LatestPrices:
    """Of both the row of the highest rank of each instrument."""
    if not len(waiting):
        return rows
    both = pl.concat([waiting.frame, rows.frame]).sort("rank", descending=True, maintain_order=True)
    return LatestPrices(both.unique("series", keep="first", maintain_order=True))
