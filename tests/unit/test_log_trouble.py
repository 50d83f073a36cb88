"""A place for log lines that is full, or gone."""

import errno
import io
import logging
from collections.abc import Iterator

import pytest

from adapters.telemetry.logs import configure, logger


class Full(io.StringIO):
    """A stream on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def full() -> Iterator[None]:
    root, quiet = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    logging.raiseExceptions = False
    configure("test", stream=Full(), human=False)
    yield
    root.handlers[:], logging.raiseExceptions = handlers, quiet
    root.setLevel(level)


def test_a_line_that_can_not_be_written_stops_nobody(full: None) -> None:
    journal = logger("test")
    journal.error("nobody reads this", error="x")
    journal.info("nor this")
    assert logging.getLogger().handlers[0].stream.getvalue() == ""  # type: ignore[attr-defined]
