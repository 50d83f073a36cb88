"""
Enriching stored ticks again when what is known of their instruments has changed.

A row is *behind* when the catalog would give it a higher metadata_version now than it carries. Of every series in the
table it is worked out which spans of time can hold such rows; those are read, enriched anew and stored in their place.
Nothing is announced: bars depend on ticks alone, so that metadata disturbs none of them.

It is done a batch at a time, so that a stage does it beside its work, and again from the beginning after a restart:
rows that were stored already are behind no more.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs
import polars as pl

from application.ports.enriched_table import EnrichedTable
from application.ports.instrument_catalog import InstrumentCatalog
from application.ports.price_limits import PriceLimitPolicies
from domain.batch import INSTANT
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import EnrichedTicks, InstrumentKey, Step, Steps, enriched, steps_of, unenriched
from domain.identity import SERIES

SPANS: Mapping[str, Any] = MappingProxyType({"series": SERIES, "start": INSTANT, "end": INSTANT, "wanted": pl.Int64})


@attrs.frozen
class Piece:
    """A part of the work: where rows may be behind, and what they become."""

    spans: pl.DataFrame
    """Columns as SPANS."""
    steps: Steps


@attrs.define
class Reenrichment:
    """
    Goes once through all stored ticks that are behind the catalog.

    `batch` yields rows to store; the next ones come once `advance` was called, when they are stored.
    """

    catalog: InstrumentCatalog
    policies: PriceLimitPolicies
    table: EnrichedTable
    series_at_once: int = 2_000
    """Series that are looked up together."""
    rows_at_once: int = 20_000
    """About as many rows come in a batch."""
    found: int = attrs.field(init=False, default=0)
    """Rows stored again since `begin`."""
    _extents: pl.DataFrame | None = attrs.field(init=False, default=None)
    _pieces: deque[Piece] = attrs.field(init=False, factory=deque)
    _rows: int = attrs.field(init=False, default=0)

    @property
    def running(self) -> bool:
        """Whether there may be more to do."""
        return bool(self._pieces) or self._extents is not None

    def begin(self) -> None:
        """
        Go through all of it from the start.

        Raises:
            StoreUnavailable: Nothing has begun.
        """
        self._leave(self.table.extents())
        self._pieces.clear()
        self.found = 0

    def stop(self) -> None:
        """Leave what is not done undone."""
        self._extents = None
        self._pieces.clear()

    def plan(self) -> None:
        """
        Look up the next series, where nothing looked up is left to do.

        Raises:
            StoreUnavailable: The catalog can't be asked now; call it again.
        """
        if self._pieces or self._extents is None:
            return
        taken = self._next_series(self._extents)
        self._pieces.extend(self._pieces_of(taken))
        self._leave(self._extents[taken.height :])

    def batch(self) -> EnrichedTicks:
        """
        Return the next rows to store; none where this part of the table is up to date.

        Raises:
            StoreUnavailable: The table can't be read now; call it again.
        """
        rows = self._read(self._pieces[0]) if self._pieces else EnrichedTicks.empty()
        self._rows = len(rows)
        return rows

    def advance(self) -> None:
        """Go on to the next batch: this one is stored."""
        self.found += self._rows
        if self._pieces:
            self._pieces.popleft()

    def _leave(self, extents: pl.DataFrame) -> None:
        self._extents = extents if extents.height else None

    def _read(self, piece: Piece) -> EnrichedTicks:
        return enriched(unenriched(self.table.behind(piece.spans)), piece.steps)

    def _next_series(self, extents: pl.DataFrame) -> pl.DataFrame:
        """As many as make a batch, at least one."""
        fits = extents["rows"][: self.series_at_once].cum_sum() <= self.rows_at_once
        return extents[: max(1, int(fits.sum()))]

    def _pieces_of(self, extents: pl.DataFrame) -> Iterator[Piece]:
        keys = [InstrumentKey(*row) for row in extents.select("tenant_id", "instrument_id").iter_rows()]
        histories, limits = self.catalog.lookup(keys), self.policies.limits()
        steps = {key: steps_of(key.instrument_id, histories[key], limits) for key in keys}
        spans = _spans(extents, steps)
        if not spans.height:
            return
        series = pl.Series([_series(key) for key in keys]).cast(SERIES).to_physical()
        held = Steps().extended(dict(zip(series, steps.values(), strict=True)))
        pieces = -(-int(extents["rows"].sum()) // self.rows_at_once)
        yield from (Piece(part, held) for part in _cut(spans, max(1, pieces)))


def _series(key: InstrumentKey) -> str:
    return f"{key.tenant_id}|{key.instrument_id}"


def _spans(extents: pl.DataFrame, steps: Mapping[InstrumentKey, Sequence[Step]]) -> pl.DataFrame:
    """Where rows may be behind: a step of a higher version than the lowest there, as far as the series reaches."""
    rows = [
        (_series(key), start, step.until, step.classification.metadata_version)
        for key, own in steps.items()
        for start, step in zip([BEGINNING, *(step.until for step in own)], own, strict=False)
    ]
    named = extents.with_columns(series=pl.concat_str("tenant_id", "instrument_id", separator="|").cast(SERIES))
    reached = pl.DataFrame(rows, schema=dict(SPANS), orient="row").join(named, on="series", maintain_order="left")
    instant = pl.duration(microseconds=1)
    return reached.select(
        "series",
        pl.max_horizontal("start", "first_ts").alias("start"),
        pl.min_horizontal("end", pl.col("last_ts") + instant).alias("end"),
        "wanted",
        "lowest",
    ).filter((pl.col("start") < pl.col("end")) & (pl.col("lowest") < pl.col("wanted").cast(pl.UInt64)))[:, : len(SPANS)]


def _cut(spans: pl.DataFrame, pieces: int) -> Iterator[pl.DataFrame]:
    """Each span in so many parts of equal length; the first parts together, then the second, and so on."""
    start, end = pl.col("start").to_physical(), pl.col("end").to_physical()
    for number in range(pieces):
        low = start + (end - start) // pieces * number
        high = start + (end - start) // pieces * (number + 1) if number + 1 < pieces else end
        part = spans.with_columns(start=low.cast(INSTANT), end=high.cast(INSTANT))
        yield part.filter(pl.col("start") < pl.col("end"))
