"""One process a data directory: who comes second is told so."""

import fcntl
import os
from pathlib import Path

import attrs

from application.ports.errors import Fatal

LOCK = "in-use.lock"


class DirectoryInUse(Fatal):
    """Another process has the data directory."""


@attrs.define
class DirectoryLock:
    """A data directory held by this process until it is released, or the process ends in whatever way."""

    folder: Path
    _held: int = attrs.field(init=False, default=-1)

    def take(self) -> "DirectoryLock":
        """
        Hold the directory, making it where it is absent.

        Raises:
            DirectoryInUse: Another process holds it; the text says which.
            Fatal: It can't be made or written to.
        """
        path = self.folder / LOCK
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Fatal(f"{self.folder} can't be written to: {error.strerror}; choose another directory") from error
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(held, 20).decode("ascii", "replace") or "another process"
            os.close(held)
            raise DirectoryInUse(
                f"{self.folder} is in use by process {owner}; stop that one, or use another directory"
            ) from error
        os.ftruncate(held, 0)
        os.write(held, str(os.getpid()).encode())
        self._held = held
        return self

    def release(self) -> None:
        """Let the directory go."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
