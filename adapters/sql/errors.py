"""
What errors of a database mean to us.

    transient      away, busy, restarting, out of connections or time: StoreUnavailable
    conflict       two transactions in each other's way: tried again here, a few times
    the account    wrong password, no such database, no right to do it: Denied
    the schema     a table or column is missing: SchemaBehind, whose message names the command that helps
    anything else  QueryFailed, Fatal
"""

import re

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from application.ports.errors import Denied, Fatal, PortError, SchemaBehind, StoreUnavailable

MIGRATE = "dataproc migrate up"
LOAD = "dataproc reference load"
TOLD_CHARACTERS = 400
DATABASE = "postgres"
"""What readiness calls the reference database."""

CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock."""
OF_THE_ACCOUNT = ("28", "3D", "42501")
"""SQLSTATE begins: authorization, unknown database, insufficient privilege."""
OF_THE_SCHEMA = ("42P01", "42703", "3F000")
TRANSIENT = ("08", "25006", "40", "53", "55P03", "57", "58")
"""Connection, read-only standby, rollback, resources, lock timeout, cancelled or shutting down, system."""

_REFUSED_LOGIN = re.compile(
    r"authentication failed|role \".*\" does not exist|no pg_hba.conf entry|no password supplied"
)
_NO_DATABASE = re.compile(r"database \".*\" does not exist")
_SQLITE_SCHEMA = re.compile(r"no such (table|column)")
_SQLITE_BUSY = re.compile(r"locked|busy|disk is full|disk I/O error")


class QueryFailed(Fatal):
    """The database refused a statement for a reason that waiting does not change."""


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE an error carries; empty where it has none."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def is_conflict(error: BaseException) -> bool:
    """Whether the same transaction, tried again, may simply succeed."""
    return sqlstate(error) in CONFLICTS


def translated(error: SQLAlchemyError, what: str) -> PortError:
    """
    Say in the port's words what a failed call means.

    Args:
        error: What SQLAlchemy raised.
        what: What was being done, for the message.
    """
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"{what}: every connection is in use", DATABASE)
    told = _told(error)
    state = sqlstate(error)
    if state.startswith(OF_THE_SCHEMA) or _SQLITE_SCHEMA.search(told):
        return SchemaBehind(f"{what}: the database is not as this program needs it ({told}); run `{MIGRATE}`")
    if state.startswith(OF_THE_ACCOUNT) or _REFUSED_LOGIN.search(told) or _NO_DATABASE.search(told):
        return Denied(
            f"{what}: the database does not let this account in or do this ({told}); "
            "check DATA_PROC_POSTGRES_DSN and the grants in migrations/postgres/roles.sql"
        )
    if _is_transient(error, state, told):
        return StoreUnavailable(f"{what}: the database can't do it now: {told}", DATABASE)
    return QueryFailed(f"{what}: the database refuses it: {told}")


def _is_transient(error: SQLAlchemyError, state: str, told: str) -> bool:
    if state:
        return state.startswith(TRANSIENT)
    if not isinstance(error, DBAPIError):
        return False
    if type(error.orig).__module__.startswith("sqlite3"):
        return _SQLITE_BUSY.search(told) is not None
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _told(error: SQLAlchemyError) -> str:
    """The driver's own message in one line: never the statement's parameters, never an address with a password."""
    own = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(own).split())[:TOLD_CHARACTERS]
