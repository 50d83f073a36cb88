"""
Kafka, ClickHouse, PostgreSQL and Redis as processes of this machine: python -m entrypoints.services up.

install puts system packages and Kafka's jars in place; up starts all four on free ports of the loopback, with their data
in a temporary folder, and writes their addresses to .services.env; status tells of them; down stops them and removes
their data.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from entrypoints.services import installing, kafka, local
from entrypoints.services.process import Running, ServiceMissing

DONE, NOT_RUNNING, UNAVAILABLE = 0, 1, 69

app = App(name="python -m entrypoints.services", help=__doc__, result_action="return_value")


@app.command
def install() -> int:
    """Install what is missing: PostgreSQL, Redis, Java and Maven by apt-get, Kafka's jars from Maven Central."""
    installing.install()
    print(f"everything is in place; Kafka's jars are in {kafka.jars(installing.cache())}")
    return DONE


@app.command
def up() -> int:
    """Start all servers and wait until they answer."""
    services = local.up(Path(local.ENVIRONMENT_FILE))
    _tell(services)
    print(f"addresses are in {local.ENVIRONMENT_FILE}; make services-down stops them")
    return DONE


@app.command
def down() -> int:
    """Stop all servers and remove their data."""
    print("stopped" if local.down(Path(local.ENVIRONMENT_FILE)) else "nothing was running")
    return DONE


@app.command
def status() -> int:
    """
    Tell which servers run, where, and where they log.

    Returns:
        0 all run, 1 none or not all.
    """
    services = local.LocalServices.remembered(Path(local.ENVIRONMENT_FILE))
    if services is None:
        print("nothing is running; make services-up starts it")
        return NOT_RUNNING
    _tell(services)
    return DONE if all(server.alive for server in services.running) else NOT_RUNNING


def _tell(services: local.LocalServices) -> None:
    for server in services.running:
        print(_line(server))


def _line(server: Running) -> str:
    state = "runs" if server.alive else "ENDED"
    addresses = " ".join(f"{name}={value}" for name, value in server.settings.items())
    note = f"\n             {server.note}" if server.note else ""
    return f"{server.name:<12} {state} (process {server.pid}), log {server.log}\n             {addresses}{note}"


def main(arguments: Sequence[str]) -> int:
    """This will run one command and return its exit status."""
    try:
        return int(app(arguments) or DONE)
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        return UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
