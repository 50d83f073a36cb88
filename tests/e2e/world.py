"""The whole refinery on servers of its own: raw messages go in, four services work, tables come out."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import count, islice
from pathlib import Path
from typing import Any

import attrs
import pytest

from application.pipeline import STAGES
from application.ports.errors import Retryable
from application.queries.lag import all_done
from entrypoints.container import Container, Profile
from entrypoints.exporting import export
from entrypoints.samples.messages import SampleMessage
from entrypoints.samples.stream import Chances, sample_messages
from entrypoints.services.process import ServiceMissing
from entrypoints.settings import Settings
from tests.builders import TEN
from tests.e2e.services import Service, until
from tests.oracle.comparison import table_differences
from tests.oracle.raw import message
from tests.oracle.results import results
from tests.support.proxied import Disk, Servers, servers
from tests.support.sending import Sender

DISTURBED = Chances(repeat=0.2, correction=0.05, late=0.05, broken=0.03)
DRAINED_WITHIN_S = 180.0

IMPATIENT = {
    "DATA_PROC_ENV": "test",
    "DATA_PROC_PORT": "0",
    "DATA_PROC_CONSUMER_GROUP": "e2e",
    "DATA_PROC_KAFKA_TIMEOUT_S": "2",
    "DATA_PROC_CLICKHOUSE_TIMEOUT_S": "3",
    "DATA_PROC_POSTGRES_TIMEOUT_S": "2",
    "DATA_PROC_REDIS_TIMEOUT_S": "0.5",
    "DATA_PROC_RETRY_WAIT_S": "1",
    "DATA_PROC_SLOW_AFTER_S": "2",
    "DATA_PROC_DRAIN_S": "8",
    "DATA_PROC_PROVISIONAL_EVERY_S": "0.2",
    "DATA_PROC_METADATA_CACHE_S": "1",
    "DATA_PROC_MAX_BATCH_SIZE": "200",
    "POLARS_MAX_THREADS": "1",
}
"""What lasts long in production lasts a second here, and batches are small, so that a fault meets many."""


@attrs.define(eq=False)
class World:
    """Servers, services, and the raw messages that were sent so far."""

    servers: Servers
    folder: Path
    services: list[Service] = attrs.field(init=False, factory=list)
    container: Any = attrs.field(init=False)
    """Goes straight to the servers."""
    sender: Sender = attrs.field(init=False)
    _samples: Iterator[Any] = attrs.field(init=False)
    _numbers: Iterator[int] = attrs.field(init=False, factory=count)

    def __attrs_post_init__(self) -> None:
        self.sender = Sender(self.servers.direct["DATA_PROC_KAFKA_BOOTSTRAP"])
        self._samples = sample_messages(7, TEN, DISTURBED)
        given = {name: value for name, value in IMPATIENT.items() if name.startswith("DATA_PROC_")}
        settings = Settings.from_environment({**given, **self.servers.direct})
        self.container = Container(settings=settings, profile=Profile.DISTRIBUTED.value)

    def set_up(self) -> None:
        """Make schemas, topics and reference data."""
        self.container.migrator().up()
        self.container.sql_migrator().up()
        self.container.load_starter_set()()
        self.container.create_topics()()

    def start(self, name: str, settings: Mapping[str, str] | None = None, program: Sequence[str] = ()) -> Service:
        """
        Start a service behind the proxies: half of them speak to ClickHouse by HTTP, half natively.

        Args:
            name: Of its stage.
            settings: Beside those of this world.
            program: What runs instead of the service itself, which it has within.
        """
        native = name in {"enrichment", "projection"}
        address = self.servers.proxied_native if native else self.servers.proxied
        log = self.folder / f"{name}-{next(self._numbers)}.log"
        service = Service(name, {**IMPATIENT, **address, **(settings or {})}, log, program)
        self.services.append(service)
        return service

    def start_all(self) -> None:
        """Start one service of each stage."""
        for stage in STAGES:
            self.start(stage.name)

    def stop(self, service: Service) -> None:
        """End a service and forget it."""
        service.stop()
        self.services.remove(service)

    def close(self) -> None:
        """End the services, and let the connections go."""
        for service in self.services:
            service.stop()
        self.let_go()

    def let_go(self) -> None:
        """Let our own connections go; who asks again gets new ones."""
        self.container.clickhouse().close()
        self.container.database().close()
        self.container.redis().close()
        self.container.reset_singletons()

    def of(self, name: str) -> Service:
        """The first service of a stage."""
        return next(service for service in self.services if service.name == name)

    def feed(self, messages: int, tenant: str = "default") -> None:
        """Send the next raw messages, straight to the broker."""
        self.sender.send(self._of(tenant, sample) for sample in islice(self._samples, messages))

    @staticmethod
    def _of(tenant: str, sample: SampleMessage) -> SampleMessage:
        named = sample.value and sample.value.replace(b'"tenant_id":"default"', f'"tenant_id":"{tenant}"'.encode())
        return attrs.evolve(sample, value=named)

    def wait_until_ready(self) -> None:
        """Until every service is."""
        for service in self.services:
            until(lambda: service.ready() or not service.alive, f"{service.name} is ready")  # noqa: B023 - called at once
        self.all_alive()

    def all_alive(self) -> None:
        """Fail where a service has ended."""
        ended = {service.name: service.said()[-1500:] for service in self.services if not service.alive}
        assert not ended, ended

    def drain(self) -> None:
        """Until every stage has performed all there is."""
        read, end_s = self.container.read_lag(), time.monotonic() + DRAINED_WITHIN_S
        while not self._done(read):
            self.all_alive()
            assert time.monotonic() < end_s, f"not drained: {[row for row in read() if row.lag or row.owed]}"
            time.sleep(0.2)

    @staticmethod
    def _done(read: Any) -> bool:
        try:
            return all_done(read())
        except Retryable:
            return False

    def differences(self) -> list[str]:
        """Everything in which the tables differ from what all messages so far lead to."""
        return table_differences(self.export(), results(map(message, self.sender.lines)))

    def export(self) -> Path:
        """All tables as they stand, as files."""
        folder = self.folder / f"export-{next(self._numbers)}"
        export(self.container, folder)
        return folder

    def lines(self) -> Path:
        """All messages so far, as a file that all_in_one reads."""
        file = self.folder / f"sent-{next(self._numbers)}.jsonl"
        file.write_bytes(b"".join(self.sender.lines))
        return file


@contextmanager
def world(folder: Path, disk: Disk = nullcontext) -> Iterator[World]:
    """
    A refinery that is ended, whatever its parts are doing; services are started by whoever asks.

    Args:
        folder: Where logs and exports go.
        disk: What ClickHouse's folder lies on.
    """
    with ExitStack() as stack:
        try:
            held = World(stack.enter_context(servers(disk)), folder)
        except ServiceMissing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI=true needs the servers: {missing}")
            pytest.skip(f"a server is not there: {missing}")
        stack.callback(held.close)
        held.set_up()
        yield held
