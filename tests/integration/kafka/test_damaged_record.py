"""A record whose bytes on the broker's disk are not what was written: its reader stops there, and says where."""

import tempfile
from pathlib import Path

import pytest

from application.ports.errors import Fatal
from entrypoints.services.process import stop
from tests.support.kafka import Cluster, broker_of_its_own, member, until, unused

pytestmark = pytest.mark.services

WRITTEN, DAMAGED = b"the second of three", b"the sedond of three"


def test_a_damaged_record_stops_its_reader_which_says_where_it_lies() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with broker_of_its_own(data) as broker:
            cluster = Cluster(broker.settings["DATA_PROC_KAFKA_BOOTSTRAP"])
            topic, group = cluster.topic("raw"), unused("group")
            for value in (b"first", WRITTEN, b"third"):
                cluster.put(topic, [value], partition=1)
            stop(broker)
        damage(data / "log" / f"{topic}-1")
        with broker_of_its_own(data) as broker:
            log = Cluster(broker.settings["DATA_PROC_KAFKA_BOOTSTRAP"]).log()
            with member(log, group, topic) as reader, pytest.raises(Fatal, match=f"polling {topic}/1/1 ") as stopped:
                until(lambda: False, reader.poll)

    assert "docs/how-to/lost-offset.md" in str(stopped.value)
    assert DAMAGED not in reader.values()


def damage(partition: Path) -> None:
    """Change one byte of the second record, as a disk would."""
    (segment,) = partition.glob("*.log")
    found = segment.read_bytes()
    assert found.count(WRITTEN) == 1
    segment.write_bytes(found.replace(WRITTEN, DAMAGED))
