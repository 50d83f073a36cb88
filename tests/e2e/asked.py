"""
A service that asks itself to stop, by SIGTERM, at a moment nobody could hit from outside.

    python -m tests.e2e.asked SERVICE MOMENT TIMES

MOMENT is `assigned` or `revoked`, while partitions change hands, or how the name of an effect begins, e.g. `stored`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from application.consume import Consume
from entrypoints.killpoint import KillPoint
from entrypoints.service import run

SERVICE, MOMENT, TIMES = sys.argv[1:]
IN_REBALANCES = {"assigned", "revoked"}


def ask() -> None:
    """Ask as often as told, the first time this is called; each time once the one before was heard."""
    for _ in range(int(TIMES) if ask not in asked else 0):
        heard = signal.getsignal(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        while signal.getsignal(signal.SIGTERM) is heard:
            time.sleep(0.01)
    asked.add(ask)


asked: set[Callable[[], None]] = set()


def asking_before(inner: Callable[..., None]) -> Callable[..., None]:
    """The same, asked before."""

    def told(self: Consume, partitions: Any) -> None:
        ask()
        inner(self, partitions)

    return told


def hear(self: KillPoint, effect: str) -> None:
    """An effect was performed."""
    if effect.startswith(self.effect):
        ask()


if __name__ == "__main__":
    if MOMENT in IN_REBALANCES:
        setattr(Consume, f"_{MOMENT}", asking_before(getattr(Consume, f"_{MOMENT}")))
    else:
        os.environ["DATA_PROC_KILLPOINT"] = f"{MOMENT}:1"
        KillPoint.__call__ = hear  # type: ignore[method-assign]
    sys.exit(run(SERVICE))
