"""Kafka for tests: one broker a session, topics of its own for each test, and the outside view of both."""

import itertools
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from adapters.kafka.access import KafkaAccess
from adapters.kafka.consumer import KafkaConsumer, Membership
from adapters.kafka.event_log import KafkaEventLog
from adapters.kafka.topics import KafkaTopics
from adapters.wire.events import EventCodec
from application.ports.event_log import Listener, Polled, Progress, TopicPartition
from application.ports.topics import TopicPlan
from domain.silver.tick import TickBatch
from entrypoints.services import kafka as broker
from entrypoints.services.installing import cache
from entrypoints.services.process import Running, free_port, stop
from tests.support.services import service

PARTITIONS = 3
WITHIN_S = 30.0
_NUMBERS = itertools.count()


def unused(name: str) -> str:
    """A name no other test uses, in this session or another."""
    return f"{name}.{os.getpid()}.{next(_NUMBERS)}.v1"


@attrs.define
class Cluster:
    """A broker and what tests ask of it beside the ports."""

    bootstrap: str
    access: KafkaAccess = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.access = KafkaAccess(bootstrap=self.bootstrap, env="test")

    def topic(self, name: str = "ticks", partitions: int = PARTITIONS, **config: Any) -> str:
        """A new topic. A broker that has just started may take long to know its controller."""
        patient = attrs.evolve(self.access, answer_within_s=WITHIN_S)
        plan = TopicPlan(
            name=unused(name), partitions=partitions, kept_s=None, stamped_by_broker=False, largest_bytes=8 << 20
        )
        assert KafkaTopics(patient).create([attrs.evolve(plan, **config)]) == [plan.name]
        return plan.name

    def log(self, *typed: str, membership: Membership | None = None, partitions: int = PARTITIONS) -> KafkaEventLog:
        """The log as a program would have it; `typed` topics carry ticks, others are raw."""
        codec = EventCodec(dict.fromkeys(typed, TickBatch))
        return KafkaEventLog(self.access, codec, lambda _: partitions, membership or Membership())

    def put(
        self, topic: str, values: Sequence[bytes | None], partition: int = 0, timestamp_ms: Sequence[int] = ()
    ) -> None:
        """Append bytes as another program would."""
        producer = Producer(self.access.config())
        for value, stamp in itertools.zip_longest(values, timestamp_ms, fillvalue=0):
            producer.produce(topic, value, partition=partition, timestamp=stamp)  # type: ignore[arg-type]
        assert producer.flush(WITHIN_S) == 0

    def remove_before(self, topic: str, offset: int, partition: int = 0) -> None:
        """Let retention pass an offset."""
        admin = AdminClient(self.access.config())  # which must outlive its answers
        for answer in admin.delete_records([Place(topic, partition, offset)]).values():
            answer.result(WITHIN_S)


def real_kafka() -> Cluster:
    """The session's broker."""
    return Cluster(service("kafka").settings["DATA_PROC_KAFKA_BOOTSTRAP"])


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The session's broker."""
    return real_kafka()


@attrs.define
class Heard:
    """A listener that remembers what it was told."""

    told: list[tuple[str, Any]] = attrs.field(factory=list)

    @property
    def listener(self) -> Listener:
        """What a log is given."""
        return Listener(self._assigned, self._revoked)

    @property
    def owned(self) -> set[TopicPartition]:
        """What it must believe to own by now."""
        owned: set[TopicPartition] = set()
        for what, where in self.told:
            owned = owned | set(where) if what == "assigned" else owned - set(where)
        return owned

    def _assigned(self, committed: Mapping[TopicPartition, Progress | None]) -> None:
        self.told.append(("assigned", {where: come.floor if come else None for where, come in committed.items()}))

    def _revoked(self, where: Sequence[TopicPartition]) -> None:
        self.told.append(("revoked", list(where)))


@attrs.define
class Member:
    """A consumer with the memory of what it was given."""

    consumer: KafkaConsumer
    heard: Heard
    seen: list[Polled] = attrs.field(factory=list)

    def poll(self) -> Polled:
        """Poll once, shortly."""
        polled = self.consumer.poll(1_000, 0.05)
        if len(polled):
            self.seen.append(polled)
        return polled

    def values(self) -> list[bytes | None]:
        """Raw values so far, in order."""
        return [value for polled in self.seen if polled.raw for value in polled.raw.values]


@contextmanager
def member(log: KafkaEventLog, group: str, *topics: str) -> Iterator[Member]:
    """A member of a group that leaves it in the end."""
    heard = Heard()
    consumer = log.subscribe(group, topics, heard.listener)
    try:
        yield Member(consumer, heard)
    finally:
        consumer.close()


def until(done: Callable[[], object], *turns: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Take these turns, over and over, until that holds."""
    end_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end_s, "what was waited for did not come"
        for turn in turns:
            turn()


@contextmanager
def broker_of_its_own(data: Path | None = None, port: int | None = None) -> Iterator[Running]:
    """A broker that a test may pause and end."""
    service("kafka")  # where it can't be started, the test is skipped
    with tempfile.TemporaryDirectory(prefix="dataproc-broker-") as folder:
        server = broker.run(data or Path(folder), cache(), port)
        try:
            yield server
        finally:
            signalled(server, signal.SIGCONT)
            stop(server)


def signalled(server: Running, number: signal.Signals) -> None:
    """Send a server a signal, if it is there. One that is to stop has stopped then, which takes a while on a busy machine."""
    if not server.alive:
        return
    os.kill(server.pid, number)
    if number == signal.SIGSTOP:
        until(lambda: _states(server.pid) == {"T"})


def _states(pid: int) -> set[str]:
    """Of its threads; of none where one ended meanwhile."""
    try:
        stats = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return set()
    return {stat.rpartition(") ")[2][0] for stat in stats}


def nobody() -> str:
    """An address where nobody listens."""
    return f"127.0.0.1:{free_port()}"


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def settings_for(cluster: Cluster) -> Mapping[str, str]:
    """The environment of a program under test."""
    return {"DATA_PROC_KAFKA_BOOTSTRAP": cluster.bootstrap, "DATA_PROC_ENV": "test"}


def mock_kafka(stack: ExitStack) -> "MockCluster":
    """librdkafka's own cluster in this process: enough for groups and commits, without Java."""
    holder = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    stack.callback(holder.flush, 0)
    (broker_,) = holder.list_topics(timeout=WITHIN_S).brokers.values()
    return MockCluster(f"{broker_.host}:{broker_.port}", holder)


@attrs.define
class MockCluster(Cluster):
    """A mock cluster lives as long as the client that made it, and makes a topic when asked about it: four partitions."""

    holder: Producer

    def topic(self, name: str = "ticks", partitions: int = 4, **config: Any) -> str:
        """A new topic."""
        made = unused(name)
        assert len(self.holder.list_topics(made, timeout=WITHIN_S).topics[made].partitions) == partitions
        return made
