"""Topics are created as agreed, and a stage refuses to start without its own."""

from collections.abc import Mapping, Sequence

import attrs
import pytest

from application import topics
from application.commands.topics import (
    CreateTopics,
    RequireTopics,
    all_topics,
    differences,
    plan_of,
    topics_of,
)
from application.pipeline import STAGES
from application.ports.errors import WrongTopics
from application.ports.topics import TopicPlan

INTERVALS = ("5m", "1h")


@attrs.define
class ClusterInProcess:
    """Topics that exist by being said."""

    there: dict[str, int] = attrs.field(factory=dict)
    planned: list[TopicPlan] = attrs.field(factory=list)

    def partitions(self) -> Mapping[str, int]:
        return self.there

    def create(self, plans: Sequence[TopicPlan]) -> list[str]:
        self.planned += plans
        self.there.update({plan.name: plan.partitions for plan in plans})
        return [plan.name for plan in plans]


def complete() -> ClusterInProcess:
    return ClusterInProcess({topic: topics.partitions(topic) for topic in all_topics(INTERVALS)})


def test_raw_topics_keep_history_and_its_own_times() -> None:
    assert plan_of("ingestion.caiso.raw.v1") == TopicPlan(
        name="ingestion.caiso.raw.v1", partitions=6, kept_s=None, stamped_by_broker=False, largest_bytes=8 * 1024 * 1024
    )


def test_our_own_topics_are_kept_a_week_by_the_brokers_clock() -> None:
    plan = plan_of(topics.NORMALIZED)

    assert (plan.partitions, plan.kept_s, plan.stamped_by_broker) == (6, 604_800, True)


def test_every_enabled_interval_and_every_stage_has_its_topics() -> None:
    names = all_topics(INTERVALS)

    assert {topics.bars("5m"), topics.bars("1h")} <= set(names)
    assert topics.bars("1d") not in names
    assert {topics.dead_letters(stage.name) for stage in STAGES} <= set(names)
    assert set(topics.RAW) | set(topics.NEIGHBOURS) <= set(names)
    assert len(names) == len(set(names))


def test_what_is_missing_is_created_and_what_is_there_is_left() -> None:
    cluster = complete()
    del cluster.there[topics.LATEST]

    assert CreateTopics(cluster, INTERVALS)() == [topics.LATEST]
    assert cluster.planned == [plan_of(topics.LATEST)]


def test_a_dry_run_creates_nothing() -> None:
    cluster = ClusterInProcess()

    assert CreateTopics(cluster, INTERVALS)(dry_run=True) == list(all_topics(INTERVALS))
    assert cluster.planned == []


def test_a_topic_with_another_count_stops_the_creation_of_all() -> None:
    cluster = ClusterInProcess({topics.NORMALIZED: 1})

    with pytest.raises(WrongTopics, match=f"{topics.NORMALIZED} has 1 partitions and must have 6"):
        CreateTopics(cluster, INTERVALS)()
    assert cluster.planned == []


def test_differences_name_what_is_missing_and_what_is_wrong() -> None:
    assert differences({"a.v1": 2, "b.v1": 1}, ["a.v1", "b.v1", "c.v1"]) == [
        "a.v1 has 2 partitions and must have 1",
        "c.v1 is missing; it must have 1 partitions",
    ]


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_a_stage_starts_where_its_topics_are(stage: str) -> None:
    RequireTopics(complete(), INTERVALS)(stage)


def test_a_stage_refuses_to_start_and_lists_what_it_misses() -> None:
    cluster = complete()
    del cluster.there[topics.NORMALIZED]
    cluster.there[topics.ENRICHED] = 3

    with pytest.raises(WrongTopics) as refused:
        RequireTopics(cluster, INTERVALS)("enrichment")

    assert str(refused.value).splitlines()[:3] == [
        "enrichment can't start:",
        f"{topics.NORMALIZED} is missing; it must have 6 partitions",
        f"{topics.ENRICHED} has 3 partitions and must have 6",
    ]
    assert "dataproc topics create" in str(refused.value)


def test_a_stage_needs_what_it_reads_and_what_it_tells() -> None:
    assert topics_of("enrichment", INTERVALS) == (
        topics.NORMALIZED,
        topics.ENRICHED,
        topics.dead_letters("enrichment"),
    )
