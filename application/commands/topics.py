"""
The topics of the whole refinery: how each shall be, creating them, and refusing to start without them.

A raw topic keeps its records for good, because history replayed into it carries old times, which retention would take
for old records and delete within minutes. What we make ourselves is stamped by the brokers and kept for a week.
Source: contracts.md §3.
"""

from collections.abc import Mapping, Sequence

import attrs

from application import topics
from application.pipeline import STAGES
from application.ports.errors import WrongTopics
from application.ports.topics import TopicPlan, Topics

WEEK_S = 7 * 86_400
LARGEST_BYTES = 8 * 1024 * 1024
"""Of a record on any topic: ours carry what a raw one held, and must not be refused for its size."""
ADVICE = "run dataproc topics create; a topic with another partition count must be made anew under its name"


def plan_of(topic: str) -> TopicPlan:
    """How one topic shall be."""
    raw = topic in topics.RAW
    return TopicPlan(
        name=topic,
        partitions=topics.partitions(topic),
        kept_s=None if raw else WEEK_S,
        stamped_by_broker=not raw,
        largest_bytes=LARGEST_BYTES,
    )


def all_topics(intervals: Sequence[str]) -> tuple[str, ...]:
    """
    Every topic of the refinery and its neighbours.

    Args:
        intervals: Names of the enabled bar intervals; each has a topic.
    """
    ours = (topic for stage in STAGES for topic in (*stage.consumes, *stage.produces(intervals)))
    return tuple(dict.fromkeys((*topics.RAW, *ours, *topics.NEIGHBOURS)))


def topics_of(stage: str, intervals: Sequence[str]) -> tuple[str, ...]:
    """Every topic one stage reads or writes."""
    found = next(known for known in STAGES if known.name == stage)
    return (*found.consumes, *found.produces(intervals))


def differences(there: Mapping[str, int], wanted: Sequence[str]) -> list[str]:
    """What is missing, or has other partition counts than agreed, one sentence each."""
    return [
        f"{topic} is missing; it must have {count} partitions"
        if topic not in there
        else f"{topic} has {there[topic]} partitions and must have {count}"
        for topic in wanted
        if there.get(topic) != (count := topics.partitions(topic))
    ]


@attrs.frozen
class CreateTopics:
    """This will create the topics that are missing."""

    cluster: Topics
    intervals: Sequence[str]
    """Names of the enabled bar intervals."""

    def __call__(self, *, dry_run: bool = False) -> list[str]:
        """
        Create what is missing.

        Args:
            dry_run: Only say what would be created.

        Returns:
            Names of the topics that were created.

        Raises:
            WrongTopics: One is there with another partition count. Nothing was created.
        """
        there, wanted = self.cluster.partitions(), all_topics(self.intervals)
        missing = [topic for topic in wanted if topic not in there]
        wrong = differences(there, [topic for topic in wanted if topic in there])
        if wrong:
            raise WrongTopics("\n".join(wrong))
        return missing if dry_run else list(self.cluster.create([plan_of(topic) for topic in missing]))


@attrs.frozen
class RequireTopics:
    """This will refuse to go on without the topics a stage needs."""

    cluster: Topics
    intervals: Sequence[str]

    def __call__(self, stage: str) -> None:
        """
        Compare the topics of a stage with what is there.

        Raises:
            WrongTopics: Some are missing or have other partition counts; each is listed.
            Retryable: The log can't be reached.
        """
        found = differences(self.cluster.partitions(), topics_of(stage, self.intervals))
        if found:
            raise WrongTopics("\n".join([f"{stage} can't start:", *found, ADVICE]))
