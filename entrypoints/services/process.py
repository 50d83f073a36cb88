"""A server as a process of this machine: started with a log file, waited for, stopped."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0


_CHILDREN: "dict[int, subprocess.Popen[bytes]]" = {}
"""Servers this process started: they outlive it, and until then it must hear of their end."""


class ServiceMissing(Exception):
    """A server can't be started here; the text says what is missing and what to do."""


@attrs.frozen
class Running:
    """A server that answers."""

    name: str
    pid: int
    settings: Mapping[str, str]
    """Environment variables by which programs find it."""
    log: str
    """Where it writes what it does."""
    note: str = ""
    """What a person should know of it."""
    ends_on: int = signal.SIGTERM
    """The signal on which it ends cleanly and soon."""
    born: str = attrs.field(default=attrs.Factory(lambda self: _born(self.pid), takes_self=True))
    """When its process began, in ticks since the machine did: the number of a process that ended may be another's."""

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        child = _CHILDREN.get(self.pid)
        if child is not None and child.poll() is not None:
            return False
        return self.born != "" and _born(self.pid) == self.born


def _born(pid: int) -> str:
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def needed(program: str, *elsewhere: str) -> str:
    """
    Path of an installed program.

    Raises:
        ServiceMissing: It is not installed.
    """
    folders = os.pathsep.join((os.environ.get("PATH", ""), *elsewhere))
    found = shutil.which(program, path=folders)
    if found is None:
        raise ServiceMissing(f"{program} is not installed; run make services-install")
    return found


def as_user(user: str, command: Sequence[str]) -> list[str]:
    """The command, under that user where we are root. Raises ServiceMissing: nothing here can change the user."""
    return [needed("runuser"), "-u", user, "--", *command] if os.geteuid() == 0 else list(command)


def start(command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str] | None = None) -> int:
    """Start a server in a session of its own, so that a Ctrl-C meant for us leaves it alone. Returns its process id."""
    with log.open("ab") as lines:
        child = subprocess.Popen(  # noqa: S603  (commands of our own)
            command,
            stdout=lines,
            stderr=lines,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    _CHILDREN[child.pid] = child
    return child.pid


def wait_until(ready: Callable[[], bool], server: Running) -> Running:
    """
    Wait until a server answers.

    Raises:
        ServiceMissing: It ended, or does not answer in time; its last lines are told.
    """
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if ready():
            return server
        if not server.alive:
            raise ServiceMissing(f"{server.name} ended while starting; {server.log} ends with:\n{tail(server.log)}")
        time.sleep(0.05)
    stop(server)
    raise ServiceMissing(
        f"{server.name} does not answer after {READY_WITHIN_S:.0f} s; {server.log} ends with:\n{tail(server.log)}"
    )


def stop(server: Running) -> bool:
    """Ask a server to end, and end it where it doesn't. Returns whether it was there."""
    if not server.alive:
        return False
    _signal(server.pid, server.ends_on)
    until = time.monotonic() + STOPPED_WITHIN_S
    while server.alive and time.monotonic() < until:
        time.sleep(0.05)
    if server.alive:
        _signal(server.pid, signal.SIGKILL)
    return True


def _signal(pid: int, number: int) -> None:
    """To the whole session of a server: some are started through another program."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def tail(log: str, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return str(error)
    return "\n".join(text.splitlines()[-lines:])


def answers(port: int, question: bytes = b"", reply: bytes = b"") -> bool:
    """Whether something on this port of the loopback takes a connection, and gives that reply to the question."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            if not question:
                return True
            connection.sendall(question)
            return connection.recv(256).startswith(reply)
    except OSError:
        return False
