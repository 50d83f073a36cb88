"""
What kind of thing an instrument is: commodity, region, tier. Joined to ticks at enrichment, to bars when read.

What is known of an instrument changes with time, so it is a *history*: classifications, each from an instant on. A tick
gets what was known for the instant its price is for. Histories of many instruments, with the price limits that follow
from them, are laid out as `Steps`: one step function of time per series, read for a whole batch at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import NamedTuple, cast

import attrs
import polars as pl

from domain.batch import INSTANT, PRICE, Batch, column
from domain.gold.instrument_name import InstrumentName
from domain.gold.limits import BEGINNING, Bounds, PriceLimits, Subject, price_out_of_range
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch


@attrs.frozen(kw_only=True)
class EnrichedTick(Tick):
    """A tick and what is known of its instrument. Source: contracts.md §3 and §4, enriched_ticks."""

    commodity: str = column(pl.String, "power, natural_gas, oil …; empty where unknown.")
    region: str = column(pl.String, "Region of the market; empty where unknown.")
    product_tier: str = column(pl.String, "hub, zone, node, contract …; empty where unknown.")
    taxonomy: str = column(
        pl.String, "Further classification with method, confidence and version, as a JSON object of strings."
    )
    tags: str = column(pl.String, "Tags as a JSON array of strings; a list at the border.")
    metadata_version: int = column(
        pl.UInt64, "Version of the metadata the row got; 0 where the catalog did not answer."
    )


class EnrichedTicks(Batch[EnrichedTick]):
    """Many enriched ticks. Of two rows of one key the newer tick stays, then the greater content, then the newer metadata."""

    fact = EnrichedTick


class InstrumentKey(NamedTuple):
    """Whose instrument, and which."""

    tenant_id: str
    instrument_id: str


@attrs.frozen(kw_only=True)
class Classification:
    """What an instrument is from `since` on, until its history's next classification. Texts are as in EnrichedTick."""

    since: datetime = BEGINNING
    """First instant it holds for."""
    commodity: str = ""
    region: str = ""
    product_tier: str = ""
    taxonomy: str = "{}"
    tags: str = "[]"
    metadata_version: int = 0


UNKNOWN = Classification()
"""What is known of an instrument nobody has described, or could be asked about."""

History = tuple[Classification, ...]
"""Classifications of one instrument, ascending by `since`; the first holds from the beginning."""


def missing_metadata(commodity: pl.Series) -> pl.Series:
    """
    Nobody has said what the instrument is.

    Args:
        commodity: Commodity per tick; empty where unknown.

    Returns:
        True where the tick lacks metadata. It is kept, only flagged.

    Source: specification §11, Missing Instrument Metadata; contracts.md §2, flags.
    """
    return commodity == ""


JOINED = ("commodity", "region", "product_tier", "taxonomy", "tags", "metadata_version")
"""Columns that enrichment adds to a tick."""

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""After every instant a price can be for."""

STEP_SCHEMA = {
    "until": INSTANT,
    "floor": PRICE,
    "cap": PRICE,
    "flags": EnrichedTicks.schema["quality_flags"],
    **{name: EnrichedTicks.schema[name] for name in JOINED},
}


@attrs.frozen
class Step:
    """What holds for one series until just before an instant: its classification, and the bounds that follow from it."""

    until: datetime
    bounds: Bounds
    classification: Classification


def steps_of(instrument_id: str, history: History, limits: PriceLimits) -> list[Step]:
    """Cut time where the classification or a bound of this instrument may change; ascending, the last ends never."""
    name = InstrumentName.of(instrument_id)
    steps = []
    for classification, until in zip(history, [*(later.since for later in history[1:]), FOREVER], strict=True):
        covering = limits.covering(Subject(name, classification.commodity))
        since = classification.since
        cuts = sorted(at for at in covering.changes() if since < at < until)
        for start, end in pairwise([since, *cuts, until]):
            steps.append(Step(end, covering.bounds(start), classification))
    return steps


@attrs.frozen(eq=False)
class Steps:
    """Step functions of time of many series, in columns. Values don't change; more series give a new one."""

    first: pl.Series = attrs.field(factory=lambda: pl.Series(dtype=pl.UInt32))
    """Position of the first step of each series, by its code; null where the series has none here."""
    table: pl.DataFrame = attrs.field(factory=lambda: pl.DataFrame(schema=STEP_SCHEMA))
    """Steps, those of one series in a row and ascending. Columns as STEP_SCHEMA."""
    longest: int = 1
    """Steps of the series that has most."""

    def __len__(self) -> int:
        return self.table.height

    def lacking(self, codes: pl.Series) -> pl.Series:
        """True for each of these series codes that has no steps here."""
        if not codes.len():
            return pl.Series(dtype=pl.Boolean)
        return self._reaching(cast("int", codes.max()))[codes].is_null()

    def extended(self, steps: Mapping[int, Sequence[Step]]) -> "Steps":
        """These and the steps of further series, by series code."""
        starts = list(accumulate((len(own) for own in steps.values()), initial=len(self)))
        first = self._reaching(max(steps)).scatter(list(steps), starts[:-1])
        table = pl.concat([self.table, _table(step for own in steps.values() for step in own)])
        return Steps(first, table, max(self.longest, *(len(own) for own in steps.values())))

    def positions(self, codes: pl.Series, ts: pl.Series) -> pl.Series:
        """Return for each tick, by its series code and time, the position of the step it falls in; no series may lack here."""
        position = self.first[codes]
        for _ in range(self.longest - 1):
            position = position + (ts >= self.table["until"][position]).cast(pl.UInt32)
        return position

    def _reaching(self, code: int) -> pl.Series:
        """`first`, as a new column long enough for this code."""
        further = max(0, code + 1 - len(self.first))
        return pl.concat([self.first, pl.repeat(None, further, dtype=pl.UInt32, eager=True)])


def _table(steps: Iterable[Step]) -> pl.DataFrame:
    rows = [(step.until, *step.bounds, 0, *(getattr(step.classification, name) for name in JOINED)) for step in steps]
    table = pl.DataFrame(rows, schema=STEP_SCHEMA, orient="row")
    missing = missing_metadata(table["commodity"]).cast(pl.UInt32) * int(Flag.MISSING_METADATA)
    return table.with_columns(missing.alias("flags"))


ENRICHMENT_FLAGS = Flag.MISSING_METADATA | Flag.PRICE_OUT_OF_RANGE
"""Flags that `enriched` sets."""


def unenriched(rows: EnrichedTicks) -> TickBatch:
    """These ticks as they were before `enriched`; flags that others set stay."""
    flags = rows.frame["quality_flags"]
    kept = flags & ~pl.Series([int(ENRICHMENT_FLAGS)], dtype=flags.dtype)
    return TickBatch(rows.frame.drop(JOINED).with_columns(kept.alias("quality_flags")))


def enriched(ticks: TickBatch, steps: Steps) -> EnrichedTicks:
    """
    Join to each tick what was known of its instrument for its time, and flag MISSING_METADATA and PRICE_OUT_OF_RANGE.

    Args:
        ticks: Any ticks; their order is kept.
        steps: Steps of all series among them.
    """
    frame = ticks.frame
    position = steps.positions(frame["series"].to_physical(), frame["ts"])
    joined = steps.table[["flags", "floor", "cap", *JOINED]][position]
    odd = price_out_of_range(frame["price"], joined["floor"], joined["cap"]).fill_null(value=False)
    flags = frame["quality_flags"] | joined["flags"] | odd.cast(pl.UInt32) * int(Flag.PRICE_OUT_OF_RANGE)
    return EnrichedTicks(frame.with_columns(flags.alias("quality_flags"), *(joined[name] for name in JOINED)))
