"""The conversation by clickhouse-connect: the engine in this process, or a server's HTTP port. Blocks travel as Arrow."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock, current_thread, main_thread
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs
import clickhouse_connect
import polars as pl
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.external import ExternalData
from urllib3.exceptions import HTTPError

from adapters.clickhouse.client import (
    CREATE_DATABASE,
    INSERTING,
    KEYS,
    Address,
    Parameters,
    quoted,
    structure,
)
from adapters.clickhouse.errors import translated, translated_insert

ARROW = "Arrow"
FAILURES = (Error, HTTPError, OSError, RuntimeError)
"""What the driver lets through: its own errors, its transport's, and those of the engine in process."""

FAULTS = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)

T = TypeVar("T")


@attrs.define
class ConnectClient:
    """
    A database by clickhouse-connect. It connects at the first call, so a service can start while the server is down.

    The engine in process must not be opened before a fork; children of this process are started with spawn.
    """

    _address: Address
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False)
    _client: Client | None = attrs.field(default=None, init=False, repr=False)

    @property
    def database(self) -> str:
        """The database that unqualified names belong to."""
        return self._address.database

    @property
    def in_process(self) -> bool:
        """Whether the engine runs in this process."""
        return self._address.parts.scheme == "chdb"

    def create_database(self) -> None:
        """Make the database, unless it is there."""
        what = f"creating database {self.database}"
        try:
            client = self._connect("")
            try:
                client.command(CREATE_DATABASE.format(quoted(self.database)))
            finally:
                client.close()
        except FAILURES as error:
            raise translated(error, what) from error

    def command(self, sql: str, parameters: Parameters | None = None, keys: pl.DataFrame | None = None) -> None:
        """Run a statement that returns nothing."""
        self._asked(sql, parameters, keys, "")

    def rows(
        self,
        sql: str,
        schema: Mapping[str, Any],
        parameters: Parameters | None = None,
        keys: pl.DataFrame | None = None,
    ) -> pl.DataFrame:
        """Run a query whose columns are named and typed as in `schema`."""
        answer = self._asked(sql, parameters, keys, ARROW)
        return pl.read_ipc(answer).cast(pl.Schema(schema))

    def insert(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows, by column name, in one block."""
        block = _arrow(rows)
        what = f"inserting {rows.height} rows into {table}"
        self._calling(
            lambda client: client.raw_insert(
                f"{quoted(self.database)}.{quoted(table)}", rows.columns, block, dict(INSERTING), ARROW
            ),
            what,
            translated_insert,
        )

    @contextmanager
    def patient(self, answer_within_s: float) -> "Iterator[ConnectClient]":
        """The same database with that patience; the engine in process is waited for anyway, and opened once."""
        if self.in_process:
            yield self
            return
        other = ConnectClient(attrs.evolve(self._address, answer_within_s=answer_within_s))
        with closing(other):
            yield other

    def close(self) -> None:
        """Let the connections go."""
        with self._lock:
            if self._client:
                self._client.close()
                self._client = None

    def _asked(self, sql: str, parameters: Parameters | None, keys: pl.DataFrame | None, fmt: str) -> bytes:
        what = f"running {sql.split(None, 1)[0]}"

        def ask(client: Client, text: str, external: ExternalData | None) -> bytes:
            told = dict(parameters or {})
            return client.raw_query(text, parameters=told, fmt=fmt or None, external_data=external)

        if keys is None:
            return self._calling(lambda client: ask(client, sql, None), what)
        if self.in_process:
            return self._calling(lambda client: _with_file(sql, keys, lambda text: ask(client, text, None)), what)
        return self._calling(lambda client: ask(client, sql.replace(KEYS, "keys"), _external(keys)), what)

    def _calling(
        self, call: Callable[[Client], T], what: str, meaning: Callable[[BaseException, str], Exception] = translated
    ) -> T:
        try:
            return call(self._connected())
        except FAILURES as error:
            raise meaning(error, what) from error

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._connect(self.database)
            return self._client

    def _connect(self, database: str) -> Client:
        parts = self._address.parts
        if self.in_process:
            Path(self._address.directory).mkdir(parents=True, exist_ok=True)
            client = clickhouse_connect.get_client(interface="chdb", path=self._address.directory)
            _die_at_once()
        else:
            client = clickhouse_connect.get_client(
                interface=parts.scheme,
                host=parts.hostname,
                port=parts.port or 0,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password or ""),
                autogenerate_session_id=False,
                form_encode_query_params=True,  # a query beside a table goes into the URL otherwise: 1 ms to encode
                connect_timeout=self._address.connect_within_s,
                send_receive_timeout=self._address.answer_within_s,
            )
        client.database = database or None
        return client


def _die_at_once() -> None:
    """The engine in process takes faults to be its own, and holds a process that met one for minutes before it ends."""
    if current_thread() is main_thread():
        for fault in FAULTS:
            signal.signal(fault, signal.SIG_DFL)


def _arrow(rows: pl.DataFrame) -> bytes:
    block = BytesIO()
    rows.write_ipc(block, compat_level=pl.CompatLevel.oldest())
    return block.getvalue()


def _external(keys: pl.DataFrame) -> ExternalData:
    columns = [f"{name} {kind}" for name, kind in structure(keys)]
    return ExternalData(file_name="keys.arrow", data=_arrow(keys), fmt=ARROW, structure=columns)


def _with_file(sql: str, keys: pl.DataFrame, ask: Callable[[str], T]) -> T:
    """The engine in process takes no tables with a query, but reads a file that stands beside it."""
    columns = ", ".join(f"{name} {kind}" for name, kind in structure(keys)).replace("'", "\\'")
    with NamedTemporaryFile(prefix="keys-", suffix=".arrow", delete=False) as file:
        file.write(_arrow(keys))
    try:
        path = file.name.replace("\\", "\\\\").replace("'", "\\'")
        return ask(sql.replace(KEYS, f"file('{path}', '{ARROW}', '{columns}')"))
    finally:
        Path(file.name).unlink()
