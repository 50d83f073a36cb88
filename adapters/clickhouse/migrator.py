"""
Numbered SQL, run once and remembered with its checksum.

A file whose text names `{interval}` is run once for each enabled bar interval, also for one enabled later. Every
statement may be run again without harm (CREATE … IF NOT EXISTS, CREATE OR REPLACE VIEW, ALTER … IF NOT EXISTS), and
what was done is written down afterwards: so a migration cut short is finished by the next run, and two migrators at
once do the same work twice and end the same. Nothing waits for a lock that a dead process could hold.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import attrs
import polars as pl

from adapters.clickhouse.client import ClickHouse, quoted
from adapters.clickhouse.errors import MIGRATE
from application.ports.errors import Fatal, SchemaBehind

SHIPPED = Path(__file__).parents[2] / "migrations" / "clickhouse"
LEDGER = "schema_migrations"
INTERVAL = "{interval}"

EXPIRING = {
    "silver_ticks": "ts",
    "enriched_ticks": "ts",
    "bar_revisions": "interval_start",
    "curves_base": "delivery_start",
    "curves_computed": "delivery_start",
    "curve_revisions": "as_of",
    "forward_ladders": "delivery_start",
    "spreads": "ts",
    "rolling_metrics": "ts",
    "metrics_processing": "ts",
}
"""Tables whose rows may expire, with the column their age is counted from; bars of each interval besides."""

_NUMBERED = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")
_DAYS = re.compile(r" TTL toDateTime\(\w+\) \+ toIntervalDay\((\d+)\)")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


class MigrationChanged(Fatal):
    """A migration that has run reads differently now."""


@attrs.frozen
class Migration:
    """One numbered file."""

    version: int
    name: str
    text: str = attrs.field(repr=False)

    @property
    def checksum(self) -> str:
        """SHA-256 of its text."""
        return sha256(self.text.encode()).hexdigest()

    def statements(self, interval: str) -> list[str]:
        """Its statements; a semicolon at the end of a line ends one."""
        text = _COMMENT.sub("", self.text).replace(INTERVAL, interval)
        return [statement.strip() for statement in re.split(r";\s*$", text, flags=re.MULTILINE) if statement.strip()]


@attrs.frozen
class Step:
    """A migration, for one interval where it is run for each."""

    migration: Migration
    interval: str
    """Empty where it is run once."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        of = f" for {self.interval}" if self.interval else ""
        return f"{self.migration.version:03d}_{self.migration.name}{of}"


@attrs.frozen
class Status:
    """Where a database stands."""

    done: tuple[Step, ...]
    pending: tuple[Step, ...]


def shipped(folder: Path = SHIPPED) -> list[Migration]:
    """
    This will read the numbered files of a folder, in order.

    Raises:
        Fatal: Two files share a number.
    """
    found = [
        Migration(int(named[1]), named[2], path.read_text(encoding="utf-8"))
        for path in sorted(folder.iterdir())
        if (named := _NUMBERED.fullmatch(path.name))
    ]
    numbers = [migration.version for migration in found]
    if len(set(numbers)) < len(numbers):
        raise Fatal(f"{folder}: two migrations share a number; give the newer one the next free number")
    return found


@attrs.frozen
class ClickHouseMigrator:
    """Brings a database to the schema this program needs."""

    client: ClickHouse
    intervals: Sequence[str]
    """Names of the enabled bar intervals."""
    migrations: Sequence[Migration] = attrs.field(factory=shipped)
    keep_days: Mapping[str, int | None] = attrs.field(factory=dict)
    """For how long rows are kept, as in `keep_for`; tables that are not named stay as they are."""

    def status(self) -> Status:
        """
        Say what has run and what has not.

        Raises:
            MigrationChanged: A file that has run reads differently now.
        """
        recorded = self._recorded()
        done: list[Step] = []
        pending: list[Step] = []
        for step in self._steps():
            checksum = recorded.get((step.migration.version, step.interval))
            if checksum not in {None, step.migration.checksum}:
                raise MigrationChanged(
                    f"{step.name} has run here with another text; restore the file, and put the change in a new one"
                )
            (done if checksum else pending).append(step)
        return Status(tuple(done), tuple(pending))

    def up(self) -> list[Step]:
        """Run what has not run yet, in order, and let rows expire as told; return what has run."""
        self.client.create_database()
        self.client.command(
            f"CREATE TABLE IF NOT EXISTS {self._ledger} (version UInt32, interval String, name String, checksum String,"
            " applied_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC'))"
            " ENGINE = ReplacingMergeTree(applied_at) ORDER BY (version, interval)"
        )
        pending = self.status().pending
        for step in pending:
            for statement in step.migration.statements(step.interval):
                self.client.command(statement)
            self._record(step)
        self.keep_for(self.keep_days)
        return list(pending)

    def dry_run(self) -> Iterator[str]:
        """The statements that `up` would run, each as one text."""
        for step in self.status().pending:
            yield from step.migration.statements(step.interval)
        yield from self._keeping(self.keep_days)

    def required_version_present(self) -> None:
        """
        Check that every migration has run; a newer database is fine.

        Raises:
            SchemaBehind: The message lists what is missing and names the command.
            MigrationChanged: A file that has run reads differently now.
            StoreUnavailable: The database can't be asked now.
        """
        pending = self.status().pending
        if pending:
            missing = ", ".join(step.name for step in pending)
            raise SchemaBehind(f"the ClickHouse database lacks {missing}; run `{MIGRATE}`")

    def keep_for(self, days: Mapping[str, int | None]) -> None:
        """
        Let rows expire, or keep them for ever, which is how tables begin.

        Args:
            days: By table; None keeps for ever. History replayed into a table that expires is gone at its next merge.

        Raises:
            Fatal: A table is named whose rows don't expire.
        """
        for statement in self._keeping(days):
            self.client.command(statement)

    def _keeping(self, days: Mapping[str, int | None]) -> Iterator[str]:
        """The statements that change for how long rows are kept; a rule that is there is left alone."""
        columns = {**EXPIRING, **{f"bars_{interval}": "interval_start" for interval in self.intervals}}
        strange = sorted(days.keys() - columns.keys())
        if strange:
            raise Fatal(f"rows of {', '.join(strange)} don't expire; those of {', '.join(sorted(columns))} may")
        kept_now = self._kept_now() if days else {}
        for table, kept in days.items():
            rule = "REMOVE TTL" if kept is None else f"MODIFY TTL toDateTime({columns[table]}) + INTERVAL {kept:d} DAY"
            if kept != kept_now.get(table):
                yield f"ALTER TABLE {quoted(self.client.database)}.{quoted(table)} {rule}"

    @property
    def _ledger(self) -> str:
        return f"{quoted(self.client.database)}.{quoted(LEDGER)}"

    def _steps(self) -> Iterator[Step]:
        for migration in self.migrations:
            intervals = self.intervals if INTERVAL in migration.text else [""]
            yield from (Step(migration, interval) for interval in intervals)

    def _kept_now(self) -> dict[str, int | None]:
        """Days after which rows of each table expire, 0 where its rule is none of ours; tables that keep them are left out."""
        sql = (
            "SELECT name, engine_full FROM system.tables"
            " WHERE database = {database:String} AND engine_full LIKE '% TTL %'"
        )
        schema = {"name": pl.String, "engine_full": pl.String}
        try:
            found = self.client.rows(sql, schema, {"database": self.client.database})
        except SchemaBehind:
            return {}
        rules = {table: _DAYS.search(engine) for table, engine in found.iter_rows()}
        return {table: int(rule[1]) if rule else 0 for table, rule in rules.items()}

    def _recorded(self) -> dict[tuple[int, str], str]:
        sql = f"SELECT version, interval, checksum FROM {self._ledger} FINAL"  # noqa: S608 (a name of ours)
        try:
            rows = self.client.rows(sql, {"version": pl.UInt32, "interval": pl.String, "checksum": pl.String})
        except SchemaBehind:
            return {}
        return {(version, interval): checksum for version, interval, checksum in rows.iter_rows()}

    def _record(self, step: Step) -> None:
        told = {
            "version": pl.Series([step.migration.version], dtype=pl.UInt32),
            "interval": [step.interval],
            "name": [step.migration.name],
            "checksum": [step.migration.checksum],
        }
        self.client.insert(LEDGER, pl.DataFrame(told))
