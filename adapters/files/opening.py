"""Opening what raw messages are read from: plain files, gzip files, and pipes or terminals, where nothing may come for long."""

import gzip
import io
import os
import select
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

_GZIP = b"\x1f\x8b"
_AT_ONCE = 1 << 20
_READ_BYTES = 1 << 16
LOOKED_EVERY_S = 0.2
"""How often it is asked whether to stop, while nothing comes."""


class StoppedWaiting(Exception):
    """Somebody asked to stop while nothing came."""


def flows(path: str) -> bool:
    """Whether this is a pipe or a terminal: what was read of it once is gone. False for what is not there."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def opened(path: str, files: ExitStack, stopping: Callable[[], bool]) -> "io.BufferedReader[Any]":
    """
    Open a file for reading, gzip or not, until `files` closes it.

    Raises:
        OSError: It can't be opened.
        StoppedWaiting: Somebody asked to stop before anything came. So may any reading of a pipe.
    """
    source = Stream(path, stopping) if flows(path) else io.FileIO(path)
    raw: io.BufferedReader[Any] = files.enter_context(io.BufferedReader(source, _READ_BYTES))
    if raw.peek(2)[:2] == _GZIP:
        return io.BufferedReader(files.enter_context(gzip.GzipFile(fileobj=raw)), _AT_ONCE)
    return raw


class Stream(io.RawIOBase):
    """A pipe or a terminal, read as things come."""

    def __init__(self, path: str, stopping: Callable[[], bool]) -> None:
        """Open it. That does not wait for somebody to write; reading does."""
        super().__init__()
        self._stopping = stopping
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting for the first of it. Raises StoppedWaiting."""
        while not self._stopping():
            if select.select([self._file], [], [], LOOKED_EVERY_S)[0]:
                with suppress(BlockingIOError):  # another reader was quicker
                    return os.readv(self._file, [buffer])
        raise StoppedWaiting

    def close(self) -> None:
        """Let it go."""
        if not self.closed:
            os.close(self._file)
        super().close()
