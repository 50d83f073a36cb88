"""
Real servers for tests: each started once, on free ports, when the first test asks for it; stopped with the session.

Where one can't be started its tests are skipped with the command that would provide it; with CI=true they fail.
"""

import atexit
import functools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from entrypoints.services.local import STARTERS
from entrypoints.services.process import Running, ServiceMissing, needed, stop


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dataproc-tests-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    end_in_order()
    return folder


def end_in_order() -> None:
    """From now on let a request to stop end this process in order: servers outlive one that is just ended."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@functools.cache
def _started(name: str) -> Running | ServiceMissing:
    try:
        server = STARTERS[name](_folder() / name)
    except ServiceMissing as missing:
        return missing
    atexit.register(stop, server)
    return server


def service(name: str) -> Running:
    """
    A server that runs until the session ends.

    Args:
        name: kafka, clickhouse, postgres or redis.
    """
    found = _started(name)
    return found if isinstance(found, Running) else _without(name, found)


def installed(program: str) -> str:
    """Path of a program that a test runs by itself."""
    try:
        return needed(program)
    except ServiceMissing as missing:
        _without(program, missing)


def _without(name: str, missing: ServiceMissing) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true needs {name}: {missing}")
    pytest.skip(f"{name} is not there: {missing}")


def settings_of(name: str) -> Mapping[str, str]:
    """The environment variables by which programs find this server."""
    return service(name).settings
