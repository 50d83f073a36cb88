"""The local servers together: started, remembered in .services.env, found again and stopped."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
from cattrs.preconf.json import make_converter

from entrypoints.services import clickhouse, kafka, postgres, redis
from entrypoints.services.installing import cache
from entrypoints.services.process import Running, ServiceMissing, stop

ENVIRONMENT_FILE = ".services.env"
"""Read by services and the command line where it lies in the current folder."""
REMEMBERED = "services.json"
FOLDER_LINE = "# data: "

_SERVERS = make_converter()

STARTERS: Mapping[str, Callable[[Path], Running]] = {
    "kafka": lambda data: kafka.run(data, cache()),
    "clickhouse": clickhouse.run,
    "postgres": postgres.run,
    "redis": redis.run,
}


@attrs.frozen
class LocalServices:
    """Servers of one folder of data."""

    data: Path
    running: tuple[Running, ...]

    @classmethod
    def started(cls) -> "LocalServices":
        """
        Start servers on free ports with their data in a new temporary folder, and wait until all answer.

        Raises:
            ServiceMissing: One can't be started; those that were are stopped again.
        """
        data = Path(tempfile.mkdtemp(prefix="dataproc-services-"))
        data.chmod(0o755)  # PostgreSQL may run as another user
        running: list[Running] = []
        try:
            # One by one, so that those already started are known when the next one fails.
            running.extend(begin(data / name) for name, begin in STARTERS.items())
        except BaseException:
            cls(data, tuple(running)).stop()
            raise
        return cls(data, tuple(running))

    @classmethod
    def remembered(cls, environment_file: Path) -> "LocalServices | None":
        """The servers this file tells of; None where there is none."""
        try:
            lines = environment_file.read_text(encoding="utf-8").splitlines()
            folder = next(line for line in lines if line.startswith(FOLDER_LINE)).removeprefix(FOLDER_LINE)
            servers = _SERVERS.loads((Path(folder) / REMEMBERED).read_text(encoding="utf-8"), tuple[Running, ...])
        except (FileNotFoundError, StopIteration):
            return None
        return cls(Path(folder), servers)

    def remember(self, environment_file: Path) -> None:
        """Write the addresses as settings, and what is needed to stop the servers again."""
        (self.data / REMEMBERED).write_text(_SERVERS.dumps(self.running, indent=2), encoding="utf-8")
        lines = [f"{FOLDER_LINE}{self.data}", "DATA_PROC_ENV=local"]
        lines += [f"{name}={value}" for name, value in self.settings.items()]
        environment_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def settings(self) -> dict[str, str]:
        """Addresses, as environment variables."""
        return {name: value for server in self.running for name, value in server.settings.items()}

    def stop(self) -> None:
        """Stop every server and remove its data."""
        for server in reversed(self.running):
            stop(server)
        shutil.rmtree(self.data, ignore_errors=True)


def up(environment_file: Path) -> LocalServices:
    """
    This will start all servers, or keep those that run already.

    Raises:
        ServiceMissing: One can't be started, or only some of those started before still run.
    """
    known = LocalServices.remembered(environment_file)
    if known and all(server.alive for server in known.running):
        return known
    if known and any(server.alive for server in known.running):
        gone = ", ".join(server.name for server in known.running if not server.alive)
        raise ServiceMissing(f"{gone} ended and the others still run; run make services-down, then make services-up")
    services = LocalServices.started()
    services.remember(environment_file)
    return services


def down(environment_file: Path) -> bool:
    """This will stop all servers and forget them. Returns whether there were any."""
    known = LocalServices.remembered(environment_file)
    if known:
        known.stop()
    environment_file.unlink(missing_ok=True)
    return known is not None
