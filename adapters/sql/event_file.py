"""
The file of the event log: segments of records, which offsets were ever given, and how far each group has come.

A segment is what was appended in one call, as one blob: an Arrow stream of partition, offset, time and bytes. Writes go
to SQLite's write-ahead log in the order in which they happen. `synchronous=NORMAL`: what a call has returned from
survives the end of the process in whatever way. A loss of power may take back the last calls, always the youngest
first, so that the log is then as it was a moment before, and the work since is done again.
"""

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import polars as pl

from adapters.wire.progress import apart, with_apart
from application.ports.errors import Fatal, LogUnavailable
from application.ports.event_log import Progress, TopicPartition
from domain.bronze.offsets import Run

NAME = "events.sqlite"
FORMAT = 2
"""1 had no `apart`; such a file is taken over."""
PAGE_BYTES = 16_384
CHECKPOINT_PAGES = 2_000
"""Of the write-ahead log before it is folded into the file: 32 MiB."""
BUSY_S = 5.0

_TABLES = """
CREATE TABLE segments (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, bounds TEXT NOT NULL, records INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE runs (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, after INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, first)
) WITHOUT ROWID;
CREATE TABLE commits (
  consumers TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
  floor INTEGER NOT NULL, position INTEGER NOT NULL, owed INTEGER NOT NULL, apart TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (consumers, topic, partition)
) WITHOUT ROWID;
"""

_TO_2 = "ALTER TABLE commits ADD COLUMN apart TEXT NOT NULL DEFAULT '{}';"

Bounds = Mapping[int, tuple[int, int]]
"""By partition, the first and the last offset."""


@attrs.frozen
class Stored:
    """A segment as it lies in the file."""

    id: int
    topic: str
    bounds: Bounds
    records: int
    size: int
    """Bytes of its body."""

    def passed(self, committed: Mapping[TopicPartition, int]) -> bool:
        """Whether a group that has committed this needs nothing of it."""
        return all(committed.get(TopicPartition(self.topic, n), 0) > last for n, (_, last) in self.bounds.items())


class EventFile:
    """One SQLite file. Used by one process, and one call at a time."""

    def __init__(self, folder: Path) -> None:
        """
        Open the file, making it where it is absent.

        Raises:
            Fatal: It is no event log of this program.
            LogUnavailable: It can't be opened now.
        """
        self.path = folder / NAME
        with self._telling("opening the event log"):
            self._file = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._file.close()
                raise

    def _prepare(self) -> None:
        found = self._file.execute("PRAGMA user_version").fetchone()[0]
        if found not in {0, 1, FORMAT}:
            raise Fatal(
                f"{self.path} has format {found} and this program writes {FORMAT}; use the release that wrote it"
            )
        pragmas = (f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=NORMAL")
        for pragma in (*pragmas, f"wal_autocheckpoint={CHECKPOINT_PAGES}", "cache_size=-65536"):
            self._file.execute(f"PRAGMA {pragma}").close()
        if not found:
            self._file.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={FORMAT};COMMIT;")
        elif found == 1:
            self._file.executescript(f"BEGIN IMMEDIATE;{_TO_2}PRAGMA user_version={FORMAT};COMMIT;")

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def segments(self) -> Iterator[Stored]:
        """All segments, in the order in which they were appended."""
        with self._telling("reading the event log"):
            rows = self._file.execute(
                "SELECT id, topic, bounds, records, length(body) FROM segments ORDER BY id"
            ).fetchall()
        for number, topic, bounds, records, size in rows:
            by_partition = {int(partition): (first, last) for partition, (first, last) in json.loads(bounds).items()}
            yield Stored(number, topic, by_partition, records, size)

    def runs(self) -> Iterator[tuple[TopicPartition, Run]]:
        """Which offsets were ever given, ascending within a partition."""
        with self._telling("reading the event log"):
            rows = self._file.execute("SELECT topic, partition, first, after FROM runs ORDER BY 1, 2, 3").fetchall()
        for topic, partition, first, after in rows:
            yield TopicPartition(topic, partition), (first, after)

    def commits(self) -> Iterator[tuple[str, TopicPartition, Progress]]:
        """How far each group has come."""
        with self._telling("reading the event log"):
            rows = self._file.execute(
                "SELECT consumers, topic, partition, apart, floor, position, owed FROM commits"
            ).fetchall()
        for group, topic, partition, said, *progress in rows:
            yield group, TopicPartition(topic, partition), with_apart(Progress(*progress), json.loads(said))

    def append(self, topic: str, bounds: Bounds, records: pl.DataFrame, runs: Mapping[int, Sequence[Run]]) -> Stored:
        """
        Keep records, and that their offsets are given; both or neither.

        Args:
            topic: Theirs.
            bounds: Theirs.
            records: Columns `partition`, `offset`, `time` (µs; null for typed records) and `value`.
            runs: By partition, the runs their offsets extend or begin.
        """
        body = io.BytesIO()
        records.write_ipc_stream(body, compression="lz4")
        given = [(topic, partition, *run) for partition, own in runs.items() for run in own]
        row = (topic, json.dumps(bounds), records.height, body.getvalue())
        with self._transaction("appending to the event log"):
            self._file.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", given)
            cursor = self._file.execute("INSERT INTO segments (topic, bounds, records, body) VALUES (?, ?, ?, ?)", row)
        return Stored(int(cursor.lastrowid or 0), topic, bounds, records.height, len(row[3]))

    def records(self, segment: Stored) -> pl.DataFrame:
        """The records of a segment."""
        with self._telling("reading the event log"):
            body = self._file.execute("SELECT body FROM segments WHERE id = ?", (segment.id,)).fetchone()[0]
        return pl.read_ipc_stream(io.BytesIO(body))

    def commit(self, group: str, progress: Mapping[TopicPartition, Progress], done: Iterable[Stored]) -> None:
        """Write down how far a group has come, and let segments go that nobody needs any more; both or neither."""
        rows = [
            (group, where.topic, where.partition, come.floor, come.position, come.owed, json.dumps(apart(come)))
            for where, come in progress.items()
        ]
        with self._transaction("committing to the event log"):
            self._file.executemany("INSERT OR REPLACE INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            self._file.executemany("DELETE FROM segments WHERE id = ?", [(segment.id,) for segment in done])

    @contextmanager
    def _transaction(self, what: str) -> Iterator[None]:
        with self._telling(what):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise LogUnavailable(f"{what}: {self.path}: {error}") from error
        except sqlite3.Error as error:
            raise Fatal(
                f"{what}: {self.path} can't be read: {error}; restore the directory from a backup, or begin a new one"
            ) from error


def frame_of(partition: pl.Series, offset: pl.Series, time: Any, values: Sequence[bytes | None]) -> pl.DataFrame:
    """Records as `EventFile.append` takes them."""
    return pl.DataFrame(
        [
            partition.alias("partition"),
            offset.alias("offset"),
            pl.Series("time", time, dtype=pl.Int64)
            if time is not None
            else pl.repeat(None, len(offset), dtype=pl.Int64, eager=True).alias("time"),
            pl.Series("value", values, dtype=pl.Binary),
        ]
    )
