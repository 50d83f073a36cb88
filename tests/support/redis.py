"""Redis for tests: the session's server, emptied for each, and servers of their own for what would harm it."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from adapters.redis.connection import RedisConnection
from entrypoints.services.process import Running, answers, free_port, needed, start, stop, wait_until
from tests.support.services import service

PASSWORD = "a long enough password for a test"  # noqa: S105


@attrs.define
class Told:
    """A journal that remembers its warnings."""

    warnings: list[str] = attrs.field(factory=list)

    def info(self, message: str, **extra: object) -> None:
        """Forgets it."""

    def warning(self, message: str, **extra: object) -> None:
        """Remembers it."""
        self.warnings.append(message)

    def error(self, message: str, **extra: object) -> None:
        """Forgets it."""


@contextmanager
def empty_redis() -> Iterator[RedisConnection]:
    """The session's server, with nothing in it."""
    with connected(service("redis").settings["DATA_PROC_REDIS_URL"]) as redis:
        redis.client.flushall()
        yield redis


@contextmanager
def connected(url: str, **options: Any) -> Iterator[RedisConnection]:
    """A connection that is let go in the end."""
    redis = RedisConnection.at(url, **options)
    try:
        yield redis
    finally:
        redis.close()


@attrs.define
class RedisServer:
    """A server of its own."""

    port: int
    settings: tuple[str, ...]
    _running: Running | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, folder: Path) -> None:
        """Start it, on the port it always has."""
        command = [
            needed("redis-server"),
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            *self.settings,
        ]
        log = folder / "redis.log"
        server = Running("Redis", start(command, log, folder), {}, str(log))
        self._running = (
            wait_until(lambda: answers(self.port, b"PING\r\n", b"+PONG"), server)
            if not self.settings
            else (wait_until(lambda: answers(self.port), server))
        )

    def stop(self) -> None:
        """End it, and what it held."""
        if self._running is not None:
            stop(self._running)
            self._running = None


@contextmanager
def redis_of_its_own(*settings: str) -> Iterator[RedisServer]:
    """A server that a test may stop, fill and spoil."""
    service("redis")  # where it can't be started, the test is skipped
    with tempfile.TemporaryDirectory(prefix="dataproc-redis-") as folder:
        server = RedisServer(free_port(), settings)
        server.start(Path(folder))
        try:
            yield server
        finally:
            server.stop()


def acl_file(shipped: Path, folder: Path) -> Path:
    """The shipped users, all with the password of the tests."""
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    file = folder / "users.acl"
    file.write_text(shipped.read_text().replace("0" * 64, digest))
    return file
