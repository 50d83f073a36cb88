"""Lag counts from the position, and all is done once every stage has performed and told everything."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from application import topics
from application.pipeline import STAGES
from application.ports.event_log import Consumer, Listener, Progress, TopicPartition
from application.queries.lag import PartitionLag, ReadLag, all_done
from domain.batch import Batch

ENRICHED = TopicPartition(topics.ENRICHED, 0)


@attrs.define
class LogAtRest:
    """A log of which only ends and progress are asked."""

    ends: dict[TopicPartition, int]
    come: dict[str, dict[TopicPartition, Progress]]
    records: dict[TopicPartition, int] = attrs.field(factory=dict)
    """The next record of partitions that hold none at the offset one would expect."""
    asked: list[str] = attrs.field(factory=list)

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        raise NotImplementedError

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> Consumer:
        raise NotImplementedError

    def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        self.asked.append(f"ends of {topics[0]}")
        return {where: end for where, end in self.ends.items() if where.topic in topics}

    def committed(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        raise NotImplementedError

    def progress(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Progress]:
        self.asked.append(f"progress of {group}")
        return self.come.get(group, {})

    def next_records(self, positions: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        self.asked += [f"records from {at} on" for at in positions.values()]
        return {where: self.records.get(where, at or 0) for where, at in positions.items()}


def read(log: LogAtRest, *stages: str) -> list[PartitionLag]:
    return ReadLag(log, [stage for stage in STAGES if stage.name in stages], lambda stage: f"our-{stage}")()


def test_lag_is_what_lies_beyond_the_position_whatever_the_floor() -> None:
    log = LogAtRest({ENRICHED: 100}, {"our-aggregation": {ENRICHED: Progress(floor=10, position=90, owed=2)}})

    assert read(log, "aggregation") == [
        PartitionLag(stage="aggregation", topic=topics.ENRICHED, partition=0, position=90, floor=10, end=100, owed=2)
    ]
    assert read(log, "aggregation")[0].lag == 10


def test_a_stage_that_never_committed_is_behind_by_everything() -> None:
    (row,) = read(LogAtRest({ENRICHED: 7}, {}), "projection")

    assert (row.position, row.floor, row.lag) == (None, None, 7)


def test_offsets_that_hold_no_record_are_no_lag() -> None:
    come = {"our-projection": {ENRICHED: Progress(floor=3, position=9)}}
    (ended,) = read(LogAtRest({ENRICHED: 10}, come, {ENRICHED: 10}), "projection")
    (amid,) = read(LogAtRest({ENRICHED: 20}, come, {ENRICHED: 12}), "projection")

    assert [(row.position, row.floor, row.lag) for row in (ended, amid)] == [(10, 3, 0), (12, 3, 8)]
    assert all_done([ended])


def test_a_stage_that_never_committed_is_not_behind_by_what_is_gone() -> None:
    (some,) = read(LogAtRest({ENRICHED: 7}, {}, {ENRICHED: 5}), "projection")
    (none,) = read(LogAtRest({ENRICHED: 7}, {}, {ENRICHED: 7}), "projection")

    assert [(row.position, row.lag) for row in (some, none)] == [(None, 2), (None, 0)]
    assert all_done([none])


def test_records_are_looked_for_only_where_some_may_be_left() -> None:
    log = LogAtRest({ENRICHED: 10}, {"our-projection": {ENRICHED: Progress(floor=10, position=10)}})
    read(log, "projection")

    assert [question for question in log.asked if question.startswith("records")] == []


def test_rows_come_by_stage_then_topic_as_it_reads_them_then_partition() -> None:
    requests = TopicPartition(topics.RECOMPUTE, 0)
    log = LogAtRest({requests: 0, TopicPartition(topics.ENRICHED, 1): 0, ENRICHED: 0}, {})

    rows = read(log, "aggregation", "projection")

    assert [(row.stage, row.topic, row.partition) for row in rows] == [
        ("aggregation", topics.ENRICHED, 0),
        ("aggregation", topics.ENRICHED, 1),
        ("aggregation", topics.RECOMPUTE, 0),
        ("projection", topics.ENRICHED, 0),
        ("projection", topics.ENRICHED, 1),
    ]


def test_progress_is_read_before_ends_and_stages_in_the_order_of_facts() -> None:
    log = LogAtRest({}, {})
    read(log, "enrichment", "projection")

    assert log.asked == [
        "progress of our-enrichment",
        f"ends of {topics.NORMALIZED}",
        "progress of our-projection",
        f"ends of {topics.ENRICHED}",
    ]


@pytest.mark.parametrize(
    ("come", "done"),
    [
        (Progress(floor=3, position=10), True),
        (Progress(floor=10, position=10, owed=1), False),
        (Progress(floor=9, position=9), False),
    ],
)
def test_all_is_done_once_nothing_lags_and_nothing_is_owed(come: Progress, done: bool) -> None:
    log = LogAtRest({ENRICHED: 10}, {"our-projection": {ENRICHED: come}})

    assert all_done(read(log, "projection")) is done
