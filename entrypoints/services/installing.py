"""Putting system packages and Kafka's jars in place, on Debian."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from entrypoints.services import kafka
from entrypoints.services.postgres import INSTALLED
from entrypoints.services.process import ServiceMissing

PACKAGES = {
    "postgres": "postgresql-15",
    "redis-server": "redis-server",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
}
"""Package of each program."""


def cache() -> Path:
    """Where jars stay between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dataproc"


def install() -> None:
    """
    This will install what is missing.

    Raises:
        ServiceMissing: Something can't be installed from here; the text says which.
    """
    folders = os.pathsep.join((os.environ.get("PATH", ""), *INSTALLED))
    missing = sorted(package for program, package in PACKAGES.items() if shutil.which(program, path=folders) is None)
    if missing:
        _install(missing)
    kafka.install(cache())


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise ServiceMissing(
            f"this is no Debian; install what {', '.join(packages)} provide by your system's own means"
        )
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    print(f"installing {', '.join(packages)}", file=sys.stderr)
    for command in (["update"], ["install", "--no-install-recommends", *packages]):
        done = subprocess.run([*root, *quiet, *command], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ServiceMissing(
                f"apt-get {command[0]} failed; as root run: apt-get install {' '.join(packages)}\n{(done.stdout + done.stderr)[-2000:]}"
            )
