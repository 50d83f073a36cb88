"""Reference files read for loading them elsewhere: any of them, as YAML or CSV."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from adapters.memory.instrument_catalog import aliases_of, catalog_of
from adapters.memory.policies import feeds_of
from adapters.memory.price_limits import limits_of
from adapters.memory.reference_files import known_names, read_csv, read_yaml
from application.ports.reference_store import PARTS, BadReference, Reference, Region
from domain.gold.limits import PriceLimit

Said = Mapping[str, Any]


def reference_from(paths: Sequence[Path]) -> Reference:
    """
    This will read what these files say.

    Args:
        paths: Each is named instruments, regions, aliases, price_limits or feeds, and ends in .yaml; all but feeds may
            also end in .csv.

    Raises:
        BadReference: A file can't be used, or two files speak of the same.
    """
    together: dict[str, Any] = {part: {} for part in PARTS}
    for path in paths:
        said = _read(path)
        for part, units in together.items():
            own = getattr(said, part)
            if both := units.keys() & own.keys():
                raise BadReference(f"{path}: {min(map(str, both))} is in another of these files too; keep one")
            units.update(own)
    return Reference(**together)


def reference_in(folder: Path) -> Reference:
    """
    This will read a whole folder of reference files as it is shipped: one YAML file of each kind.

    Raises:
        BadReference: A file is absent or can't be used.
    """
    return reference_from([folder / f"{kind}.yaml" for kind in _FROM_YAML])


def _read(path: Path) -> Reference:
    kind, ending = path.stem, path.suffix.lower()
    if kind not in _FROM_YAML or ending not in {".yaml", ".yml", ".csv"}:
        raise BadReference(f"{path}: a reference file is named {', '.join(_FROM_YAML)}, and .yaml or .csv")
    if ending != ".csv":
        return _FROM_YAML[kind](read_yaml(path), path.name)
    if kind not in _FROM_ROWS:
        raise BadReference(f"{path}: {kind} are read from YAML; write them as in the shipped {kind}.yaml")
    return _FROM_YAML[kind](_FROM_ROWS[kind](read_csv(path)), path.name)


def _instruments(said: Said, file: str) -> Reference:
    found = catalog_of(said, file, None)
    return Reference(markets=found.markets, entries=found.entries, patterns=found.patterns)


def _regions(said: Said, file: str) -> Reference:
    known_names(file, said, ("regions",))
    for name, region in said.get("regions", {}).items():
        known_names(f"{file}, {name}", region, ("name", "within"))
        if not region.get("name"):
            raise BadReference(f"{file}, {name}: needs a name")
    return Reference(regions={name: Region(**region) for name, region in said.get("regions", {}).items()})


def _aliases(said: Said, _: str) -> Reference:
    found = aliases_of(said)
    return Reference(instrument_aliases=found.instruments, location_aliases=found.locations)


def _limits(said: Said, _: str) -> Reference:
    by_scope: dict[tuple[str, ...], list[PriceLimit]] = defaultdict(list)
    for limit in limits_of(said).limits:
        # A floor and a cap are two limits: each has dates and a place in a database of its own.
        halves = (attrs.evolve(limit, cap=None), attrs.evolve(limit, floor=None))
        by_scope[limit.scope].extend(half for half in halves if (half.floor, half.cap) != (None, None))
    return Reference(limits={scope: tuple(limits) for scope, limits in by_scope.items()})


def _feeds(said: Said, _: str) -> Reference:
    policies = feeds_of(said).policies
    return Reference(feeds={(one.market, one.data_type, one.market_run): one for one in policies})


_FROM_YAML: Mapping[str, Callable[[Said, str], Reference]] = MappingProxyType(
    {"instruments": _instruments, "regions": _regions, "aliases": _aliases, "price_limits": _limits, "feeds": _feeds}
)


def _alias_rows(rows: Sequence[Said]) -> Said:
    """Rows of `alias`, `instrument`, and `market` where the alias is one of a location."""
    locations: dict[str, dict[str, str]] = defaultdict(dict)
    instruments: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        known_names(f"aliases.csv, row {number}", row, ("market", "alias", "instrument"))
        if not {"alias", "instrument"} <= row.keys():
            raise BadReference(f"aliases.csv, row {number}: needs an alias and an instrument")
        names = locations[row["market"]] if "market" in row else instruments
        names[row["alias"]] = row["instrument"]
    return {"instruments": instruments, "locations": dict(locations)}


def _region_rows(rows: Sequence[Said]) -> Said:
    for number, row in enumerate(rows, 1):
        if "region" not in row:
            raise BadReference(f"regions.csv, row {number}: needs a region")
    return {"regions": {row["region"]: {name: cell for name, cell in row.items() if name != "region"} for row in rows}}


_FROM_ROWS: Mapping[str, Callable[[Sequence[Said]], Said]] = MappingProxyType(
    {
        "instruments": lambda rows: {"groups": rows},
        "regions": _region_rows,
        "aliases": _alias_rows,
        "price_limits": lambda rows: {"limits": rows},
    }
)
