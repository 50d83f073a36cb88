"""
Adaptive lateness: a feed is allowed to be as late as it has been of late, within bounds.

Too short, and ordinary stragglers are recomputed one by one; too long, and final bars come late. So it is counted how far
behind their feed's highest instant its ticks come, and the allowed lateness follows a quantile of that. Repeats are not
counted: polls overlap by hours, and a point that is stated again was not late. Content never depends on it.
"""

import attrs
import polars as pl

from domain.time import SECOND_US

_STEPS_S = (1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 2700, 3600)
_LONG_STEPS_S = (5400, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 64_800, 86_400, 172_800, 345_600)
BOUNDS_US = tuple(step * SECOND_US for step in (0, *_STEPS_S, *_LONG_STEPS_S))
"""Delays are counted by the first of these that they do not exceed."""

FADES_AT = 20_000
"""Counts are halved beyond so many, so that what was long ago counts ever less."""


@attrs.frozen
class Delays:
    """How many ticks came how far behind."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_US) + 1)

    def joined_by(self, behind_us: pl.Series) -> "Delays":
        """
        Count further ticks.

        Args:
            behind_us: How far behind its feed's highest instant each came, µs; negative where it was ahead.
        """
        places = pl.Series(BOUNDS_US).search_sorted(behind_us)
        more = dict(places.value_counts().iter_rows())
        share = 2 if sum(self.counts) > FADES_AT else 1
        return Delays(tuple(count // share + more.get(place, 0) for place, count in enumerate(self.counts)))

    def quantile_us(self, share: float) -> float:
        """The delay that this share of the ticks did not exceed, µs; infinite beyond the longest that is told apart."""
        wanted, so_far = share * sum(self.counts), 0
        for bound, count in zip(BOUNDS_US, self.counts, strict=False):
            so_far += count
            if so_far >= wanted:
                return bound
        return float("inf")


@attrs.frozen
class Adaptation:
    """How allowed lateness follows what is observed."""

    quantile: float = 0.999
    """Share of a feed's ticks that shall not be late."""
    least: float = 0.5
    """Of what its policy allows."""
    most: float = 4.0
    after: int = 2_000
    """Ticks that must have been observed before anything changes."""

    def lateness_us(self, policy_us: int, delays: Delays) -> int:
        """What a feed is allowed, by its policy and its delays."""
        if sum(delays.counts) < self.after:
            return policy_us
        return int(min(max(delays.quantile_us(self.quantile), self.least * policy_us), self.most * policy_us))
