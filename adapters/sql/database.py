"""A database reached through SQLAlchemy: bounded in connections and in time, errors told in the port's words."""

import json
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import attrs
import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from adapters.sql.errors import is_conflict, translated
from application.ports.errors import Fatal

T = TypeVar("T")

ATTEMPTS = 4
"""Of one transaction that others are in the way of: once, and three times again."""
FIRST_WAIT_S = 0.02
GRACE_S = 1.0
"""For an answer to travel, beyond the time its statement may take."""
UNHURRIED_S = 3600.0
"""For a statement of a migration."""
READING = "dataproc_reading"


@attrs.frozen(kw_only=True)
class Bounds:
    """How much of a database a process may take."""

    connections: int = 5
    """At once; who comes later waits."""
    connection_wait_s: float = 5.0
    """For a free connection."""
    connect_s: float = 5.0
    """For the database to answer at all."""
    statement_s: float = 5.0
    """For one statement."""
    idle_in_transaction_s: float = 30.0
    """Before the database ends a transaction nobody goes on with."""

    @classmethod
    def answering_within(cls, seconds: float) -> "Bounds":
        """Bounds under which a database that says nothing for so long counts as away."""
        return cls(connection_wait_s=seconds, connect_s=seconds, statement_s=seconds)


@attrs.frozen
class Database:
    """One database."""

    engine: Engine = attrs.field(repr=False)

    @classmethod
    def at(cls, dsn: str, bounds: Bounds = Bounds()) -> "Database":
        """
        Reach the database at this address; nothing is connected yet.

        Args:
            dsn: `postgresql://user:password@host:port/name` (options such as `sslmode=verify-full` after a `?`), or
                `sqlite:///path`, in which %23 is a #, and so on.
            bounds: How much of it to take.

        Raises:
            Fatal: It is no such address.
        """
        url = _url(dsn)
        return cls(_postgresql(url, bounds) if url.get_backend_name() == "postgresql" else _sqlite(url, bounds))

    def reading(self, what: str, work: Callable[[Connection], T]) -> T:
        """Do something that changes nothing, beside whoever writes. Errors as in `changing`."""
        return self._performed(self.engine.execution_options(**{READING: True}), what, work)

    def changing(self, what: str, work: Callable[[Connection], T]) -> T:
        """
        Do something in one transaction: all of it happens, or nothing.

        Args:
            what: Names it in errors.
            work: May be called again where other transactions were in the way.

        Raises:
            StoreUnavailable: The database is away or busy; nothing is promised.
            Fatal: It will never do this: Denied, SchemaBehind or QueryFailed.
        """
        return self._performed(self.engine, what, work)

    @staticmethod
    def _performed(engine: Engine, what: str, work: Callable[[Connection], T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with engine.begin() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                if attempt == ATTEMPTS or not is_conflict(error):
                    raise translated(error, what) from error
                time.sleep(FIRST_WAIT_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def unhurried(connection: Connection) -> None:
        """Let statements on this connection take as long as they need; it is closed after use."""
        connection.detach()
        own = connection.connection.driver_connection
        if isinstance(own, ImpatientConnection):
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            own.answer_within_s = UNHURRIED_S

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL; otherwise SQLite."""
        return self.engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()


def among(connection: Connection, column: "sa.ColumnElement[str]", values: Collection[str]) -> "sa.ColumnElement[bool]":
    """Whether a column holds one of these texts. They travel as one value, for a statement takes some 30,000 at most."""
    if connection.dialect.name == "postgresql":
        # Joined, for `= ANY` may compare each row with each text.
        return column.in_(sa.select(sa.func.unnest(sa.bindparam(None, list(values), type_=ARRAY(sa.Text)))))
    listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def _url(dsn: str) -> URL:
    try:
        url = make_url(dsn)
    except ArgumentError as error:
        raise Fatal("DATA_PROC_POSTGRES_DSN is no address of a database; write postgresql://user@host/name") from error
    if url.drivername in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise Fatal(f"{url.drivername}: reference data lives in postgresql:// or sqlite:///")


def _postgresql(url: URL, bounds: Bounds) -> Engine:
    limits = {
        "timezone": "UTC",
        "statement_timeout": round(bounds.statement_s * 1000),
        "lock_timeout": round(bounds.statement_s * 1000),
        "idle_in_transaction_session_timeout": round(bounds.idle_in_transaction_s * 1000),
    }
    engine = sa.create_engine(
        url,
        pool_size=bounds.connections,
        max_overflow=0,
        pool_timeout=bounds.connection_wait_s,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": max(2, round(bounds.connect_s)),
            "application_name": "dataproc",
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
            # A server that vanishes without a word is noticed within about this long.
            "tcp_user_timeout": round(2000 * bounds.statement_s),
        },
    )
    # The database ends a slow statement itself; one that takes the question and never answers is given up here.

    def connect(_dialect: Any, _record: Any, given: Any, named: Any) -> ImpatientConnection:
        connection = ImpatientConnection.connect(*given, **named)
        connection.answer_within_s = bounds.statement_s + GRACE_S
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is given up, and closed, where the server says nothing for too long."""

    answer_within_s: float = UNHURRIED_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, no longer than allowed. Raises OperationalError."""
        try:
            return super().wait(gen, interval, self.answer_within_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if timeout is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


def _sqlite(url: URL, bounds: Bounds) -> Engine:
    engine = sa.create_engine(
        url,
        poolclass=sa.pool.QueuePool,
        pool_size=bounds.connections,
        max_overflow=0,
        pool_timeout=bounds.connection_wait_s,
        hide_parameters=True,
        connect_args={"timeout": bounds.statement_s, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # The driver itself begins too late for CREATE TABLE, and reads before it locks: two migrators would both run.
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
