"""`dataproc migrate`: the schema of the tables."""

from collections.abc import Callable
from typing import Any

from cyclopts import App

DONE = 0


def migrate_app(migrator: Callable[[], Any]) -> App:
    """
    The commands about the schema.

    Args:
        migrator: Makes the migrator once it is known that a command runs, e.g. the container's provider.
    """
    app = App(name="migrate", help="Bring the database to the schema this program needs.", result_action="return_value")

    @app.command
    def status() -> int:
        """Show which migrations have run and which have not."""
        found = migrator().status()
        for step in found.done:
            print(f"done     {step.name}")
        for step in found.pending:
            print(f"pending  {step.name}")
        return DONE

    @app.command
    def up(*, dry_run: bool = False) -> int:
        """
        Run the migrations that have not run yet. Two at once are safe.

        Args:
            dry_run: Only print the statements.
        """
        if dry_run:
            print(*migrator().dry_run(), sep=";\n\n")
            return DONE
        done = migrator().up()
        for step in done:
            print(f"ran {step.name}")
        print(f"{len(done)} migrations run" if done else "nothing to do: the schema is current")
        return DONE

    return app
