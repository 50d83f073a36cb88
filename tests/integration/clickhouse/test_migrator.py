"""Migrations run once, may be repeated, and are missed by name."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import attrs
import polars as pl
import pytest

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.connecting import connect
from adapters.clickhouse.migrator import SHIPPED, ClickHouseMigrator, Migration, MigrationChanged, shipped
from adapters.clickhouse.tick_table import ClickHouseTickTable
from application.ports.errors import Fatal, SchemaBehind
from tests.builders import tick, ticks
from tests.support.chdb_session import EngineRefused, Session, session
from tests.support.clickhouse import TRANSPORTS, url_of

HARMLESS = re.compile(
    r"CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE VIEW|ALTER TABLE \w+\s+ADD (COLUMN|INDEX) IF NOT EXISTS"
)

Opened = Callable[[str, str], ClickHouse]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Makes clients of databases that do not exist yet, by transport and name."""
    clients: list[ClickHouse] = []

    def client(transport: str, name: str) -> ClickHouse:
        clients.append(connect(f"{url_of(transport)}?database={name}"))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


@pytest.fixture(params=TRANSPORTS)
def empty(opened: Opened, request: pytest.FixtureRequest) -> ClickHouse:
    """A database that does not exist yet."""
    return opened(request.param, f"empty_{re.sub('[^a-z0-9]', '_', request.node.name.lower())}")


def test_a_new_database_lacks_everything_and_says_which_command_helps(empty: ClickHouse) -> None:
    migrator = ClickHouseMigrator(empty, ["5m", "1h"])
    assert migrator.status().done == ()
    with pytest.raises(SchemaBehind, match=r"lacks 001_ticks, 002_bars for 5m, 002_bars for 1h.*`dataproc migrate up`"):
        migrator.required_version_present()
    with pytest.raises(SchemaBehind, match="dataproc migrate up"):
        ClickHouseTickTable(empty).upsert(ticks(tick()))


def test_up_runs_what_is_pending_once(empty: ClickHouse) -> None:
    migrator = ClickHouseMigrator(empty, ["5m"])
    ran = [step.name for step in migrator.up()]
    assert ran[:2] == ["001_ticks", "002_bars for 5m"]
    assert migrator.up() == []
    assert migrator.status().pending == ()
    migrator.required_version_present()
    ClickHouseTickTable(empty).upsert(ticks(tick()))


def test_an_interval_enabled_later_gets_its_tables(opened: Opened) -> None:
    client = opened("chdb", "later")
    ClickHouseMigrator(client, ["5m"]).up()
    steps = [step.name for step in ClickHouseMigrator(client, ["5m", "15m"]).up()]
    assert steps == ["002_bars for 15m", "008_bar_known_at for 15m"]


def test_a_dry_run_tells_the_statements_and_changes_nothing(opened: Opened) -> None:
    client = opened("chdb", "dry")
    migrator = ClickHouseMigrator(client, ["5m"])
    statements = list(migrator.dry_run())
    assert any(statement.startswith("CREATE TABLE IF NOT EXISTS bars_5m") for statement in statements)
    assert len(migrator.status().pending) == len(shipped())


def test_a_changed_file_is_refused(opened: Opened) -> None:
    client = opened("chdb", "changed")
    first = Migration(1, "first", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x;\n")
    ClickHouseMigrator(client, [], [first]).up()
    with pytest.raises(MigrationChanged, match="001_first has run here with another text"):
        ClickHouseMigrator(client, [], [attrs.evolve(first, text=f"{first.text}-- more\n")]).status()


def test_a_newer_database_is_fine(opened: Opened) -> None:
    client = opened("chdb", "newer")
    ClickHouseMigrator(client, ["5m"]).up()
    ClickHouseMigrator(client, ["5m"], shipped()[:2]).required_version_present()


def test_a_migration_cut_short_is_finished_by_the_next_run(opened: Opened) -> None:
    client = opened("chdb", "halfway")
    migrator = ClickHouseMigrator(client, ["5m"])
    client.create_database()
    for statement in list(migrator.dry_run())[:3]:
        client.command(statement)
    assert len(migrator.up()) == len(shipped())
    migrator.required_version_present()


@pytest.mark.parametrize("transport", ["http", "native"])
def test_two_migrators_at_once_end_as_one(opened: Opened, transport: str) -> None:
    name = f"twice_{transport}"
    migrators = [ClickHouseMigrator(opened(transport, name), ["5m", "1h"]) for _ in range(2)]
    runs = [Thread(target=migrator.up) for migrator in migrators]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [migrator.status().pending for migrator in migrators] == [(), ()]


def test_rows_expire_only_where_that_is_asked_for(opened: Opened) -> None:
    client = opened("chdb", "expiring")
    migrator = ClickHouseMigrator(client, ["5m"])
    migrator.up()
    told = []
    for days in ({"silver_ticks": 365, "bars_5m": 1095}, {"silver_ticks": None}, {"silver_ticks": None}):
        migrator.keep_for(days)
        told.append([_expires(client, "silver_ticks"), _expires(client, "bars_5m")])
    assert told == [[True, True], [False, True], [False, True]]
    with pytest.raises(Fatal, match="rows of served_latest don't expire"):
        migrator.keep_for({"served_latest": 3})


def test_rows_expire_as_the_settings_say_once_it_has_run(opened: Opened) -> None:
    client = opened("chdb", "expiring_by_setting")
    plain = ClickHouseMigrator(client, ["5m"])
    keeping = attrs.evolve(plain, keep_days={"silver_ticks": 400})
    altered = "ALTER TABLE `expiring_by_setting`.`silver_ticks` MODIFY TTL toDateTime(ts) + INTERVAL 400 DAY"
    assert list(keeping.dry_run())[-1] == altered
    keeping.up()
    assert _expires(client, "silver_ticks")
    assert list(keeping.dry_run()) == []
    plain.up()
    assert _expires(client, "silver_ticks")
    client.command("ALTER TABLE `expiring_by_setting`.`silver_ticks` MODIFY TTL toDateTime(ts) + INTERVAL 9 WEEK")
    assert list(keeping.dry_run()) == [altered]
    attrs.evolve(plain, keep_days={"silver_ticks": None}).up()
    assert not _expires(client, "silver_ticks")


def _expires(client: ClickHouse, table: str) -> bool:
    asked = {"database": client.database, "table": table}
    sql = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}"
    return " TTL " in client.rows(sql, {"engine_full": pl.String}, asked)["engine_full"].item()


def test_files_are_numbered_without_gaps_and_may_run_again() -> None:
    found = shipped()
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    statements = [statement for migration in found for statement in migration.statements("5m")]
    assert [statement for statement in statements if not HARMLESS.match(statement)] == []


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    for name in ("001_a.sql", "001_b.sql", "users.sql"):
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(Fatal, match="share a number"):
        shipped(tmp_path)


def test_the_accounts_are_written_in_sql_that_the_engine_understands() -> None:
    text = re.sub(r"^\s*--.*$", "", (SHIPPED / "users.sql").read_text(encoding="utf-8"), flags=re.MULTILINE)
    statements = [part.strip() for part in re.split(r";\s*$", text, flags=re.MULTILINE) if part.strip()]
    assert len(statements) > 15
    with session(folder_of_chdb()) as engine:
        codes = {_refusal(engine, statement) for statement in statements}
    # chDB has no accounts: it reads each statement and then lacks the right (497) or the role (511), never the grammar (62).
    assert codes <= {497, 511}


def _refusal(engine: Session, statement: str) -> int:
    passwords = {"writer": "w", "reader": "r", "migrator": "m"}
    try:
        engine.answer(statement, "TabSeparated", passwords)
    except EngineRefused as error:
        return error.code
    return 0


def folder_of_chdb() -> str:
    """The directory the session's engine is open on; a process has one only."""
    return url_of("chdb").removeprefix("chdb://")
