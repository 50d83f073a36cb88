"""The instrument catalog out of reference files, all of it in memory."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from adapters.memory.reference_files import SHIPPED, instant, known_names, read, texts
from application.ports.reference_store import BadReference
from domain.errors import DomainError
from domain.gold.catalog import EVERY_TENANT, Aliases, Catalog, Entry, MarketRegion, Named, Pattern, in_order
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import FOREVER, History, InstrumentKey
from domain.identity import instrument_id

FILE = "instruments.yaml"
GROUP_NAMES = frozenset(
    {"tenant", "market", "kinds", "locations", "instruments", "patterns", "since", "until"}
    | {"commodity", "region", "tier", "tags"}
)


@attrs.frozen
class MemoryInstrumentCatalog:
    """Reference data held in memory, from files."""

    held: Catalog

    @classmethod
    def from_files(cls, folder: Path = SHIPPED) -> "MemoryInstrumentCatalog":
        """
        Read instruments.yaml, regions.yaml and aliases.yaml.

        Raises:
            BadReference: A file can't be used; the message says which entry, and what to do.
        """
        said = read(folder, FILE)
        regions = read(folder, "regions.yaml").get("regions", {})
        catalog = catalog_of(said, FILE, regions)
        return cls(attrs.evolve(catalog, aliases=aliases_of(read(folder, "aliases.yaml"))))

    @staticmethod
    def version() -> int:
        """Files are read once."""
        return 0

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """Return the history of each instrument; of one nobody describes, what its market implies."""
        return {key: self.held.history(key) for key in instruments}


def catalog_of(said: Mapping[str, Any], file: str, regions: Collection[str] | None) -> Catalog:
    """
    What a file says of instruments and markets.

    Args:
        said: Its content.
        file: Its name, for messages.
        regions: Those that may be named; None for any.

    Raises:
        BadReference: It can't be used.
    """
    known_names(file, said, ("version", "markets", "groups"))
    version = said.get("version", 0)
    if type(version) is not int or version < 0:
        raise BadReference(f"{file}: version must be a whole number, is {version!r}")
    reader = _Reader(file, version, regions)
    entries, patterns = reader.groups(said.get("groups", []))
    return Catalog(entries=entries, patterns=patterns, markets=reader.markets(said.get("markets", {})))


def aliases_of(said: Mapping[str, Any]) -> Aliases:
    """
    What a file says of other names.

    Raises:
        BadReference: It says something nobody reads.
    """
    known_names("aliases.yaml", said, ("instruments", "locations"))
    locations = {
        (market, instrument_id(alias)): instrument_id(real)
        for market, names in said.get("locations", {}).items()
        for alias, real in names.items()
    }
    return Aliases(said.get("instruments", {}), locations)


@attrs.frozen
class _Reader:
    """Reads the parts of a file about instruments."""

    file: str
    version: int
    regions: Collection[str] | None

    def markets(self, said: Mapping[str, Mapping[str, str]]) -> dict[str, MarketRegion]:
        """What each market implies by itself."""
        return {
            market: MarketRegion(self._region(f"market {market}", own), self.version) for market, own in said.items()
        }

    def groups(self, said: Sequence[Mapping[str, Any]]) -> tuple[dict[Named, tuple[Entry, ...]], dict[Named, Pattern]]:
        """Entries by name, and patterns."""
        named: dict[Named, list[Entry]] = defaultdict(list)
        patterns: dict[Named, Pattern] = {}
        for number, group in enumerate(said, 1):
            where = f"{self.file}, group {number}"
            known_names(where, group, GROUP_NAMES)
            tenant, entry = group.get("tenant", EVERY_TENANT), self._entry(where, group)
            for spelled in self._spelled(where, group):
                named[tenant, spelled].append(entry)
            for expression in texts(where, group, "patterns"):
                patterns.setdefault((tenant, _expression(where, expression)), Pattern(expression, number, entry))
        try:
            return {key: in_order(key[1], entries) for key, entries in named.items()}, patterns
        except DomainError as error:
            raise BadReference(str(error)) from error

    def _spelled(self, where: str, group: Mapping[str, Any]) -> Iterator[str]:
        yield from texts(where, group, "instruments")
        locations = [instrument_id(name) for name in texts(where, group, "locations")] or ["*"]
        kinds = texts(where, group, "kinds")
        if kinds and "market" not in group:
            raise BadReference(f"{where}: kinds are those of a market; name it")
        for kind in kinds:
            yield from (f"{group['market']}.{kind}.*.{location}" for location in locations)

    def _entry(self, where: str, group: Mapping[str, Any]) -> Entry:
        since, until = instant(where, group, "since") or BEGINNING, instant(where, group, "until") or FOREVER
        if until <= since or not group.get("commodity"):
            raise BadReference(f"{where}: needs a commodity, and to end after it begins")
        for name in ("commodity", "tier"):
            if not isinstance(group.get(name, ""), str):
                raise BadReference(f"{where}: {name} must be a text, is {group[name]!r}")
        return Entry(
            since=since,
            until=until,
            commodity=group["commodity"],
            region=self._region(where, group),
            product_tier=group.get("tier", ""),
            tags=tuple(sorted(texts(where, group, "tags"))),
            version=self.version,
        )

    def _region(self, where: str, said: Mapping[str, Any]) -> str:
        region: str = said.get("region", "")
        if region and self.regions is not None and region not in self.regions:
            raise BadReference(f"{where}: region {region} is unknown; add it to regions.yaml")
        return region


def _expression(where: str, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise BadReference(f"{where}: {text} is no regular expression: {error}") from error
    return text
