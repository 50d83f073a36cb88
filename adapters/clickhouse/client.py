"""
One conversation with ClickHouse, over the transport that the URL's scheme picks.

    chdb:///path               the engine in this process; one process per directory    clickhouse-connect
    http://, https://          a server's HTTP port                                     clickhouse-connect
    clickhouse://, clickhouses://   a server's native port, without and with TLS        clickhouse-driver

SQL names values as `{name:Type}`, and they are bound by the engine, never written into the text. A frame of keys may
come with a query: it is the table `@keys` there, so that tens of thousands of keys cost milliseconds.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs
import polars as pl

from domain.errors import DataprocError

KEYS = "@keys"
"""Stands for the table of keys in a query's text."""

DATABASE = "dataproc"
"""Where the URL names none."""

CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS {} ENGINE = Atomic"

INSERTING: Mapping[str, str] = {"optimize_on_insert": "0"}
"""Settings of every insert: replacing within the block is left to merges and FINAL, which doubles the rows a second."""

ANSWER_WITHIN_S = 30.0
CONNECT_WITHIN_S = 10.0
"""At most; a shorter patience with answers holds for connecting too."""

Value = str | int | list[int] | list[str]
Parameters = Mapping[str, Value]


class BadAddress(DataprocError):
    """A ClickHouse URL nobody can connect to."""


class ClickHouse(Protocol):
    """
    A database. Calls are safe from any thread.

    Raises, each of them: StoreUnavailable, or one of the errors of `adapters.clickhouse.errors`.
    """

    @property
    def database(self) -> str:
        """The database that unqualified names belong to."""

    def create_database(self) -> None:
        """Make the database, unless it is there: by a connection that needs none yet."""

    def command(self, sql: str, parameters: Parameters | None = None, keys: pl.DataFrame | None = None) -> None:
        """Run a statement that returns nothing."""

    def rows(
        self,
        sql: str,
        schema: Mapping[str, Any],
        parameters: Parameters | None = None,
        keys: pl.DataFrame | None = None,
    ) -> pl.DataFrame:
        """Run a query whose columns are named and typed as in `schema`."""

    def insert(self, table: str, rows: pl.DataFrame) -> None:
        """
        Append rows, by column name, in one block: all of them or, within a partition, none.

        Raises:
            RowRefused: A row of them can't be stored.
        """

    def patient(self, answer_within_s: float) -> AbstractContextManager["ClickHouse"]:
        """The same database by connections of its own, which wait that long for an answer."""

    def close(self) -> None:
        """Let the connections go."""


@attrs.frozen
class Address:
    """A ClickHouse URL, read."""

    parts: SplitResult = attrs.field(repr=False)
    database: str
    answer_within_s: float = ANSWER_WITHIN_S
    """How long the server may say nothing before it counts as away."""

    @property
    def connect_within_s(self) -> float:
        """The same for a connection."""
        return min(CONNECT_WITHIN_S, self.answer_within_s)

    @property
    def directory(self) -> str:
        """Of the engine in process; the URL writes %23 for #, and so on."""
        return unquote(self.parts.path)

    @classmethod
    def parse(cls, url: str, answer_within_s: float = ANSWER_WITHIN_S) -> "Address":
        """
        Read a URL. Its database is named by the path of a server's URL, or by `?database=`.

        Raises:
            BadAddress: Its scheme is none of ours, or a part of it is missing.
        """
        parts = _split(url)
        if parts.scheme not in {"chdb", "http", "https", "clickhouse", "clickhouses"}:
            raise BadAddress(
                f"{parts.scheme}:// is no way to reach ClickHouse; use chdb:///path, http:// or clickhouse://"
            )
        named = dict(parse_qsl(parts.query)).get("database", "")
        if parts.scheme == "chdb":
            if not parts.path.strip("/") or parts.netloc:
                raise BadAddress("chdb needs a directory, written with three slashes: chdb:///path")
            if "?" in unquote(parts.path):
                raise BadAddress("chdb takes no directory with a ? in its path, where its options would begin")
            return cls(parts, named or DATABASE, answer_within_s)
        if not parts.hostname:
            raise BadAddress(f"{parts.scheme}:// needs a host, e.g. {parts.scheme}://127.0.0.1")
        return cls(parts, named or parts.path.strip("/") or DATABASE, answer_within_s)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - read for its refusal
    except ValueError:
        raise BadAddress("a ClickHouse URL names a port from 0 to 65535 after its host, or none") from None
    return parts


def quoted(name: str) -> str:
    """
    A name as SQL writes it.

    Raises:
        BadAddress: It is none that we give: letters, digits and underscores.
    """
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise BadAddress(
            f"{name!r} is no name of a table, column or database here; use letters, digits and underscores"
        )
    return f"`{name}`"


def structure(keys: pl.DataFrame) -> list[tuple[str, str]]:
    """The columns of a frame of keys, with their ClickHouse types."""
    return [(name, _KEY_TYPES[dtype]) for name, dtype in keys.schema.items()]


_KEY_TYPES: Mapping[Any, str] = {
    pl.String(): "String",
    pl.Int64(): "Int64",
    pl.Datetime("us", "UTC"): "DateTime64(6, 'UTC')",
}
