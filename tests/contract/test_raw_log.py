"""What every raw log promises: messages lie under the coordinates they came with."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from adapters.memory.event_log import MemoryEventLog
from adapters.sql.event_log import SqliteEventLog
from adapters.wire.events import EventCodec
from application.ports.event_log import TopicPartition
from application.ports.raw_log import RawLog
from domain.bronze.raw_event import RawEvents
from tests.builders import raw_events

TOPIC = "ingestion.miso.raw.v1"
WHERE = TopicPartition(TOPIC, 0)


def messages(*offsets: int, partition: int = 0) -> RawEvents:
    events = raw_events(*[b"{}"] * len(offsets), topic=TOPIC)
    return attrs.evolve(events, offsets=list(offsets), partitions=[partition] * len(offsets))


class RawLogContract:
    """Inherited by the suite of each adapter, which says how to make an empty log."""

    @pytest.fixture
    def log(self) -> RawLog:
        raise NotImplementedError

    def test_nothing_is_held_at_first(self, log: RawLog) -> None:
        assert (log.holds(WHERE, 0), log.end(WHERE)) == (False, 0)

    def test_offsets_may_have_gaps_within_and_between_calls(self, log: RawLog) -> None:
        log.append(messages(1, 2, 5))
        log.append(messages(6, 9))
        assert [offset for offset in range(12) if log.holds(WHERE, offset)] == [1, 2, 5, 6, 9]
        assert log.end(WHERE) == 10

    def test_partitions_have_offsets_of_their_own(self, log: RawLog) -> None:
        log.append(messages(7))
        log.append(messages(2, partition=1))
        assert (log.end(WHERE), log.end(TopicPartition(TOPIC, 1)), log.end(TopicPartition("other", 0))) == (8, 3, 0)

    def test_an_offset_below_the_end_is_refused_and_nothing_changes(self, log: RawLog) -> None:
        log.append(messages(4))
        with pytest.raises(ValueError, match="end 5 of"):
            log.append(messages(3))
        assert (log.end(WHERE), log.holds(WHERE, 3)) == (5, False)


class TestMemoryRawLog(RawLogContract):
    @pytest.fixture
    def log(self) -> RawLog:
        return MemoryEventLog(lambda _: 2)


class TestSqliteRawLog(RawLogContract):
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[RawLog]:
        log = SqliteEventLog(tmp_path, EventCodec({}), lambda _: 2)
        yield log
        log.close()

    def test_what_was_held_is_held_after_a_restart(self, tmp_path: Path) -> None:
        for offsets in ((0, 1, 5), (6,)):
            log = SqliteEventLog(tmp_path, EventCodec({}), lambda _: 2)
            log.append(messages(*offsets))
            log.close()
        log = SqliteEventLog(tmp_path, EventCodec({}), lambda _: 2)
        assert [offset for offset in range(9) if log.holds(WHERE, offset)] == [0, 1, 5, 6]
        log.close()

    def test_offsets_of_one_call_must_ascend(self, tmp_path: Path) -> None:
        log = SqliteEventLog(tmp_path, EventCodec({}), lambda _: 2)
        with pytest.raises(ValueError, match="do not ascend"):
            log.append(messages(3, 2))
        log.close()
