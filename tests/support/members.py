"""Stages on a real broker and tables in memory: processes of a service that a test steps, ends and starts by hand."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from application.consume import Consume, Pace
from application.outcome import Outcome
from application.ports.event_log import EventLog, Polled, TopicPartition
from application.queries.lag import all_done
from application.stage import Share, Stage
from entrypoints.container import Container, Profile
from entrypoints.exporting import export
from entrypoints.settings import Settings
from tests.oracle.comparison import table_differences
from tests.oracle.raw import message
from tests.oracle.results import results
from tests.support.kafka import Cluster, settings_for
from tests.support.sending import Sender

VERBS = {"normalization": "normalize", "enrichment": "enrich", "aggregation": "aggregate", "projection": "project"}
INNOCENT = 1_000_000
"""Attempts: processes end here again and again, and no record is to blame."""


class Killed(Exception):
    """The process ends here, as by a kill."""


@attrs.define
class Seen:
    """What the processes of one service have been given, all of them together."""

    times: Counter[tuple[TopicPartition, int]] = attrs.field(factory=Counter)
    """How often each record was."""
    held_back: int = 0
    """Records that were performed once and must be read again by whoever takes over: between floor and position."""

    @property
    def again(self) -> int:
        """Records read more than once, each as often as it was read again."""
        return self.times.total() - len(self.times)


@attrs.define
class Watched:
    """A stage, of which is noted what it is given."""

    stage: Stage
    seen: Seen
    log: EventLog
    group: str
    took: int = 0
    """Records of the last batch."""

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def consumes(self) -> Sequence[str]:
        return self.stage.consumes

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        known = self.log.progress(self.group, self.consumes)
        self.seen.held_back += sum(come.position - come.floor for where in shares if (come := known.get(where)))
        self.stage.assigned(shares)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.stage.revoked(partitions)

    def run(self, polled: Polled) -> Outcome:
        self.took = len(polled)
        self.seen.times.update(_records(polled))
        return self.stage.run(polled)

    def finish(self) -> Outcome:
        return self.stage.finish()


def _records(polled: Polled) -> Iterator[tuple[TopicPartition, int]]:
    if raw := polled.raw:
        for topic, partition, offset in zip(raw.topics, raw.partitions, raw.offsets, strict=True):
            yield TopicPartition(topic, partition), offset
    for records in polled.records:
        for partition, offset in zip(records.partition, records.offset, strict=True):
            yield TopicPartition(records.topic, partition), offset


@attrs.define(eq=False)
class Process:
    """One process of a service: a loop with a log of its own, over what all share."""

    loop: Consume
    watched: "Watched"
    log: Any

    def step(self) -> bool:
        """One turn; what may pass is tried again within it. Returns whether the process lived through it."""
        try:
            self.loop.step()
        except Killed:
            self.leave()
            return False
        return True

    def leave(self) -> None:
        """End in order."""
        self.loop.close()
        self.log.close()

    def doom(self) -> None:
        """Let it perform the next batch that brings records, all but its commit, and die."""
        self.loop.passed = self._killed

    def _killed(self, effect: str) -> None:
        if effect == "kept" and self.watched.took:
            raise Killed


@attrs.define(eq=False)
class Refinery:
    """What lasts while processes come and go: a broker with all topics, and tables in memory."""

    cluster: Cluster
    batch: int
    seen: dict[str, Seen] = attrs.field(init=False, factory=lambda: defaultdict(Seen))
    """By stage."""
    sender: Sender = attrs.field(init=False)
    container: Any = attrs.field(init=False)
    """Whoever looks from outside."""
    _shared: dict[str, Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        memory = Container(settings=self._settings(), profile=Profile.MEMORY.value)
        names = ("tables", "policies", "catalog", "limits", "epoch")
        self._shared = {name: getattr(memory, name)() for name in names}
        self.sender = Sender(self.cluster.bootstrap)
        self.container = self._container()

    def create_topics(self) -> None:
        """Make every topic."""
        self.container.create_topics()()

    def process(self, stage: str) -> Process:
        """Start one more process of a service."""
        container, group = self._container(), self._settings().group_of(stage)
        watched = Watched(getattr(container, VERBS[stage])(), self.seen[stage], container.log(), group)
        pace = Pace(batch=self.batch, linger_s=0.01, first_wait_s=0.01, attempts=INNOCENT)
        loop = container.loop(stage=watched, group=group, pace=pace)
        loop.start()
        return Process(loop, watched, container.log())

    def done(self) -> bool:
        """Whether every stage has performed all there is."""
        return all_done(self.container.read_lag()())

    def differences(self, folder: Path) -> list[str]:
        """Everything in which the tables differ from what all messages so far lead to."""
        export(self.container, folder)
        return table_differences(folder, results(map(message, self.sender.lines)))

    def _settings(self) -> Settings:
        told = {"DATA_PROC_PROVISIONAL_EVERY_S": "0", "DATA_PROC_CONSUMER_GROUP": "members"}
        return Settings.from_environment({**settings_for(self.cluster), **told})

    def _container(self) -> Any:
        container = Container(settings=self._settings(), profile=Profile.DISTRIBUTED.value)
        for name, shared in self._shared.items():
            getattr(container, name).override(shared)
        return container
