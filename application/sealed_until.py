"""Up to where the windows of each market are closed, for whoever watches a process."""

from collections import defaultdict
from collections.abc import Collection

import attrs
import polars as pl

from application.ports.meter import Meter
from domain.time import SECOND_US

METRIC = "bar_sealed_until_seconds"


@attrs.define
class SealedUntil:
    """
    Tells of each market the least of its partitions here, each of which is closed as far as its furthest instrument.

    A partition counts from the first window that closes here until it goes. A market that has none left is not told.
    """

    meter: Meter
    _held_us: dict[str, dict[int, int]] = attrs.field(init=False, factory=lambda: defaultdict(dict))
    """By market and partition."""

    def closed(self, market: pl.Series, partition: pl.Series, end_us: pl.Series) -> None:
        """Windows closed: the market of each, the partition it came from, and its end in µs."""
        furthest = pl.DataFrame({"market": market, "partition": partition, "end": end_us})
        for name, number, end in furthest.group_by("market", "partition").max().iter_rows():
            held = self._held_us[name]
            held[number] = max(end, held.get(number, end))
        self._tell(market.unique())

    def gone(self, partitions: Collection[int]) -> None:
        """These partitions are another's now, or begin anew."""
        for name, held in self._held_us.items():
            if going := held.keys() & set(partitions):
                for number in going:
                    del held[number]
                self._tell([name])

    def _tell(self, markets: Collection[str]) -> None:
        for name in markets:
            if held := self._held_us[name]:
                self.meter.gauge(METRIC, min(held.values()) / SECOND_US, market=name)
            else:
                self.meter.forget(METRIC, market=name)
