"""The map says what the stages do."""

import pytest

from application import topics
from application.pipeline import STAGES, StageMap

INTERVALS = ("5m", "1d")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_the_map_names_each_stage_as_it_names_itself(stage: StageMap) -> None:
    declared = {field.name: field.default for field in stage.runs.__attrs_attrs__}  # type: ignore[attr-defined]
    assert (declared["name"], tuple(declared["consumes"])) == (stage.name, stage.consumes)


def test_ports_are_those_of_the_services() -> None:
    assert {stage.name: stage.port for stage in STAGES} == {
        "normalization": 8200,
        "enrichment": 8201,
        "aggregation": 8202,
        "projection": 8203,
    }


def test_whatever_a_stage_reads_is_raw_or_told_by_one_before_it_or_itself() -> None:
    known = {*topics.RAW}
    for stage in STAGES:
        known |= {*stage.produces(INTERVALS)}
        assert {*stage.consumes} <= known


def test_bars_have_a_topic_and_a_table_for_each_enabled_interval() -> None:
    aggregation = next(stage for stage in STAGES if stage.name == "aggregation")
    assert aggregation.produces(INTERVALS)[:2] == ("aggregated.market.bars.5m.v1", "aggregated.market.bars.1d.v1")
    assert aggregation.writes(INTERVALS)[:4] == ("bars_5m", "bars_1d", "bar_revisions", "bar_seals")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_each_stage_has_its_own_dead_letters(stage: StageMap) -> None:
    assert topics.dead_letters(stage.name) in stage.produces(INTERVALS)
    assert "dead_letters" in stage.writes(INTERVALS)


@pytest.mark.parametrize(
    ("topic", "count"),
    [
        ("ingestion.miso.raw.v1", 4),
        ("ingestion.caiso.raw.v1", 6),
        ("ingestion.nyiso.raw.v1", 3),
        ("ingestion.market.ticks.raw.v1", 6),
        ("ingestion.pjm.raw.v1", 4),
        ("normalized.market.ticks.v1", 6),
        ("enriched.market.ticks.v1", 6),
        ("processing.recompute.request.v1", 6),
        ("aggregated.market.bars.5m.v1", 6),
        ("served.market.latest_prices.v1", 1),
        ("processing.deadletter.enrichment.v1", 1),
    ],
)
def test_topics_have_the_partitions_their_readers_count_on(topic: str, count: int) -> None:
    assert topics.partitions(topic) == count
