"""
Does what is served say what is stored? Found and mended beside the live path, a portion at a time.

    cache           behind served_latest, or without its row    → set again by compare-and-set
                    ahead of it                                 → told; only silver can give the table its row back
    served_latest   behind silver, or without its row           → stored by rank, set in the cache, announced

A round begins every `every_s` and goes through all instruments in the order of their keys, a portion after the other.
Each call does one step of a portion, which is one question to one store, if that is due. After a step it rests, so that
reconciling takes no more than `share` of the time. Of silver a portion reads the last `look_back` before its newest
price, and all that is later: a whole pass over silver would read a year of ticks, as `dataproc verify` does.

What is younger than `settle_s` may still be on its way between the stages and is left to the next round. Rows only ever
rise in rank, so whoever else writes meanwhile is never undone. What can't be reached now is left to the next round
too: the stage itself says that it is away.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import attrs
import polars as pl

from application import topics
from application.ports.census import Census
from application.ports.clock import Clock
from application.ports.errors import Retryable, RowsRefused
from application.ports.event_log import EventLog
from application.ports.journal import Journal
from application.ports.latest_table import LatestTable
from application.ports.meter import Meter
from application.ports.price_cache import PriceCache
from application.ports.tick_table import TickTable
from domain.gold.taxonomy import InstrumentKey
from domain.served.drift import (
    Compared,
    DriftKind,
    key_of_last,
    later_in_silver,
    misleading,
    price_in_silver,
    settled,
)
from domain.served.latest_price import LatestPrices

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = ("tenant_id", "instrument_id")
Drifting = Mapping[DriftKind, LatestPrices]


@attrs.frozen(kw_only=True)
class Thoroughness:
    """How much of the time reconciling may take, and how far it looks."""

    every_s: float = 10.0
    """From the begin of a round to the next."""
    portion: int = 500
    """Instruments looked at together."""
    share: float = 0.1
    """Most of the time that the steps of a round may take."""
    settle_s: float = 5.0
    """What is younger may be on its way. Source: specification, projection correctness: drift > 5 s."""
    look_back: timedelta = timedelta(hours=2)
    """How far before the newest price of a portion silver is read."""


@attrs.define
class _Round:
    """One way through all instruments."""

    began_s: float
    found: Counter[DriftKind] = attrs.field(factory=Counter)
    mended: Counter[DriftKind] = attrs.field(factory=Counter)
    missed: bool = False
    """Something could not be reached."""


@attrs.define(kw_only=True)
class ReconcilePrices:
    """This will compare the price cache, served_latest and silver, and mend what lags. Called before each poll."""

    latest: LatestTable
    ticks: TickTable
    cache: PriceCache
    census: Census
    log: EventLog
    clock: Clock
    meter: Meter
    journal: Journal
    thoroughness: Thoroughness = Thoroughness()
    _round: _Round | None = attrs.field(init=False, default=None)
    _steps: Iterator[None] = attrs.field(init=False, factory=lambda: iter(()))
    """What is left of it."""
    _due_s: float = attrs.field(init=False)
    _owed: LatestPrices = attrs.field(init=False, factory=LatestPrices.empty)
    """Stored, and not announced yet."""
    _drifting_min: int = attrs.field(init=False, default=-1)
    """The last minute that was counted as one of drift."""
    _missing: bool = attrs.field(init=False, default=False)
    """Something could not be compared in the last round, and that was told."""

    def __attrs_post_init__(self) -> None:
        self._due_s = self.clock.monotonic_s() + self.thoroughness.every_s

    def __call__(self) -> None:
        """Do the next step, if it is due. Never raises Retryable: what fails now is done by a later round."""
        begun_s = self.clock.monotonic_s()
        if begun_s < self._due_s:
            return
        if self._round is None:
            self._round = _Round(begun_s)
            self._steps = self._looking(self._round)
        try:
            done = next(self._steps, self._round)
        except Retryable as error:
            self._miss(self._round, error)
            done = self._round
        took_s = self.clock.monotonic_s() - begun_s
        self.meter.observe("projection_refresh_duration_ms", took_s * 1000, projection="reconciliation")
        self._due_s = begun_s + took_s / self.thoroughness.share
        if done:
            self._end(done)

    def _looking(self, current: _Round) -> Iterator[None]:
        """All instruments, a portion after the other, in steps between which the stage goes on."""
        after: InstrumentKey | None = None
        front: datetime | None = None
        most = self.thoroughness.portion
        while True:
            now = self.clock.now()
            by = now - timedelta(seconds=self.thoroughness.settle_s)
            served = self.census.latest(after, most)
            until = key_of_last(served.frame) if len(served) == most else None
            yield
            self._compare_cache(current, settled(served, by))
            yield
            front = served.frame.select(pl.col("ts").max()).item() or front
            since = min(front or now, now) - self.thoroughness.look_back
            newest = self.census.newest(after, until, since, by, most)
            yield
            self._announce()
            self._compare_table(current, later_in_silver(newest, served), by, now)
            # Silver may know more instruments in between than a portion takes: then it ends with the last of these.
            after = key_of_last(newest) if newest.height == most else until
            if after is None:
                return
            yield

    def _compare_cache(self, current: _Round, served: LatestPrices) -> None:
        """A cache that is away keeps nobody from looking at the table."""
        if not len(served):
            return
        try:
            compared = Compared.of(served, self.cache.ranks(served.frame.select(*NAMES, "series")))
            lagging = {DriftKind.CACHE_MISSING: compared.missing, DriftKind.CACHE_BEHIND: compared.behind}
            self._found(current, {**lagging, DriftKind.CACHE_AHEAD: self._still_ahead(compared.ahead)})
            self._cached(LatestPrices.concat(list(lagging.values())))
            self._mended(current, lagging)
        except Retryable as error:
            self._miss(current, error)

    def _still_ahead(self, ahead: LatestPrices) -> LatestPrices:
        """Those the cache is ahead of though the table is read after it: who stores, stores in the table first."""
        if not len(ahead):
            return ahead
        ranks = self.cache.ranks(ahead.frame.select(*NAMES, "series"))
        return Compared.of(self.latest.stored(ahead.frame.select("series")), ranks).ahead

    def _compare_table(self, current: _Round, windows: pl.DataFrame, by: datetime, now: datetime) -> None:
        if not windows.height:
            return
        prices = price_in_silver(self.ticks.within(windows), by, now)
        compared = Compared.of(prices, self.latest.stored(prices.frame.select("series")).frame)
        lagging = {DriftKind.TABLE_MISSING: compared.missing, DriftKind.TABLE_BEHIND: compared.behind}
        self._found(current, lagging)
        stored = self._stored(LatestPrices.concat(list(lagging.values())))
        self._owed = LatestPrices.concat([self._owed, stored])
        self._cached(stored)
        self._announce()
        taken = stored.frame.select("series")
        self._mended(
            current,
            {kind: LatestPrices(rows.frame.join(taken, on="series", how="semi")) for kind, rows in lagging.items()},
        )

    def _stored(self, rows: LatestPrices) -> LatestPrices:
        """Store; returns the rows that the table took."""
        if not len(rows):
            return rows
        try:
            self.latest.upsert(rows)
        except RowsRefused as error:
            self.journal.error("prices that can't be stored are not served", table=error.table, error=str(error))
            return LatestPrices(rows.frame.join(error.rows.select(NAMES), on=NAMES, how="anti", maintain_order="left"))
        return rows

    def _cached(self, rows: LatestPrices) -> None:
        if len(rows):
            self.cache.upsert(rows)

    def _announce(self) -> None:
        if len(self._owed):
            self.log.publish(topics.LATEST, self._owed)
            self._owed = LatestPrices.empty()

    def _found(self, current: _Round, rows: Drifting) -> None:
        self._count("projection_drift_found_total", current.found, rows)

    def _mended(self, current: _Round, rows: Drifting) -> None:
        self._count("projection_drift_mended_total", current.mended, rows)

    def _count(self, name: str, counted: Counter[DriftKind], rows: Drifting) -> None:
        for kind, some in rows.items():
            if len(some):
                counted[kind] += len(some)
                self.meter.count(name, len(some), kind=kind)

    def _end(self, current: _Round) -> None:
        """Tell what the round came to; the next one begins anew."""
        if current.found:
            self.journal.warning("served prices had drifted", found=dict(current.found), mended=dict(current.mended))
        if misleading(current.found):
            self._count_minute()
        if not current.missed and self._missing:
            self._missing = False
            self.journal.info("served prices are compared again")
        self._round, self._due_s = None, max(self._due_s, current.began_s + self.thoroughness.every_s)

    def _count_minute(self) -> None:
        minute = (self.clock.now() - EPOCH) // timedelta(minutes=1)
        if minute != self._drifting_min:
            self._drifting_min = minute
            self.meter.count("projection_drift_minutes_total")

    def _miss(self, current: _Round, error: Retryable) -> None:
        """Something can't be compared now. Told once, however many rounds that lasts."""
        current.missed = True
        if not self._missing:
            self._missing = True
            self.journal.warning("served prices can't all be compared now", error=str(error))
