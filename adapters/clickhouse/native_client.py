"""The conversation by clickhouse-driver: a server's native port. Blocks travel as columns of plain values."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs
import polars as pl
from clickhouse_driver import Client
from clickhouse_driver.defines import DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS
from clickhouse_driver.errors import Error

from adapters.clickhouse.client import (
    CREATE_DATABASE,
    INSERTING,
    KEYS,
    Address,
    Parameters,
    quoted,
    structure,
)
from adapters.clickhouse.errors import QueryFailed, translated, translated_insert

FAILURES = (Error, OSError, EOFError)

T = TypeVar("T")


@attrs.define
class NativeClient:
    """A database by clickhouse-driver. Its connections carry one call at a time: as many are opened as calls meet."""

    _address: Address
    _idle: list[Client] = attrs.field(factory=list, init=False, repr=False)
    _lock: Lock = attrs.field(factory=Lock, init=False, repr=False)

    @property
    def database(self) -> str:
        """The database that unqualified names belong to."""
        return self._address.database

    def create_database(self) -> None:
        """Make the database, unless it is there."""
        try:
            client = self._connect("")
            client.execute(CREATE_DATABASE.format(quoted(self.database)))
            client.disconnect()
        except FAILURES as error:
            raise translated(error, f"creating database {self.database}") from error

    def command(self, sql: str, parameters: Parameters | None = None, keys: pl.DataFrame | None = None) -> None:
        """Run a statement that returns nothing."""
        self._asked(sql, parameters, keys)

    def rows(
        self,
        sql: str,
        schema: Mapping[str, Any],
        parameters: Parameters | None = None,
        keys: pl.DataFrame | None = None,
    ) -> pl.DataFrame:
        """Run a query whose columns are named and typed as in `schema`."""
        plain = ", ".join(_plain(name, dtype) for name, dtype in schema.items())
        columns, _ = self._asked(f"SELECT {plain} FROM ({sql})", parameters, keys)  # noqa: S608 (names of ours)
        values = columns or [[] for _ in schema]
        return pl.DataFrame(
            [_typed(name, dtype, column) for (name, dtype), column in zip(schema.items(), values, strict=True)]
        )

    def insert(self, table: str, rows: pl.DataFrame) -> None:
        """Append rows, by column name, in one block."""
        names = ", ".join(quoted(name) for name in rows.columns)
        sql = f"INSERT INTO {quoted(self.database)}.{quoted(table)} ({names}) VALUES"
        columns = [_values(rows[name]) for name in rows.columns]
        self._calling(
            lambda client: client.execute(sql, columns, columnar=True, settings=dict(INSERTING)),
            f"inserting {rows.height} rows into {table}",
            translated_insert,
        )

    def patient(self, answer_within_s: float) -> AbstractContextManager["NativeClient"]:
        """The same database by connections of its own, which wait that long for an answer."""
        return closing(NativeClient(attrs.evolve(self._address, answer_within_s=answer_within_s)))

    def close(self) -> None:
        """Let the connections go; one that carries a call is closed after it."""
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.disconnect()

    def _asked(self, sql: str, parameters: Parameters | None, keys: pl.DataFrame | None) -> Any:
        tables = None if keys is None else [_external(keys)]
        text = sql.replace(KEYS, "keys")
        return self._calling(
            lambda client: client.execute(
                text, dict(parameters or {}), external_tables=tables, columnar=True, with_column_types=True
            ),
            f"running {sql.split(None, 1)[0]}",
        )

    def _calling(
        self, call: Callable[[Client], T], what: str, meaning: Callable[[BaseException, str], Exception] = translated
    ) -> T:
        try:
            client = self._taken() or self._connect(self.database)
            with self._kept(client):
                return call(client)
        except FAILURES as error:
            raise meaning(error, what) from error

    @contextmanager
    def _kept(self, client: Client) -> Iterator[None]:
        """Keep a connection whose call succeeded; what is left on any other nobody knows, so it is closed."""
        fine = False
        try:
            yield
            fine = True
        finally:
            if not fine:
                client.disconnect()
        with self._lock:
            self._idle.append(client)

    def _taken(self) -> Client | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _connect(self, database: str) -> Client:
        parts = self._address.parts
        client = Client(
            parts.hostname,
            port=parts.port,
            database=database,
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            secure=parts.scheme == "clickhouses",
            connect_timeout=self._address.connect_within_s,
            send_receive_timeout=self._address.answer_within_s,
            sync_request_timeout=self._address.connect_within_s,
            client_name="dataproc",
            settings={"server_side_params": True},
        )
        try:
            client.connection.connect()
        except FAILURES:
            client.disconnect()
            raise
        if client.connection.server_info.used_revision < DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS:
            client.disconnect()
            raise QueryFailed(
                "the server is older than 22.8 and can't bind parameters; upgrade it, or use its HTTP port"
            )
        return client


def _external(keys: pl.DataFrame) -> dict[str, Any]:
    return {"name": "keys", "structure": structure(keys), "data": keys.to_dicts()}


def _plain(name: str, dtype: Any) -> str:
    """The driver makes floats of instants and Python objects of decimals; whole numbers and texts cross it unharmed."""
    column = quoted(name)
    if isinstance(dtype, pl.Datetime):
        return f"toUnixTimestamp64Micro({column}) AS {column}"
    if isinstance(dtype, pl.Decimal):
        return f"toString({column}) AS {column}"
    return column


def _typed(name: str, dtype: Any, values: Any) -> pl.Series:
    carrier = pl.String if isinstance(dtype, pl.Decimal) else pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
    return pl.Series(name, values, dtype=carrier).cast(dtype)


def _values(column: pl.Series) -> list[Any]:
    if isinstance(column.dtype, pl.Datetime):
        return column.to_physical().to_list()
    if isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct):
        return [[tuple(span.values()) for span in spans] for spans in column.to_list()]
    return column.to_list()
