"""`dataproc reference`: what is known of instruments, as data."""

from pathlib import Path

from cyclopts import App

from entrypoints.cli import reference_data
from entrypoints.container import SHIPPED_REFERENCE, Container


def reference_app(container: Container) -> App:
    """
    The commands about reference data.

    Args:
        container: Where the database is.
    """
    app = App(name="reference", help="Reference data: instruments, regions, limits.", result_action="return_value")

    @app.command
    def load(*files: Path, yes: bool = False, prune: bool = False) -> int:
        """
        Show what files would change in the reference database, and change it.

        Args:
            files: YAML or CSV in the form of the shipped ones; without any, the shipped ones.
            yes: Change without asking.
            prune: Also take away what is held in the same parts and not named in the files.
        """
        chosen = list(files) or sorted(SHIPPED_REFERENCE.glob("*.yaml"))
        return reference_data.load(
            chosen, read=container.read_reference(), command=container.load_reference(), yes=yes, prune=prune
        )

    return app
