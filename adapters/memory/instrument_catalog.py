"""
The instrument catalog out of reference files, all of it in memory.

An instrument is found under the first of these names that is known: its whole id; its market, kind and location for
every run; its market and kind for every location; else a pattern that its whole id matches. A tenant's own entries come
before those shared by all.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from adapters.memory.reference_files import SHIPPED, BadReference, instant, known_names, read, texts
from domain.gold.instrument_name import InstrumentName
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import FOREVER, UNKNOWN, Classification, History, InstrumentKey
from domain.identity import instrument_id

EVERY_TENANT = "*"
GROUP_NAMES = frozenset(
    {"tenant", "market", "kinds", "locations", "instruments", "patterns", "since", "until"}
    | {"commodity", "region", "tier", "tags"}
)


@attrs.frozen
class Entry:
    """What one group says of an instrument, and until when."""

    since: datetime
    until: datetime
    classification: Classification


@attrs.frozen
class Pattern:
    """A group that speaks of every id that matches."""

    tenant: str
    expression: re.Pattern[str]
    entry: Entry


@attrs.frozen
class Aliases:
    """Other names of instruments, and of locations by market."""

    instruments: Mapping[str, str]
    locations: Mapping[tuple[str, str], str]

    def real(self, asked: str) -> str:
        """Return the id an alias stands for; any other id as it is."""
        whole = self.instruments.get(asked, asked)
        name = InstrumentName.of(whole)
        location = self.locations.get((name.market, name.location))
        return f"{name.market}.{name.kind}.{name.run}.{location}" if location else whole


@attrs.frozen
class MemoryInstrumentCatalog:
    """Reference data held in memory, from files."""

    entries: Mapping[tuple[str, str], Sequence[Entry]]
    """By tenant and name, ascending and disjoint in time."""
    patterns: Sequence[Pattern]
    regions_of_markets: Mapping[str, Classification]
    aliases: Aliases

    @classmethod
    def from_files(cls, folder: Path = SHIPPED) -> "MemoryInstrumentCatalog":
        """
        Read instruments.yaml, regions.yaml and aliases.yaml.

        Raises:
            BadReference: A file can't be used; the message says which entry, and what to do.
        """
        said = read(folder, "instruments.yaml")
        known_names("instruments.yaml", said, ("version", "markets", "groups"))
        reader = _Reader(int(said.get("version", 0)), frozenset(read(folder, "regions.yaml").get("regions", {})))
        named, patterns = reader.groups(said.get("groups", []))
        return cls(named, patterns, reader.markets(said.get("markets", {})), _aliases(read(folder, "aliases.yaml")))

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """Return the history of each instrument; of one nobody describes, what its market implies."""
        return {key: self._history(key.tenant_id, self.aliases.real(key.instrument_id)) for key in instruments}

    def _history(self, tenant: str, whole: str) -> History:
        name = InstrumentName.of(whole)
        gap = self.regions_of_markets.get(name.market, UNKNOWN)
        for owner in (tenant, EVERY_TENANT):
            if entries := self._entries(owner, name):
                return tuple(_without_gaps(entries, gap))
        return (gap,)

    def _entries(self, owner: str, name: InstrumentName) -> Sequence[Entry]:
        for spelled in _names(name):
            if found := self.entries.get((owner, spelled)):
                return found
        matching = (pattern for pattern in self.patterns if pattern.tenant == owner)
        return [pattern.entry for pattern in matching if pattern.expression.fullmatch(name.whole)][:1]


def _names(name: InstrumentName) -> Iterator[str]:
    yield name.whole
    yield f"{name.market}.{name.kind}.*.{name.location}"
    yield f"{name.market}.{name.kind}.*.*"


def _without_gaps(entries: Sequence[Entry], gap: Classification) -> Iterator[Classification]:
    """Classifications from the beginning on, with the gap's wherever no entry speaks."""
    known_until = BEGINNING
    for entry in entries:
        if known_until < entry.since:
            yield attrs.evolve(gap, since=known_until)
        yield attrs.evolve(entry.classification, since=entry.since)
        known_until = entry.until
    if known_until < FOREVER:
        yield attrs.evolve(gap, since=known_until)


@attrs.frozen
class _Reader:
    """Reads the parts of instruments.yaml."""

    version: int
    regions: frozenset[str]

    def markets(self, said: Mapping[str, Mapping[str, str]]) -> dict[str, Classification]:
        """What each market implies by itself: no more than the region."""
        return {
            market: Classification(
                region=self._region(f"market {market}", own), taxonomy=self._taxonomy("market", "0.5")
            )
            for market, own in said.items()
        }

    def groups(self, said: Sequence[Mapping[str, Any]]) -> tuple[dict[tuple[str, str], Sequence[Entry]], list[Pattern]]:
        """Entries by name, and patterns."""
        named: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        patterns: list[Pattern] = []
        for number, group in enumerate(said, 1):
            where = f"instruments.yaml, group {number}"
            known_names(where, group, GROUP_NAMES)
            tenant = group.get("tenant", EVERY_TENANT)
            for spelled in self._spelled(where, group):
                named[tenant, spelled].append(self._entry(where, group, "catalog", "1.0"))
            patterns.extend(
                Pattern(tenant, re.compile(expression), self._entry(where, group, "pattern", "0.9"))
                for expression in texts(where, group, "patterns")
            )
        return {key: _in_order(key[1], entries) for key, entries in named.items()}, patterns

    def _spelled(self, where: str, group: Mapping[str, Any]) -> Iterator[str]:
        yield from texts(where, group, "instruments")
        locations = [instrument_id(name) for name in texts(where, group, "locations")] or ["*"]
        for kind in texts(where, group, "kinds"):
            yield from (f"{group['market']}.{kind}.*.{location}" for location in locations)

    def _entry(self, where: str, group: Mapping[str, Any], method: str, confidence: str) -> Entry:
        since, until = instant(where, group, "since") or BEGINNING, instant(where, group, "until") or FOREVER
        if until <= since or not group.get("commodity"):
            raise BadReference(f"{where}: needs a commodity, and to end after it begins")
        return Entry(
            since,
            until,
            Classification(
                commodity=group["commodity"],
                region=self._region(where, group),
                product_tier=group.get("tier", ""),
                taxonomy=self._taxonomy(method, confidence),
                tags=json.dumps(sorted(texts(where, group, "tags"))),
                metadata_version=self.version,
            ),
        )

    def _region(self, where: str, said: Mapping[str, Any]) -> str:
        region: str = said.get("region", "")
        if region and region not in self.regions:
            raise BadReference(f"{where}: region {region} is unknown; add it to regions.yaml")
        return region

    def _taxonomy(self, method: str, confidence: str) -> str:
        return json.dumps({"confidence": confidence, "method": method, "version": str(self.version)})


def _in_order(name: str, entries: list[Entry]) -> list[Entry]:
    ordered = sorted(entries, key=lambda entry: entry.since)
    if any(later.since < earlier.until for earlier, later in pairwise(ordered)):
        raise BadReference(f"{name}: described twice for one time; date its groups with since and until")
    return ordered


def _aliases(said: Mapping[str, Any]) -> Aliases:
    known_names("aliases.yaml", said, ("instruments", "locations"))
    locations = {
        (market, instrument_id(alias)): instrument_id(real)
        for market, names in said.get("locations", {}).items()
        for alias, real in names.items()
    }
    return Aliases(said.get("instruments", {}), locations)
