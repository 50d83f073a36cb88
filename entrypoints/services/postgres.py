"""PostgreSQL: a cluster of its own in a temporary folder."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from entrypoints.services.process import Running, ServiceMissing, as_user, free_port, needed, start, wait_until

USER = "postgres"
DATABASE = "dataproc"
INSTALLED = sorted((str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
"""Where Debian puts its programs, the newest first."""


def run(data: Path) -> Running:
    """This will make a cluster with an empty database and wait until it answers."""
    data.mkdir(parents=True, exist_ok=True)
    cluster, log = data / "cluster", data / "postgres.log"
    initdb, postgres = needed("initdb", *INSTALLED), needed("postgres", *INSTALLED)
    createdb, ready = needed("createdb", *INSTALLED), needed("pg_isready", *INSTALLED)
    if os.geteuid() == 0:
        shutil.chown(data, USER)
    if not cluster.exists():
        made = _done(
            [initdb, "-D", str(cluster), "-N", "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"], data
        )
        if made.returncode:
            raise ServiceMissing(f"initdb failed:\n{made.stdout}{made.stderr}")
    port = free_port()
    command = [postgres, "-D", str(cluster), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(data), "-F"]
    pid = start(as_user(USER, command), log, data)
    dsn = f"postgresql://{USER}@127.0.0.1:{port}/{DATABASE}"
    server = Running("PostgreSQL", pid, {"DATA_PROC_POSTGRES_DSN": dsn}, str(log), ends_on=signal.SIGINT)
    where = ["-h", "127.0.0.1", "-p", str(port), "-U", USER]
    wait_until(lambda: _done([ready, *where, "-d", "postgres"], data).returncode == 0, server)
    _done([createdb, *where, DATABASE], data)
    return server


def _done(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  (commands of our own)
        as_user(USER, command), capture_output=True, text=True, check=False, cwd=folder
    )
