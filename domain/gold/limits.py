"""
Price limits: between which bounds a price is ordinary, as data.

Minus 40 $/MWh is ordinary in California and absurd for Henry Hub, and caps change with the market's rules, so a limit names
what it holds for and when. Of the limits that hold for a tick the most specific one that states a floor gives the
floor, and likewise the cap: instrument before location before market before commodity before everything.

Source: design.md §4, enrich; quality.md §3.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

import attrs
import polars as pl

from domain.gold.instrument_name import InstrumentName

ANY = "*"
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
"""Before every instant a price can be for."""

Column = TypeVar("Column", pl.Series, pl.Expr)


class Bounds(NamedTuple):
    """Lowest and highest ordinary price; None where nobody states one."""

    floor: Decimal | None
    cap: Decimal | None


@attrs.frozen
class Subject:
    """What a limit may hold for: an instrument, and the commodity it was classified as (empty where unknown)."""

    name: InstrumentName
    commodity: str


@attrs.frozen(kw_only=True)
class PriceLimit:
    """A floor, a cap or both, for what its scope names and from `since` until just before `until`."""

    commodity: str = ANY
    market: str = ANY
    kind: str = ANY
    """Second part of the id, so that an energy cap is not read as one on capacity."""
    location: str = ANY
    instrument_id: str = ANY
    since: datetime | None = None
    until: datetime | None = None
    floor: Decimal | None = None
    cap: Decimal | None = None

    def covers(self, subject: Subject) -> bool:
        """Whether its scope names this subject."""
        name = subject.name
        asked = (name.whole, name.location, name.market, name.kind, subject.commodity)
        return all(own in (ANY, wanted) for own, wanted in zip(self.scope, asked, strict=True))

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at this instant."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    @property
    def scope(self) -> tuple[str, str, str, str, str]:
        """What it names, the most specific first."""
        return self.instrument_id, self.location, self.market, self.kind, self.commodity

    @property
    def weight(self) -> tuple[bool, ...]:
        """How specific it is; the greater comes first."""
        return tuple(own != ANY for own in self.scope)


@attrs.frozen
class PriceLimits:
    """All price limits, the most specific first."""

    limits: tuple[PriceLimit, ...]

    @classmethod
    def of(cls, limits: Iterable[PriceLimit]) -> "PriceLimits":
        """All price limits, in any order. Of two equally specific the one with the later `since` comes first."""
        ordered = sorted(limits, key=lambda limit: (limit.weight, limit.since or BEGINNING), reverse=True)
        return cls(tuple(ordered))

    def covering(self, subject: Subject) -> "PriceLimits":
        """Those whose scope names this subject."""
        return PriceLimits(tuple(limit for limit in self.limits if limit.covers(subject)))

    def changes(self) -> set[datetime]:
        """Instants at which the bounds may change."""
        return {at for limit in self.limits for at in (limit.since, limit.until) if at is not None}

    def bounds(self, at: datetime) -> Bounds:
        """The floor and the cap in force at this instant, each from the most specific limit that states one."""
        holding = [limit for limit in self.limits if limit.holds(at)]
        floor = next((limit.floor for limit in holding if limit.floor is not None), None)
        return Bounds(floor, next((limit.cap for limit in holding if limit.cap is not None), None))


def price_out_of_range(price: Column, floor: Column, cap: Column) -> Column:
    """
    A price outside what its market, commodity or instrument makes ordinary.

    Args:
        price: Price per unit.
        floor: Lowest ordinary price, same currency and unit; null where nobody states one.
        cap: Highest ordinary price, likewise.

    Returns:
        True where the price lies outside; null where it lies inside the bound that is stated and the other is not.

    Source: specification §11, Out-of-Range Values. The tick is kept, only flagged.
    """
    return (price < floor) | (price > cap)
