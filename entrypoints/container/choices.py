"""What settings decide beside the profile."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.memory.event_log import MemoryEventLog
from adapters.memory.reference_files import SHIPPED
from adapters.wire.events import EventCodec, WireFormat
from application import topics
from application.pipeline import STAGES
from application.ports.journal import Journal
from application.ports.meter import Meter
from application.ports.tracer import Tracer, Untraced
from application.stages.aggregate import Patience
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.gold.interval import BarIntervals
from domain.gold.lateness import Adaptation
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.window import Limits
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from entrypoints.killpoint import KillPoint, keep_going
from entrypoints.settings import Settings


def service_version() -> str:
    """Version of this program."""
    try:
        return importlib.metadata.version("dataproc")
    except importlib.metadata.PackageNotFoundError:
        return "0.1.0"


def tracer(settings: Settings, service: str, meter: Meter, journal: Journal) -> Tracer:
    if not settings.trace_enabled:
        return Untraced()
    from adapters.telemetry.tracer import OpenTelemetryTracer

    return OpenTelemetryTracer.to(f"254carbon-{service}", service_version(), settings.trace_endpoint, meter, journal)


def through_wire(codec: EventCodec) -> Any:
    """What a batch is after the wire: encoded, and decoded again."""

    def travelled(topic: str, facts: Batch[Any]) -> Batch[Any]:
        return codec.decode(topic, codec.encode(topic, facts).values).facts

    return travelled


def codec(intervals: BarIntervals, settings: Settings) -> EventCodec:
    return EventCodec(
        {
            topics.NORMALIZED: TickBatch,
            topics.ENRICHED: EnrichedTicks,
            topics.RECOMPUTE: RecomputeRequests,
            topics.LATEST: LatestPrices,
            **{topics.bars(interval.name): BarBatch for interval in intervals.all},
            **{topics.dead_letters(stage.name): DeadLetters for stage in STAGES},
        },
        WireFormat(settings.wire_format),
    )


def log(settings: Settings, codec: EventCodec) -> MemoryEventLog:
    travelled = through_wire(codec) if settings.wire_between_stages else None
    return MemoryEventLog(topics.partitions, codec=travelled)


def adaptation(settings: Settings) -> Adaptation | None:
    if not settings.adaptive_lateness:
        return None
    return Adaptation(settings.lateness_quantile, settings.lateness_least, settings.lateness_most)


def patience(settings: Settings) -> Patience:
    return Patience(
        provisional_every_s=settings.provisional_every_s,
        adaptation=adaptation(settings),
        recomputed_at_once=settings.recompute_windows_per_turn,
        limits=Limits(ticks=settings.window_memory_ticks, lag=settings.replay_limit),
        remembered=settings.winners,
        lateness_s=settings.lateness_s,
        idle_s=settings.idle_s,
    )


def passed(settings: Settings) -> Callable[[str], None]:
    return KillPoint(*settings.killpoint) if settings.killpoint else keep_going


def reference_dir(settings: Settings) -> Path:
    return settings.reference_dir or SHIPPED
