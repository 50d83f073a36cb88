"""
Raw messages as JSON lines, optionally gzip.

Lines are merged by coordinate: a first pass reads where each line belongs, a second one gives each partition its lines
in offset order, holding back a line only until those before it have come. A single file needs the first pass from where
an offset is missing only: before that, nothing that belongs earlier can follow. What is read once only, as standard
input is, comes as it comes.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from heapq import merge
from itertools import chain, islice
from typing import TypeVar

import attrs

from adapters.files.opening import StoppedWaiting, flows, opened
from adapters.files.raw_line import BadLine, Line, line_of, where_of
from application.ports.raw_source import STANDARD_INPUT, BadInput, Lines, called
from domain.bronze.raw_event import RawEvents

Place = tuple[str, int]
"""Topic and partition."""
Found = tuple[str, Line]
"""Where a line stands, FILE:LINE, and the line."""
L = TypeVar("L")
T = TypeVar("T")


def _never() -> bool:
    return False


@attrs.frozen
class RawLines:
    """Files of raw messages, merged by coordinate."""

    paths: Sequence[str]
    partitions_of: Callable[[str], int]
    stopping: Callable[[], bool] = _never
    """Whether somebody asked to stop, asked while nothing comes of a pipe: the lines then end with what has come."""

    def lines(self, at_most: int) -> Iterator[Lines]:
        """All messages, `at_most` at a time; see RawSource."""
        with ExitStack() as files:
            batch: list[Found] = []
            with suppress(StoppedWaiting):
                for found in self._ordered(files):
                    batch.append(found)
                    if len(batch) >= at_most:
                        yield self._together(batch)
                        batch = []
            if batch:
                yield self._together(batch)

    def _ordered(self, files: ExitStack) -> Iterator[Found]:
        once = [path for path in self.paths if path == STANDARD_INPUT or flows(path)]
        if once and len(self.paths) > 1:
            raise BadInput(f"{called(once[0])} can be read once only, so it can't be merged with others; give it alone")
        found = [self._read(path, files, line_of) for path in self.paths]
        if len(found) == 1:
            return found[0] if once else self._in_order(found[0])
        return _by_coordinate(merge(*found, key=lambda found: found[1].recorded_us() or 0), self._offsets())

    def _in_order(self, found: Iterator[Found]) -> Iterator[Found]:
        """The lines of a single file: as they come until an offset is missing, by coordinate from there on."""
        following: dict[Place, int] = {}
        for number, (where, line) in enumerate(found):
            if line.partition is not None and line.offset is not None:
                due = following.get(place := (line.topic, line.partition), 0)
                if line.offset > due:
                    yield from _by_coordinate(chain([(where, line)], found), self._offsets(after=number))
                    return
                following[place] = max(due, line.offset + 1)
            yield where, line

    def _offsets(self, after: int = 0) -> dict[Place, deque[int]]:
        """Every offset of every partition, ascending: the order in which lines must be let through, but for so many."""
        offsets: dict[Place, list[int]] = {}
        with ExitStack() as files:
            for path in self.paths:
                for _, where in islice(self._read(path, files, where_of), after, None):
                    if where.partition is not None and where.offset is not None:
                        offsets.setdefault((where.topic, where.partition), []).append(where.offset)
        return {place: deque(sorted(found)) for place, found in offsets.items()}

    def _read(self, path: str, files: ExitStack, read: Callable[[bytes], L]) -> Iterator[tuple[str, L]]:
        try:
            for number, text in enumerate(opened(path, files, self.stopping), 1):
                if not text.isspace():
                    yield f"{path}:{number}", _of(f"{path}:{number}", text, read)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{path} can't be read: {error}; check the path, or fetch the file again") from error

    def _together(self, batch: list[Found]) -> Lines:
        events = RawEvents(
            topics=[line.topic for _, line in batch],
            partitions=[self._partition(line) for _, line in batch],
            offsets=[-1 if line.offset is None else line.offset for _, line in batch],
            timestamps_us=[line.recorded_us() for _, line in batch],
            values=[_of(where, line, Line.message) for where, line in batch],
        )
        ids = {at: str(line.id) for at, (_, line) in enumerate(batch) if line.id is not None}
        placed = [line.partition is not None and line.offset is not None for _, line in batch]
        keys = [None if line.key is None else str(line.key).encode() for _, line in batch]
        return Lines(events, ids, [place for place, _ in batch], placed, keys)

    def _partition(self, line: Line) -> int:
        if line.partition is not None:
            return line.partition
        return zlib.crc32(str("" if line.key is None else line.key).encode()) % self.partitions_of(line.topic)


def _by_coordinate(found: Iterator[Found], due: dict[Place, deque[int]]) -> Iterator[Found]:
    held: dict[Place, dict[int, list[Found]]] = {}
    for where, line in found:
        if line.partition is None or line.offset is None:
            yield where, line
            continue
        place = (line.topic, line.partition)
        waiting = held.setdefault(place, {})
        waiting.setdefault(line.offset, []).append((where, line))
        while due[place] and due[place][0] in waiting:
            offset = due[place].popleft()
            yield waiting[offset].pop(0)
            if not waiting[offset]:
                del waiting[offset]


def _of(where: str, line: T, read: Callable[[T], L]) -> L:
    try:
        return read(line)
    except BadLine as error:
        raise BadInput(f"{where} {error}") from error
