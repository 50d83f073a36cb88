"""
A stream for people and log collectors that never holds up whoever writes.

A pipe that nobody reads takes 64 KiB and then makes its writer wait, for good where its reader hangs; a full disk
refuses. So a line is written where the stream takes it at once, and else it is let go and counted. A pipe that has any
room takes 4 KiB, which is why no line may be longer.
"""

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

LONGEST_LINE = 4096
"""Bytes that a pipe takes at once where it takes any: PIPE_BUF."""


class Unhurried:
    """Writes to a stream what it takes at once, past its buffer: what lies there would fail the end of the process."""

    def __init__(self, stream: TextIO, told: Callable[[int], str] = lambda _: "") -> None:
        """
        Stand before a stream.

        Args:
            stream: Where lines go.
            told: What is written of lines that were let go, given their number, once the stream takes some again.
        """
        self._stream = stream
        self._told = told
        self._lost = 0

    def write(self, text: str) -> int:
        """Write one line, or let it go. Returns the length of it, either way."""
        if self._lost and self._written(self._told(self._lost)):
            self._lost = 0
        if self._lost or not self._written(text):
            self._lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def _written(self, text: str) -> bool:
        try:
            number = self._stream.fileno()
        except (OSError, ValueError):  # a stream in memory
            return self._taken_by_memory(text)
        if not _takes_at_once(number):
            return False
        with suppress(OSError):
            os.write(number, text.encode(errors="backslashreplace"))
            return True
        return False

    def _taken_by_memory(self, text: str) -> bool:
        with suppress(OSError):
            self._stream.write(text)
            return True
        return False


def _takes_at_once(number: int) -> bool:
    """Whether a file takes something now; one that is broken says so when it is written to."""
    waiting = select.poll()
    waiting.register(number, select.POLLOUT)
    return bool(waiting.poll(0))


def say(*lines: str) -> None:
    """Tell the person at the terminal, if anybody listens."""
    for line in lines:
        Unhurried(sys.stderr).write(f"{line}\n")
