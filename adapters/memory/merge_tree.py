"""
A replacing merge tree in miniature: rows by key, of which the highest version counts, kept in runs with a sorted index.

Writes append a run; runs of similar size are merged, which drops replaced rows, so memory grows with what is stored.
Reads by place bisect the index of each run whose time span they meet. A row's *place* is its series and minute, so that one
sorted column answers both "this key" and "this window of this series".
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import polars as pl

from domain.gold.interval import minute_of

FANOUT = 6
"""Runs of one tier before they are merged into the next."""
FEW = 1_000
"""So many spans are looked for in all runs at once; of more, each run is asked for those it may hold."""


@attrs.frozen
class Layout:
    """How a table's rows are told apart, which of two stays, and where they stand."""

    key: Callable[[pl.DataFrame], pl.Series]
    """Integer identity of each row."""
    version: Callable[[pl.DataFrame], Sequence[pl.Series]]
    """Of two rows with one key the greater stays; of these columns the first decides, then the next."""
    place: Callable[[pl.DataFrame], pl.Series]
    """Int64, a period code: the row's series and minute."""


@attrs.frozen
class Index:
    """Where rows stand."""

    place: pl.Series
    """Ascending."""
    row: pl.Series
    """The row at each place."""
    first_minute: int
    last_minute: int

    @classmethod
    def of(cls, place: pl.Series) -> "Index":
        """Sort rows by their places."""
        order, minutes = place.arg_sort(), minute_of(place)
        return cls(place[order], order, minutes.min(), minutes.max())  # type: ignore[arg-type]

    def meets(self, earliest: Any, latest: Any) -> bool:
        """Whether it may hold a row of these minutes."""
        return bool(self.last_minute >= earliest and self.first_minute <= latest)

    def rows(self, first: pl.Series, last: pl.Series) -> pl.Series:
        """Positions of the rows at these disjoint spans of `place`, first <= last."""
        hit = first < last
        if not hit.any():
            return self.row.clear()
        first, last = first.filter(hit), last.filter(hit)
        if (last - first).max() == 1:
            return self.row[first]
        return self.row[pl.select(pl.int_ranges(first, last, dtype=pl.UInt32).explode()).to_series()]


def meeting(indexes: Sequence[Index], low: pl.Series, high: pl.Series) -> list[pl.Series]:
    """Positions of each index's rows with low <= place < high, for disjoint ascending spans; asked of all at once."""
    spans, places = (pl.lit(low), pl.lit(high)), [pl.lit(index.place) for index in indexes]
    asked = [place.search_sorted(span) for place in places for span in spans]
    found = pl.select([bound.alias(str(at)) for at, bound in enumerate(asked)]).get_columns()
    return [index.rows(*found[2 * at : 2 * at + 2]) for at, index in enumerate(indexes)]


@attrs.define(eq=False)
class Run:
    """
    Rows of one write, or of several merged. Which of them last, and where they stand, is found when somebody asks.

    Most rows are written and never read before they are merged. Readers of other threads may find it twice.
    """

    layout: Layout
    tier: int
    _rows: pl.DataFrame
    _one_a_key: bool = False
    _index: Index | None = None

    def rows(self) -> pl.DataFrame:
        """Return its rows, one a key at its highest version."""
        if not self._one_a_key:
            self._rows = winners(self.layout, self._rows)
            self._one_a_key = True
        return self._rows

    def index(self) -> Index:
        """Where its rows stand."""
        if self._index is None:
            self._rows = self.rows().rechunk()
            self._index = Index.of(self.layout.place(self._rows))
        return self._index


def winners(layout: Layout, rows: pl.DataFrame) -> pl.DataFrame:
    """Return of rows with one key the one with the greatest version, the last of those; the order stands."""
    key = layout.key(rows)
    if key.n_unique() == len(key):
        return rows
    repeated = key.is_duplicated()
    several = repeated.arg_true()
    rivals = rows[several]
    by_version = several[rivals.select(pl.arg_sort_by(layout.version(rivals), maintain_order=True)).to_series()]
    lasting = by_version.filter(key[by_version].is_last_distinct())
    return rows[pl.concat([(~repeated).arg_true(), lasting]).sort()]


@attrs.define
class MergeTree:
    """Rows of one table. One writer at a time; readers of other threads see whole writes."""

    layout: Layout
    schema: dict[str, Any]
    _runs: tuple[Run, ...] = ()

    def insert(self, rows: pl.DataFrame) -> None:
        """Keep each row unless a higher version of its key is there."""
        if not rows.height:
            return
        runs = [*self._runs, Run(self.layout, 0, rows)]
        while len(runs) >= FANOUT and runs[-FANOUT].tier == runs[-1].tier:
            merged = self._merged([run.rows() for run in runs[-FANOUT:]])
            runs[-FANOUT:] = [Run(self.layout, runs[-1].tier + 1, merged, one_a_key=True)]
        self._runs = tuple(runs)

    def spans(self, low: pl.Series, high: pl.Series) -> pl.DataFrame:
        """Return the rows, one a key at its highest version, whose place lies in one of these disjoint ascending spans."""
        if not len(low):
            return pl.DataFrame(schema=self.schema)
        minute_from, minute_to = minute_of(low), minute_of(high - 1)
        earliest, latest = minute_from.min(), minute_to.max()
        near = [run for run in self._runs if run.index().meets(earliest, latest)]
        if len(low) <= FEW:
            found = meeting([run.index() for run in near], low, high)
        else:
            asked = [(minute_from <= run.index().last_minute) & (minute_to >= run.index().first_minute) for run in near]
            found = [
                meeting([run.index()], low.filter(own), high.filter(own))[0]
                for run, own in zip(near, asked, strict=True)
            ]
        return self._merged([run.rows()[rows] for run, rows in zip(near, found, strict=True) if len(rows)])

    def where(self, wanted: pl.Expr) -> pl.DataFrame:
        """Return the rows, one a key at its highest version, that meet a condition on their key. Looks at all rows."""
        return self._merged([run.rows().filter(wanted) for run in self._runs])

    def all(self) -> pl.DataFrame:
        """Return all rows, one a key at its highest version."""
        return self._merged([run.rows() for run in self._runs])

    def _merged(self, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=self.schema)
        return parts[0] if len(parts) == 1 else winners(self.layout, pl.concat(parts))
