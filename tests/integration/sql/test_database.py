"""A reference database, and what goes wrong with it: migrations, loads, roles, limits in time and number."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection, make_url

from adapters.memory.reference import reference_from
from adapters.memory.reference_files import SHIPPED
from adapters.sql import schema
from adapters.sql.database import Bounds, Database
from adapters.sql.errors import QueryFailed
from adapters.sql.instrument_catalog import SqlInstrumentCatalog
from adapters.sql.logic_epoch import SqlLogicEpoch
from adapters.sql.migrator import SHIPPED as MIGRATIONS
from adapters.sql.migrator import SqlMigrator
from adapters.sql.policies import SqlPolicies
from adapters.sql.price_limits import SqlPriceLimits
from adapters.sql.reference_store import SqlReferenceStore
from application.commands.load_reference import LoadReference
from application.ports.errors import Denied, Fatal, SchemaBehind, StoreUnavailable
from application.ports.reference_store import StaleReference
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import FOREVER, InstrumentKey
from entrypoints.services.process import free_port
from tests.support.databases import KINDS, administer, empty_database, loaded, postgres_dsn, reference_database
from tests.support.proxy import Mode, proxy_before

ALL = ("0001_reference", "0002_curves", "0003_jobs", "0004_metadata_floor")
FILES = sorted(SHIPPED.glob("*.yaml"))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def empty(kind: str, tmp_path: Path) -> Iterator[Database]:
    with empty_database(kind, tmp_path) as dsn:
        database = Database.at(dsn)
        yield database
        database.close()


@pytest.fixture
def database(kind: str, tmp_path: Path) -> Iterator[Database]:
    with reference_database(kind, tmp_path) as found:
        yield found


def executed(statement: str, connection: Connection) -> object:
    return connection.execute(sa.text(statement))


class TestMigrations:
    def test_what_is_pending_is_told_then_done(self, empty: Database) -> None:
        migrator = SqlMigrator(empty)
        assert (migrator.status().done, migrator.status().pending) == ((), ALL)
        assert migrator.up() == list(ALL)
        assert (migrator.status().done, migrator.status().pending) == (ALL, ())
        assert migrator.up() == []

    def test_a_dry_run_tells_the_sql_and_does_nothing(self, empty: Database) -> None:
        migrator = SqlMigrator(empty)
        told = migrator.dry_run()
        assert all(f"CREATE TABLE {table}" in told for table in schema.metadata.tables)
        assert migrator.status().pending == ALL
        migrator.up()
        assert migrator.dry_run() == ""

    def test_an_older_schema_is_refused_with_the_command_to_run(self, empty: Database) -> None:
        migrator = SqlMigrator(empty)
        with pytest.raises(SchemaBehind, match=r"lacks 0001_reference, .* run `dataproc migrate"):
            migrator.required_version_present()
        migrator.up()
        migrator.required_version_present()

    def test_a_newer_schema_is_refused(self, database: Database) -> None:
        with database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '0099_tomorrow'"))
        with pytest.raises(Fatal, match="0099_tomorrow has run here and this program does not know it"):
            SqlMigrator(database).status()

    def test_the_migrations_make_what_the_program_declares(self, database: Database) -> None:
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, schema.metadata) == []

    def test_of_migrators_at_once_one_does_the_work(self, empty: Database) -> None:
        done: list[list[str]] = []
        migrators = [Thread(target=lambda: done.append(SqlMigrator(empty).up())) for _ in range(3)]
        for migrator in migrators:
            migrator.start()
        for migrator in migrators:
            migrator.join()
        assert sorted(done) == [[], [], list(ALL)]

    def test_a_migration_cut_short_leaves_nothing_behind(self, empty: Database, tmp_path: Path) -> None:
        broken = tmp_path / "migrations"
        (broken / "versions").mkdir(parents=True)
        for path in (*MIGRATIONS.glob("*.*"), *MIGRATIONS.glob("versions/*.py")):
            (broken / path.relative_to(MIGRATIONS)).write_text(path.read_text())
        last = broken / "versions" / f"{ALL[-1]}.py"
        last.write_text(last.read_text() + '    op.execute("CREATE TABLE nonsense (")\n')
        with pytest.raises(Fatal):
            SqlMigrator(empty, broken).up()
        assert SqlMigrator(empty).status().pending == ALL
        assert SqlMigrator(empty).up() == list(ALL)


class TestLoads:
    def test_what_was_loaded_is_held_and_loading_it_again_changes_nothing(self, database: Database) -> None:
        given = reference_from(FILES)
        loaded(database, *FILES)
        held = SqlReferenceStore(database).held()
        assert (held, held.load, SqlReferenceStore(database).loads()) == (given, 1, 1)
        assert LoadReference(SqlReferenceStore(database)).plan(given, prune=True).changes == []

    def test_a_change_replaces_a_name_and_prunes_what_goes(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "instruments.yaml"
        file.write_text("version: 1\ngroups: [{instruments: [A, B], commodity: oil}]")
        loaded(database, file)
        file.write_text("version: 2\ngroups: [{instruments: [A], commodity: gas}]")
        command = LoadReference(SqlReferenceStore(database))
        command.apply(command.plan(reference_from([file]), prune=True))
        found = SqlReferenceStore(database).held()
        assert {key[1]: [entry.commodity for entry in entries] for key, entries in found.entries.items()} == {
            "A": ["gas"]
        }
        (history,) = SqlInstrumentCatalog(database).lookup([InstrumentKey("default", "A")]).values()
        assert [(one.commodity, one.metadata_version) for one in history] == [("gas", 2)]

    def test_what_was_asked_before_anything_was_loaded_is_behind_the_first_load(
        self, database: Database, tmp_path: Path
    ) -> None:
        catalog, keys = SqlInstrumentCatalog(database), [InstrumentKey("default", name) for name in "AB"]
        before = catalog.lookup(keys)
        file = tmp_path / "instruments.yaml"
        file.write_text("version: 1\ngroups: [{instruments: [A], commodity: oil}]")
        loaded(database, file)
        after = catalog.lookup(keys)
        assert [found[key][0].metadata_version for found in (before, after) for key in keys] == [0, 0, 1, 1]

    def test_what_did_not_change_keeps_its_version(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "instruments.yaml"
        file.write_text("version: 1\ngroups: [{instruments: [A, B], commodity: oil}]")
        loaded(database, file)
        file.write_text("version: 2\ngroups: [{instruments: [A], commodity: oil}, {instruments: [B], commodity: gas}]")
        loaded(database, file)
        keys = [InstrumentKey("default", name) for name in "AB"]
        found = SqlInstrumentCatalog(database).lookup(keys)
        assert [found[key][0].metadata_version for key in keys] == [1, 2]

    def test_of_two_loads_worked_out_at_once_the_second_is_refused(self, database: Database) -> None:
        command = LoadReference(SqlReferenceStore(database))
        one, other = command.plan(reference_from(FILES)), command.plan(reference_from(FILES))
        command.apply(one)
        with pytest.raises(StaleReference):
            command.apply(other)
        assert SqlReferenceStore(database).held().load == 1

    def test_a_load_that_fails_changes_nothing(self, database: Database) -> None:
        store = SqlReferenceStore(database)
        plan = LoadReference(store).plan(reference_from(FILES))
        with pytest.raises(QueryFailed):
            store.write([*plan.changes, plan.changes[-1]], 0, 0)
        assert (store.held().load, store.held().entries) == (0, {})

    def test_a_tenants_own_alias_comes_first(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "instruments.yaml"
        file.write_text("version: 1\ngroups: [{instruments: [A], commodity: oil}, {instruments: [B], commodity: gas}]")
        loaded(database, file)
        rows = [
            {"tenant_id": tenant, "alias": "X", "stands_for": name, "valid_from": BEGINNING, "valid_until": FOREVER}
            for tenant, name in (("*", "A"), ("acme", "B"))
        ]
        with database.engine.begin() as connection:
            connection.execute(sa.insert(schema.aliases), rows)
        keys = [InstrumentKey(tenant, "X") for tenant in ("acme", "default")]
        found = SqlInstrumentCatalog(database).lookup(keys)
        assert [found[key][0].commodity for key in keys] == ["gas", "oil"]

    def test_an_alias_may_stand_for_one_whose_location_is_an_alias(self, database: Database, tmp_path: Path) -> None:
        instruments, aliases = tmp_path / "instruments.yaml", tmp_path / "aliases.yaml"
        instruments.write_text(
            "version: 1\ngroups: [{market: MISO, kinds: [LMP], locations: [TEXAS.HUB], commodity: power}]"
        )
        aliases.write_text("instruments: {HUB: MISO.LMP.RT.TX}\nlocations: {MISO: {TX: TEXAS.HUB}}")
        key = InstrumentKey("default", "HUB")
        assert SqlInstrumentCatalog(loaded(database, instruments, aliases)).lookup([key])[key][0].commodity == "power"

    def test_thousands_of_instruments_are_looked_up_at_once(self, database: Database, tmp_path: Path) -> None:
        file = tmp_path / "instruments.csv"
        rows = "\n".join(f"MISO,LMP,NODE{number},power" for number in range(2_000))
        file.write_text(f"market,kinds,locations,commodity\n{rows}\n")
        loaded(database, file)
        keys = [InstrumentKey("default", f"MISO.LMP.RT.NODE{number}") for number in range(40_000)]
        found = SqlInstrumentCatalog(database).lookup(keys)
        assert sum(history[0].commodity == "power" for history in found.values()) == 2_000


class TestTrouble:
    def test_a_missing_table_is_a_schema_that_lies_behind(self, empty: Database) -> None:
        for ask in (SqlPolicies(empty).feeds, SqlPriceLimits(empty).limits, SqlLogicEpoch(empty).highest):
            with pytest.raises(SchemaBehind, match="run `dataproc migrate"):
                ask()

    def test_connections_are_bounded_and_who_waits_too_long_is_told(self, kind: str, tmp_path: Path) -> None:
        bounds = Bounds(connections=1, connection_wait_s=0.1)
        with (
            reference_database(kind, tmp_path, bounds) as database,
            database.engine.connect(),
            pytest.raises(StoreUnavailable, match="every connection is in use"),
        ):
            SqlLogicEpoch(database).highest()

    def test_limits_last_read_count_while_the_database_is_away(self, tmp_path: Path) -> None:
        now = [0.0]
        with reference_database("sqlite", tmp_path, Bounds(connections=1, connection_wait_s=0.05)) as database:
            limits = SqlPriceLimits(loaded(database, *FILES), stale_s=3600, monotonic_s=lambda: now[0])
            with database.engine.connect(), pytest.raises(StoreUnavailable):
                limits.limits()
            read = limits.limits()
            with database.engine.connect():
                now[0] = 3600
                assert limits.limits() == read
                now[0] = 3601
                with pytest.raises(StoreUnavailable):
                    limits.limits()

    def test_an_address_nobody_understands_is_told_without_its_password(self) -> None:
        for dsn in ("mysql://u:secret@h/x", "nonsense secret"):
            with pytest.raises(Fatal) as refused:
                Database.at(dsn)
            assert "secret" not in str(refused.value)

    def test_a_sqlite_file_that_another_writes_to_is_busy(self, tmp_path: Path) -> None:
        with (
            reference_database("sqlite", tmp_path, Bounds(statement_s=0.1)) as database,
            reference_database("sqlite", tmp_path) as other,
            other.engine.begin(),
        ):
            with pytest.raises(StoreUnavailable, match="locked"):
                SqlLogicEpoch(database).mark(1)
            assert SqlLogicEpoch(database).highest() == 0


@pytest.mark.services
class TestPostgres:
    def test_a_server_that_is_away(self) -> None:
        database = Database.at(f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
        with pytest.raises(StoreUnavailable) as away:
            SqlLogicEpoch(database).highest()
        assert "secret" not in str(away.value)
        database.close()

    @pytest.mark.parametrize(("name", "user"), [("no_such_database", "postgres"), ("postgres", "no_such_user")])
    def test_who_is_not_let_in_is_told(self, name: str, user: str) -> None:
        database = Database.at(postgres_dsn(name, user))
        with pytest.raises(Denied, match=r"check DATA_PROC_POSTGRES_DSN"):
            SqlLogicEpoch(database).highest()
        database.close()

    def test_a_statement_that_takes_too_long_is_given_up(self, tmp_path: Path) -> None:
        with (
            reference_database("postgresql", tmp_path, Bounds(statement_s=0.2)) as database,
            pytest.raises(StoreUnavailable, match="statement timeout"),
        ):
            database.reading("sleeping", lambda connection: connection.execute(sa.text("SELECT pg_sleep(5)")))

    def test_a_server_that_takes_the_question_and_never_answers_is_away(self) -> None:
        dsn = make_url(postgres_dsn())
        with proxy_before(dsn.port or 0) as proxy:
            database = Database.at(
                dsn.set(port=proxy.port).render_as_string(hide_password=False), Bounds.answering_within(1)
            )
            one = partial(database.reading, "asking", lambda connection: connection.scalar(sa.text("SELECT 1")))
            assert one() == 1
            with proxy.doing(Mode.HANG):
                began_s = time.monotonic()
                with pytest.raises(StoreUnavailable, match="can't do it now") as told:
                    one()
                assert (told.value.away, time.monotonic() - began_s < 30) == ("postgres", True)
            assert one() == 1
            database.close()

    def test_connections_lost_are_made_anew(self, tmp_path: Path) -> None:
        with reference_database("postgresql", tmp_path) as database:
            assert SqlLogicEpoch(database).highest() == 0
            administer(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE application_name = 'dataproc' AND datname = '{database.engine.url.database}'"
            )
            assert SqlLogicEpoch(database).highest() == 0

    def test_a_transaction_in_anothers_way_is_tried_again(self, tmp_path: Path) -> None:
        with reference_database("postgresql", tmp_path) as database:
            SqlLogicEpoch(database).mark(1)
            both_read = threading.Barrier(2, timeout=10)
            tries: list[int] = []

            def read_then_write(connection: Connection) -> None:
                tries.append(1)
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
                highest = connection.execute(sa.text("SELECT max(epoch) FROM logic_epochs")).scalar_one()
                if len(tries) <= 2:
                    both_read.wait()
                connection.execute(sa.text("INSERT INTO logic_epochs (epoch) VALUES (:epoch)"), {"epoch": highest + 1})

            writers = [Thread(target=database.changing, args=("counting", read_then_write)) for _ in range(2)]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            assert (SqlLogicEpoch(database).highest(), len(tries)) == (3, 3)

    def test_each_role_may_do_its_work_and_no_more(self, tmp_path: Path) -> None:
        with reference_database("postgresql", tmp_path) as database:
            name = str(database.engine.url.database)
            loaded(database, *FILES)
            roles = (MIGRATIONS / "roles.sql").read_text()
            administer(roles, roles, database=name)
            for role in ("enrich_ro", "reference_ro", "epoch_rw", "jobs_rw", "reference_rw", "migrator"):
                administer(f"DROP ROLE IF EXISTS one_{role}", f"CREATE ROLE one_{role} LOGIN IN ROLE {role}")
            may: dict[str, Callable[[Database], object]] = {
                "enrich_ro": lambda own: SqlInstrumentCatalog(own).lookup([InstrumentKey("default", "NG_HH")]),
                "reference_ro": lambda own: (SqlPriceLimits(own).limits(), SqlReferenceStore(own).loads()),
                "epoch_rw": lambda own: SqlLogicEpoch(own).mark(1),
                "reference_rw": lambda own: loaded(own, *FILES[:1]),
            }
            may_not = {
                "enrich_ro": "DELETE FROM taxonomy_instruments",
                "reference_ro": "SELECT * FROM taxonomy_instruments",
                "epoch_rw": "DELETE FROM logic_epochs",
                "jobs_rw": "INSERT INTO feed_policies (market) VALUES ('X')",
                "reference_rw": "CREATE TABLE mine (x int)",
                "migrator": "CREATE ROLE boss SUPERUSER",
            }
            for role, work in may.items():
                own = Database.at(postgres_dsn(name, f"one_{role}"))
                work(own)
                own.close()
            for role, statement in may_not.items():
                own = Database.at(postgres_dsn(name, f"one_{role}"))
                with pytest.raises(Denied):
                    own.changing("trying", partial(executed, statement))
                own.close()
            owner = Database.at(postgres_dsn(name, "one_migrator"))
            assert SqlMigrator(owner).up() == []
            owner.close()
