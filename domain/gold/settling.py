"""
Settling: how computed bars stand to what is stored of them, and what of them is news.

The revision decides what a table keeps; this decides what a bar is called (state and reason) and whether anybody need
be told. An announcement is left out only where the stored bar knows more, or says the same and was announced by this
process already. Source: design.md §2.
"""

from enum import StrEnum

import attrs
import polars as pl

from domain.gold.bar import CONTENT, BarBatch, State, revision
from domain.gold.interval import Interval, period_code
from domain.silver.duplicates import Winners


class Change(StrEnum):
    """How a computed bar stands to the stored one."""

    NEWS = "news"
    """New, or of other content, or settled now."""
    NONE = "none"
    """Same content and state."""
    OVERTAKEN = "overtaken"
    """The stored one has a higher revision and other content or state: it knows more."""


@attrs.frozen
class SettledBars:
    """Settled bars of one interval and how each stands to its stored row."""

    rows: BarBatch
    change: pl.Series
    read: pl.DataFrame | None = None
    """The ticks that were read back for them."""

    @classmethod
    def none(cls) -> "SettledBars":
        """No bars."""
        return cls(BarBatch.empty(), pl.Series("change", [], dtype=pl.String))

    def replaced_by(self, others: "SettledBars") -> "SettledBars":
        """These bars, but for those the others compute as well."""
        kept = ~period_code(self.rows.frame["series"], self.rows.frame["interval_start"]).is_in(
            period_code(others.rows.frame["series"], others.rows.frame["interval_start"]).implode()
        )
        rows = BarBatch.concat([BarBatch(self.rows.frame.filter(kept)), others.rows])
        return SettledBars(rows, pl.concat([self.change.filter(kept), others.change]), others.read)

    def news(self, announced: Winners, interval: Interval) -> BarBatch:
        """What must be announced: news, and what is unchanged but was not announced by this process."""
        if (self.change == Change.NEWS).all():
            return self.rows
        unchanged = self.change == Change.NONE
        known = announced.lookup(bar_keys(self.rows, interval))["content"].eq_missing(bar_contents(self.rows))
        return BarBatch(self.rows.frame.filter((self.change == Change.NEWS) | (unchanged & ~known)))

    def touched(self) -> pl.DataFrame:
        """`series`, `interval_start` and `cause`; first of the bars that changed, whose cause is that of what changes above."""
        rows = self.rows.frame.select("series", "interval_start", cause="reason")
        changed = self.change == Change.NEWS
        return rows if changed.all() else pl.concat([rows.filter(changed), rows.filter(~changed)])

    def told(self) -> BarBatch:
        """What is known to be announced once these bars are: all but those that were overtaken."""
        if (self.change != Change.OVERTAKEN).all():
            return self.rows
        return BarBatch(self.rows.frame.filter(self.change != Change.OVERTAKEN))


def settle(bars: pl.DataFrame, interval: str, stored: BarBatch) -> tuple[BarBatch, pl.Series]:
    """
    Decide state, reason and revision of computed bars beside what is stored of them.

    Equal content keeps the stored reason, and the stored state unless that was provisional. Other content of a
    bar that was settled before makes it revised.

    Args:
        bars: What `fold` returned, with `closed` (its window is sealed, or is about to be) and `cause`.
        interval: Name of the interval.
        stored: What the table holds of these bars, read just before.

    Returns:
        The bars to store, and how each stands to its stored row: one of Change, as text.
    """
    if not len(stored):
        return _first(bars, interval)
    held = stored.frame.select("series", "interval_start", "state", "reason", "revision", *CONTENT)
    both = bars.join(held, on=["series", "interval_start"], how="left", suffix="_held", maintain_order="left")
    same = (
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in CONTENT)
        & pl.col("state").is_not_null()
    )
    was_settled = pl.col("state").is_in([State.FINAL, State.REVISED])
    both = both.with_columns(same=same).with_columns(
        settled=pl.when(pl.col("same") & was_settled)
        .then("state")
        .when(~pl.col("closed"))
        .then(pl.lit(State.PROVISIONAL))
        .when(was_settled)
        .then(pl.lit(State.REVISED))
        .otherwise(pl.lit(State.FINAL)),
        cause=pl.when("same").then("reason").otherwise("cause"),
    )
    both = both.with_columns(revised=revision(pl.col("weight"), pl.col("settled")))
    change = both.select(
        pl.when(pl.col("same") & (pl.col("settled") == pl.col("state")))
        .then(pl.lit(Change.NONE))
        .when(pl.col("revision") > pl.col("revised"))
        .then(pl.lit(Change.OVERTAKEN))
        .otherwise(pl.lit(Change.NEWS))
        .alias("change")
    ).to_series()
    settled = both.with_columns(state="settled", reason="cause", revision="revised", interval=pl.lit(interval))
    return BarBatch(settled.select(BarBatch.schema.keys())), change


def _first(bars: pl.DataFrame, interval: str) -> tuple[BarBatch, pl.Series]:
    """The same where nothing of these bars is stored yet, as is usual: no comparison is needed."""
    settled = bars.with_columns(
        pl.when("closed").then(pl.lit(State.FINAL.value)).otherwise(pl.lit(State.PROVISIONAL.value)).alias("state"),
        reason="cause",
        interval=pl.lit(interval),
    ).with_columns(revision=revision(pl.col("weight"), pl.col("state")))
    change = pl.Series("change", [Change.NEWS.value]).new_from_index(0, bars.height)
    return BarBatch(settled.select(BarBatch.schema.keys())), change


_SPREAD = pl.Series([0x9E3779B97F4A7C15], dtype=pl.UInt64)
_OTHER_SPREAD = pl.Series([0xBF58476D1CE4E5B9], dtype=pl.UInt64)
_HALF = pl.Series([1 << 32], dtype=pl.UInt64)


def bar_keys(bars: BarBatch, interval: Interval) -> pl.Series:
    """A well-mixed UInt64 a bar, stable within the process."""
    code = period_code(bars.frame["series"], bars.frame["interval_start"]).cast(pl.UInt64)
    product = code * _SPREAD ^ pl.Series([interval.minutes], dtype=pl.UInt64) * _OTHER_SPREAD
    return (product ^ product // _HALF) * _SPREAD


def bar_contents(bars: BarBatch) -> pl.Series:
    """A UInt64 of each bar's content and state."""
    states = bars.frame["state"].replace_strict(_STATE_NUMBERS, return_dtype=pl.UInt64)
    return bars.frame["lineage_digest"] * _SPREAD ^ states


_STATE_NUMBERS = {state.value: number for number, state in enumerate(State, start=1)}
