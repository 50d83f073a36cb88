"""Computing whole ranges of bars anew where they are stored, without moving their ticks."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from domain.gold.bar import Cause


@attrs.frozen(kw_only=True)
class BarRange:
    """Which bars to compute anew."""

    tenant_id: str
    start: datetime
    end: datetime
    """First instant after the range."""
    instrument_ids: Sequence[str] = ()
    """Empty: all instruments of the tenant."""
    cause: Cause = Cause.BACKFILL
    """The reason a bar gets whose content changes."""


@attrs.frozen(kw_only=True)
class Recomputed:
    """What a recompute covered, widened to whole bars of the coarsest interval."""

    spans: Mapping[str, tuple[datetime, datetime]]
    """Half-open, by the clock whose midnight begins a day."""


@attrs.frozen(kw_only=True)
class Slice:
    """A part of a range that is computed at once."""

    clock: str
    """Whose midnight begins its days."""
    start: datetime
    end: datetime
    ticks: int
    """Statements stored of ticks in it: of a tick that was stated again there may be several."""


def _nobody(_: Slice) -> None:
    """Hears nothing."""


class RangeRecompute(Protocol):
    """
    The bars of every interval in a range, from all stored ticks: what the domain makes of them, to the last digit.

    Content, revision and lineage equal those of domain.gold.window and domain.gold.bar; state and reason follow what
    is stored and sealed, as domain.gold.settling.settle says. The range is widened to whole bars of the coarsest interval,
    since a coarser bar is folded from all of its finer ones; base bars are stored first and folded then. May be
    repeated, and run beside live writers: of two bars the one that takes precedence stays.
    """

    def planned(self, asked: BarRange) -> Sequence[Slice]:
        """
        Say what `recompute` would compute, in its order; parts without a tick are left out. Changes nothing.

        Raises:
            StoreUnavailable: Ask again.
            ValueError: The range is empty or reversed.
        """

    def recompute(self, asked: BarRange, told: Callable[[Slice], None] = _nobody) -> Recomputed:
        """
        Compute and store the bars of a range.

        Args:
            asked: Which.
            told: Hears of each part once its bars are stored.

        Raises:
            StoreUnavailable: Some may be stored, some not; ask again.
            ValueError: The range is empty or reversed.
        """
