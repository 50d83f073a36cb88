"""A price cache that may be away without holding up who writes to it."""

from collections.abc import Callable, Iterable
from threading import Lock

import attrs
import polars as pl

from application.ports.clock import Clock
from application.ports.errors import StoreUnavailable
from application.ports.journal import Journal
from application.ports.price_cache import PriceCache
from domain.served.latest_price import LatestPrices


def _nothing() -> Iterable[LatestPrices]:
    return ()


@attrs.define
class PatientPriceCache:
    """
    What can't be set now is kept, the latest row of each instrument, and set with what comes after.

    The table that lasts has every row already, and who asks for a price finds it there meanwhile, so nothing waits for
    a cache. While it is away it is tried again once in `again_after_s`. What a process kept that ended meanwhile, or
    what the cache lost, is in the table too: `catch_up` sets all of it at the start, and whenever the cache was away.
    """

    cache: PriceCache
    clock: Clock
    journal: Journal
    again_after_s: float = 1.0
    told_every_s: float = 30.0
    everything: Callable[[], Iterable[LatestPrices]] = _nothing
    """All rows of the table that lasts, in portions."""
    restarts: Callable[[], int] = lambda: 0
    """How often the cache was found to have begun anew, and so to have lost what it held."""
    _waiting: LatestPrices = attrs.field(init=False, factory=LatestPrices.empty)
    _not_before_s: float = attrs.field(init=False, default=float("-inf"))
    _told_s: float = attrs.field(init=False, default=float("-inf"))
    _away: bool = attrs.field(init=False, default=False)
    _filled: bool = attrs.field(init=False, default=False)
    _restarts: int = attrs.field(init=False, default=0)
    _lock: Lock = attrs.field(init=False, factory=Lock)
    """Whoever asks for a price that the cache lacks fills it, beside the one who writes."""

    @property
    def waiting(self) -> int:
        """Rows that are still to be set."""
        return len(self._waiting)

    @property
    def away(self) -> bool:
        """Whether the cache could not be reached when it was last tried."""
        return self._away

    def upsert(self, rows: LatestPrices) -> None:
        """Set each row unless one of the same or a higher rank is there; later, where the cache is away."""
        with self._lock:
            self._set(_latest(self._waiting, rows))

    def catch_up(self) -> None:
        """
        Set what waits, and everything where the cache may lack some of it.

        Raises:
            StoreUnavailable: The table can't be read.
        """
        if self._filled and not len(self._waiting):
            return
        self.upsert(LatestPrices.empty())
        if self._away or self._filled:
            return
        self._filled = True
        try:
            for rows in self.everything():
                self.upsert(rows)
        except StoreUnavailable:
            self._filled = False
            raise

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return `series` and `rank` of those of these instruments that the cache has."""
        return self.cache.ranks(keys)

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where the cache has none."""
        return self.cache.of(tenant_id, instrument_id)

    def _set(self, due: LatestPrices) -> None:
        if not len(due):
            return
        now_s = self.clock.monotonic_s()
        if now_s < self._not_before_s:
            self._waiting = due
            return
        try:
            self.cache.upsert(due)
        except StoreUnavailable as error:
            self._waiting, self._not_before_s = due, self.clock.monotonic_s() + self.again_after_s
            self._away, self._filled = True, False
            self._tell(error)
        else:
            self._waiting, self._away = LatestPrices.empty(), False
            self._filled, self._restarts = self._filled and self.restarts() == self._restarts, self.restarts()

    def _tell(self, error: StoreUnavailable) -> None:
        now_s = self.clock.monotonic_s()  # after the call that failed, which may have hung
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
