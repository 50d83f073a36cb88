"""Load reference data: say what would change, then change it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from application.ports.errors import SchemaBehind
from application.ports.reference_store import (
    PARTS,
    BadReference,
    Change,
    Reference,
    ReferenceStore,
    StaleReference,
)
from domain.gold.catalog import Entry, MarketRegion, Pattern


@attrs.frozen
class Plan:
    """What a load would change, and of what it was worked out."""

    changes: Sequence[Change]
    load: int
    """Of the reference data that was held then."""
    floor: int
    """Of the reference data from then on."""


@attrs.frozen
class LoadReference:
    """
    This will bring reference data up to date with what files say.

    What files name is replaced as a whole, a name at a time; what they don't name stays, or goes where asked to
    prune. Saying the same again changes nothing. What is said of instruments carries a version above all loaded
    before; where the files name none it gets the next one: by it rows are found that were enriched before.

    What is taken back, and limits, aliases and regions of markets, carry no version of their own. A change of these
    raises the floor under all versions, so that every row is enriched again.
    """

    store: ReferenceStore

    def plan(self, given: Reference, *, prune: bool = False) -> Plan:
        """
        Work out what would change.

        Args:
            given: What the files say.
            prune: Also take away what is held in the same parts and not named.

        Raises:
            BadReference: It can't be used beside what is held.
        """
        held = self.store.held()
        highest = max([held.floor, *(one.version for one in _versioned(held))])
        wanted = _with_version(given, highest + 1)
        changes = [change for part in PARTS for change in _changes(part, held, wanted, prune=prune)]
        _refuse_old_versions(changes, highest)
        _refuse_unknown_regions(held, changes)
        return Plan(changes, held.load, _floor(held, changes, highest + 1))

    def apply(self, plan: Plan) -> None:
        """
        Make the changes of a plan, all or none.

        Raises:
            StaleReference: Something was loaded since it was made.
        """
        if plan.changes:
            self.store.write(plan.changes, plan.load, plan.floor)


@attrs.frozen
class LoadStarterSet:
    """This will load what the program comes with where nobody has loaded anything yet, so that it works as it is."""

    load: LoadReference
    read: Callable[[], Reference]
    """Reads the starter set."""

    def __call__(self) -> int:
        """
        Load it, unless anything was ever loaded.

        Returns:
            How many changes were made.

        Raises:
            BadReference: The starter set can't be used.
        """
        if self.load.store.loads():
            return 0
        plan = self.load.plan(self.read())
        try:
            self.load.apply(plan)
        except StaleReference:
            # Another process loaded it, or data of its own, at the same moment.
            return 0
        return len(plan.changes)


@attrs.frozen
class RequireReference:
    """This will refuse to go on where no reference data was ever loaded."""

    store: ReferenceStore

    def __call__(self) -> None:
        """
        Look whether anything was loaded.

        Raises:
            SchemaBehind: Nothing was; the message names the command.
            StoreUnavailable: It can't be asked now.
        """
        if not self.store.loads():
            raise SchemaBehind(
                "no reference data is loaded, so no label can be read and no instrument be known; "
                "run `dataproc migrate up`, which loads the starter set, or `dataproc reference load FILE…`"
            )


def _changes(part: str, held: Reference, wanted: Reference, *, prune: bool) -> Iterator[Change]:
    before, after = getattr(held, part), getattr(wanted, part)
    for key, said in after.items():
        if not _same(before.get(key), said):
            yield Change(part, key, before.get(key), said)
    if prune and after:
        yield from (Change(part, key, before[key], None) for key in before if key not in after)


def _floor(held: Reference, changes: Sequence[Change], following: int) -> int:
    """The floor after these changes. The first load changes nothing that anybody has been told."""
    if not held.load or not any(_reaches_further(change) for change in changes):
        return held.floor
    said = (one.version for change in changes if change.after is not None for one in _said(change.part, change.after))
    return max([following, *said])


def _reaches_further(change: Change) -> bool:
    """Whether rows change that no version in the change tells of."""
    if change.part in {"regions", "feeds"}:
        return False
    if change.part == "entries" and change.after is not None:
        return change.before is not None and not _covers(change.after, change.before)
    return not (change.part == "patterns" and change.before is None)


def _covers(after: Sequence[Entry], before: Sequence[Entry]) -> bool:
    """Whether somebody says something for every instant for which somebody did before."""
    whole: list[tuple[datetime, datetime]] = []
    for entry in after:
        if whole and whole[-1][1] == entry.since:
            whole[-1] = whole[-1][0], entry.until
        else:
            whole.append((entry.since, entry.until))
    return all(any(since <= entry.since and entry.until <= until for since, until in whole) for entry in before)


def _same(one: Any, other: Any) -> bool:
    """Whether they say the same; limits of one scope do in any order."""
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(said in other for said in one)
    return bool(one == other)


def _said(part: str, value: Any) -> Iterator[Entry | MarketRegion]:
    """What carries a version in a unit of a part."""
    if part == "entries":
        yield from value
    elif part == "patterns":
        yield value.entry
    elif part == "markets":
        yield value


def _versioned(reference: Reference) -> Iterator[Entry | MarketRegion]:
    for part in PARTS:
        for value in getattr(reference, part).values():
            yield from _said(part, value)


def _with_version(given: Reference, following: int) -> Reference:
    """The same, with this version wherever none is named."""

    def dated(said: Any) -> Any:
        return said if said.version else attrs.evolve(said, version=following)

    def pattern(said: Pattern) -> Pattern:
        return attrs.evolve(said, entry=dated(said.entry))

    return attrs.evolve(
        given,
        entries={key: tuple(dated(entry) for entry in entries) for key, entries in given.entries.items()},
        patterns={key: pattern(said) for key, said in given.patterns.items()},
        markets={key: dated(said) for key, said in given.markets.items()},
    )


def _refuse_old_versions(changes: Iterable[Change], highest: int) -> None:
    """Enriched rows keep the highest version of their metadata, so a change under an old one would be lost on them."""
    for change in changes:
        if change.after is not None and any(one.version <= highest for one in _said(change.part, change.after)):
            raise BadReference(
                f"{_named(change)} changes, but its version is not above {highest}, which is loaded already; "
                f"raise `version` in the file to {highest + 1} or more"
            )


def _refuse_unknown_regions(held: Reference, changes: Sequence[Change]) -> None:
    regions = {**held.regions, **_after(changes, "regions")}
    known = {name for name, region in regions.items() if region is not None}
    for part in ("entries", "patterns", "markets", "regions"):
        for key, value in {**getattr(held, part), **_after(changes, part)}.items():
            for name in _regions_of(part, value):
                if name not in known:
                    told = " ".join(key) if isinstance(key, tuple) else key
                    raise BadReference(f"{part}, {told}: region {name} is unknown; load it with regions.yaml")


def _after(changes: Iterable[Change], part: str) -> Mapping[Any, Any]:
    return {change.key: change.after for change in changes if change.part == part}


def _regions_of(part: str, value: Any) -> set[str]:
    if value is None:
        return set()
    named = {value.within} if part == "regions" else {one.region for one in _said(part, value)}
    return named - {""}


def _named(change: Change) -> str:
    told = " ".join(change.key) if isinstance(change.key, tuple) else change.key
    return f"{change.part}, {told}:" if change.before is None else f"{change.part}, {told}"
