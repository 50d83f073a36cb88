"""Reference data that can be loaded: instruments, regions, aliases, price limits and feeds."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from application.ports.errors import Fatal
from domain.gold.catalog import Entry, MarketRegion, Named, Pattern
from domain.gold.limits import PriceLimit
from domain.silver.feed import FeedPolicy


class BadReference(Fatal):
    """Reference data that can't be used; the text says which entry, and what to do."""


class StaleReference(Fatal):
    """The reference data changed since the changes were worked out; work them out again."""


@attrs.frozen
class Region:
    """A region that classifications may name."""

    name: str
    within: str = ""
    """The region it lies in; empty for none."""


@attrs.frozen(kw_only=True)
class Reference:
    """
    Reference data, all of it or some. Each part is by what is replaced as a whole: whoever says something of a name
    says everything of it.
    """

    regions: Mapping[str, Region] = attrs.field(factory=dict)
    markets: Mapping[str, MarketRegion] = attrs.field(factory=dict)
    entries: Mapping[Named, Sequence[Entry]] = attrs.field(factory=dict)
    """By tenant and name, ascending and disjoint in time."""
    patterns: Mapping[Named, Pattern] = attrs.field(factory=dict)
    """By tenant and expression."""
    instrument_aliases: Mapping[str, str] = attrs.field(factory=dict)
    location_aliases: Mapping[tuple[str, str], str] = attrs.field(factory=dict)
    """By market and alias."""
    limits: Mapping[tuple[str, ...], Sequence[PriceLimit]] = attrs.field(factory=dict)
    """By what they name (`PriceLimit.scope`), in any order."""
    feeds: Mapping[tuple[str, str, str], FeedPolicy] = attrs.field(factory=dict)
    """By market, data type and run."""
    load: int = attrs.field(default=0, eq=False)
    """How often a store was loaded when it held this."""
    floor: int = attrs.field(default=0, eq=False)
    """The least version of what is known of any instrument, also of those nobody describes."""


PARTS = tuple(field.name for field in attrs.fields(Reference) if field.name not in {"load", "floor"})
"""The parts of reference data, in the order in which they are written."""


@attrs.frozen
class Change:
    """What becomes of one unit of one part; `before` None where it is new, `after` None where it goes."""

    part: str
    key: Any
    before: Any
    after: Any


class ReferenceStore(Protocol):
    """Where reference data lives that an operator may change without a release."""

    def loads(self) -> int:
        """Return how often anything was loaded; 0 where nothing ever was. Raises StoreUnavailable."""

    def held(self) -> Reference:
        """Return everything that is loaded. Raises StoreUnavailable."""

    def write(self, changes: Sequence[Change], load: int, floor: int) -> None:
        """
        Make these changes, all or none.

        Args:
            changes: At most one for each unit.
            load: The `load` of what was held when they were worked out.
            floor: The `floor` from now on; never lower than before.

        Raises:
            StaleReference: Something was loaded since; nothing is changed.
            StoreUnavailable: Nothing is promised; look at what is held.
        """
