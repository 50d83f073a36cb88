"""
Kill, pause and stop the services again and again, under load and on servers that hang; then let a verifier judge.

    python -m tests.e2e.crash.harness [--kills N] [--seed S] [--per-round M]

In each round every service meets a fate of its own: it kills itself between two effects, or is killed, paused until its
partitions are another's, or asked to stop, while raw messages keep coming and one of the servers hangs, cuts or slows
down what it says. After seven rounds every service has met every fate; then all is drained and a verifier, a program of
its own, recomputes everything from the raw topics. The seed names the run; what the operating system does remains its own.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

import attrs
from cyclopts import App

from application.pipeline import STAGES
from tests.e2e.programs import ROOT
from tests.e2e.services import Service
from tests.e2e.world import World, world
from tests.support.proxied import CLICKHOUSE, KAFKA, NATIVE, POSTGRES, REDIS
from tests.support.proxy import Mode

EFFECTS = ("stored", "announced", "kept", "committed")
"""Between which a service kills itself."""
SEALED = "stored bar_seals"
FATES = (*EFFECTS, "killed", "paused", "asked")
FAULTS = (Mode.HANG, Mode.RESET, Mode.SLOW, Mode.REFUSE, Mode.HALF_CLOSE)
SERVERS = (KAFKA, CLICKHOUSE, NATIVE, POSTGRES, REDIS)
FAULT_S = (0.5, 2.5)
"""A server's fault lasts so long."""
PAUSED_S = 8.0
"""Longer than a member may be silent before its partitions are another's: 6 s."""
STRUCK_WITHIN_S = 90.0
FEED_EVERY_S = 0.5
DIFFERS = 4

app = App(name="python -m tests.e2e.crash.harness", help=__doc__, result_action="return_value")


class Stuck(Exception):
    """Something that must come did not come."""


@attrs.define
class Harness:
    """One run."""

    held: World
    chance: Random
    per_turn: int
    """Raw messages every half second."""
    struck: Counter[str] = attrs.field(init=False, factory=Counter)
    """How often each fate was met, and each fault of a server."""
    kills: int = attrs.field(init=False, default=0)
    _rounds: int = attrs.field(init=False, default=0)

    def cycle(self) -> None:
        """Seven rounds: every fate for every service."""
        shifts = self.chance.sample(range(len(FATES)), len(STAGES))
        for number in range(len(FATES)):
            self.round({
                stage.name: FATES[(number + shift) % len(FATES)] for stage, shift in zip(STAGES, shifts, strict=True)
            })  # fmt: skip

    def round(self, fates: Mapping[str, str]) -> None:
        """One fate for each service, while messages come and a server fails."""
        self._rounds += 1
        began_s = time.monotonic()
        for name, fate in fates.items():
            if fate in EFFECTS:
                self._arm(self.held.of(name), fate)
        with self._fault():
            self._feed_for(self.chance.uniform(*FAULT_S))
            for name, fate in fates.items():
                self._strike(self.held.of(name), fate)
        for service in self._with(fates, "killed", "asked"):
            self._restart(service)
        for service in self._with(fates, "paused"):
            self._feed_for(PAUSED_S)
            service.signalled(signal.SIGCONT)
        self._await_deaths(self._with(fates, *EFFECTS))
        self._tell(fates, time.monotonic() - began_s)

    def _with(self, fates: Mapping[str, str], *some: str) -> list[Service]:
        return [self.held.of(name) for name, fate in fates.items() if fate in some]

    def verify(self) -> bool:
        """Drain everything, and ask the verifier."""
        self.held.wait_until_ready()
        self.held.drain()
        verifier = [sys.executable, "-m", "tests.e2e.crash.verifier"]
        judged = subprocess.run(
            verifier, cwd=ROOT, env=os.environ | self.held.servers.direct, capture_output=True, text=True, check=False
        )
        say(judged.stdout.strip() + judged.stderr.strip())
        return judged.returncode == 0

    def _arm(self, service: Service, effect: str) -> None:
        """Start it anew, to kill itself soon after such an effect."""
        service.process.kill()
        service.ended()
        self._count("armed", killed=True)
        service.start({"DATA_PROC_KILLPOINT": self._point(service.name, effect)})

    def _point(self, name: str, effect: str) -> str:
        """Where a service kills itself. Seals are stored seldom: in every other cycle aggregation ends right after them."""
        cycle = (self._rounds - 1) // len(FATES)
        if (name, effect) == ("aggregation", "stored") and cycle % 2 == 0:
            self._count(SEALED)
            return f"{SEALED}:1"
        return f"{effect}:{self.chance.randint(1, 4)}"

    def _await_deaths(self, armed: list[Service]) -> None:
        """Start each anew as soon as it has killed itself: the next one may wait for what it announces."""
        while armed:
            self._feed_until(
                lambda: not all(service.alive for service in armed), f"{[service.name for service in armed]} end"
            )
            for service in [service for service in armed if not service.alive]:
                self._restart(service)
                armed.remove(service)

    def _strike(self, service: Service, fate: str) -> None:
        if fate == "killed":
            service.process.kill()
            service.ended()
        elif fate == "paused":
            service.signalled(signal.SIGSTOP)
        elif fate == "asked":
            service.signalled(signal.SIGTERM)
        self._count(fate, killed=fate in {"killed", *EFFECTS})

    def _restart(self, service: Service) -> None:
        service.ended()
        service.start()

    def _count(self, what: str, *, killed: bool = False) -> None:
        self.struck[what] += 1
        self.kills += killed

    @contextmanager
    def _fault(self) -> Iterator[None]:
        """One server fails in one way: each in its turn, and in another way each time."""
        turn, ways = divmod(self._rounds, len(SERVERS)), len(FAULTS)
        name, mode = SERVERS[turn[1]], FAULTS[(turn[0] + turn[1]) % ways]
        self._count(f"{name}: {mode}")
        with self.held.servers.doing(name, mode):
            yield

    def _feed_for(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._feed()

    def _feed_until(self, done: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + STRUCK_WITHIN_S
        while not done():
            if time.monotonic() > end_s:
                raise Stuck(f"not within {STRUCK_WITHIN_S:.0f} s: {what}\n{self._standing()}")
            self._feed()

    def _feed(self) -> None:
        self.held.feed(self.per_turn)
        time.sleep(FEED_EVERY_S)

    def _standing(self) -> str:
        """Where everything stands, for whoever looks for the reason."""
        services = [
            f"{service.name}: {'alive' if service.alive else 'ended'}, lacks {service.lacking()}\n{service.said()[-1500:]}"
            for service in self.held.services
        ]
        behind = [row for row in self.held.container.read_lag()() if row.lag or row.owed]
        return "\n".join([*services, *map(str, behind)])

    def _tell(self, fates: Mapping[str, str], took_s: float) -> None:
        told = ", ".join(f"{name} {fate}" for name, fate in fates.items())
        say(f"round {self._rounds}: {told}; {self.kills} kills so far; {took_s:.0f} s")


def say(line: str) -> None:
    """Progress, for whoever waits."""
    print(line, flush=True)  # noqa: T201


@app.default
def crash(*, kills: int = 20, seed: int = 254, per_turn: int = 10) -> int:
    """
    Run cycles of seven rounds until so many processes were killed.

    Args:
        kills: Processes to kill at least.
        seed: Names the run.
        per_turn: Raw messages every half second.

    Returns:
        0 the verifier agreed after every cycle, 4 it did not.
    """
    say(f"seed {seed}, {kills} kills")
    with tempfile.TemporaryDirectory(prefix="dataproc-crash-") as folder, world(Path(folder)) as held:
        run = Harness(held, Random(seed), per_turn)
        held.start_all()
        held.wait_until_ready()
        while run.kills < kills:
            run.cycle()
            if not run.verify():
                say(f"WRONG after {run.kills} kills with seed {seed}")
                return DIFFERS
        for what, times in sorted(run.struck.items()):
            say(f"  {what:<32} {times:>4}")
        say(
            f"{run.kills} kills, {sum(run.struck.values())} fates and faults; nothing lost, nothing twice, nothing wrong"
        )
    return 0


if __name__ == "__main__":
    sys.exit(app())
