"""Reference data as rows, and back. One pair of functions for each part; both the catalog and the loader use them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from adapters.sql import schema
from application.ports.reference_store import Region
from domain.gold.catalog import EVERY_TENANT, Entry, MarketRegion, Named, Pattern
from domain.gold.limits import BEGINNING, PriceLimit
from domain.gold.taxonomy import FOREVER
from domain.silver.feed import FeedPolicy, Label

Row = RowMapping
"""As it was read."""

Written = Mapping[str, Any]
"""As it is written."""

WHOLE_ID = ""
"""Market of an alias that is a whole id."""
ALWAYS: Mapping[str, Any] = MappingProxyType({"valid_from": BEGINNING, "valid_until": FOREVER})
EVERYBODY: Mapping[str, Any] = MappingProxyType({"tenant_id": EVERY_TENANT})


def entries_of(rows: Iterable[Row]) -> dict[Named, tuple[Entry, ...]]:
    """Entries by tenant and name, ascending in time."""
    found: dict[Named, list[Entry]] = defaultdict(list)
    for row in rows:
        if not row["is_pattern"]:
            found[row["tenant_id"], row["name"]].append(_entry(row))
    return {key: tuple(sorted(entries, key=lambda entry: entry.since)) for key, entries in found.items()}


def patterns_of(rows: Iterable[Row]) -> dict[Named, Pattern]:
    """Patterns by tenant and expression."""
    return {
        (row["tenant_id"], row["name"]): Pattern(row["name"], row["pattern_order"], _entry(row))
        for row in rows
        if row["is_pattern"]
    }


def markets_of(rows: Iterable[Row]) -> dict[str, MarketRegion]:
    """What each market implies."""
    return {row["market"]: MarketRegion(row["region_id"], row["metadata_version"]) for row in rows}


def limits_of(rows: Iterable[Row]) -> Iterator[PriceLimit]:
    """Price limits."""
    for row in rows:
        yield PriceLimit(
            **{name: row[name] for name in SCOPE},
            since=None if row["valid_from"] == BEGINNING else row["valid_from"],
            until=None if row["valid_until"] == FOREVER else row["valid_until"],
            **{row["bound"]: row["price"]},
        )


def feeds_of(rows: Iterable[Row]) -> Iterator[FeedPolicy]:
    """Feed policies."""
    for row in rows:
        yield FeedPolicy(**{**row, "label": Label(row["label"])})


def _entry(row: Row) -> Entry:
    return Entry(
        since=row["valid_from"],
        until=row["valid_until"],
        commodity=row["commodity"],
        region=row["region_id"],
        product_tier=row["product_tier"],
        tags=tuple(row["tags"]),
        version=row["metadata_version"],
    )


def _row_of_entry(entry: Entry) -> dict[str, Any]:
    return {
        "pattern_order": 0,
        "commodity": entry.commodity,
        "region_id": entry.region,
        "product_tier": entry.product_tier,
        "tags": list(entry.tags),
        "metadata_version": entry.version,
        "valid_from": entry.since,
        "valid_until": entry.until,
    }


SCOPE = ("instrument_id", "location", "market", "kind", "commodity")
"""Names of `PriceLimit.scope`, in its order."""


@attrs.frozen
class Part:
    """Where a part of the reference data is stored."""

    table: sa.Table
    where: Callable[[Any], Written]
    """The columns that name a unit, by its key."""
    rows: Callable[[Any], Sequence[Written]]
    """The other columns of each of a unit's rows, by its value."""
    units: Callable[[Sequence[Row]], Mapping[Any, Any]]
    """All units by key, out of the table's rows."""


def _limits_by_scope(rows: Iterable[Row]) -> dict[tuple[str, ...], tuple[PriceLimit, ...]]:
    found: dict[tuple[str, ...], list[PriceLimit]] = defaultdict(list)
    for limit in limits_of(rows):
        found[limit.scope].append(limit)
    return {scope: tuple(limits) for scope, limits in found.items()}


def _rows_of_limits(limits: Iterable[PriceLimit]) -> list[Written]:
    return [
        {"bound": bound, "price": price, "valid_from": limit.since or BEGINNING, "valid_until": limit.until or FOREVER}
        for limit in limits
        for bound, price in (("floor", limit.floor), ("cap", limit.cap))
        if price is not None
    ]


def _row_of_feed(policy: FeedPolicy) -> Written:
    row = attrs.asdict(policy, recurse=False)
    return {name: row[name] for name in row if name not in FEED_KEY} | {"label": policy.label.value}


FEED_KEY = ("market", "data_type", "market_run")

PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "regions": Part(
            schema.regions,
            lambda key: {**EVERYBODY, "region_id": key},
            lambda region: [{"name": region.name, "within": region.within, **ALWAYS}],
            lambda rows: {row["region_id"]: Region(row["name"], row["within"]) for row in rows},
        ),
        "markets": Part(
            schema.markets,
            lambda key: {"market": key},
            lambda said: [{"region_id": said.region, "metadata_version": said.version}],
            markets_of,
        ),
        "entries": Part(
            schema.instruments,
            lambda key: {"tenant_id": key[0], "is_pattern": False, "name": key[1]},
            lambda entries: [_row_of_entry(entry) for entry in entries],
            entries_of,
        ),
        "patterns": Part(
            schema.instruments,
            lambda key: {"tenant_id": key[0], "is_pattern": True, "name": key[1]},
            lambda pattern: [{**_row_of_entry(pattern.entry), "pattern_order": pattern.order}],
            patterns_of,
        ),
        "instrument_aliases": Part(
            schema.aliases,
            lambda key: {**EVERYBODY, "market": WHOLE_ID, "alias": key},
            lambda real: [{"stands_for": real, **ALWAYS}],
            lambda rows: {
                row["alias"]: row["stands_for"]
                for row in rows
                if row["market"] == WHOLE_ID and row["tenant_id"] == EVERY_TENANT
            },
        ),
        "location_aliases": Part(
            schema.aliases,
            lambda key: {**EVERYBODY, "market": key[0], "alias": key[1]},
            lambda real: [{"stands_for": real, **ALWAYS}],
            lambda rows: {
                (row["market"], row["alias"]): row["stands_for"]
                for row in rows
                if row["market"] != WHOLE_ID and row["tenant_id"] == EVERY_TENANT
            },
        ),
        "limits": Part(
            schema.quality_policies,
            lambda scope: dict(zip(SCOPE, scope, strict=True)),
            _rows_of_limits,
            _limits_by_scope,
        ),
        "feeds": Part(
            schema.feed_policies,
            lambda key: dict(zip(FEED_KEY, key, strict=True)),
            lambda policy: [_row_of_feed(policy)],
            lambda rows: {
                tuple(row[name] for name in FEED_KEY): one for row, one in zip(rows, feeds_of(rows), strict=True)
            },
        ),
    }
)
"""By the names that application.ports.reference_store.Reference gives them."""
