"""
Enrichment: each tick learns what its instrument is, and whether its price is ordinary.

Per batch the instruments not met before are looked up at once; what was found is kept as step functions of time
(domain.gold.taxonomy), so that a batch of known instruments costs a few column operations and no lookup.
"""

from collections.abc import Mapping, Sequence

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.event_log import Polled, TopicPartition
from application.ports.instrument_catalog import InstrumentCatalog
from application.ports.meter import Meter
from application.ports.price_limits import PriceLimitPolicies
from domain.gold.taxonomy import EnrichedTicks, InstrumentKey, Steps, enriched, steps_of
from domain.silver.quality import Flag
from domain.silver.tick import TickBatch

TABLE = "enriched_ticks"


@attrs.define(kw_only=True)
class EnrichTicks:
    """
    This will store and announce every tick with the classification of its instrument.

    An instrument nobody has described is flagged MISSING_METADATA and kept. What was looked up is remembered for
    `remembered_s` seconds, and for about `remembered_instruments` instruments; beyond either it is looked up anew.
    """

    catalog: InstrumentCatalog
    policies: PriceLimitPolicies
    clock: Clock
    meter: Meter
    remembered_s: float = 300
    remembered_instruments: int = 200_000
    name: str = "enrichment"
    consumes: Sequence[str] = (topics.NORMALIZED,)
    _steps: Steps = attrs.field(factory=Steps, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)
    _hits: int = attrs.field(default=0, init=False)
    _misses: int = attrs.field(default=0, init=False)

    def assigned(self, committed: Mapping[TopicPartition, int | None]) -> None:
        """Take over partitions; reference data belongs to none of them."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let partitions go; reference data belongs to none of them."""

    def finish(self) -> Outcome:
        """Nothing is ever open here."""
        return Outcome()

    def run(self, polled: Polled) -> Outcome:
        """Enrich these ticks, each on its own."""
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

    def _knowing(self, ticks: TickBatch) -> Steps:
        """Return steps of at least the instruments of these ticks, looking up those that are not remembered."""
        now_s = self.clock.monotonic_s()
        if now_s - self._since_s >= self.remembered_s or len(self._steps) >= self.remembered_instruments:
            self._steps, self._since_s = Steps(), now_s
        lacking = self._steps.lacking(ticks.frame["series"].to_physical())
        if lacking.any():
            named = ticks.frame.select("series", "tenant_id", "instrument_id").filter(lacking).unique("series")
            self._steps = self._looked_up(named)
        self._remember(hits=len(ticks) - int(lacking.sum()), misses=int(lacking.sum()))
        return self._steps

    def _looked_up(self, named: pl.DataFrame) -> Steps:
        keys = [InstrumentKey(*row) for row in named.select("tenant_id", "instrument_id").iter_rows()]
        histories, limits = self.catalog.lookup(keys), self.policies.limits()
        steps = [steps_of(key.instrument_id, histories[key], limits) for key in keys]
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
