"""Spans by OpenTelemetry, and the trace id of what is logged within them."""

import json
from io import StringIO
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.telemetry.logs import configure, logger
from adapters.telemetry.tracer import OpenTelemetryTracer
from application.pipeline import STAGES
from application.ports.tracer import SPANS, Untraced
from entrypoints.container import Container
from entrypoints.services.process import free_port
from entrypoints.settings import Settings


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


def test_an_endpoint_that_is_away_harms_nobody(tmp_path: Path) -> None:
    tracer = OpenTelemetryTracer.to("s", "1", f"http://127.0.0.1:{free_port()}/v1/traces")
    with tracer.span("x"):
        pass


def test_every_stage_has_its_span() -> None:
    assert {stage.name for stage in STAGES} == set(SPANS)


def test_traces_are_made_unless_switched_off() -> None:
    on, off = (Container(settings=Settings(trace_enabled=enabled)) for enabled in (True, False))
    kinds = [type(each.loop(stage=each.project(), group="g").tracer) for each in (on, off)]
    assert kinds == [OpenTelemetryTracer, Untraced]
