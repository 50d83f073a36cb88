"""Price limits in the database."""

import time
from collections.abc import Callable

import attrs
import sqlalchemy as sa

from adapters.sql import schema
from adapters.sql.database import Database
from adapters.sql.reference_rows import limits_of
from application.ports.errors import StoreUnavailable
from domain.gold.limits import PriceLimits


@attrs.define
class SqlPriceLimits:
    """
    Price limits held in PostgreSQL or SQLite.

    While the database is away, what it last said counts for `stale_s` seconds.
    """

    database: Database
    stale_s: float = 3600
    monotonic_s: Callable[[], float] = time.monotonic
    _last: tuple[float, PriceLimits] | None = attrs.field(init=False, default=None)

    def limits(self) -> PriceLimits:
        """The limits in force at any instant, for any instrument, as loaded now."""
        asked_s = self.monotonic_s()
        try:
            found = self._read()
        except StoreUnavailable:
            if self._last is None or self._last[0] < asked_s - self.stale_s:
                raise
            return self._last[1]
        self._last = asked_s, found
        return found

    def _read(self) -> PriceLimits:
        rows = self.database.reading(
            "reading price limits",
            lambda connection: connection.execute(sa.select(schema.quality_policies)).mappings().all(),
        )
        return PriceLimits.of(limits_of(rows))
