"""What did the market do in these intervals?"""

from collections.abc import Mapping
from datetime import datetime

import attrs

from application.ports.bar_table import BarTable
from domain.errors import BadInterval
from domain.gold.bar import Bar
from domain.gold.taxonomy import InstrumentKey


@attrs.frozen
class FindBars:
    """This will find the bars of an instrument, always from the tables, so that every answer is consistent."""

    tables: Mapping[str, BarTable]
    """By name of the interval."""

    @property
    def intervals(self) -> tuple[str, ...]:
        """Names of the intervals there are bars of."""
        return tuple(self.tables)

    def __call__(
        self, key: InstrumentKey, interval: str, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Bar]:
        """
        Return the newest `limit` bars that begin within [start, end), ascending.

        Args:
            key: Whose instrument, and which.
            interval: One of `intervals`.
            start: First instant; None: from the beginning.
            end: First instant after; None: up to now.
            limit: At most so many.

        Raises:
            BadInterval: There are no bars of this interval.
            StoreUnavailable: The table can't be reached.
        """
        if interval not in self.tables:
            raise BadInterval(f"there are no bars of {interval!r}; there are of {', '.join(self.tables)}")
        return self.tables[interval].history(*key, start, end, limit).facts()
