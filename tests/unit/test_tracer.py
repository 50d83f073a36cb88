"""Spans by OpenTelemetry, and the trace id of what is logged within them."""

import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.telemetry.logs import configure, logger
from adapters.telemetry.meter import PrometheusMeter
from adapters.telemetry.tracer import Counted, OpenTelemetryTracer
from application.pipeline import STAGES
from application.ports.tracer import SPANS, Untraced
from entrypoints.container import Container
from entrypoints.services.process import free_port
from entrypoints.settings import Settings
from tests.aggregating import Lines
from tests.performing import Tally


def test_a_span_is_exported_with_its_name_and_attributes() -> None:
    exporter = InMemorySpanExporter()
    tracer = OpenTelemetryTracer("254carbon-aggregation", "1.2.3", exporter)

    with tracer.span("aggregation.bar.compute", records=3):
        pass

    tracer._provider.force_flush()
    (span,) = exporter.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("aggregation.bar.compute", {"records": 3})
    assert span.resource.attributes["service.name"] == "254carbon-aggregation"
    assert span.resource.attributes["service.version"] == "1.2.3"


def test_a_line_logged_within_a_span_carries_its_trace_id() -> None:
    lines = StringIO()
    configure("254carbon-enrichment", stream=lines, human=False)
    tracer, log = OpenTelemetryTracer("254carbon-enrichment", "1.2.3"), logger("t")

    with tracer.span("enrichment.lookup"):
        log.error("first")
        log.error("second")
    log.error("after")

    within, same, after = (json.loads(line)["trace_id"] for line in lines.getvalue().splitlines())
    assert within == same != after == "0" * 32


def test_what_goes_wrong_within_a_span_goes_on() -> None:
    with pytest.raises(ValueError, match="no"), OpenTelemetryTracer("s", "1").span("x"):
        raise ValueError("no")


@attrs.define
class Collector:
    """A collector of traces that takes what it gets, or is away."""

    takes: list[bool]

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if self.takes.pop(0) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.takes.clear()


def test_spans_that_nobody_takes_are_counted_and_told_of_once_until_it_is_over() -> None:
    meter, journal = Tally(), Lines()
    exporter = Counted(Collector([True, False, False, True, False]), "http://c/v1/traces", meter, journal)  # type: ignore[arg-type]
    tracer = OpenTelemetryTracer("s", "1", exporter)
    dropped = []
    for spans in (1, 2, 3, 1, 1):
        for _ in range(spans):
            with tracer.span("x"):
                pass
        tracer._provider.force_flush()
        dropped.append(meter.figures.get("trace_spans_dropped_total", 0))
    tracer._provider.shutdown()

    assert dropped == [0, 2, 5, 5, 6]
    lost = "traces can't be sent and are dropped; nothing else suffers"
    assert journal.told == [lost, "traces are taken again", lost]


def test_an_endpoint_that_is_away_harms_nobody_and_what_is_dropped_is_counted() -> None:
    lines, meter = StringIO(), PrometheusMeter(strict=True)
    configure("254carbon-enrichment", stream=lines, human=False)
    endpoint = f"http://127.0.0.1:{free_port()}/v1/traces"
    journal: Any = logger("t")
    tracer = OpenTelemetryTracer.to("s", "1", endpoint, meter, journal)
    for _ in range(3):
        with tracer.span("x"):
            pass
    tracer._provider.shutdown()

    assert "trace_spans_dropped_total 3.0" in meter.exposition().decode()
    (said,) = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (said["level"], said["extra"]) == ("WARNING", {"endpoint": endpoint})


def test_every_stage_has_its_span() -> None:
    assert {stage.name for stage in STAGES} == set(SPANS)


def test_traces_are_made_unless_switched_off() -> None:
    on, off = (Container(settings=Settings(trace_enabled=enabled)) for enabled in (True, False))
    kinds = [type(each.loop(stage=each.project(), group="g").tracer) for each in (on, off)]
    assert kinds == [OpenTelemetryTracer, Untraced]
