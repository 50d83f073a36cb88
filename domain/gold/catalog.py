"""
What is known of instruments: who says what of which, and for which time.

An instrument is found under the first of these names that is known: its whole id; its market, kind and location for
every run; its market and kind for every location; else a pattern that its whole id matches. A tenant's own entries come
before those shared by all.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import attrs

from domain.errors import DomainError
from domain.gold.instrument_name import InstrumentName
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import FOREVER, UNKNOWN, Classification, History, InstrumentKey

EVERY_TENANT = "*"

Named = tuple[str, str]
"""Whose entry, and the name or the pattern it speaks of."""


LEAST_ANSWER = 1
"""Once anything was loaded every answer has at least this metadata_version, so that rows that got none are behind."""


@attrs.frozen(kw_only=True)
class Entry:
    """What somebody says of an instrument, from `since` until just before `until`."""

    since: datetime = BEGINNING
    until: datetime = FOREVER
    commodity: str
    region: str = ""
    product_tier: str = ""
    tags: tuple[str, ...] = ()
    """Ascending."""
    version: int = attrs.field(eq=False)
    """Of the reference data that said so; who says the same under another version says nothing new."""

    def classified(self, method: str, confidence: str) -> Classification:
        """The classification, by how the entry was found and how sure that is."""
        return Classification(
            since=self.since,
            commodity=self.commodity,
            region=self.region,
            product_tier=self.product_tier,
            taxonomy=_taxonomy(method, confidence, self.version),
            tags=json.dumps(self.tags),
            metadata_version=self.version,
        )


@attrs.frozen
class Pattern:
    """What is said of every id that matches an expression. Of several the one that was said first counts."""

    expression: str
    order: int
    entry: Entry

    def matches(self, instrument_id: str) -> bool:
        """Whether it speaks of this id."""
        return re.fullmatch(self.expression, instrument_id) is not None


@attrs.frozen
class MarketRegion:
    """What a market alone implies of an instrument nobody describes: where it lies."""

    region: str
    version: int = attrs.field(eq=False)

    def classified(self) -> Classification:
        """No more than the region."""
        return Classification(region=self.region, taxonomy=_taxonomy("market", "0.5", self.version))


@attrs.frozen
class Aliases:
    """Other names of instruments, and of locations by market."""

    instruments: Mapping[str, str] = attrs.field(factory=dict)
    locations: Mapping[tuple[str, str], str] = attrs.field(factory=dict)

    def real(self, asked: str) -> str:
        """Return the id an alias stands for; any other id as it is."""
        whole = self.instruments.get(asked, asked)
        name = InstrumentName.of(whole)
        location = self.locations.get((name.market, name.location))
        return f"{name.market}.{name.kind}.{name.run}.{location}" if location else whole


@attrs.frozen(kw_only=True)
class Catalog:
    """What is known of instruments: all of it, or the part that speaks of those asked about."""

    entries: Mapping[Named, Sequence[Entry]] = attrs.field(factory=dict)
    """By tenant and name, ascending and disjoint in time."""
    patterns: Mapping[Named, Pattern] = attrs.field(factory=dict)
    """By tenant and expression."""
    markets: Mapping[str, MarketRegion] = attrs.field(factory=dict)
    aliases: Aliases = Aliases()
    floor: int = LEAST_ANSWER
    """Least metadata_version of any answer, also of what nobody describes: it rises when something is taken back."""
    _by_tenant: Mapping[str, Sequence[Pattern]] = attrs.field(init=False, repr=False, eq=False)

    @_by_tenant.default
    def _sorted_patterns(self) -> Mapping[str, Sequence[Pattern]]:
        by_tenant: dict[str, list[Pattern]] = {}
        for (tenant, _), pattern in sorted(self.patterns.items(), key=lambda item: item[1].order):
            by_tenant.setdefault(tenant, []).append(pattern)
        return by_tenant

    def history(self, key: InstrumentKey) -> History:
        """What an instrument was at any instant; where nobody describes it, what its market implies."""
        return tuple(
            attrs.evolve(one, metadata_version=self.floor) if one.metadata_version < self.floor else one
            for one in self._found(key)
        )

    def _found(self, key: InstrumentKey) -> History:
        name = InstrumentName.of(self.aliases.real(key.instrument_id))
        implied = self.markets.get(name.market)
        gap = implied.classified() if implied else UNKNOWN
        for tenant in (key.tenant_id, EVERY_TENANT):
            if said := self._said(tenant, name):
                return tuple(_without_gaps(said, gap))
        return (gap,)

    def _said(self, tenant: str, name: InstrumentName) -> list[tuple[Entry, Classification]]:
        for spelled in names_of(name):
            if found := self.entries.get((tenant, spelled)):
                return [(entry, entry.classified("catalog", "1.0")) for entry in found]
        for pattern in self._by_tenant.get(tenant, ()):
            if pattern.matches(name.whole):
                return [(pattern.entry, pattern.entry.classified("pattern", "0.9"))]
        return []


def names_of(name: InstrumentName) -> Iterator[str]:
    """The names under which an instrument may be described, the most specific first."""
    yield name.whole
    yield f"{name.market}.{name.kind}.*.{name.location}"
    yield f"{name.market}.{name.kind}.*.*"


def in_order(name: str, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """
    The entries of one name, ascending in time.

    Raises:
        DomainError: Two of them speak of the same time.
    """
    ordered = sorted(entries, key=lambda entry: entry.since)
    if any(later.since < earlier.until for earlier, later in pairwise(ordered)):
        raise DomainError(f"{name}: described twice for one time; date its groups with since and until")
    return tuple(ordered)


def _without_gaps(said: Sequence[tuple[Entry, Classification]], gap: Classification) -> Iterator[Classification]:
    """Classifications from the beginning on, with the gap's wherever no entry speaks."""
    known_until = BEGINNING
    for entry, classification in said:
        if known_until < entry.since:
            yield attrs.evolve(gap, since=known_until)
        yield classification
        known_until = entry.until
    if known_until < FOREVER:
        yield attrs.evolve(gap, since=known_until)


def _taxonomy(method: str, confidence: str, version: int) -> str:
    return json.dumps({"confidence": confidence, "method": method, "version": str(version)})
