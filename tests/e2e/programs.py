"""The program and its services as processes of their own, ended in whatever way."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def started(*arguments: str, log: Path, settings: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """`python -m` with these arguments, which writes into a file."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=os.environ | dict(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def done(*arguments: str, log: Path, settings: Mapping[str, str] | None = None) -> int:
    """The same, waited for: its exit code."""
    return started(*arguments, log=log, settings=settings).wait()


@contextmanager
def running(*arguments: str, log: Path, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The same for as long as it is needed."""
    process = started(*arguments, log=log, settings=settings)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def killed_after(process: subprocess.Popen[bytes], alive_s: float) -> None:
    """End a process as a power switch would, unless it has ended by itself."""
    try:
        process.wait(alive_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def told_by(log: Path, words: str, within_s: float = 60) -> str:
    """What a file says once it says these words."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        text = log.read_text() if log.exists() else ""
        if words in text:
            return text
        time.sleep(0.1)
    raise AssertionError(f"{log} never said {words!r} within {within_s} s: {log.read_text()}")
