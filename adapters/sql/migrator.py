"""
Migrations of the reference schema, by Alembic, in PostgreSQL and SQLite.

Everything pending runs in one transaction that begins with a lock: a migration cut short leaves nothing behind, and
of two migrators at once the second waits and finds the work done.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import attrs
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from sqlalchemy.engine import Connection

from adapters.sql.database import Database
from adapters.sql.errors import MIGRATE
from application.ports.errors import Fatal, SchemaBehind

SHIPPED = Path(__file__).parents[2] / "migrations" / "postgres"
LOCK = 254_254_001
"""Number of the advisory lock that migrators of one PostgreSQL database take."""
LOCK_WAIT_S = 60


@attrs.frozen
class Status:
    """Where a database stands, by names of migrations in order."""

    done: tuple[str, ...]
    pending: tuple[str, ...]


@attrs.frozen
class SqlMigrator:
    """Brings a database to the schema this program needs."""

    database: Database
    folder: Path = SHIPPED

    def status(self) -> Status:
        """
        Say what has run and what has not.

        Raises:
            Fatal: A migration has run that this program does not know: a newer one owns the database.
        """
        return self._status(self.database.reading("reading the schema's version", _current))

    def up(self) -> list[str]:
        """Run what has not run yet, in order; return it."""
        return self.database.changing("migrating", self._upgraded)

    def dry_run(self) -> str:
        """The SQL that `up` would run; empty where there is nothing to do."""
        current = self.database.reading("reading the schema's version", _current)
        if not self._status(current).pending:
            return ""
        config, written = self._config(), io.StringIO()
        config.output_buffer = written
        config.attributes["dialect"] = self.database.engine.dialect.name
        command.upgrade(config, f"{current}:head" if current else "head", sql=True)
        return written.getvalue()

    def required_version_present(self) -> None:
        """
        Check that every migration has run.

        Raises:
            SchemaBehind: The message lists what is missing and names the command.
            StoreUnavailable: The database can't be asked now.
        """
        pending = self.status().pending
        if pending:
            raise SchemaBehind(f"the reference database lacks {', '.join(pending)}; run `{MIGRATE}`")

    def _upgraded(self, connection: Connection) -> list[str]:
        if self.database.is_postgresql:
            self.database.unhurried(connection)
            # Text, not a parameter: SET takes none.
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        pending = self._status(_current(connection)).pending
        if pending:
            config = self._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return list(pending)

    def _status(self, current: str | None) -> Status:
        names = self._names()
        if current is not None and current not in names:
            raise Fatal(f"migration {current} has run here and this program does not know it; start the newer release")
        done = names.index(current) + 1 if current else 0
        return Status(tuple(names[:done]), tuple(names[done:]))

    def _names(self) -> Sequence[str]:
        try:
            revisions = list(ScriptDirectory.from_config(self._config()).walk_revisions())
        except ResolutionError as error:
            raise Fatal(f"the migrations in {self.folder} do not form one line: {error}") from error
        return [revision.revision for revision in reversed(revisions)]

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
