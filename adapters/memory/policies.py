"""Feed policies out of a reference file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapters.memory.reference_files import SHIPPED, known_names, read, texts
from application.ports.reference_store import BadReference
from domain.errors import DomainError
from domain.silver.feed import FeedPolicies, FeedPolicy, Label

FILE = "feeds.yaml"
FEED = ("market", "types", "runs", "clock", "label", "interval_s", "naive", "horizon_s", "patience", "assumed")


@attrs.frozen
class MemoryPolicies:
    """Policies held in memory, from a file. Keeps to application.ports.policies.Policies."""

    held: FeedPolicies

    @classmethod
    def from_files(cls, folder: Path = SHIPPED) -> "MemoryPolicies":
        """
        Read feeds.yaml.

        Raises:
            BadReference: It can't be used; the message says which entry, and what to do.
        """
        return cls(feeds_of(read(folder, FILE)))

    def feeds(self) -> FeedPolicies:
        """How each feed's labels are read and how patient its windows are."""
        return self.held


def feeds_of(said: Mapping[str, Any]) -> FeedPolicies:
    """
    What a file says of feeds.

    Raises:
        BadReference: It can't be used.
    """
    known_names(FILE, said, ("patience", "clocks", "feeds"))
    numbered = enumerate(said.get("feeds", []), 1)
    try:
        return FeedPolicies.of(policy for number, row in numbered for policy in _policies(number, row, said))
    except DomainError as error:
        raise BadReference(f"{FILE}: {error}; leave one of them, or complete it") from error


def _policies(number: int, row: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[FeedPolicy]:
    where = f"{FILE}, feed {number}"
    known_names(where, row, FEED)
    try:
        common = {
            "market": row["market"],
            "clock": said["clocks"][row["clock"]],
            "label": Label(row["label"]),
            "interval_s": row.get("interval_s"),
            "naive_by_policy": row.get("naive", False),
            "horizon_s": row["horizon_s"],
            "assumed": row.get("assumed", False),
            **said["patience"][row["patience"]],
        }
    except (KeyError, ValueError) as error:
        raise BadReference(f"{where}: {error} is missing or unknown; see the entries beside it") from error
    for data_type in texts(where, row, "types"):
        for market_run in texts(where, row, "runs"):
            yield FeedPolicy(data_type=data_type, market_run=market_run, **common)
