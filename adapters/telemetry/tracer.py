"""
Traces by OpenTelemetry, one span a batch.

Spans go to an OTLP endpoint over HTTP, in the background; while it is away they are dropped. Without an endpoint they
still give the lines logged within them a trace id, by which lines about one batch are found together.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import format_trace_id

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
    def to(cls, service: str, version: str, endpoint: str) -> "OpenTelemetryTracer":
        """Trace to an address, e.g. http://collector:4318/v1/traces; to nowhere where it is empty."""
        return cls(service, version, _exporter(endpoint) if endpoint else None)

    @contextmanager
    def span(self, name: str, **attributes: str | int) -> Iterator[None]:
        """A step that lasts as long as the context; lines logged within carry its trace id."""
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                yield


def _exporter(endpoint: str) -> SpanExporter:
    # Imported where it is needed: it costs a third of a second, and most runs send no spans.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(endpoint=endpoint, timeout=ANSWERED_WITHIN_S)
