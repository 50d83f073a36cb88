"""
Settling: how computed bars stand to what is stored of them, and what of them is news.

The revision decides what a table keeps; this decides what a bar is called (state and reason) and whether anybody need
be told. An announcement is left out only where the stored bar knows more, or says the same and was announced by this
process already. Where another owner may stand still with what it has read, a settled bar that counts more than it did is told
all the same: else that owner's provisional one, which may count as much, would be the highest that was told.
Source: design.md §2.
"""

from enum import StrEnum

import attrs
import polars as pl

from domain.batch import columnwise, rows_of
from domain.gold.bar import CONTENT, BarBatch, BarRevisions, State, precedence, precedes, revision
from domain.gold.interval import Interval, period_code
from domain.silver.duplicates import Winners


class Change(StrEnum):
    """How a computed bar stands to the stored one."""

    NEWS = "news"
    """New, or of other content, or settled now."""
    NONE = "none"
    """Same content and state."""
    OVERTAKEN = "overtaken"
    """The stored one takes precedence and has other content or state: it knows more."""


@attrs.frozen
class SettledBars:
    """Settled bars of one interval and how each stands to its stored row."""

    rows: BarBatch
    change: pl.Series
    fresh: pl.Series
    """Whether its content differs from the stored one's, or nothing was stored."""
    risen: pl.Series
    """Whether it is settled, as is the stored one, and counts more."""

    @classmethod
    def none(cls) -> "SettledBars":
        """No bars."""
        return cls(BarBatch.empty(), _NEWS.clear(), _TRUE.clear(), _TRUE.clear())

    def replaced_by(self, others: "SettledBars") -> "SettledBars":
        """These bars, but for those the others compute as well."""
        kept = ~period_code(self.rows.frame["series"], self.rows.frame["interval_start"]).is_in(
            period_code(others.rows.frame["series"], others.rows.frame["interval_start"]).implode()
        )
        rows = BarBatch.concat([BarBatch(self.rows.frame.filter(kept)), others.rows])
        change = pl.concat([self.change.filter(kept), others.change])
        fresh = pl.concat([self.fresh.filter(kept), others.fresh])
        return SettledBars(rows, change, fresh, pl.concat([self.risen.filter(kept), others.risen]))

    def revisions(self) -> BarRevisions:
        """What of them is worth remembering: news of content, not of state alone."""
        bars = self.rows.frame
        if self.fresh.all() and self.is_news:
            return BarRevisions.of_bars(bars)
        return BarRevisions.of_bars(bars.filter(self.fresh & (self.change == Change.NEWS)))

    @property
    def is_news(self) -> bool:
        """Whether all of them are, as is usual."""
        return bool((self.change == Change.NEWS).all())

    def news(self, announced: Winners, interval: Interval, *, doubted: bool = False) -> BarBatch:
        """
        What must be announced: news, and what is unchanged but was not announced by this process.

        Args:
            announced: What it has announced.
            interval: Of the bars.
            doubted: Whether another owner may have read of their windows; then also what has risen.
        """
        if self.is_news:
            return self.rows
        unchanged = self.change == Change.NONE
        known = announced.lookup(bar_keys(self.rows, interval))["content"].eq_missing(bar_contents(self.rows))
        again = ~known | self.risen if doubted else ~known
        return BarBatch(self.rows.frame.filter((self.change == Change.NEWS) | (unchanged & again)))

    def touched(self) -> pl.DataFrame:
        """`series`, `start` and `cause`; first of the bars that changed, whose cause is that of what changes above."""
        bars = self.rows.frame
        rows = pl.DataFrame([bars["series"], bars["interval_start"].alias("start"), bars["reason"].alias("cause")])
        if self.is_news:
            return rows
        changed = self.change == Change.NEWS
        return pl.concat([rows.filter(changed), rows.filter(~changed)])

    def told(self) -> BarBatch:
        """What is known to be announced once these bars are: all but those that were overtaken."""
        if self.is_news or (self.change != Change.OVERTAKEN).all():
            return self.rows
        return BarBatch(self.rows.frame.filter(self.change != Change.OVERTAKEN))


def settle(bars: pl.DataFrame, interval: str, stored: BarBatch) -> SettledBars:
    """
    Decide state, reason and revision of computed bars beside what is stored of them.

    Equal content keeps the stored reason, and the stored state unless that was provisional. Other content of a
    bar that was settled before makes it revised.

    Args:
        bars: What `fold` returned, with `closed` (its window is sealed, or is about to be) and `cause`.
        interval: Name of the interval.
        stored: What the table holds of these bars, read just before.

    Returns:
        The bars to store, and how each stands to its stored row.
    """
    if not len(stored):
        return _first(bars, interval)
    held = stored.frame[rows_of(bars["bar"], period_code(stored.frame["series"], stored.frame["interval_start"]))]
    settled = (
        bars.hstack([held[name].alias(f"{name}_held") for name in HELD])
        .with_columns(same=_SAME)
        .with_columns(state=_STATE, reason=pl.when("same").then("reason_held").otherwise("cause"))
        .with_columns(revision=revision(pl.col("weight"), pl.col("state") != State.PROVISIONAL))
        .with_columns(change=_CHANGE, risen=_RISEN)
        .hstack([pl.Series("interval", [interval]).new_from_index(0, bars.height)])
    )
    rows = BarBatch(settled[list(BarBatch.schema)])
    return SettledBars(rows, settled["change"], ~settled["same"], settled["risen"])


HELD = ("state", "reason", "revision", *CONTENT)
"""What is asked of stored bars."""
_HELD_STATE = pl.col("state_held")
_WAS_SETTLED = _HELD_STATE.is_in([State.FINAL, State.REVISED])
_SAME = _HELD_STATE.is_not_null() & pl.all_horizontal(
    pl.col(name).eq_missing(pl.col(f"{name}_held")) for name in CONTENT
)
_STATE = (
    pl.when(pl.col("same") & _WAS_SETTLED)
    .then(_HELD_STATE)
    .when(~pl.col("closed"))
    .then(pl.lit(State.PROVISIONAL))
    .when(_WAS_SETTLED)
    .then(pl.lit(State.REVISED))
    .otherwise(pl.lit(State.FINAL))
)
_COMPUTED, _KNOWN = (precedence(pl.col(f"revision{of}"), pl.col(f"lineage_digest{of}")) for of in ("", "_held"))
_CHANGE = (
    pl.when(pl.col("same") & (pl.col("state") == _HELD_STATE))
    .then(pl.lit(Change.NONE))
    .when(precedes(_KNOWN, _COMPUTED))
    .then(pl.lit(Change.OVERTAKEN))
    .otherwise(pl.lit(Change.NEWS))
)
_RISEN = (_WAS_SETTLED & precedes(_COMPUTED, _KNOWN)).fill_null(value=False)


def _first(bars: pl.DataFrame, interval: str) -> SettledBars:
    """The same where nothing of these bars is stored yet, as is usual: no comparison is needed."""
    state = _FINAL.new_from_index(0, bars.height).zip_with(bars["closed"], _PROVISIONAL)
    settled = bars.hstack(
        [
            state.alias("state"),
            bars["cause"].alias("reason"),
            pl.Series("interval", [interval]).new_from_index(0, bars.height),
            revision(bars["weight"], bars["closed"]).alias("revision"),
        ]
    )
    rows = BarBatch(settled[list(BarBatch.schema)])
    some = bars.height
    return SettledBars(
        rows, _NEWS.new_from_index(0, some), _TRUE.new_from_index(0, some), _FALSE.new_from_index(0, some)
    )


_NEWS = pl.Series("change", [Change.NEWS.value])
_TRUE, _FALSE = pl.Series([True]), pl.Series([False])
_FINAL, _PROVISIONAL = pl.Series([State.FINAL.value]), pl.Series([State.PROVISIONAL.value])
_TWO = pl.Series([2], dtype=pl.UInt64)
_SPREAD = pl.Series([0x9E3779B97F4A7C15], dtype=pl.UInt64)
_OTHER_SPREAD = pl.Series([0xBF58476D1CE4E5B9], dtype=pl.UInt64)
_HALF = pl.Series([1 << 32], dtype=pl.UInt64)


def bar_keys(bars: BarBatch, interval: Interval) -> pl.Series:
    """A well-mixed UInt64 a bar, stable within the process."""
    return period_keys(period_code(bars.frame["series"], bars.frame["interval_start"]), interval)


def period_keys(period: pl.Series, interval: Interval) -> pl.Series:
    """A well-mixed UInt64 a period code, stable within the process."""
    product = period.cast(pl.UInt64) * _SPREAD ^ pl.Series([interval.minutes], dtype=pl.UInt64) * _OTHER_SPREAD
    return (product ^ product // _HALF) * _SPREAD


def bar_contents(bars: BarBatch) -> pl.Series:
    """
    A UInt64 of each bar's content and state.

    Of two bars made of the same ticks, versions may decide which opens and which closes: the digest of ticks does not say.
    """
    rows = bars.frame
    final, revised = ((rows["state"] == state).cast(pl.UInt64) for state in (State.FINAL, State.REVISED))
    first, last = columnwise([rows[name] for name in ENDS], pl.all().to_physical().cast(pl.UInt64, wrap_numerical=True))
    ends = (first * _SPREAD ^ last) * _OTHER_SPREAD
    digest = rows["lineage_digest"].cast(pl.UInt64, wrap_numerical=True)
    return (digest ^ ends) * _SPREAD ^ (final + revised * _TWO)


ENDS = ("open_price", "close_price")
