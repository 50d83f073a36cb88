"""The four services as processes: what they answer, what they log, and the signals they get."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from tests.e2e.programs import started

T = TypeVar("T")

WITHIN_S = 90.0
NOBODY_ANSWERS = 0
NO_MORE: Mapping[str, str] = MappingProxyType({})


@attrs.define(eq=False)
class Service:
    """One process of a service."""

    name: str
    settings: Mapping[str, str]
    log: Path
    program: Sequence[str] = ()
    """What runs instead of the service itself, which it has within."""
    process: "subprocess.Popen[bytes]" = attrs.field(init=False)
    _begins: int = attrs.field(init=False)
    """Where in the log this process begins."""

    def __attrs_post_init__(self) -> None:
        self.start()

    def start(self, more: Mapping[str, str] = NO_MORE) -> None:
        """Start it, again where it ended; with more settings for this time."""
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        program = self.program or (f"entrypoints.{self.name}",)
        self.process = started(*program, log=self.log, settings={**self.settings, **more})

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process.poll() is None

    def said(self) -> str:
        """All that this process has written so far."""
        with self.log.open("rb") as file:
            file.seek(self._begins)
            return file.read().decode(errors="replace")

    def told(self, level: str) -> list[dict[str, Any]]:
        """Its log lines of a level."""
        lines = (line for line in self.said().splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line["level"] == level]

    @property
    def address(self) -> str:
        """Where it answers; waited for."""
        words = f"{self.name} answers on "
        said = until(lambda: self.said() if words in self.said() else None, f"{self.name} listens")
        return said.partition(words)[2].split()[0]

    def live(self) -> bool:
        """Whether it answers that it lives."""
        return self._asked("/health/live")[0] == 200

    def ready(self) -> bool:
        """Whether it answers that it can do its work."""
        return self._asked("/health/ready")[0] == 200

    def lacking(self) -> set[str]:
        """The checks of readiness that fail."""
        return {name for name, fine in self._asked("/health/ready")[1]["checks"].items() if not fine}

    def latest(self, tenant_id: str, instrument_id: str) -> Any:
        """Its answer about a latest price, which projection gives."""
        path = f"/projections/latest_price?tenant_id={tenant_id}&instrument_id={instrument_id}"
        return self._asked(path)

    def figure(self, name: str) -> float:
        """One of its metrics, by name and labels; 0 where there is none."""
        try:
            with urllib.request.urlopen(self.address + "/metrics", timeout=10) as answer:  # noqa: S310 - its own
                told = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines())
        except OSError:
            return 0.0
        return float(told.get(name, 0))

    def signalled(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.alive:
            self.process.send_signal(number)

    def ended(self, within_s: float = WITHIN_S) -> int:
        """Its exit code; waited for."""
        return self.process.wait(within_s)

    def stop(self) -> None:
        """End it, whatever it does."""
        self.signalled(signal.SIGCONT)
        self.signalled(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _asked(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:  # noqa: S310 - its own
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())
        except OSError:
            return NOBODY_ANSWERS, {"checks": {}}


def until(found: Callable[[], T | None], what: str, within_s: float = WITHIN_S) -> T:
    """What this finds, once it finds something true."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s:.0f} s: {what}")
