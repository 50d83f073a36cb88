"""`dataproc reference`: what is known of instruments and feeds, as data."""

import sys
from pathlib import Path

from cyclopts import App

from entrypoints.cli import reference_data
from entrypoints.container import REFERENCE_FILE, SHIPPED_REFERENCE, Container, Profile
from entrypoints.exits import BAD_USAGE


def reference_app(container: Container) -> App:
    """
    The commands about reference data.

    Args:
        container: Where the database is.
    """
    app = App(name="reference", help="Reference data: instruments, feeds, limits.", result_action="return_value")

    @app.command
    def load(*files: Path, data_dir: Path | None = None, yes: bool = False, prune: bool = False) -> int:
        """
        Show what files would change in the reference database, and change it.

        Args:
            files: YAML or CSV in the form of the shipped ones; without any, the shipped ones.
            data_dir: Folder of a refinery that runs with --data-dir; without it, the database of the settings.
            yes: Change without asking.
            prune: Also take away what is held in the same parts and not named in the files.

        Returns:
            0 done or nothing to do, 1 declined or failed, 2 the files can't be used or the folder is none.
        """
        if data_dir is not None and not (data_dir / REFERENCE_FILE).is_file():
            print(
                f"{data_dir} holds no {REFERENCE_FILE}; start python -m entrypoints.all_in_one --data-dir {data_dir} "
                "once, with DATA_PROC_REFERENCE_DIR where it shall begin with other files",
                file=sys.stderr,
            )
            return BAD_USAGE
        held = container if data_dir is None else _embedded(container, data_dir)
        chosen = list(files) or sorted(SHIPPED_REFERENCE.glob("*.yaml"))
        return reference_data.load(
            chosen, read=held.read_reference(), command=held.load_reference(), yes=yes, prune=prune
        )

    return app


def _embedded(container: Container, data_dir: Path) -> Container:
    return Container(settings=container.settings(), profile=Profile.EMBEDDED.value, data_dir=data_dir)
