"""A place for log lines that is full, gone, or takes none because nobody reads them."""

import errno
import fcntl
import io
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from adapters.telemetry.logs import configure, logger


class Full(io.StringIO):
    """A stream on a disk without room."""

    room = False

    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The end to read, and a stream that writes into the other."""
    read, written = os.pipe()
    with open(written, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield read, stream
    with suppress(OSError):
        os.close(read)


def taken(read: int) -> list[dict[str, Any]]:
    """All lines that lie in a pipe."""
    os.set_blocking(read, False)
    found = b""
    with suppress(BlockingIOError):
        while part := os.read(read, 1 << 20):
            found += part
    return [json.loads(line) for line in found.splitlines()]


def test_a_line_that_can_not_be_written_stops_nobody_and_is_counted() -> None:
    stream = Full()
    configure("test", stream=stream, human=False)
    journal = logger("test")
    journal.error("nobody reads this", error="x")
    journal.info("nor this")
    stream.room = True
    journal.info("this is read")
    lost, read = map(json.loads, stream.getvalue().splitlines())
    assert (lost["level"], lost["message"], lost["extra"]) == (
        "WARNING",
        "log lines were lost: whoever takes them did not",
        {"lines": 2},
    )
    assert read["message"] == "this is read"


def test_a_disk_without_room_leaves_nothing_behind_that_would_fail_the_end_of_the_process() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        configure("test", stream=stream, human=False)
        logger("test").error("nobody reads this")


def test_whoever_logs_waits_for_no_reader(pipe: tuple[int, TextIO]) -> None:
    read, stream = pipe
    configure("test", stream=stream, human=False)
    journal = logger("test")
    room = fcntl.fcntl(read, fcntl.F_GETPIPE_SZ)
    written = 2 * room // 1_000
    for number in range(written):
        journal.info("x" * 1_000, number=number)
    kept = taken(read)
    journal.info("the reader is back")
    lost, read_again = taken(read)

    assert [line["extra"]["number"] for line in kept] == list(range(len(kept)))
    assert 0 < len(kept) < written
    assert lost["extra"] == {"lines": written - len(kept)}
    assert read_again["message"] == "the reader is back"


def test_a_reader_that_went_away_stops_nobody(pipe: tuple[int, TextIO]) -> None:
    read, stream = pipe
    configure("test", stream=stream, human=False)
    os.close(read)
    logger("test").error("nobody reads this")
