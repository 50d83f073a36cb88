"""Price limits out of a reference file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.memory.reference_files import SHIPPED, BadReference, exact, instant, known_names, read, texts
from domain.gold.limits import ANY, PriceLimit, PriceLimits
from domain.identity import instrument_id

SCOPE = ("commodity", "market", "kinds", "location", "instrument")


@attrs.frozen
class MemoryPriceLimits:
    """Price limits held in memory, from a file."""

    held: PriceLimits

    @classmethod
    def from_files(cls, folder: Path = SHIPPED) -> "MemoryPriceLimits":
        """
        Read price_limits.yaml.

        Raises:
            BadReference: It can't be used; the message says which entry, and what to do.
        """
        said = read(folder, "price_limits.yaml")
        known_names("price_limits.yaml", said, ("limits",))
        numbered = enumerate(said.get("limits", []), 1)
        return cls(PriceLimits.of(limit for number, group in numbered for limit in _limits(number, group)))

    def limits(self) -> PriceLimits:
        """The limits in force at any instant, for any instrument."""
        return self.held


def _limits(number: int, group: Mapping[str, Any]) -> Iterator[PriceLimit]:
    where = f"price_limits.yaml, limit {number}"
    known_names(where, group, (*SCOPE, "since", "until", "floor", "cap"))
    floor, cap = exact(where, group, "floor"), exact(where, group, "cap")
    if (floor is None and cap is None) or (floor is not None and cap is not None and cap < floor):
        raise BadReference(f"{where}: needs a floor, a cap, or both with the cap not below the floor")
    for kind in texts(where, group, "kinds") or [ANY]:
        yield PriceLimit(
            commodity=group.get("commodity", ANY),
            market=group.get("market", ANY),
            kind=kind,
            location=instrument_id(group["location"]) if "location" in group else ANY,
            instrument_id=group.get("instrument", ANY),
            since=instant(where, group, "since"),
            until=instant(where, group, "until"),
            floor=floor,
            cap=cap,
        )
