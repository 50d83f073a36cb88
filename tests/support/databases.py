"""Reference databases for tests: each with the schema, and nothing in it."""

import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from adapters.memory.reference import reference_from
from adapters.sql.database import Bounds, Database
from adapters.sql.migrator import SqlMigrator
from adapters.sql.reference_store import SqlReferenceStore
from application.commands.load_reference import LoadReference
from tests.support.services import service

KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.services))
"""For fixtures that are to run on both."""

ORDINARY = Bounds()
ORDINARY = Bounds()
_NUMBERS = itertools.count()


def postgres_dsn(database: str = "postgres", user: str = "postgres") -> str:
    """Address of a database of the session's server."""
    url = make_url(service("postgres").settings["DATA_PROC_POSTGRES_DSN"])
    return url.set(database=database, username=user).render_as_string(hide_password=False)


def administer(*statements: str, database: str = "postgres") -> None:
    """Run statements as the superuser, outside any transaction."""
    engine = sa.create_engine(postgres_dsn(database).replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            # The driver's own cursor: a percent sign stays one, and there may be several statements.
            connection.connection.cursor().execute(statement)
    engine.dispose()


@functools.cache
def _template() -> str:
    """A database with the schema that others are copied from: made once, it saves each test the migrations."""
    name = f"template_{os.getpid()}"
    administer(f"CREATE DATABASE {name}")
    with _open(postgres_dsn(name)) as database:
        SqlMigrator(database).up()
    return name


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Address of a database without a schema."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'reference.sqlite'}"
        return
    with _postgres("") as dsn:
        yield dsn


@contextmanager
def reference_database(kind: str, folder: Path, bounds: Bounds = ORDINARY) -> Iterator[Database]:
    """A database with the schema."""
    if kind == "sqlite":
        with _open(f"sqlite:///{folder / 'reference.sqlite'}", bounds) as database:
            SqlMigrator(database).up()
            yield database
        return
    with _postgres(f"TEMPLATE {_template()}") as dsn, _open(dsn, bounds) as database:
        yield database


@contextmanager
def _postgres(template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    administer(f"CREATE DATABASE {name} {template}")
    try:
        yield postgres_dsn(name)
    finally:
        administer(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _open(dsn: str, bounds: Bounds = ORDINARY) -> Iterator[Database]:
    database = Database.at(dsn, bounds)
    try:
        yield database
    finally:
        database.close()


def loaded(database: Database, *files: Path) -> Database:
    """The database with what these files say."""
    command = LoadReference(SqlReferenceStore(database))
    command.apply(command.plan(reference_from(files)))
    return database
