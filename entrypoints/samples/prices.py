"""Numbers that move like prices: they revert to a level that follows the hour of the day, and jump now and then."""

import math
from collections.abc import Callable
from datetime import datetime
from random import Random

import attrs

Shape = Callable[[float], float]
"""Level that prices revert to, by the hour of the local day (0 to 24)."""


def flat(level: float) -> Shape:
    """This will give the same level at any hour, as for a futures contract."""
    return lambda _hour: level


def two_peaks(level: float, swing: float) -> Shape:
    """This will give a day with a morning and an evening peak, as in a system with little sun."""
    return lambda hour: (
        level + swing * (0.6 * _bump(hour, 8.0, 2.5) + _bump(hour, 18.5, 3.0) - 0.4 * _bump(hour, 3.0, 3.0))
    )


def solar(level: float, swing: float) -> Shape:
    """This will give a day whose noon is below zero and whose evening is dear, as in California."""
    return lambda hour: (
        level + swing * (1.1 * _bump(hour, 19.0, 2.0) + 0.3 * _bump(hour, 7.0, 1.5) - 1.4 * _bump(hour, 12.5, 2.8))
    )


def _bump(hour: float, centre: float, width: float) -> float:
    return math.exp(-(((hour - centre) / width) ** 2))


@attrs.define
class PriceProcess:
    """One instrument's price as time goes on: an Ornstein-Uhlenbeck process around a daily shape, with rare jumps."""

    shape: Shape
    volatility: float
    """Standard deviation after one hour, in the price's unit."""
    chance: Random
    pull_per_hour: float = 1.5
    jump_chance: float = 0.002
    _deviation: float = 0.0
    _seen: datetime | None = None

    def at(self, moment: datetime, hour_of_day: float) -> float:
        """This will move on to a moment, which never lies before the one asked for last, and return the price there."""
        hours = (moment - self._seen).total_seconds() / 3600 if self._seen else 1.0
        self._seen = moment
        kept = math.exp(-self.pull_per_hour * hours)
        self._deviation = self._deviation * kept + self.chance.gauss(0.0, self.volatility * math.sqrt(1 - kept * kept))
        if self.chance.random() < self.jump_chance:
            self._deviation += self.chance.choice((-1, 1)) * self.volatility * self.chance.uniform(3, 8)
        return self.shape(hour_of_day) + self._deviation
