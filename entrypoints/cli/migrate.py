"""`dataproc migrate`: the schema of the tables."""

from collections.abc import Callable, Mapping
from typing import Any

from cyclopts import App

from application.commands.load_reference import LoadStarterSet

DONE = 0


def migrate_app(migrators: Mapping[str, Callable[[], Any]], starter_set: Callable[[], LoadStarterSet]) -> App:
    """
    The commands about the schemas.

    Args:
        migrators: By the database's name, makes its migrator once it is known that a command runs.
        starter_set: Makes the command that loads the first reference data, likewise.
    """
    app = App(
        name="migrate", help="Bring the databases to the schemas this program needs.", result_action="return_value"
    )

    @app.command
    def status() -> int:
        """Show which migrations have run and which have not."""
        for database, migrator in migrators.items():
            found = migrator().status()
            for told, steps in (("done", found.done), ("pending", found.pending)):
                for step in steps:
                    print(f"{database}: {told:<8} {_name(step)}")
        return DONE

    @app.command
    def up(*, dry_run: bool = False) -> int:
        """
        Run the migrations that have not run yet, and load the starter set where no reference data was ever loaded.

        Two at once are safe.

        Args:
            dry_run: Only print the statements.
        """
        for database, migrator in migrators.items():
            if dry_run:
                sql = migrator().dry_run()
                print(f"-- {database}", *([sql] if isinstance(sql, str) else sql), sep="\n\n")
                continue
            done = migrator().up()
            for step in done:
                print(f"{database}: ran {_name(step)}")
            print(f"{database}: {len(done)} migrations run" if done else f"{database}: the schema is current")
        if not dry_run and (loaded := starter_set()()):
            print(f"reference: the starter set is loaded, {loaded} entries; change it with dataproc reference load")
        return DONE

    return app


def _name(step: Any) -> str:
    """What a person calls a migration."""
    return step if isinstance(step, str) else str(step.name)
