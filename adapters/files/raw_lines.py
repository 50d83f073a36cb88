"""
Raw messages as JSON lines, optionally gzip.

A line is `{"topic", "partition", "offset", "key", "timestamp_ms", "value" | "value_b64"}`, with an `id` where it has
one. The message is the exact text of `value`, so number texts and repeated keys survive. `timestamp_ms` absent, null or
-1 says nothing; `key` and `id` may be numbers. Several files are merged by coordinate: a first pass reads where each line belongs, a second one gives each partition its lines in offset order,
holding back a line only until those before it have come.
"""

import gzip
import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from io import BufferedReader
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar, cast

import attrs
import msgspec

from application.ports.raw_source import BadInput, Lines
from domain.bronze.raw_event import RawEvents

STANDARD_INPUT = "/dev/stdin"
NO_TIMESTAMP_MS = -1
"""How Kafka's own tools write that a record has none."""
_GZIP = b"\x1f\x8b"

_Partition = Annotated[int, msgspec.Meta(ge=0, lt=10_000)]
_Offset = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=-1, lt=2**52)]
_Text = str | int | float | None


class _Where(msgspec.Struct, gc=False):
    """The coordinates of a line alone."""

    topic: str
    partition: _Partition | None = None
    offset: _Offset | None = None
    timestamp_ms: _Milliseconds | None = None

    def recorded_us(self) -> int | None:
        """The time of the record; None where the line says nothing."""
        return None if self.timestamp_ms in (None, NO_TIMESTAMP_MS) else self.timestamp_ms * 1000


class _Line(_Where, gc=False):
    """A line."""

    key: _Text = None
    value: msgspec.Raw = msgspec.Raw(b"")
    value_b64: str | msgspec.UnsetType | None = msgspec.UNSET
    id: _Text = None


Place = tuple[str, int]


@attrs.frozen
class RawLines:
    """Files of raw messages, merged by coordinate."""

    paths: Sequence[str]
    partitions_of: Callable[[str], int]

    def lines(self, at_most: int) -> Iterator[Lines]:
        """All messages, `at_most` at a time; see RawSource."""
        with ExitStack() as files:
            batch: list[tuple[str, _Line]] = []
            for found in self._ordered(files):
                batch.append(found)
                if len(batch) >= at_most:
                    yield self._together(batch)
                    batch = []
            if batch:
                yield self._together(batch)

    def _ordered(self, files: ExitStack) -> Iterator[tuple[str, _Line]]:
        if len(self.paths) > 1 and STANDARD_INPUT in self.paths:
            raise BadInput("standard input can be read once only, so it can't be merged with files; give it alone")
        opened = [_read(path, files, _LINE) for path in self.paths]
        if len(opened) == 1:
            return opened[0]
        return _by_coordinate(merge(*opened, key=lambda found: found[1].recorded_us() or 0), self._offsets())

    def _offsets(self) -> dict[Place, deque[int]]:
        """Every offset of every partition, ascending: the order in which lines must be let through."""
        offsets: dict[Place, list[int]] = {}
        with ExitStack() as files:
            for path in self.paths:
                for _, where in _read(path, files, _WHERE):
                    if where.partition is not None and where.offset is not None:
                        offsets.setdefault((where.topic, where.partition), []).append(where.offset)
        return {place: deque(sorted(found)) for place, found in offsets.items()}

    def _together(self, batch: list[tuple[str, _Line]]) -> Lines:
        events = RawEvents(
            topics=[line.topic for _, line in batch],
            partitions=[self._partition(line) for _, line in batch],
            offsets=[-1 if line.offset is None else line.offset for _, line in batch],
            timestamps_us=[line.recorded_us() for _, line in batch],
            values=[_value(place, line) for place, line in batch],
        )
        ids = {at: str(line.id) for at, (_, line) in enumerate(batch) if line.id is not None}
        placed = [line.partition is not None and line.offset is not None for _, line in batch]
        keys = [None if line.key is None else str(line.key).encode() for _, line in batch]
        return Lines(events, ids, [place for place, _ in batch], placed, keys)

    def _partition(self, line: _Line) -> int:
        if line.partition is not None:
            return line.partition
        return zlib.crc32(str("" if line.key is None else line.key).encode()) % self.partitions_of(line.topic)


L = TypeVar("L")

_LINE = msgspec.json.Decoder(_Line)
_WHERE = msgspec.json.Decoder(_Where)


def _read(path: str, files: ExitStack, decoder: "msgspec.json.Decoder[L]") -> Iterator[tuple[str, L]]:
    decode = decoder.decode
    try:
        for number, text in enumerate(_opened(path, files), 1):
            if text.isspace():
                continue
            try:
                yield f"{path}:{number}", decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise BadInput(
                    f"{path}:{number} is no raw message ({error}); a line is a JSON object with at least topic and value"
                ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} can't be read: {error}; check the path, or fetch the file again") from error


def _opened(path: str, files: ExitStack) -> BinaryIO:
    raw = files.enter_context(Path(path).open("rb"))  # noqa: SIM115
    if raw.peek(2)[:2] == _GZIP:
        return cast("BinaryIO", BufferedReader(files.enter_context(gzip.GzipFile(fileobj=raw)), 1 << 20))
    return raw


def _by_coordinate(found: Iterator[tuple[str, _Line]], due: dict[Place, deque[int]]) -> Iterator[tuple[str, _Line]]:
    held: dict[Place, dict[int, list[tuple[str, _Line]]]] = {}
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


def _value(place: str, line: _Line) -> bytes | None:
    if line.value_b64 is msgspec.UNSET:
        if not bytes(line.value):
            raise BadInput(f"{place} has neither value nor value_b64; a line carries its message in one of them")
        return bytes(line.value)
    if line.value_b64 is None:
        return None
    try:
        return b64decode(line.value_b64, validate=True)
    except (NotBase64, ValueError) as error:
        raise BadInput(f"{place}: value_b64 is not base64 ({error})") from error
