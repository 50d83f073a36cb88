"""
Metrics for Prometheus, under the names that the specification and the observability neighbour fixed.

Each name is declared once, with its labels. Label values are bounded, so that no input can make the number of series
grow without end. Source: contracts.md §8.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from threading import Lock

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import disable_created_metrics

VALUES_OF_A_LABEL = 100
"""Distinct values a label may take; further ones are counted together."""
FURTHER = "other"

MS_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
SECONDS_BUCKETS = tuple(ms / 1000 for ms in MS_BUCKETS)
LATE_BUCKETS = (1, 10, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 86_400, 30 * 86_400, 365 * 86_400)


class Kind(StrEnum):
    """What is done with a figure."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@attrs.frozen
class Metric:
    """One declared name."""

    name: str
    kind: Kind
    told: str
    labels: Sequence[str] = ()
    buckets: Sequence[float] = MS_BUCKETS


FEED = ("tenant_id", "source_id", "partition")

METRICS = (
    Metric("normalization_records_processed_total", Kind.COUNTER, "Ticks normalized.", ("market", "tenant_id")),
    Metric("normalization_messages_processed_total", Kind.COUNTER, "Raw messages by how they ended.", ("status",)),
    Metric("normalization_errors_total", Kind.COUNTER, "Raw messages that became dead letters: no tick came of them."),
    Metric("normalization_processing_latency_ms", Kind.HISTOGRAM, "Time a batch takes to be normalized."),
    Metric(
        "normalization_processing_duration_seconds",
        Kind.HISTOGRAM,
        "Time a batch takes to be normalized.",
        buckets=SECONDS_BUCKETS,
    ),
    Metric("invalid_records_total", Kind.COUNTER, "Rows refused."),
    Metric("quarantined_records_total", Kind.COUNTER, "Records set aside because processes ended at them.", ("stage",)),
    Metric("ledger_total", Kind.COUNTER, "What the conservation ledger counted, each message once.", ("figure",)),
    Metric("ledger_imbalance_total", Kind.COUNTER, "Messages or rows that ended in no way, or in several.", ("of",)),
    Metric("enrichment_metadata_miss_total", Kind.COUNTER, "Ticks of instruments nobody has described."),
    Metric("enrichment_cache_hits_total", Kind.COUNTER, "Ticks whose instrument was remembered."),
    Metric("enrichment_cache_misses_total", Kind.COUNTER, "Ticks whose instrument had to be looked up."),
    Metric("enrichment_cache_hit_ratio", Kind.GAUGE, "Share of ticks whose instrument was remembered.", ("type",)),
    Metric(
        "enrichment_unanswered_total",
        Kind.COUNTER,
        "Ticks that went on without an answer of the catalog, to be enriched again.",
    ),
    Metric("enrichment_reenriched_total", Kind.COUNTER, "Stored ticks enriched again because the catalog changed."),
    Metric("late_arrival_seconds", Kind.HISTOGRAM, "How far behind the seal late ticks are.", buckets=LATE_BUCKETS),
    # No counter of the client's: it would add _total to this name, which is fixed without it.
    Metric("recompute_trigger_count", Kind.GAUGE, "Recompute requests since the start."),
    Metric("aggregation_bar_build_duration_ms", Kind.HISTOGRAM, "Time a batch takes to become bars.", ("interval",)),
    Metric(
        "aggregation_bar_build_duration_seconds",
        Kind.HISTOGRAM,
        "Time a batch takes to become bars.",
        ("interval",),
        SECONDS_BUCKETS,
    ),
    Metric("aggregation_bars_generated_total", Kind.COUNTER, "Bars stored.", ("interval",)),
    Metric(
        "bar_sealed_until_seconds",
        Kind.GAUGE,
        "Up to where a market's windows are closed, in the least advanced partition here, seconds since 1970.",
        ("market",),
    ),
    Metric("feed_watermark_seconds", Kind.GAUGE, "A feed's watermark, seconds since 1970.", FEED),
    Metric("feed_allowed_lateness_seconds", Kind.GAUGE, "How far a feed's watermark stays behind.", FEED),
    Metric("feed_live", Kind.GAUGE, "1 while a feed speaks, 0 once it is silent for its idle limit.", FEED),
    Metric("projection_refresh_duration_ms", Kind.HISTOGRAM, "Time a batch takes to be served.", ("projection",)),
    Metric("projection_invalidations_total", Kind.COUNTER, "Projections invalidated.", ("reason",)),
    Metric("projection_drift_found_total", Kind.COUNTER, "Served prices that lagged behind what is stored.", ("kind",)),
    Metric("projection_drift_mended_total", Kind.COUNTER, "Those that were set right.", ("kind",)),
    Metric(
        "projection_drift_minutes_total", Kind.COUNTER, "Minutes in which a price other than the latest was served."
    ),
    Metric("trace_spans_dropped_total", Kind.COUNTER, "Spans that could not be sent."),
    Metric(
        "event_loop_late_seconds",
        Kind.HISTOGRAM,
        "How late the loop that answers over HTTP woke, looked at four times a second.",
        buckets=SECONDS_BUCKETS,
    ),
    Metric("processing_backfill_jobs_total", Kind.COUNTER, "Backfill jobs by how they ended.", ("status",)),
)


Figure = Counter | Gauge | Histogram


class UnknownMetric(KeyError):
    """A name, or a set of labels, that is not declared."""


class PrometheusMeter:
    """Counts into a registry of its own. A name that is not declared is lost, or an error where it is told to be strict."""

    def __init__(self, *, strict: bool = False, values_of_a_label: int = VALUES_OF_A_LABEL) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._strict = strict
        self._most = values_of_a_label
        self._declared = {metric.name: metric for metric in METRICS}
        self._figures = {metric.name: _figure(metric, self._registry) for metric in METRICS}
        self._seen: dict[tuple[str, str], set[str]] = {}
        self._lock = Lock()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        figure = self._figure(name, labels)
        if isinstance(figure, Counter | Gauge):
            figure.inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        figure = self._figure(name, labels)
        if isinstance(figure, Histogram):
            figure.observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        figure = self._figure(name, labels)
        if isinstance(figure, Gauge):
            figure.set(value)

    def forget(self, name: str, **labels: str) -> None:
        """Tell a gauge no more, until it is set again."""
        if labels and isinstance(self._figure(name, labels), Gauge):
            self._figures[name].remove_by_labels(self._bounded(name, labels))

    def exposition(self) -> bytes:
        """All figures in the Prometheus text format."""
        return generate_latest(self._registry)

    def _figure(self, name: str, labels: Mapping[str, str]) -> Figure | None:
        declared = self._declared.get(name)
        if declared and set(declared.labels) == labels.keys():
            figure = self._figures[name]
            return figure.labels(**self._bounded(name, labels)) if labels else figure
        if self._strict:
            raise UnknownMetric(f"{name} with labels {sorted(labels)}; declare it in METRICS")
        return None

    def _bounded(self, name: str, labels: Mapping[str, str]) -> dict[str, str]:
        with self._lock:
            return {
                label: self._admitted(self._seen.setdefault((name, label), set()), value)
                for label, value in labels.items()
            }

    def _admitted(self, seen: set[str], value: str) -> str:
        if value not in seen and len(seen) >= self._most:
            return FURTHER
        seen.add(value)
        return value


def _figure(metric: Metric, registry: CollectorRegistry) -> Figure:
    if metric.kind is Kind.HISTOGRAM:
        return Histogram(metric.name, metric.told, metric.labels, buckets=metric.buckets, registry=registry)
    figure = Counter if metric.kind is Kind.COUNTER else Gauge
    return figure(metric.name, metric.told, metric.labels, registry=registry)
