"""Price limits out of a reference file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.memory.reference_files import SHIPPED, exact, instant, known_names, read, texts
from application.ports.reference_store import BadReference
from domain.gold.limits import ANY, PriceLimit, PriceLimits
from domain.identity import instrument_id

FILE = "price_limits.yaml"
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
        return cls(limits_of(read(folder, FILE)))

    def limits(self) -> PriceLimits:
        """The limits in force at any instant, for any instrument."""
        return self.held


def limits_of(said: Mapping[str, Any]) -> PriceLimits:
    """
    What a file says of price limits.

    Raises:
        BadReference: It can't be used.
    """
    known_names(FILE, said, ("limits",))
    numbered = enumerate(said.get("limits", []), 1)
    return PriceLimits.of(limit for number, group in numbered for limit in _limits(number, group))


def _limits(number: int, group: Mapping[str, Any]) -> Iterator[PriceLimit]:
    where = f"{FILE}, limit {number}"
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
