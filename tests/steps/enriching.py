"""Words that the enrichment and projection scenarios share."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

import attrs

from domain.gold.taxonomy import EnrichedTick, EnrichedTicks
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch
from tests.builders import at, micros, tick

Table = Sequence[Sequence[str]]
DELIVERIES = ("one batch", "tick by tick", "reversed")


def rows_of(table: Table) -> list[dict[str, str]]:
    """Rows of a Gherkin table by column name."""
    names, *rows = table
    return [dict(zip(names, row, strict=True)) for row in rows]


def ticks_of(table: Table) -> list[Tick]:
    """Ticks out of a Gherkin table; columns that are absent take a believable value."""
    return [_tick(row) for row in rows_of(table)]


def _tick(row: dict[str, str]) -> Tick:
    fields = (
        {"ingested_at": at(row["known at"]), "version": micros(at(row["known at"])) * 4096} if "known at" in row else {}
    )
    return tick(
        row["at"],
        row["price"],
        tenant_id=row.get("tenant", "default"),
        instrument_id=row["instrument"],
        volume=row.get("volume") or None,
        source_seq=int(row.get("seq", 0)),
        quality_flags=mask(row.get("flags", "")),
        **fields,
    )


def batches(facts: Sequence[Tick], delivery: str) -> Iterable[list[Tick]]:
    """The facts as a delivery brings them."""
    if delivery == "one batch":
        return [list(facts)]
    return [[fact] for fact in (reversed(facts) if delivery == "reversed" else facts)]


def enriched_batch(facts: Sequence[Tick]) -> EnrichedTicks:
    """Enriched ticks of which nothing is known."""
    known: dict[str, Any] = {
        "commodity": "natural_gas",
        "region": "us-gulf",
        "product_tier": "contract",
        "taxonomy": "{}",
        "tags": "[]",
        "metadata_version": 1,
    }
    return EnrichedTicks.of(EnrichedTick(**attrs.asdict(fact, recurse=False), **known) for fact in facts)


def tick_batch(facts: Sequence[Tick]) -> TickBatch:
    """A batch of ticks."""
    return TickBatch.of(facts)


def mask(names: str) -> int:
    """Flags from their names, comma-separated."""
    return int(reduce(or_, (Flag[name.strip()] for name in names.split(",") if name.strip()), Flag(0)))


def names(flags: int) -> str:
    """Names of flags, comma-separated."""
    return ",".join(sorted(str(flag.name) for flag in Flag(flags)))


def number(text: str) -> Decimal | None:
    """An exact number; none for an empty cell."""
    return Decimal(text) if text else None
