"""A place between two effects at which a process ends as a power switch would end it, for tests of crashes."""

import os
import signal

import attrs


@attrs.define
class KillPoint:
    """
    Hears of every effect that was performed, and ends the process at one.

    `effect` is how its name begins, e.g. `stored bars_5m` or only `stored`; `passage` counts them from 1.
    """

    effect: str
    passage: int
    _passed: int = attrs.field(init=False, default=0)

    def __call__(self, effect: str) -> None:
        """An effect was performed."""
        self._passed += effect.startswith(self.effect)
        if self._passed == self.passage:
            os.kill(os.getpid(), signal.SIGKILL)


def keep_going(_: str) -> None:
    """Hear of effects, and do nothing."""
