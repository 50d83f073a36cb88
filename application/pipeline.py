"""
THE MAP: the four stages as data. Wiring, manifests, the README's picture and the reference read it.

    raw events → normalization → enrichment → aggregation (bars)
                                     └──────→ projection (latest prices)
"""

from collections.abc import Callable, Sequence

import attrs

from application import topics
from application.stages.aggregate import BAR_REVISIONS, SEALS, AggregateBars, bar_table
from application.stages.enrich import TABLE as ENRICHED_TICKS
from application.stages.enrich import EnrichTicks
from application.stages.normalize import LEDGER, NormalizeTicks
from application.stages.normalize import TICKS as SILVER_TICKS
from application.stages.project import CACHE, ProjectLatest
from application.stages.project import TABLE as SERVED_LATEST


@attrs.frozen(kw_only=True)
class StageMap:
    """One stage: what it is called, where it answers, what it reads, tells and keeps, and what runs it."""

    name: str
    port: int
    runs: type
    consumes: tuple[str, ...]
    produces: Callable[[Sequence[str]], tuple[str, ...]]
    """Topics, given the names of the enabled bar intervals."""
    writes: Callable[[Sequence[str]], tuple[str, ...]]
    """Tables, given the names of the enabled bar intervals."""


STAGES = (
    StageMap(
        name="normalization",
        port=8200,
        runs=NormalizeTicks,
        consumes=topics.RAW,
        produces=lambda _: (topics.NORMALIZED, topics.dead_letters("normalization")),
        writes=lambda _: (SILVER_TICKS, LEDGER, "dead_letters"),
    ),
    StageMap(
        name="enrichment",
        port=8201,
        runs=EnrichTicks,
        consumes=(topics.NORMALIZED,),
        produces=lambda _: (topics.ENRICHED, topics.dead_letters("enrichment")),
        writes=lambda _: (ENRICHED_TICKS, "dead_letters"),
    ),
    StageMap(
        name="aggregation",
        port=8202,
        runs=AggregateBars,
        consumes=(topics.ENRICHED, topics.RECOMPUTE),
        produces=lambda intervals: (
            *(topics.bars(interval) for interval in intervals),
            topics.RECOMPUTE,
            topics.dead_letters("aggregation"),
        ),
        writes=lambda intervals: (
            *(bar_table(interval) for interval in intervals),
            BAR_REVISIONS,
            SEALS,
            "dead_letters",
        ),
    ),
    StageMap(
        name="projection",
        port=8203,
        runs=ProjectLatest,
        consumes=(topics.ENRICHED,),
        produces=lambda _: (topics.LATEST, topics.dead_letters("projection")),
        writes=lambda _: (SERVED_LATEST, CACHE, "dead_letters"),
    ),
)
"""In the order in which facts pass through them."""
