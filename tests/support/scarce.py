"""Little of what a process lives on: a small disk, one that is full, and limits of a process that runs."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from threading import Event, Thread

SMALL_DISK = "256m"
CHUNK = 65_536


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own on a folder that is not there yet; yields whether this machine lets us have one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Until this ends there is no room on it, also where somebody gives some back."""
    ballast, over = disk / "ballast", Event()
    with ballast.open("wb", buffering=0) as file:
        _fill(file)
        filling = Thread(target=lambda: _keep_full(file, over))
        filling.start()
        try:
            yield
        finally:
            over.set()
            filling.join()
            ballast.unlink()


def _keep_full(file: RawIOBase, over: Event) -> None:
    while not over.wait(0.1):
        _fill(file)


def _fill(file: RawIOBase) -> None:
    with suppress(OSError):
        while True:
            file.write(bytes(CHUNK))


@contextmanager
def limited(pid: int, kind: int, most: int) -> Iterator[None]:
    """Until this ends a process that runs has no more of something, e.g. `resource.RLIMIT_NOFILE`."""
    before, highest = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (most, highest))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, kind, (before, highest))


def address_space(pid: int) -> int:
    """Bytes of it that a process has by now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmSize:")[2].split()[0]) * 1024
