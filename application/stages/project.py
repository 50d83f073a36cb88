"""
Projection: the latest price of each instrument, in a table that lasts and a cache that is quick.

Rows only ever rise in rank, in both, so repeats, replays and slow writers change nothing. A change is announced once;
what is already known is announced again only where this process can't know that it was (design.md §2): after a crash
between the store and the announcement, the same tick comes again and finds its own row stored.
"""

from collections.abc import Mapping, Sequence

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.event_log import Polled, TopicPartition
from application.ports.latest_table import LatestTable
from application.ports.meter import Meter
from application.stage import Share
from domain.gold.taxonomy import EnrichedTicks
from domain.served.latest_price import LatestPrices, Standing, content_digest, latest_of

TABLE = "served_latest"
CACHE = "latest_prices_cache"
"""A price cache under a table's name: its upsert is the compare-and-set."""


def _nothing_announced() -> pl.Series:
    return pl.Series(dtype=pl.UInt64)


@attrs.define(kw_only=True)
class ProjectLatest:
    """
    This will keep the latest price of every instrument, and announce each change of one.

    It remembers what it has announced since its partitions were assigned: eight bytes a series.
    """

    latest: LatestTable
    clock: Clock
    meter: Meter
    name: str = "projection"
    consumes: Sequence[str] = (topics.ENRICHED,)
    _announced: pl.Series = attrs.field(factory=_nothing_announced, init=False)

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:  # noqa: ARG002 - any assignment counts
        """Take over partitions; what was announced before may have been overtaken by another owner since."""
        self._announced = _nothing_announced()

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:  # noqa: ARG002 - any loss counts
        """Let partitions go, and what was announced with them."""
        self._announced = _nothing_announced()

    def finish(self) -> Outcome:
        """Nothing is ever open here."""
        return Outcome()

    def run(self, polled: Polled) -> Outcome:
        """Decide which prices rise, and which of them are news."""
        if not polled.records:
            return Outcome(commit=polled.next_offsets)
        begun_s = self.clock.monotonic_s()
        candidates = self._candidates(polled)
        if not len(candidates):
            return Outcome(commit=polled.next_offsets)
        standing = Standing.of(candidates, self.latest.stored(candidates.frame.select("series")))
        news = self._news(candidates, standing)
        return Outcome(
            store=_stores(candidates, standing),
            announce=(Announce(topics.LATEST, news),) if len(news) else (),
            commit=polled.next_offsets,
            kept=lambda: self._keep(news, begun_s),
        )

    def _candidates(self, polled: Polled) -> LatestPrices:
        batches = [EnrichedTicks(records.facts.frame) for records in polled.records]
        return latest_of(EnrichedTicks.concat(batches), self.clock.now())

    def _news(self, candidates: LatestPrices, standing: Standing) -> LatestPrices:
        """All but what a later price has overtaken, and what repeats an announcement of this process."""
        codes = candidates.frame["series"].to_physical()
        told = self._told(codes) == content_digest(candidates)
        overtaken = standing.outranked & ~standing.repeated
        known = standing.repeated & told.fill_null(value=False)
        return LatestPrices(standing.prices.frame.filter(~(overtaken | known)))

    def _told(self, codes: pl.Series) -> pl.Series:
        further = max(0, int(codes.max()) + 1 - len(self._announced))  # type: ignore[arg-type]
        self._announced = pl.concat([self._announced, pl.repeat(None, further, dtype=pl.UInt64, eager=True)])
        return self._announced[codes]

    def _keep(self, news: LatestPrices, begun_s: float) -> None:
        self._announced = self._announced.scatter(news.frame["series"].to_physical(), content_digest(news))
        took_ms = (self.clock.monotonic_s() - begun_s) * 1000
        self.meter.observe("projection_refresh_duration_ms", took_ms, projection="latest_price")


def _stores(candidates: LatestPrices, standing: Standing) -> tuple[Store, ...]:
    risen = LatestPrices(candidates.frame.filter(standing.risen))
    table = (Store(TABLE, risen),) if len(risen) else ()
    return (*table, Store(CACHE, standing.prices))
