import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from adapters.telemetry.logs import configure, logger, masked, utc_now, without_secrets
from adapters.telemetry.meter import METRICS, PrometheusMeter, UnknownMetric
from adapters.telemetry.unhurried import LONGEST_LINE
from tests.builders import TEN


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(level: str = "info", *, human: bool | None = False) -> io.StringIO:
    stream = io.StringIO()
    configure("254carbon-normalization", level, stream, human=human, now=lambda: TEN)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_the_fields_the_neighbour_reads() -> None:
    stream = configured()
    logger("x").info("batch stored", rows=3, trace_id="0af7651916cd43dd8448eb211c80319c")
    assert lines(stream) == [
        {
            "ts": "2026-10-05T10:00:00.000000Z",
            "level": "INFO",
            "service": "254carbon-normalization",
            "message": "batch stored",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "extra": {"rows": 3},
        }
    ]


@pytest.mark.parametrize("trace", [None, "", "not hexadecimal", "0AF7651916CD43DD8448EB211C80319C", 7])
def test_a_trace_that_is_none_is_zeros(trace: object) -> None:
    stream = configured()
    logger("x").info("m", trace_id=trace)
    assert lines(stream)[0]["trace_id"] == "0" * 32


def test_a_bound_trace_is_on_every_line() -> None:
    stream = configured()
    structlog.contextvars.bind_contextvars(trace_id="a" * 32)
    logger("x").warning("m")
    logging.getLogger("other.library").error("theirs")
    assert [(line["trace_id"], line["level"], line["message"]) for line in lines(stream)] == [
        ("a" * 32, "WARNING", "m"),
        ("a" * 32, "ERROR", "theirs"),
    ]


def test_what_is_below_the_level_is_not_written() -> None:
    stream = configured("warning")
    logger("x").info("m")
    logging.getLogger("other").info("m")
    assert stream.getvalue() == ""


def test_control_characters_and_line_breaks_stay_within_their_line() -> None:
    stream = configured()
    logger("x").info('a\nb\x00\x1b[31m\u2028"', field="c\r\nd")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().rstrip("\n").isprintable()
    assert lines(stream)[0]["extra"]["field"] == "c\r\nd"


@pytest.mark.parametrize(
    ("extra", "kept"),
    [
        ({"raw": "x" * 10_000}, {"raw": "x" * 512 + "…"}),
        ({f"f{i}": "y" * 1000 for i in range(12)}, None),
        ({f"f{i}": "z" * 1000 for i in range(400)}, {"cut": "too long"}),
        ({"rows": list(range(3000))}, None),
    ],
)
def test_no_line_is_longer_than_four_kibibytes(extra: dict[str, Any], kept: dict[str, Any] | None) -> None:
    stream = configured()
    logger("x").info("m" * 6000, **extra)
    (line,) = stream.getvalue().splitlines()
    assert len(line) < LONGEST_LINE
    assert kept is None or json.loads(line)["extra"] == kept


def test_an_exception_is_told_without_secrets() -> None:
    stream = configured()
    error = ValueError("no route to postgres://ann:hunter2@db/x?password=hunter2")
    logging.getLogger("x").error("failed", exc_info=error)
    (line,) = lines(stream)
    assert "no route to postgres://***@db" in line["extra"]["exception"]
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("redis_password", "hunter2", "***"),
        ("postgres_dsn", "x", "***"),
        ("api_key", 5, "***"),
        ("Authorization", "Bearer x", "***"),
        ("url", "redis://:hunter2@host:6379", "redis://***@host:6379"),
        ("settings", {"token": "t", "port": 1}, {"token": "***", "port": 1}),
        ("urls", ("http://a:b@c",), ["http://***@c"]),
        ("rows", 3, 3),
        ("ratio", 0.5, 0.5),
        ("nothing", None, None),
        ("other", TEN, "2026-10-05 10:00:00+00:00"),
    ],
)
def test_masked(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown


def test_without_secrets() -> None:
    assert without_secrets("token=abc, then password: d") == "token=***, then password: ***"


def test_a_terminal_gets_text_for_people() -> None:
    stream = configured(human=True)
    logger("x").info("batch\nstored", rows=3, who="a\x1bb")
    assert stream.getvalue() == "10:00:00.000 INFO    batch\\nstored rows=3 who=a\\x1bb\n"


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    stream = configured(human=None)
    logger("x").info("m")
    assert lines(stream)[0]["message"] == "m"


def test_standard_error_and_the_wall_clock_are_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    configure("254carbon-x")
    before = utc_now()
    logger("x").error("m")
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert before.strftime("%Y-%m-%dT%H:%M:%S.%fZ") <= line["ts"]


def exposed(meter: PrometheusMeter) -> dict[str, float]:
    text = meter.exposition().decode()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


@pytest.fixture
def meter() -> PrometheusMeter:
    return PrometheusMeter(strict=True, values_of_a_label=2)


def test_counters_add_up(meter: PrometheusMeter) -> None:
    meter.count("invalid_records_total")
    meter.count("invalid_records_total", 4)
    meter.count("normalization_records_processed_total", 7, market="MISO", tenant_id="default")
    found = exposed(meter)
    assert found["invalid_records_total"] == 5
    assert found['normalization_records_processed_total{market="MISO",tenant_id="default"}'] == 7


def test_gauges_are_set(meter: PrometheusMeter) -> None:
    meter.gauge("enrichment_cache_hit_ratio", 0.5, type="process")
    meter.gauge("enrichment_cache_hit_ratio", 0.75, type="process")
    assert exposed(meter)['enrichment_cache_hit_ratio{type="process"}'] == 0.75


def test_a_gauge_that_is_forgotten_is_not_told_until_it_is_set_again(meter: PrometheusMeter) -> None:
    for partition in ("1", "2"):
        meter.gauge("feed_live", 1, tenant_id="default", source_id="a", partition=partition)
    meter.forget("feed_live", tenant_id="default", source_id="a", partition="1")
    meter.forget("feed_live", tenant_id="default", source_id="a", partition="3")
    live = [name for name in exposed(meter) if name.startswith("feed_live{")]
    assert live == ['feed_live{partition="2",source_id="a",tenant_id="default"}']
    meter.gauge("feed_live", 0, tenant_id="default", source_id="a", partition="1")
    assert exposed(meter)['feed_live{partition="1",source_id="a",tenant_id="default"}'] == 0


def test_a_name_that_is_fixed_without_total_keeps_it(meter: PrometheusMeter) -> None:
    meter.count("recompute_trigger_count", 3)
    assert exposed(meter)["recompute_trigger_count"] == 3


def test_histograms_observe(meter: PrometheusMeter) -> None:
    meter.observe("normalization_processing_latency_ms", 150)
    meter.observe("normalization_processing_duration_seconds", 0.15)
    meter.observe("aggregation_bar_build_duration_ms", 20, interval="5m")
    found = exposed(meter)
    assert found['normalization_processing_latency_ms_bucket{le="100.0"}'] == 0
    assert found['normalization_processing_latency_ms_bucket{le="200.0"}'] == 1
    assert found['normalization_processing_duration_seconds_bucket{le="0.2"}'] == 1
    assert found['aggregation_bar_build_duration_ms_sum{interval="5m"}'] == 20


def test_labels_are_bounded(meter: PrometheusMeter) -> None:
    for market in ("A", "B", "C", "D", "A"):
        meter.count("normalization_records_processed_total", market=market, tenant_id="default")
    told = {name: value for name, value in exposed(meter).items() if name.startswith("normalization_records")}
    assert told == {
        'normalization_records_processed_total{market="A",tenant_id="default"}': 2,
        'normalization_records_processed_total{market="B",tenant_id="default"}': 1,
        'normalization_records_processed_total{market="other",tenant_id="default"}': 2,
    }


def test_an_undeclared_name_or_label_is_an_error_where_told_to_be_strict(meter: PrometheusMeter) -> None:
    with pytest.raises(UnknownMetric, match="made_up"):
        meter.count("made_up")
    with pytest.raises(UnknownMetric, match="instrument"):
        meter.count("invalid_records_total", instrument="X")


def test_otherwise_it_harms_nobody() -> None:
    meter = PrometheusMeter()
    before = exposed(meter)
    meter.count("made_up")
    meter.observe("made_up", 1)
    meter.gauge("made_up", 1)
    meter.count("late_arrival_seconds")
    meter.observe("invalid_records_total", 1)
    meter.gauge("invalid_records_total", 1)
    meter.forget("made_up")
    meter.forget("recompute_trigger_count")
    assert exposed(meter) == before


FIXED = """
normalization_records_processed_total normalization_messages_processed_total normalization_errors_total
normalization_processing_latency_ms normalization_processing_duration_seconds invalid_records_total
enrichment_metadata_miss_total enrichment_cache_hits_total enrichment_cache_misses_total enrichment_cache_hit_ratio
late_arrival_seconds recompute_trigger_count aggregation_bar_build_duration_ms aggregation_bar_build_duration_seconds
aggregation_bars_generated_total projection_refresh_duration_ms projection_invalidations_total
processing_backfill_jobs_total
"""


OURS = """
enrichment_reenriched_total enrichment_unanswered_total ledger_total ledger_imbalance_total bar_sealed_until_seconds
feed_watermark_seconds feed_allowed_lateness_seconds feed_live quarantined_records_total
projection_drift_found_total projection_drift_mended_total projection_drift_minutes_total event_loop_late_seconds
trace_spans_dropped_total
"""


def test_every_fixed_name_is_declared() -> None:
    assert {metric.name for metric in METRICS} == {*FIXED.split(), *OURS.split()}
