"""Asked at every call of every port: what becomes of it."""

from collections.abc import Mapping
from random import Random

import attrs

ANY_TIME = ("refused", "crash before", "pause before", "rebalance", "delay")
WRITING = ("unanswered", "partial", "lands late", "twice", "crash after", "pause after")
CAN_STRIKE: Mapping[str, tuple[str, ...]] = {
    "poll": ANY_TIME,
    "read": (*ANY_TIME, "pause after"),
    "store": (*ANY_TIME, *WRITING),
    "publish": (*ANY_TIME, *WRITING),
    "commit": (*ANY_TIME, "unanswered", "crash after", "pause after"),
}
"""By the kind of call; a poll that fails has consumed nothing."""
HARMLESS = frozenset({"delay"})


@attrs.define
class Faults:
    """Draws what becomes of calls, until the world heals or its faults are spent."""

    chance: Random
    rates: Mapping[str, float]
    left: dict[str, int]
    """How many may still strike each stage."""
    healed: bool = False

    def draw(self, stage: str, kind: str) -> str:
        """The fault that strikes a call of this kind; empty for none."""
        if self.healed or not self.left.get(stage):
            return ""
        drawn = self.chance.random()
        for name in CAN_STRIKE[kind]:
            drawn -= self.rates[name]
            if drawn < 0:
                self.left[stage] -= name not in HARMLESS
                return name
        return ""
