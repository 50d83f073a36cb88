"""One request's session with the engine in this process: what the two test gateways in front of chDB share."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import attrs
import chdb

UNKNOWN_CODE = 1002
"""What ClickHouse calls an error of no other number."""

_CODE = re.compile(r"Code: (\d+)\. ?(?:DB::Exception: )?(.*)", re.DOTALL)
_NAME = re.compile(r"\w+")
_INSERT = re.compile(r"(?is)\s*(INSERT\s+INTO\s+.+?)\s+(?:SETTINGS\s+(.+?)\s+)?FORMAT\s+(\w+)\s*;?\s*")


class EngineRefused(Exception):
    """The engine answered with an error; `code` and `told` are ClickHouse's."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        found = _CODE.search(str(error))
        self.code = int(found[1]) if found else UNKNOWN_CODE
        self.told = found[2] if found else str(error)


@attrs.frozen
class Session:
    """A connection with its own settings, current database and temporary tables."""

    connection: Any

    def use(self, database: str) -> None:
        """Make unqualified names belong to this database."""
        if database:
            self._query(f"USE `{database}`")

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings until the session ends."""
        for name, value in settings.items():
            if _NAME.fullmatch(name):
                self._query(f"SET {name} = {text(value)}")

    def table(self, name: str, structure: str, fmt: str, block: bytes) -> None:
        """Put a table beside the next queries."""
        self._query(f"CREATE TEMPORARY TABLE {name} ({structure})")
        with file_of(block) as path:
            self._query(f"INSERT INTO {name} FROM INFILE {text(path)} FORMAT {fmt}")

    def drop(self, name: str) -> None:
        """Take such a table away."""
        self._query(f"DROP TABLE IF EXISTS {name}")

    def answer(self, sql: str, fmt: str, parameters: Mapping[str, str]) -> bytes:
        """Run a statement; its answer in this format."""
        return bytes(self._query(sql, fmt, parameters).bytes() or b"")

    def insert(self, statement: str, block: bytes) -> None:
        """Run `INSERT INTO … FORMAT …` with its rows."""
        parts = _INSERT.fullmatch(statement)
        if parts is None:
            raise EngineRefused(ValueError(f"Code: 62. DB::Exception: no insert with a format: {statement[:80]}"))
        settings = f" SETTINGS {parts[2]}" if parts[2] else ""
        with file_of(block) as path:
            self._query(f"{parts[1]} FROM INFILE {text(path)}{settings} FORMAT {parts[3]}")

    def columns(self, sql: str, parameters: Mapping[str, str]) -> list[tuple[str, str]]:
        """Names and types of a query's columns."""
        told = self.answer(f"DESCRIBE ({sql}) SETTINGS describe_compact_output = 1", "JSONCompactEachRow", parameters)
        return [tuple(json.loads(line)) for line in told.splitlines()]

    def _query(self, sql: str, fmt: str = "TabSeparated", parameters: Mapping[str, str] | None = None) -> Any:
        try:
            return self.connection.query(sql, fmt, params=dict(parameters or {}))
        except RuntimeError as error:  # ChdbError is one, and may exist twice where the package was imported twice
            raise EngineRefused(error) from error


@contextmanager
def session(path: str) -> Iterator[Session]:
    """A session with the engine on this directory."""
    connection = chdb.connect(path)
    try:
        yield Session(connection)
    finally:
        connection.close()


@contextmanager
def file_of(block: bytes) -> Iterator[str]:
    """A file that holds these bytes for a while."""
    with NamedTemporaryFile(delete=False) as file:
        file.write(block)
    try:
        yield file.name
    finally:
        Path(file.name).unlink()


def text(value: str) -> str:
    """A value as SQL writes it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
