"""The operator's command: `dataproc …`, which is python -m entrypoints.cli."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from application.ports.errors import PortError
from application.ports.raw_source import STANDARD_INPUT
from entrypoints.cli.bars import bars_app
from entrypoints.cli.exporting import export_app
from entrypoints.cli.ingest import ingest_app
from entrypoints.cli.lag import lag_app
from entrypoints.cli.migrate import migrate_app
from entrypoints.cli.recompute import recompute_app
from entrypoints.cli.reference_loading import reference_app
from entrypoints.cli.topics import topics_app
from entrypoints.cli.verifying import verify_app
from entrypoints.container import Container, Profile
from entrypoints.environment import settings_or_exit
from entrypoints.exits import status_of
from entrypoints.settings import BadSettings


def dataproc() -> App:
    """All commands."""
    container = Container(settings=settings_or_exit("254carbon-dataproc"), profile=Profile.DISTRIBUTED.value)
    app = App(name="dataproc", help="Operate the refinery.", result_action="return_value")
    migrators = {"clickhouse": container.migrator, "reference": container.sql_migrator}
    app.command(migrate_app(migrators, container.load_starter_set))
    app.command(reference_app(container))
    app.command(topics_app(container.create_topics))
    app.command(lag_app(container.read_lag, container.clock()))
    app.command(
        ingest_app(lambda paths, pace, topic: container.replay(container.raw_lines(paths), pace=pace, topic=topic))
    )
    app.command(export_app(container))
    app.command(recompute_app(lambda data_dir: (_embedded(data_dir) if data_dir else container).range_recompute()))
    app.command(verify_app(lambda data_dir: (_embedded(data_dir) if data_dir else container).verify()))
    app.command(bars_app(lambda data_dir: (_embedded(data_dir) if data_dir else container).gaps()))
    return app


def _embedded(data_dir: Path) -> Container:
    """What an embedded profile keeps in a folder, which nobody else may have open."""
    settings = settings_or_exit("254carbon-dataproc")
    container = Container(settings=settings, profile=Profile.EMBEDDED.value, data_dir=data_dir)
    container.log()
    container.migrator().required_version_present()
    return container


def main(arguments: Sequence[str]) -> int:
    """Run a command. A lone hyphen is standard input, which cyclopts would take for an option."""
    try:
        code: int | None = dataproc()([STANDARD_INPUT if argument == "-" else argument for argument in arguments])
    except (PortError, BadSettings) as error:
        print(error, file=sys.stderr)
        return status_of(error)
    return code or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
