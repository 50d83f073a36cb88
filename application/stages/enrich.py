"""
Enrichment: each tick learns what its instrument is, and whether its price is ordinary.

Per batch the instruments not met before are looked up at once; what was found is kept as step functions of time
(domain.gold.taxonomy), so that a batch of known instruments costs a few column operations and no lookup.

Every few seconds the catalog is asked for its version. Once it rises, all that was looked up is forgotten, and beside
its work the stage enriches again what is stored and behind the catalog (application.reenrichment), stored and not
announced. It does so once more a cache lifetime later, for rows that another process stored meanwhile out of what it
still remembered, until nothing is behind. Of several processes the one that has partition 0 does it.
"""

import math
from collections.abc import Mapping, Sequence

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.errors import Retryable
from application.ports.event_log import Polled, TopicPartition
from application.ports.instrument_catalog import InstrumentCatalog
from application.ports.meter import Meter
from application.ports.price_limits import PriceLimitPolicies
from application.reenrichment import Reenrichment
from application.stage import Share
from domain.gold.limits import PriceLimits
from domain.gold.taxonomy import UNKNOWN, EnrichedTicks, InstrumentKey, Step, Steps, enriched, steps_of
from domain.silver.quality import Flag
from domain.silver.tick import TickBatch

TABLE = "enriched_ticks"
NO_LIMITS = PriceLimits.of([])


@attrs.define(kw_only=True)
class EnrichTicks:
    """
    This will store and announce every tick with the classification of its instrument.

    An instrument nobody has described is flagged MISSING_METADATA and kept. What was looked up is remembered for
    `remembered_s` seconds, and for about `remembered_instruments` instruments; beyond either it is looked up anew.
    A catalog that can't be asked for its version, or about stored ticks, is asked again later: only a lookup for a new
    tick waits for it. It waits `patience_s`; then such ticks go on as those of instruments nobody has described, but for
    their metadata_version, and once the catalog answers again, what is stored is gone through.
    """

    catalog: InstrumentCatalog
    policies: PriceLimitPolicies
    again: Reenrichment
    clock: Clock
    meter: Meter
    remembered_s: float = 300
    remembered_instruments: int = 200_000
    noticed_s: float = 5
    """How often the catalog is asked whether anything was loaded."""
    pause_s: float = 60
    """After which one that could not answer is asked again."""
    patience_s: float = 60
    """How long new ticks wait for an answer."""
    name: str = "enrichment"
    consumes: Sequence[str] = (topics.NORMALIZED,)
    _steps: Steps = attrs.field(factory=Steps, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)
    _hits: int = attrs.field(default=0, init=False)
    _misses: int = attrs.field(default=0, init=False)
    _version: int = attrs.field(default=0, init=False)
    """Of the catalog, as last told."""
    _ask_at_s: float = attrs.field(default=-math.inf, init=False)
    """When it is asked the next time."""
    _is_sweeper: bool = attrs.field(default=False, init=False)
    """Whether it is for this process to enrich again what is stored."""
    _sweeps_begun: int = attrs.field(default=0, init=False)
    """Since the catalog's version rose."""
    _due_s: float = attrs.field(default=math.inf, init=False)
    """When the next one begins."""
    _resume_s: float = attrs.field(default=-math.inf, init=False)
    """When one that had to pause goes on."""
    _in_vain_since_s: float | None = attrs.field(default=None, init=False)
    """Since when lookups fail."""
    _look_up_at_s: float = attrs.field(default=-math.inf, init=False)
    """When the next one is tried."""
    _owes: bool = attrs.field(default=False, init=False)
    """Whether ticks went on without an answer, or may have."""

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        """Take over partitions; reference data belongs to none of them, and stored ticks to the first."""
        if any(where.partition == 0 for where in shares):
            self._is_sweeper = True
            self._begin_sweeps()

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let partitions go."""
        if any(where.partition == 0 for where in partitions):
            self._is_sweeper, self._due_s = False, math.inf
            self.again.stop()

    def finish(self) -> Outcome:
        """Nothing is ever open here."""
        return Outcome()

    def run(self, polled: Polled) -> Outcome:
        """Enrich these ticks, each on its own; and where the catalog has changed, some of those stored before."""
        self._notice()
        outcome = self._enriched(polled)
        rows = self._stored_ones()
        return outcome if rows is None else self._beside(outcome, rows)

    def _enriched(self, polled: Polled) -> Outcome:
        if not polled.records:
            return Outcome(commit=polled.next_offsets)
        ticks = TickBatch.concat([TickBatch(records.facts.frame) for records in polled.records])
        rows = enriched(ticks, self._knowing(ticks))
        return Outcome(
            store=(Store(TABLE, rows),),
            announce=(Announce(topics.ENRICHED, rows),),
            commit=polled.next_offsets,
            kept=lambda: self._count(rows),
        )

    def _notice(self) -> None:
        """Ask now and then whether anything was loaded; then forget what was looked up."""
        now_s = self.clock.monotonic_s()
        if now_s < self._ask_at_s:
            return
        try:
            version = self.catalog.version()
        except Retryable:
            self._ask_at_s = now_s + self.pause_s
            # Others may go on without an answer meanwhile, and end before they have made up for it.
            self._owes |= self._is_sweeper
            return
        self._ask_at_s = now_s + self.noticed_s
        if version != self._version or self._owes:
            self._version, self._steps = version, Steps()
            self._begin_sweeps()
            self._owes = False

    def _begin_sweeps(self) -> None:
        """Go through what is stored now, and once more a cache lifetime later."""
        if (self._is_sweeper or self._owes) and self._version:
            self.again.stop()
            self._sweeps_begun, self._due_s = 0, self.clock.monotonic_s()

    def _stored_ones(self) -> EnrichedTicks | None:
        """The next stored ticks, enriched again; None where nothing is left to do, or it can't be done now."""
        now_s = self.clock.monotonic_s()
        if now_s < self._resume_s:
            return None
        try:
            if now_s >= self._due_s and not self.again.running:
                self._sweep(now_s)
            self.again.plan()
            return self.again.batch() if self.again.running else None
        except Retryable:
            # Ticks that come must not wait for those that are there already.
            self._resume_s = now_s + self.pause_s
            return None

    def _sweep(self, now_s: float) -> None:
        """Begin to go through what is stored, unless the time before found nothing any more."""
        if self._sweeps_begun > 1 and not self.again.found:
            self._due_s = math.inf
            return
        self.again.begin()
        self._sweeps_begun += 1
        self._due_s = now_s + self.remembered_s

    def _beside(self, outcome: Outcome, rows: EnrichedTicks) -> Outcome:
        """The outcome, with these rows stored beside it."""

        def kept() -> None:
            outcome.kept()
            self.again.advance()
            self.meter.count("enrichment_reenriched_total", len(rows))

        stored = (Store(TABLE, rows),) if len(rows) else ()
        return attrs.evolve(outcome, store=(*outcome.store, *stored), more=True, kept=kept)

    def _knowing(self, ticks: TickBatch) -> Steps:
        """Return steps of at least the instruments of these ticks, looking up those that are not remembered."""
        now_s = self.clock.monotonic_s()
        if now_s - self._since_s >= self.remembered_s or len(self._steps) >= self.remembered_instruments:
            self._steps, self._since_s = Steps(), now_s
        lacking = self._steps.lacking(ticks.frame["series"].to_physical())
        if lacking.any():
            named = ticks.frame.select("series", "tenant_id", "instrument_id").filter(lacking).unique("series")
            keys = [InstrumentKey(*row) for row in named.select("tenant_id", "instrument_id").iter_rows()]
            found = self._looked_up(keys, now_s)
            if found is None:
                self._owes = True
                self.meter.count("enrichment_unanswered_total", int(lacking.sum()))
                return self._with(named, [steps_of(key.instrument_id, (UNKNOWN,), NO_LIMITS) for key in keys])
            self._steps = self._with(named, found)
        self._remember(hits=len(ticks) - int(lacking.sum()), misses=int(lacking.sum()))
        return self._steps

    def _looked_up(self, keys: Sequence[InstrumentKey], now_s: float) -> list[list[Step]] | None:
        """What is known of these; None once it was waited for long enough, or just was in vain."""
        if now_s < self._look_up_at_s:
            return None
        try:
            histories, limits = self.catalog.lookup(keys), self.policies.limits()
        except Retryable:
            since_s = now_s if self._in_vain_since_s is None else self._in_vain_since_s
            self._in_vain_since_s = since_s
            if now_s - since_s < self.patience_s:
                raise
            self._look_up_at_s = now_s + self.pause_s
            return None
        self._in_vain_since_s = None
        return [steps_of(key.instrument_id, histories[key], limits) for key in keys]

    def _with(self, named: pl.DataFrame, steps: Sequence[Sequence[Step]]) -> Steps:
        return self._steps.extended(dict(zip(named["series"].to_physical(), steps, strict=True)))

    def _remember(self, hits: int, misses: int) -> None:
        self._hits += hits
        self._misses += misses
        self.meter.count("enrichment_cache_hits_total", hits)
        self.meter.count("enrichment_cache_misses_total", misses)
        asked = self._hits + self._misses
        self.meter.gauge("enrichment_cache_hit_ratio", self._hits / asked if asked else 0.0, type="process")

    def _count(self, rows: EnrichedTicks) -> None:
        missing = (rows.frame["quality_flags"] & int(Flag.MISSING_METADATA)) > 0
        self.meter.count("enrichment_metadata_miss_total", int(missing.sum()))
