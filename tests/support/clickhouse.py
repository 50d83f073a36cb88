"""
ClickHouse for tests, over every transport: the engine in this process, and the same behind the two gateways.

The gateways are processes of their own, each with its own directory, since a process can open one only. A server of
your own takes their place where DATA_PROC_TEST_CLICKHOUSE_HTTP or _NATIVE names its URL.
"""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.clickhouse.client import ClickHouse, quoted
from adapters.clickhouse.connecting import connect
from adapters.clickhouse.migrator import ClickHouseMigrator
from tests.support.measuring import unmeasured

ROOT = Path(__file__).parents[2]
TRANSPORTS = ("chdb", "http", "native")
INTERVALS = ("5m", "1h", "1d")


@functools.cache
def url_of(transport: str) -> str:
    """The address of a database that the session's tests share, started at the first call."""
    if transport == "chdb":
        return f"chdb://{folder('chdb')}"
    given = os.environ.get(f"DATA_PROC_TEST_CLICKHOUSE_{transport.upper()}")
    return given or f"{'http' if transport == 'http' else 'clickhouse'}://127.0.0.1:{gateway(transport)}"


@functools.cache
def database(transport: str) -> ClickHouse:
    """A client of that database, with every table in place."""
    client = connect(url_of(transport))
    ClickHouseMigrator(client, INTERVALS).up()
    return client


def emptied(client: ClickHouse, *tables: str) -> ClickHouse:
    """The database with these tables empty."""
    for table in tables:
        client.command(f"TRUNCATE TABLE {quoted(client.database)}.{quoted(table)}")
    return client


def gateway(transport: str, accounts: Sequence[str] = ()) -> int:
    """Start a gateway on a free port, and return the port; it ends with this process."""
    command = [sys.executable, "-m", f"tests.support.{transport}_gateway", folder(transport), "0", *accounts]
    started = subprocess.Popen(command, cwd=ROOT, env=unmeasured(), stdout=subprocess.PIPE, text=True)
    atexit.register(_stop, started)
    said = started.stdout.readline() if started.stdout else ""
    if not said.startswith("listening"):
        pytest.fail(f"the {transport} gateway did not start; run {' '.join(command)} to see why")
    return int(said.split()[1])


def folder(name: str) -> str:
    """A directory that is gone with this process."""
    path = tempfile.mkdtemp(prefix=f"clickhouse-{name}-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _stop(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait(10)
    if process.stdout:
        process.stdout.close()
