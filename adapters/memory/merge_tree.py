"""
A replacing merge tree in miniature: rows by key, of which the highest version counts, kept in sorted runs.

Writes append a run; runs of similar size are merged, which drops replaced rows, so memory grows with what is stored.
Reads bisect each run whose time span they meet. A row's *place* is its series and minute, so that one sorted column
answers both "this key" and "this window of this series".
"""

from collections.abc import Callable

import attrs
import polars as pl

from domain.gold.interval import MINUTES

FANOUT = 4
"""Runs of one tier before they are merged into the next."""

@attrs.frozen
class Layout:
    """How a table's rows are told apart, which of two stays, and where they stand."""

    key: Callable[[pl.DataFrame], pl.Series]
    """Integer identity of each row."""
    version: Callable[[pl.DataFrame], pl.Series]
    """Of two rows with one key the greater stays."""
    place: Callable[[pl.DataFrame], pl.Series]
    """Int64, a period code: the row's series and minute."""


@attrs.frozen
class Run:
    """Rows sorted by place, one a key."""

    rows: pl.DataFrame
    key: pl.Series
    place: pl.Series
    first_minute: int
    last_minute: int
    tier: int

    def meeting(self, low: pl.Series, high: pl.Series) -> pl.Series:
        """Return positions of the rows with low <= place < high, for disjoint spans."""
        first = self.place.search_sorted(low, side="left")
        found = self.place.gather(first.clip(0, len(self.place) - 1))
        hit = (first < len(self.place)) & (found < high) & (found >= low)
        first, high = first.filter(hit), high.filter(hit)
        last = self.place.search_sorted(high, side="left")
        if (last - first).max() == 1:
            return first
        return pl.int_ranges(first, last, dtype=pl.UInt32, eager=True).explode()


@attrs.define
class MergeTree:
    """Rows of one table. One writer at a time; readers of other threads see whole writes."""

    layout: Layout
    schema: dict[str, pl.DataType]
    _runs: tuple[Run, ...] = ()

    def insert(self, rows: pl.DataFrame) -> None:
        """Keep each row unless a higher version of its key is there."""
        if not rows.height:
            return
        runs = [*self._runs, self._run([rows], tier=0)]
        while len(runs) >= FANOUT and len({run.tier for run in runs[-FANOUT:]}) == 1:
            merged = self._run([run.rows for run in runs[-FANOUT:]], tier=runs[-1].tier + 1)
            runs[-FANOUT:] = [merged]
        self._runs = tuple(runs)

    def spans(self, low: pl.Series, high: pl.Series) -> pl.DataFrame:
        """Return the rows, one a key at its highest version, whose place lies in one of these disjoint spans."""
        parts = []
        minute_from, minute_to = low % MINUTES, (high - 1) % MINUTES
        for run in self._runs:
            near = (minute_from <= run.last_minute) & (minute_to >= run.first_minute)
            if not near.any():
                continue
            positions = run.meeting(low.filter(near), high.filter(near))
            if len(positions):
                parts.append(run.rows[positions])
        return self._merged(parts)

    def all(self) -> pl.DataFrame:
        """Return all rows, one a key at its highest version."""
        return self._merged([run.rows for run in self._runs])

    def _merged(self, parts: list[pl.DataFrame]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=self.schema)
        return parts[0] if len(parts) == 1 else self._winners(pl.concat(parts))

    def _winners(self, rows: pl.DataFrame) -> pl.DataFrame:
        key = self.layout.key(rows)
        if not key.is_duplicated().any():
            return rows
        by_version = self.layout.version(rows).arg_sort()
        return rows[by_version.filter(key.gather(by_version).is_last_distinct())]

    def _run(self, parts: list[pl.DataFrame], tier: int) -> Run:
        rows = self._winners(pl.concat(parts, rechunk=True) if len(parts) > 1 else parts[0])
        place = self.layout.place(rows)
        if not place.is_sorted():
            by_place = place.arg_sort()
            rows, place = rows[by_place], place.gather(by_place)
        minutes = place % MINUTES
        return Run(rows, self.layout.key(rows), place, minutes.min(), minutes.max(), tier)
