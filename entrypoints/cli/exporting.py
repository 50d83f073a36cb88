"""`dataproc export`: every table as parquet."""

from pathlib import Path

from cyclopts import App

from entrypoints.container import Container
from entrypoints.exporting import export

DONE = 0


def export_app(container: Container) -> App:
    """
    The command that exports.

    Args:
        container: Where the tables come from.
    """
    app = App(name="export", help="Write every table as parquet.", result_action="return_value")

    @app.default
    def write(*, out: Path) -> int:
        """
        Write the final rows of every table into a folder.

        Args:
            out: The folder; an earlier export in its place is replaced once the new one is complete.
        """
        for name, rows in export(container, out).rows.items():
            print(f"{name}: {rows:,} rows")
        return DONE

    return app
