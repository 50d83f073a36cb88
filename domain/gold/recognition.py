"""
Late ticks: which of them repeat what is in their bars, and which ask for their window to be computed anew.

Connectors state every point again and again, so the owner of a partition keeps a bounded memory of winners (key →
version, content), filled from the windows it has closed and from what it has read back of closed ones, never from a
late tick by itself. A late tick is a repeat when it has the version known there and no greater content, or a higher version
with the content known there; any other asks, and its key leaves the memory until the recompute brings it back.

Two exceptions. Where two ticks share their instrument, instant and sequence, versions decide open and close, so that no
repeat is idle: such keys are not remembered. And a window is doubted where another owner may have read of it, or where
it was computed before it was closed: a process that stands still may put a bar above the close that counts versions
nobody has read here yet. There the first repeat of higher version asks too: what is read from stored ticks then knows
every version that any bar before it can have counted, and ends the doubt.
"""

from collections.abc import Mapping

import attrs
import polars as pl

from domain.gold.interval import Interval
from domain.gold.settling import period_keys
from domain.gold.window import contested
from domain.silver.duplicates import Winners

KNOWN_BY = ("key", "version", "content", "series", "ts", "source_seq", "window")
"""Columns of ticks that are remembered, or say whether they may be."""


@attrs.frozen
class Judged:
    """What late ticks are, row by row."""

    repeat: pl.Series
    corrects: pl.Series
    """Whether it says something else than what is known to be in its bar."""


@attrs.define
class Recognition:
    """What one process knows of the ticks of closed windows. It may forget, which costs a recompute."""

    base: Interval
    remembered: int
    """Ticks, and windows in doubt, at most."""
    _winners: Winners = attrs.field(init=False)
    _doubted: Winners = attrs.field(init=False)
    _inherited: dict[int, int] = attrs.field(init=False, factory=dict)
    """By partition, the offset before which another owner may have read."""

    def __attrs_post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing of any tick."""
        self._winners = Winners(self.remembered)
        self._doubted = Winners(self.remembered)

    def inherit(self, ends: Mapping[int, int]) -> None:
        """Take over partitions of which others may have read up to these offsets."""
        self._inherited.update(ends)

    def judge(self, late: pl.DataFrame, closed: pl.DataFrame) -> Judged:
        """
        Say which late ticks are repeats.

        Args:
            late: Open-tick columns of domain.gold.window, in order of arrival.
            closed: The same of the ticks whose windows are closed just now, and are not learnt yet.
        """
        known = self._winners.lookup(late["key"])
        plain = closed.filter(~contested(closed)).select("key", "version", "content")
        just_closed = late.select("key").join(plain, on="key", how="left", maintain_order="left")
        version = pl.select(pl.coalesce(just_closed["version"], known["version"])).to_series()
        content = pl.select(pl.coalesce(just_closed["content"], known["content"])).to_series()
        same = late["content"] == content
        newer = (late["version"] > version) & same & ~self._is_doubted(late["window"], closed)
        no_more = (late["version"] == version) & (late["content"] <= content)
        repeat = (no_more | newer).fill_null(value=False)
        return Judged(repeat, (~same).fill_null(value=False))

    def learn(self, closed: pl.DataFrame, read: pl.DataFrame, repeats: pl.DataFrame, asking: pl.DataFrame) -> None:
        """
        Take in what a turn has stored.

        Args:
            closed: Ticks of the windows it closed.
            read: Ticks of closed windows that it read back, with their `window`.
            repeats: Late ticks that it skipped.
            asking: Late ticks that it asked for.
        """
        if read.height:
            self._remember(read)
        if closed.height:
            self._remember(closed)
            self.doubt(self._inherited_among(closed))
        self._winners.remember(repeats["key"], repeats["version"], repeats["content"])
        self._winners.forget(asking["key"])
        if read.height:
            self._doubted.forget(self._keys(read["window"].unique()))

    def doubt(self, windows: pl.Series) -> None:
        """Doubt these windows, given by their period codes, until they are read back."""
        once = pl.Series([1], dtype=pl.UInt64).new_from_index(0, len(windows))
        self._doubted.remember(self._keys(windows), once, once)

    def doubts(self, windows: pl.Series, closed: pl.DataFrame) -> bool:
        """Whether any of these windows is doubted, given the ticks whose windows are closed just now."""
        return bool(self._is_doubted(windows, closed).any())

    def _is_doubted(self, windows: pl.Series, closed: pl.DataFrame) -> pl.Series:
        doubted = self._doubted.lookup(self._keys(windows))["version"].is_not_null()
        inherited = self._inherited_among(closed)
        return doubted | windows.is_in(inherited.implode()) if len(inherited) else doubted

    def _inherited_among(self, ticks: pl.DataFrame) -> pl.Series:
        """Windows that hold a tick another owner may have read."""
        end = ticks["partition"].replace_strict(self._inherited, default=0, return_dtype=pl.Int64)
        return ticks["window"].filter(ticks["offset"] < end).unique()

    def _keys(self, windows: pl.Series) -> pl.Series:
        return period_keys(windows, self.base)

    def _remember(self, ticks: pl.DataFrame) -> None:
        apart = contested(ticks)
        if apart.any():
            self._winners.forget(ticks["key"].filter(apart))
            ticks = ticks.filter(~apart)
        self._winners.remember(ticks["key"], ticks["version"], ticks["content"])
