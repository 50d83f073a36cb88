"""A broker that is not there yet, goes away, hangs, or comes back empty: nothing is lost and it is told plainly."""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.kafka.access import KafkaAccess
from adapters.kafka.event_log import KafkaEventLog
from adapters.kafka.producing import Appender
from adapters.kafka.topics import KafkaTopics
from adapters.wire.events import EventCodec
from application.ports.errors import LogUnavailable, OffsetLost, PortError
from application.ports.event_log import TopicPartition
from application.ports.topics import TopicPlan
from entrypoints.services.process import Running, free_port, stop
from tests.builders import as_far_as
from tests.support.kafka import Cluster, Member, broker_of_its_own, member, nobody, signalled, silent, until, unused

pytestmark = pytest.mark.services

SOON_S = 3.0


def impatient(access: KafkaAccess) -> Appender:
    return Appender(access, delivered_within_s=SOON_S)


def patiently(call: Callable[[], object]) -> Callable[[], None]:
    """As the consume loop does: what may succeed later is tried again."""

    def tried() -> None:
        try:
            call()
        except LogUnavailable:
            time.sleep(0.1)

    return tried


def raised_within(seconds: float, call: Callable[[], object]) -> PortError | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            call()
        except PortError as error:
            return error
    return None


@pytest.fixture
def broker() -> Iterator[Running]:
    with broker_of_its_own() as server:
        yield server


@pytest.fixture
def cluster(broker: Running) -> Cluster:
    return Cluster(broker.settings["DATA_PROC_KAFKA_BOOTSTRAP"])


def port_of(server: Running) -> int:
    return int(server.settings["DATA_PROC_KAFKA_BOOTSTRAP"].rpartition(":")[2])


def test_nobody_there_is_told_by_every_call() -> None:
    access = KafkaAccess(bootstrap=nobody(), env="test")
    log = KafkaEventLog(access, EventCodec({}), lambda _: 1)

    with pytest.raises(LogUnavailable):
        impatient(access).append("raw.v1", [(0, None, b"x", 0)])
    with pytest.raises(LogUnavailable):
        KafkaTopics(access).partitions()
    with pytest.raises(LogUnavailable):
        log.end_offsets(["raw.v1"])
    with pytest.raises(LogUnavailable):
        log.progress("group", ["raw.v1"])
    with member(log, "group", "raw.v1") as reader:
        error = raised_within(15, reader.poll)

    assert isinstance(error, LogUnavailable)
    assert access.bootstrap in str(error)


def test_a_broker_that_takes_connections_and_never_answers_is_away() -> None:
    with silent() as address:
        access = KafkaAccess(bootstrap=address, env="test")

        with pytest.raises(LogUnavailable):
            impatient(access).append("raw.v1", [(0, None, b"x", 0)])


def test_a_program_that_starts_before_its_broker_goes_on_when_it_comes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        cluster = Cluster(f"127.0.0.1:{port}")
        with member(cluster.log(), unused("group"), "late.raw.v1") as reader:
            assert isinstance(raised_within(15, reader.poll), LogUnavailable)
            with broker_of_its_own(Path(folder), port):
                topic = KafkaTopics(cluster.access).create([plan("late.raw.v1")])[0]
                cluster.put(topic, [b"1", b"2"])

                until(lambda: len(reader.values()) == 2, patiently(reader.poll), within_s=60)

        assert reader.values() == [b"1", b"2"]


def plan(name: str) -> TopicPlan:
    return TopicPlan(name=name, partitions=3, kept_s=None, stamped_by_broker=False, largest_bytes=8 << 20)


def test_a_broker_killed_and_started_again_loses_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with broker_of_its_own(data) as server:
            cluster, group = Cluster(server.settings["DATA_PROC_KAFKA_BOOTSTRAP"]), unused("group")
            topic, log = cluster.topic("raw"), cluster.log()
            log.append(topic, [(0, None, b"before", 0)])
            with member(log, group, topic) as reader:
                until(lambda: len(reader.values()) == 1, reader.poll)
                reader.consumer.commit(as_far_as({TopicPartition(topic, 0): 1}))
                signalled(server, signal.SIGKILL)

                assert isinstance(raised_within(20, reader.poll), LogUnavailable)
                with pytest.raises(LogUnavailable):
                    reader.consumer.commit(as_far_as({TopicPartition(topic, 0): 1}))
                appender = impatient(cluster.access)
                with pytest.raises(LogUnavailable):
                    appender.append(topic, [(0, None, b"meanwhile", 0)])
                with broker_of_its_own(data, port_of(server)):
                    appended: list[int] = []

                    def append() -> None:
                        if not appended:
                            appender.append(topic, [(0, None, b"after", 0)])
                            appended.append(1)

                    until(lambda: b"after" in reader.values(), patiently(append), patiently(reader.poll), within_s=60)
                    until(
                        lambda: log.committed(group, [topic]).get(TopicPartition(topic, 0)) == 2,
                        patiently(lambda: reader.consumer.commit(as_far_as({TopicPartition(topic, 0): 2}))),
                    )

    assert reader.values() == [b"before", b"after"]


def test_a_broker_that_hangs_fails_the_append_and_takes_it_when_it_wakes(broker: Running, cluster: Cluster) -> None:
    topic, appender = cluster.topic("raw"), impatient(cluster.access)
    appender.append(topic, [(0, None, b"1", 0)])
    signalled(broker, signal.SIGSTOP)

    with pytest.raises(LogUnavailable):
        appender.append(topic, [(0, None, b"2", 0)])
    signalled(broker, signal.SIGCONT)
    sent: list[int] = []

    def again() -> None:
        appender.append(topic, [(0, None, b"2", 0)])
        sent.append(1)

    until(lambda: sent, patiently(again))

    assert cluster.log().end_offsets([topic])[TopicPartition(topic, 0)] >= 2


def test_a_reader_of_a_quiet_topic_notices_that_its_broker_hangs(broker: Running, cluster: Cluster) -> None:
    topic = cluster.topic("raw")
    cluster.put(topic, [b"1"])
    with member(cluster.log(), unused("group"), topic) as reader:
        until(lambda: len(reader.values()) == 1, reader.poll)
        # A broker that wakes may hold its members for gone; who comes back reads what was not committed again.
        reader.consumer.commit(as_far_as({TopicPartition(topic, 0): 1}))
        signalled(broker, signal.SIGSTOP)
        noticed = raised_within(20, reader.poll)
        signalled(broker, signal.SIGCONT)
        cluster.put(topic, [b"2"])
        until(lambda: len(reader.values()) == 2, patiently(reader.poll), within_s=60)

    assert isinstance(noticed, LogUnavailable)
    assert reader.values() == [b"1", b"2"]


def test_a_broker_that_comes_back_empty_is_told_as_lost_offsets(broker: Running, cluster: Cluster) -> None:
    topic, group = cluster.topic("raw"), unused("group")
    cluster.put(topic, [b"1", b"2", b"3"])
    with member(cluster.log(), group, topic) as reader:
        until(lambda: len(reader.values()) == 3, reader.poll)
        stop(broker)
        with tempfile.TemporaryDirectory() as folder, broker_of_its_own(Path(folder), port_of(broker)):
            KafkaTopics(cluster.access).create([plan(topic)])
            lost = within(reader, OffsetLost)

    assert lost


def within(reader: Member, kind: type[PortError]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            reader.poll()
        except kind:
            return True
        except LogUnavailable:
            time.sleep(0.1)
    return False
