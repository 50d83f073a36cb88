"""What is the price of this, now?"""

from concurrent.futures import Future
from threading import Lock

import attrs

from application.ports.errors import StoreUnavailable
from application.ports.latest_table import LatestTable
from application.ports.price_cache import PriceCache
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrice, LatestPrices


@attrs.frozen
class FindLatestPrice:
    """
    This will find latest prices: from the cache, else from the table, which then fills the cache.

    However many ask at once for a price the cache lacks, the table is read once. A cache that can't be reached costs
    speed, not answers.
    """

    table: LatestTable
    cache: PriceCache
    _asking: "dict[tuple[InstrumentKey, bool], Future[LatestPrices]]" = attrs.field(factory=dict, init=False)
    _lock: Lock = attrs.field(factory=Lock, init=False)

    def __call__(self, key: InstrumentKey, *, strong: bool = False) -> LatestPrice | None:
        """
        Return the latest price of an instrument; None where it never had one.

        Args:
            key: Whose instrument, and which.
            strong: Ask the table even where the cache has an answer.

        Raises:
            StoreUnavailable: The table is needed and can't be reached.
        """
        found = LatestPrices.empty() if strong else self._cached(key)
        return next(iter((found if len(found) else self._read_once(key, strong=strong)).facts()), None)

    def listed(self, tenant_id: str, market: str | None, limit: int) -> list[LatestPrice]:
        """Return the first `limit` latest prices of a tenant by instrument_id, of one market where one is named."""
        return self.table.listed(tenant_id, market, limit).facts()

    def _cached(self, key: InstrumentKey) -> LatestPrices:
        try:
            return self.cache.of(*key)
        except StoreUnavailable:
            return LatestPrices.empty()

    def _read_once(self, key: InstrumentKey, *, strong: bool) -> LatestPrices:
        """Read, or wait for who is reading the same."""
        question = (key, strong)
        with self._lock:
            asked = self._asking.get(question)
            answer = asked or self._asking.setdefault(question, Future())
        if asked:
            return asked.result()
        try:
            found = self._read(key, strong=strong)
            answer.set_result(found)
        except StoreUnavailable as error:
            answer.set_exception(error)
            raise
        finally:
            answer.cancel()
            with self._lock:
                del self._asking[question]
        return found

    def _read(self, key: InstrumentKey, *, strong: bool) -> LatestPrices:
        # Who asked before may have filled the cache since this question looked.
        filled = LatestPrices.empty() if strong else self._cached(key)
        return filled if len(filled) else self._stored(key)

    def _stored(self, key: InstrumentKey) -> LatestPrices:
        found = self.table.of(*key)
        if len(found):
            self._fill(found)
        return found

    def _fill(self, found: LatestPrices) -> None:
        try:
            self.cache.upsert(found)
        except StoreUnavailable:
            return
