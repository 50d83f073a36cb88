"""
Traces by OpenTelemetry, one span a batch.

Spans go to an OTLP endpoint over HTTP, in the background; while it is away they are dropped, which is counted, and told
once. Without an endpoint they still give the lines logged within them a trace id, by which lines about one batch are
found together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_trace_id

from application.ports.journal import Journal
from application.ports.meter import Meter

ANSWERED_WITHIN_S = 3
"""What the endpoint does not take within this time is dropped, also at the end of the process."""


class OpenTelemetryTracer:
    """Spans of one process. Keeps to application.ports.tracer.Tracer."""

    def __init__(self, service: str, version: str, exporter: SpanExporter | None = None) -> None:
        """
        Begin to trace.

        Args:
            service: Name of the service, as in its log lines.
            version: Of this program.
            exporter: Where spans go; None: nowhere.
        """
        about = Resource.create({"service.name": service, "service.version": version})
        self._provider = TracerProvider(resource=about)
        if exporter:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("dataproc")

    @classmethod
    def to(cls, service: str, version: str, endpoint: str, meter: Meter, journal: Journal) -> "OpenTelemetryTracer":
        """Trace to an address, e.g. http://collector:4318/v1/traces; to nowhere where it is empty."""
        return cls(service, version, Counted(_exporter(endpoint), endpoint, meter, journal) if endpoint else None)

    @contextmanager
    def span(self, name: str, **attributes: str | int) -> Iterator[None]:
        """A step that lasts as long as the context; lines logged within carry its trace id."""
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                yield


class Counted(SpanExporter):
    """Sends spans, and counts those that nobody took. Their loss is told once, and once more when it is over."""

    def __init__(self, inner: SpanExporter, endpoint: str, meter: Meter, journal: Journal) -> None:
        """
        Stand before an exporter.

        Args:
            inner: Sends them.
            endpoint: Where to, for the log.
            meter: Hears how many were dropped.
            journal: Hears that some are.
        """
        self._inner, self._endpoint, self._meter, self._journal = inner, endpoint, meter, journal
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans, or drop them."""
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._taken()
        else:
            self._drop(len(spans))
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._inner.shutdown()

    def _taken(self) -> None:
        if self._dropped:
            self._journal.info("traces are taken again", endpoint=self._endpoint, dropped=self._dropped)
            self._dropped = 0

    def _drop(self, spans: int) -> None:
        self._meter.count("trace_spans_dropped_total", spans)
        if not self._dropped:
            self._journal.warning("traces can't be sent and are dropped; nothing else suffers", endpoint=self._endpoint)
        self._dropped += spans


def _exporter(endpoint: str) -> SpanExporter:
    # Imported where it is needed: it costs a third of a second, and most runs send no spans.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(endpoint=endpoint, timeout=ANSWERED_WITHIN_S)
