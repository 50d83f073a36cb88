"""What a log on disk promises beyond any other: it outlives its process, and lets go of what is done with."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest

from adapters.sql.directory_lock import DirectoryInUse, DirectoryLock
from adapters.sql.event_file import NAME
from adapters.sql.event_log import SqliteEventLog
from adapters.wire.events import EventCodec, WireFormat
from application.ports.errors import Fatal, LogUnavailable
from application.ports.event_log import Consumer, Listener, Polled, Progress, TopicPartition
from domain.errors import Reason
from domain.silver.tick import TickBatch
from tests.builders import as_far_as, raw_events, tick, ticks

TICKS, RAW = "normalized.market.ticks.v1", "ingestion.miso.raw.v1"
NOBODY = Listener(lambda _: None, lambda _: None)
Open = Callable[..., SqliteEventLog]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the log of this test; whatever is open in the end is closed."""
    logs: list[SqliteEventLog] = []

    def opened(wire_format: WireFormat = WireFormat.AVRO, **options: Any) -> SqliteEventLog:
        for log in logs:
            log.close()
        logs.append(SqliteEventLog(tmp_path, EventCodec({TICKS: TickBatch}, wire_format), lambda _: 2, **options))
        return logs[-1]

    yield opened
    for log in logs:
        log.close()


def joined(log: SqliteEventLog, *topics: str, group: str = "g") -> Consumer:
    consumer = log.subscribe(group, topics or (TICKS,), NOBODY)
    consumer.poll(1, 0)
    return consumer


def batch(*numbers: int) -> TickBatch:
    return ticks(*(tick(instrument_id=f"I{number}", source_seq=number) for number in numbers))


def numbers(polled: Polled) -> list[int]:
    return sorted(number for records in polled.records for number in records.facts.frame["source_seq"])


def stored_segments(folder: Path) -> int:
    file = sqlite3.connect(folder / NAME)
    found = int(file.execute("SELECT count(*) FROM segments").fetchone()[0])
    file.close()
    return found


def test_a_group_resumes_after_a_restart_where_it_committed(opened: Open) -> None:
    log = opened()
    consumer = joined(log)
    log.publish(TICKS, batch(*range(10)))
    done = consumer.poll(100, 0).next_offsets
    consumer.commit({where: Progress(end, end, 3) for where, end in done.items()})
    log.publish(TICKS, batch(10, 11))
    consumer.poll(100, 0)

    again = opened()
    assert again.progress("g", [TICKS]) == {where: Progress(end, end, 3) for where, end in done.items()}
    assert numbers(again.subscribe("g", [TICKS], NOBODY).poll(100, 0)) == [10, 11]


def test_what_comes_from_the_file_equals_what_was_published(opened: Open) -> None:
    log = opened()
    joined(log)
    log.publish(TICKS, batch(*range(10)))
    at_hand = log.subscribe("other", [TICKS], NOBODY).poll(100, 0)
    from_file = opened().subscribe("other", [TICKS], NOBODY).poll(100, 0)
    assert [records.facts for records in from_file.records] == [records.facts for records in at_hand.records]
    assert from_file.next_offsets == at_hand.next_offsets


def test_raw_messages_outlive_a_restart_byte_by_byte(opened: Open) -> None:
    log = opened()
    joined(log, RAW)
    events = raw_events(b"{}", None, b"\x00\xff", topic=RAW)
    log.append(events)
    assert opened().subscribe("g", [RAW], NOBODY).poll(100, 0).raw == events


def test_offsets_go_on_after_a_restart_though_the_records_are_gone(opened: Open, tmp_path: Path) -> None:
    log = opened()
    consumer = joined(log)
    log.publish(TICKS, batch(*range(10)))
    consumer.commit(as_far_as(consumer.poll(100, 0).next_offsets))
    ends = log.end_offsets([TICKS])
    assert stored_segments(tmp_path) == 0
    assert opened().end_offsets([TICKS]) == ends


def test_a_segment_stays_until_every_group_that_reads_it_is_past_it(opened: Open, tmp_path: Path) -> None:
    log = opened()
    first, second = joined(log, group="first"), joined(log, group="second")
    log.publish(TICKS, batch(*range(10)))
    first.commit(as_far_as(first.poll(100, 0).next_offsets))
    assert stored_segments(tmp_path) == 1
    second.commit(as_far_as(second.poll(100, 0).next_offsets))
    assert stored_segments(tmp_path) == 0


def test_a_floor_keeps_what_a_restart_needs(opened: Open, tmp_path: Path) -> None:
    log = opened()
    consumer = joined(log)
    log.publish(TICKS, batch(1))
    ((where, end),) = consumer.poll(100, 0).next_offsets.items()
    consumer.commit(as_far_as({where: end - 1}))
    assert stored_segments(tmp_path) == 1
    assert numbers(opened().subscribe("g", [TICKS], NOBODY).poll(100, 0)) == [1]


def test_what_nobody_subscribes_to_is_not_kept(opened: Open, tmp_path: Path) -> None:
    log = opened()
    log.publish(TICKS, batch(1))
    assert (stored_segments(tmp_path), set(log.end_offsets([TICKS]).values())) == (0, {0})


def test_a_poll_stops_at_a_byte_budget(opened: Open) -> None:
    log = opened(poll_bytes=1)
    consumer = log.subscribe("g", [RAW], NOBODY)
    for offset in range(3):
        log.append(attrs.evolve(raw_events(b"{}", topic=RAW), offsets=[offset]))
    assert [len(consumer.poll(100, 0)) for _ in range(4)] == [1, 1, 1, 0]


def test_a_record_of_another_release_is_told_as_unreadable_and_harms_no_other(opened: Open, tmp_path: Path) -> None:
    log = opened(WireFormat.JSON)
    joined(log)
    log.publish(TICKS, batch(1, 2, 3))
    log.close()
    _spoil(tmp_path)

    polled = opened().subscribe("g", [TICKS], NOBODY).poll(100, 0)

    assert polled.unreadable is not None
    assert numbers(polled) == [1, 3]
    assert polled.unreadable.events.values == [b"not ours"]
    assert polled.unreadable.refusals.frame.select("event", "reason").rows() == [(0, Reason.NOT_JSON)]
    assert sum(polled.next_offsets.values()) == 3


def _spoil(folder: Path) -> None:
    """Let the second record be something else."""
    file = sqlite3.connect(folder / NAME)
    frame = pl.read_ipc_stream(BytesIO(file.execute("SELECT body FROM segments").fetchone()[0]))
    value = [b"not ours" if at == 1 else own for at, own in enumerate(frame["value"])]
    body = BytesIO()
    frame.with_columns(pl.Series("value", value, dtype=pl.Binary)).write_ipc_stream(body)
    with file:
        file.execute("UPDATE segments SET body = ?", (body.getvalue(),))
    file.close()


def test_a_second_process_is_told_who_has_the_directory(opened: Open, tmp_path: Path) -> None:
    opened()
    second = subprocess.run(
        [sys.executable, "-c", f"{_OPEN}\nopen_log({str(tmp_path)!r})"], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "DirectoryInUse" in second.stderr
    assert f"{tmp_path} is in use by process" in second.stderr


def test_a_directory_is_free_once_it_is_released(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path).take()
    with pytest.raises(DirectoryInUse, match="stop that one, or use another directory"):
        DirectoryLock(tmp_path).take()
    first.release()
    first.release()
    DirectoryLock(tmp_path).take().release()


def test_a_directory_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Fatal, match="can't be written to"):
        DirectoryLock(tmp_path / "file").take()


def test_a_file_that_is_no_log_is_refused_and_the_directory_let_go(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this is no database at all" * 1000)
    for _ in range(2):
        with pytest.raises(Fatal, match="can't be read"):
            SqliteEventLog(tmp_path, EventCodec({}), lambda _: 2)


def test_a_log_of_the_first_format_is_taken_over(opened: Open, tmp_path: Path) -> None:
    log = opened()
    consumer = joined(log)
    log.publish(TICKS, batch(*range(10)))
    come = {where: Progress(1, end, 3) for where, end in consumer.poll(100, 0).next_offsets.items()}
    consumer.commit(come)
    log.close()
    file = sqlite3.connect(tmp_path / NAME)
    file.executescript("ALTER TABLE commits DROP COLUMN apart; PRAGMA user_version=1;")
    file.close()

    again = opened()

    assert again.progress("g", [TICKS]) == come
    assert len(joined(again).poll(100, 0)) == 10 - 1 - len(come)


def test_a_log_of_another_format_is_refused(opened: Open, tmp_path: Path) -> None:
    opened().close()
    file = sqlite3.connect(tmp_path / NAME)
    file.execute("PRAGMA user_version=99")
    file.close()
    with pytest.raises(Fatal, match="has format 99"):
        opened()


def test_a_file_that_is_locked_is_unavailable_and_nothing_is_lost(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.sql.event_file.BUSY_S", 0.05)
    log = opened()
    consumer = joined(log)
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="locked"):
        log.publish(TICKS, batch(1))
    other.execute("ROLLBACK")
    other.close()
    log.publish(TICKS, batch(1))
    assert numbers(consumer.poll(10, 0)) == [1]


_OPEN = f"""
from pathlib import Path
from adapters.sql.event_log import SqliteEventLog
from adapters.wire.events import EventCodec, WireFormat
from application.ports.event_log import Listener
from domain.silver.tick import TickBatch
from tests.builders import as_far_as, tick
def open_log(folder):
    return SqliteEventLog(Path(folder), EventCodec({{{TICKS!r}: TickBatch}}, WireFormat.AVRO), lambda _: 2)
"""
_WORK = f"""{_OPEN}
import sys
log = open_log(sys.argv[1])
consumer = log.subscribe("g", [{TICKS!r}], Listener(lambda _: None, lambda _: None))
consumer.poll(1, 0)
number = 0
while True:
    log.publish({TICKS!r}, TickBatch.of(tick(instrument_id=f"I{{n}}", source_seq=n) for n in range(number, number + 7)))
    number += 7
    print("published", number, flush=True)
    polled = consumer.poll(5, 0)
    consumer.commit(as_far_as(polled.next_offsets))
    for records in polled.records:
        print("committed", *records.facts.frame["source_seq"], flush=True)
"""


@pytest.mark.parametrize("after_lines", [3, 20, 41])
def test_a_process_killed_at_any_moment_loses_and_repeats_nothing_it_committed(
    opened: Open, tmp_path: Path, after_lines: int
) -> None:
    working = subprocess.Popen([sys.executable, "-c", _WORK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert working.stdout is not None
    told = [working.stdout.readline() for _ in range(after_lines)]
    working.send_signal(signal.SIGKILL)
    told += working.stdout.readlines()
    working.stdout.close()
    working.wait()
    whole = [line.split() for line in told if line.endswith("\n")]
    published = max(int(words[1]) for words in whole if words[0] == "published")
    committed = {int(number) for words in whole if words[0] == "committed" for number in words[1:]}

    log = opened()
    consumer = log.subscribe("g", [TICKS], NOBODY)
    rest: set[int] = set()
    while found := numbers(consumer.poll(100, 0)):
        assert not rest & set(found)
        rest |= set(found)

    # The last publish and the last commit may have happened without being told.
    untold = set(range(published, published + 7))
    assert committed | rest >= set(range(published)) - _last_commit(rest, committed, published)
    assert not rest & committed
    assert rest | committed <= set(range(published)) | untold


def _last_commit(rest: set[int], committed: set[int], published: int) -> set[int]:
    """What is in neither: at most the five of the one commit that was not told."""
    missing = set(range(published)) - rest - committed
    assert len(missing) <= 5
    return missing


def test_progress_may_be_asked_for_while_nobody_ever_committed(opened: Open) -> None:
    log = opened()
    assert (log.progress("nobody", [TICKS]), log.committed("nobody", [TICKS])) == ({}, {})
    assert log.end_offsets([TICKS]) == {TopicPartition(TICKS, 0): 0, TopicPartition(TICKS, 1): 0}
