"""Which offsets of a partition were ever given: ascending, gaps are legal."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import attrs
import polars as pl

Run = tuple[int, int]
"""Offsets that follow one another: the first, and the one after the last."""


@attrs.define
class Offsets:
    """The offsets of one partition."""

    _starts: list[int] = attrs.field(factory=list)
    _ends: list[int] = attrs.field(factory=list)

    @property
    def end(self) -> int:
        """The offset the next record gets at least."""
        return self._ends[-1] if self._ends else 0

    def __contains__(self, offset: int) -> bool:
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._ends[at]

    def extended(self, runs: Sequence[Run]) -> list[Run]:
        """These runs, none below the end, as they will stand: the first goes on the last one there where it follows it."""
        (first, after), *others = runs
        follows = bool(self._ends) and self._ends[-1] == first
        return [(self._starts[-1] if follows else first, after), *others]

    def take(self, runs: Sequence[Run]) -> None:
        """Take in runs as `extended` gave them."""
        for first, after in runs:
            if self._starts and self._starts[-1] == first:
                self._ends[-1] = after
            else:
                self._starts.append(first)
                self._ends.append(after)


def runs_of(offsets: pl.Series) -> list[Run]:
    """The runs in which these ascending offsets follow one another."""
    begins = [0, *(offsets.diff() > 1).arg_true(), len(offsets)]
    return [(offsets[begin], offsets[after - 1] + 1) for begin, after in pairwise(begins)]
