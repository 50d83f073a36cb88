"""
Kafka, ClickHouse, PostgreSQL and Redis of one's own, each behind a proxy: what programs under test are given.

The test itself goes straight to the servers, and sees what is stored whatever the proxies do.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import mkdtemp

import attrs

from entrypoints.services import kafka, postgres, redis
from entrypoints.services.installing import cache
from entrypoints.services.process import Running, answers, free_port, start, stop, wait_until
from tests.support.proxy import Mode, Proxy, proxy_before
from tests.support.services import end_in_order

ROOT = Path(__file__).parents[2]
DATABASE = "dependencies"
KAFKA, CLICKHOUSE, POSTGRES, REDIS = "kafka", "clickhouse", "postgres", "redis"
NATIVE = "clickhouse natively"
"""ClickHouse's native port; its other name stands for its HTTP port."""


@attrs.define
class Servers:
    """Servers that answer, and the proxies before them."""

    folder: Path
    proxies: Mapping[str, Proxy]
    """By name of the server, or of its port: ClickHouse has two."""
    kafka_ports: tuple[int, int]
    """For whoever goes straight to the broker, and behind the proxy."""
    running: dict[str, Running]

    @property
    def direct(self) -> dict[str, str]:
        """Settings that go straight to the servers."""
        return {name: value for server in self.running.values() for name, value in server.settings.items()}

    @property
    def proxied(self) -> dict[str, str]:
        """Settings that go through the proxies; ClickHouse by HTTP."""
        broker, http, database, store = (self.proxies[name] for name in (KAFKA, CLICKHOUSE, POSTGRES, REDIS))
        dsn = self.running[POSTGRES].settings["DATA_PROC_POSTGRES_DSN"]
        return {
            "DATA_PROC_KAFKA_BOOTSTRAP": f"127.0.0.1:{broker.port}",
            "DATA_PROC_CLICKHOUSE_URL": f"http://127.0.0.1:{http.port}/{DATABASE}",
            "DATA_PROC_POSTGRES_DSN": dsn.replace(f":{database.server_port}/", f":{database.port}/"),
            "DATA_PROC_REDIS_URL": f"redis://127.0.0.1:{store.port}/0",
        }

    @property
    def proxied_native(self) -> dict[str, str]:
        """The same, with ClickHouse by its native protocol."""
        return self.proxied | {
            "DATA_PROC_CLICKHOUSE_URL": f"clickhouse://127.0.0.1:{self.proxies[NATIVE].port}/{DATABASE}"
        }

    def switch(self, name: str, mode: Mode) -> None:
        """Let the proxies before a server do this."""
        self.proxies[name].switch(mode)

    @contextmanager
    def doing(self, name: str, mode: Mode) -> Iterator[None]:
        """The same for a while."""
        self.switch(name, mode)
        try:
            yield
        finally:
            self.switch(name, Mode.PASS)

    def empty_kafka(self) -> None:
        """End the broker, and start one in its place that holds nothing."""
        stop(self.running[KAFKA])
        data = self.folder / f"{KAFKA}-anew"
        self.running[KAFKA] = _kafka(data, self.proxies[KAFKA], self.kafka_ports)

    def empty_redis(self) -> None:
        """The same of Redis."""
        stop(self.running[REDIS])
        self.running[REDIS] = redis.run(self.folder / REDIS, self.proxies[REDIS].server_port)


Disk = Callable[[Path], AbstractContextManager[object]]
"""What a folder lies on, made for a while."""


@contextmanager
def servers(disk: Disk = nullcontext) -> Iterator[Servers]:
    """
    All four servers, in a folder that is removed in the end.

    Args:
        disk: What ClickHouse's folder lies on.

    Raises:
        ServiceMissing: One can't be started here.
    """
    end_in_order()
    folder = Path(mkdtemp(prefix="dataproc-proxied-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(disk(folder / CLICKHOUSE))
        running: dict[str, Running] = {}
        stack.callback(lambda: [stop(server) for server in running.values()])
        running[POSTGRES] = postgres.run(folder / POSTGRES)
        running[REDIS] = redis.run(folder / REDIS)
        http, native = free_port(), free_port()
        running[CLICKHOUSE] = _clickhouse(folder / CLICKHOUSE, http, native)
        straight, behind = free_port(), free_port()
        proxies = {
            KAFKA: stack.enter_context(proxy_before(behind)),
            CLICKHOUSE: stack.enter_context(proxy_before(http)),
            NATIVE: stack.enter_context(proxy_before(native)),
            POSTGRES: stack.enter_context(proxy_before(_port(running[POSTGRES]))),
            REDIS: stack.enter_context(proxy_before(_port(running[REDIS]))),
        }
        running[KAFKA] = _kafka(folder / KAFKA, proxies[KAFKA], (straight, behind))
        yield Servers(folder, proxies, (straight, behind), running)


def _port(server: Running) -> int:
    (address,) = server.settings.values()
    return int(address.rpartition("/")[0].rpartition(":")[2])


def _kafka(data: Path, proxy: Proxy, ports: tuple[int, int]) -> Running:
    straight, behind = ports
    return kafka.run(data, cache(), straight, {behind: proxy.port})


def _clickhouse(data: Path, http: int, native: int) -> Running:
    data.mkdir(parents=True, exist_ok=True)
    log = data / "gateways.log"
    command = [sys.executable, "-m", "tests.support.gateways", str(data / "data"), str(http), str(native)]
    url = {"DATA_PROC_CLICKHOUSE_URL": f"http://127.0.0.1:{http}/{DATABASE}"}
    server = Running("ClickHouse", start(command, log, ROOT), url, str(log))
    return wait_until(lambda: answers(http, b"GET /ping HTTP/1.0\r\n\r\n", b"HTTP/1.") and answers(native), server)
