"""
Do the tables agree with each other?

    ledger          messages and rows balance, and meet silver and the dead letters
    enriched_ticks  has as many ticks of each instrument as silver
    bars_<base>     equal what their ticks in silver fold to
    bars_<coarser>  equal what the bars they are folded from fold to
    served_latest   is the maximum of silver's ticks by the order of ticks
    cache           holds what served_latest says, as far as it holds anything

Equal leaves out revision, state, reason, lineage_partitions and stamps; a bar's stored sum of versions may lag behind
its ticks' but never be ahead. Tables are read a day and some instruments at a time, so memory stays bounded. What is
still on its way between stages shows as a difference: wait until nothing is (`dataproc lag --wait`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import polars as pl

from application.ports.bar_table import BarTable
from application.ports.census import Census
from application.ports.ledger_table import LedgerTable
from application.ports.price_cache import PriceCache
from application.ports.tick_table import TickTable
from application.stages.aggregate import bar_table
from application.stages.enrich import TABLE as ENRICHED
from application.stages.normalize import TICKS as SILVER
from application.stages.project import CACHE
from application.stages.project import TABLE as LATEST
from domain.batch import INSTANT
from domain.bronze.ledger import FIGURES, Ledger, unbalanced
from domain.gold.bar import CONTENT, FINALITY_BITS, BarBatch, fold, parts_of_bars
from domain.gold.interval import BarIntervals, Interval, Periods
from domain.gold.taxonomy import InstrumentKey
from domain.gold.window import digests, in_order, parts_of_ticks
from domain.identity import SERIES
from domain.served.latest_price import CONTENT as PRICE_CONTENT
from domain.served.latest_price import LatestPrices, highest, latest_of
from domain.silver.quality import eligible
from domain.silver.tick import TickBatch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS_AT_ONCE = 200_000
"""About so many rows are compared at a time."""
PRICES_AT_ONCE = 10_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONGEST_BAR = timedelta(hours=25)
COMPARED = (*CONTENT, "interval_end", "mean_price", "vwap")
KEYS = ("series", "interval_start")
PRICE_COMPARED = ("rank", *PRICE_CONTENT)


@attrs.frozen(kw_only=True)
class Scope:
    """What to check; the ledger and the cache are about everything there is."""

    start: datetime | None = None
    """First instant; None: from the beginning."""
    end: datetime | None = None
    """First instant after; None: all there is."""
    tenant_id: str | None = None
    instrument_ids: Sequence[str] = ()
    """Empty: all."""

    def chosen(self, series: pl.DataFrame) -> pl.DataFrame:
        """Those of these instruments that are in the scope."""
        wanted = pl.lit(value=True)
        if self.tenant_id is not None:
            wanted &= pl.col("tenant_id") == self.tenant_id
        if self.instrument_ids:
            wanted &= pl.col("instrument_id").is_in(list(self.instrument_ids))
        return series.filter(wanted)

    def aligned(self, minutes: int) -> "Scope":
        """The same, widened to whole base bars: half a bar can't be compared."""
        step = timedelta(minutes=minutes)
        start = self.start and self.start - (self.start - EPOCH) % step
        return attrs.evolve(self, start=start, end=self.end and self.end + (EPOCH - self.end) % step)

    def clipped(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """The part of a span that is in the scope; there is some."""
        return max(start, self.start or start), min(end, self.end or end)

    @property
    def unbounded(self) -> bool:
        """Whether it takes in all times."""
        return self.start is None and self.end is None


@attrs.frozen
class Difference:
    """One row that is not what it should be."""

    check: str
    row: str
    """Its key, for a person."""
    told: str
    """What differs, stored and expected."""


@attrs.frozen
class Checked:
    """What came of one part of one check."""

    check: str
    compared: int
    differences: Sequence[Difference] = ()
    absent: int = 0
    """Rows that need not be there and are not."""


@attrs.frozen(kw_only=True)
class VerifyTables:
    """This will check the tables against each other, part by part."""

    intervals: BarIntervals
    ticks: TickTable
    bars: Mapping[str, BarTable]
    """By interval name."""
    cache: PriceCache
    ledger: LedgerTable
    census: Census
    rows_at_once: int = ROWS_AT_ONCE
    _periods: Periods = attrs.field(init=False, factory=Periods)

    def __call__(self, scope: Scope) -> Iterator[Checked]:
        """
        Check everything in the scope; each part is yielded as it is done.

        Raises:
            StoreUnavailable: A store can't be read now.
        """
        scope = scope.aligned(self.intervals.base.minutes)
        yield from self._ledger()
        newest = LatestPrices.empty()
        base = bar_table(self.intervals.base.name)
        for start, end in self._spans([SILVER, ENRICHED, base], scope):
            yield self._enriched(start, end, scope)
            for windows in self._tick_slices(start, end, base, scope):
                ticks = self._ticks(windows)
                newest = highest([newest, latest_of(ticks, start)])
                yield self._base_bars(windows, ticks)
        for interval, finer in self.intervals.coarser:
            parts, bars = bar_table(finer.name), bar_table(interval.name)
            for start, end in self._spans([parts, bars], scope):
                for windows in self._bar_slices(start, end, parts, bars, scope):
                    yield self._coarser_bars(windows, interval, finer, scope)
        yield from self._latest(newest, scope)

    def totals(self) -> dict[str, int]:
        """
        Add up the ledger and silver: FIGURES, silver_distinct, and duplicates = ticks - silver_distinct.

        Raises:
            StoreUnavailable: A store can't be read now.
        """
        sums = self.ledger.final().select(pl.col(name).sum() for name in FIGURES).row(0, named=True)
        distinct = int(self.census.origins()["ticks"].sum())
        return {**sums, "silver_distinct": distinct, "duplicates": sums["ticks"] - distinct}

    def _ledger(self) -> Iterator[Checked]:
        rows = Ledger(self.ledger.final())
        lost = [
            Difference(
                "ledger",
                f"{row.topic}/{row.partition} {row.hour:%Y-%m-%dT%H}",
                f"messages {row.messages} = {row.accepted} accepted + {row.filtered} filtered + {row.dead_letter} dead"
                f" letters? rows {row.rows} = {row.ticks} ticks + {row.rejected_rows} rejected?",
            )
            for row in unbalanced(rows).facts()
        ]
        yield Checked("ledger", len(rows), lost)
        partitions = rows.frame.group_by("topic", "partition").agg(
            pl.col("ticks", "rejected_rows", "dead_letter").sum(), pl.col("counted_to").max()
        )
        yield _partitions_checked("ledger against silver", partitions, self.census.origins(), _beyond_the_ledger)
        yield _partitions_checked("ledger against dead letters", partitions, self.census.refused(), _not_as_refused)

    def _enriched(self, start: datetime, end: datetime, scope: Scope) -> Checked:
        """Whoever lost a tick of silver with its bar has it here, and the other way round."""
        silver, enriched = (scope.chosen(self.census.ticks(table, start, end)) for table in (SILVER, ENRICHED))
        names = ["tenant_id", "instrument_id"]
        both = silver.join(enriched, on=names, how="full", coalesce=True, suffix="_found").fill_null(0).sort(names)
        told = tuple(
            Difference(
                ENRICHED,
                f"{row['tenant_id']}|{row['instrument_id']}",
                f"{row['ticks_found']} ticks between {start:%Y-%m-%dT%H:%M} and {end:%Y-%m-%dT%H:%M}, silver has {row['ticks']}",
            )
            for row in both.filter(pl.col("ticks") != pl.col("ticks_found")).iter_rows(named=True)
        )
        return Checked(ENRICHED, int(both["ticks"].sum()), told)

    def _spans(self, tables: Sequence[str], scope: Scope) -> Iterator[tuple[datetime, datetime]]:
        """The times that hold rows of these tables: a busy day, or several days of few rows."""
        days = pl.concat([self.census.days(table, scope.start, scope.end) for table in tables])
        # What begins on a local day may begin on the UTC day before its first row.
        before = days.select(pl.col("day").dt.offset_by("-1d"), pl.lit(0, dtype=pl.Int64).alias("rows"))
        held = pl.concat([days, before]).group_by("day").agg(pl.col("rows").sum()).sort("day")
        portion = (held["rows"].cum_sum() - held["rows"]) // self.rows_at_once
        for one in portion.unique().sort():
            some = held["day"].filter(portion == one)
            yield scope.clipped(some[0], some[-1] + DAY)

    def _tick_slices(self, start: datetime, end: datetime, bars: str, scope: Scope) -> Iterator[pl.DataFrame]:
        """Some instruments at a time, by the hour where they are busy: `series`, `start`, `end`."""
        for group in self._groups([self.census.series(table, start, end) for table in (SILVER, bars)], scope):
            step = HOUR if int(group["rows"].sum()) > self.rows_at_once else end - start
            at = start
            while at < end:
                yield _windows(group, at, min(at + step, end))
                at += step

    def _bar_slices(
        self, start: datetime, end: datetime, parts: str, bars: str, scope: Scope
    ) -> Iterator[pl.DataFrame]:
        """Some instruments at a time; what their bars are made of may lie beyond the end."""
        found = [self.census.series(parts, start, end + LONGEST_BAR), self.census.series(bars, start, end)]
        for group in self._groups(found, scope):
            yield _windows(group, start, end)

    def _groups(self, found: Sequence[pl.DataFrame], scope: Scope) -> Iterator[pl.DataFrame]:
        """Instruments in groups of about so many rows, in order."""
        rows = pl.concat(found).group_by("tenant_id", "instrument_id").agg(pl.col("rows").sum())
        series = scope.chosen(rows.sort("tenant_id", "instrument_id"))
        number = (series["rows"].cum_sum() - series["rows"]) // self.rows_at_once
        for one in number.unique().sort():
            yield series.filter(number == one)

    def _ticks(self, windows: pl.DataFrame) -> TickBatch:
        """Ticks that may enter windows: none beyond its feed's horizon."""
        ticks = self.ticks.within(windows).frame
        return TickBatch(ticks.filter(eligible(ticks["quality_flags"])))

    def _base_bars(self, windows: pl.DataFrame, ticks: TickBatch) -> Checked:
        base = self.intervals.base
        parts = parts_of_ticks(in_order(ticks.frame.with_columns(*digests(ticks.frame))))
        computed = fold(parts, *self._periods.bounds(base, parts["series"], parts["ts"]))
        return _bars_checked(base, computed, self.bars[base.name].within(windows))

    def _coarser_bars(self, windows: pl.DataFrame, interval: Interval, finer: Interval, scope: Scope) -> Checked:
        """Bars that begin in these windows, made of bars that may lie beyond them."""
        reach = windows.with_columns(pl.col("end") + LONGEST_BAR)
        parts = parts_of_bars(self.bars[finer.name].within(reach))
        start, end = self._periods.bounds(interval, parts["series"], parts["interval_start"])
        earliest, latest = windows["start"][0], windows["end"][0]
        whole = (start >= earliest) & (start < latest) & _ends_within(end, scope.end)
        computed = fold(parts.filter(whole), start.filter(whole), end.filter(whole))
        stored = self.bars[interval.name].within(windows).frame
        stored = stored.filter(_ends_within(stored["interval_end"], scope.end))
        return _bars_checked(interval, computed, BarBatch(stored))

    def _latest(self, newest: LatestPrices, scope: Scope) -> Iterator[Checked]:
        after: InstrumentKey | None = None
        seen = []
        while len(page := self.census.latest(after, PRICES_AT_ONCE)):
            last = page.frame.row(-1, named=True)
            after = InstrumentKey(last["tenant_id"], last["instrument_id"])
            chosen = LatestPrices(scope.chosen(page.frame))
            seen.append(chosen.frame["series"])
            yield _latest_checked(chosen, newest, scope)
            yield self._cache_checked(chosen)
        known = pl.concat(seen) if seen else pl.Series("series", [], dtype=SERIES)
        unserved = newest.frame.filter(~newest.frame["series"].is_in(known.implode()))
        told = [
            Difference(LATEST, _name(row), f"there is none, and silver has a price of {row['ts']}")
            for row in unserved.iter_rows(named=True)
        ]
        yield Checked(LATEST, unserved.height, told)

    def _cache_checked(self, served: LatestPrices) -> Checked:
        found = [self.cache.of(*key) for key in served.frame.select("tenant_id", "instrument_id").iter_rows()]
        cached = LatestPrices.concat([row for row in found if len(row)])
        both = _beside(served.frame, cached.frame, ["series"], PRICE_COMPARED).filter("found")
        told = tuple(Difference(CACHE, _name(row), what) for row, what in _differing(both, PRICE_COMPARED))
        return Checked(CACHE, len(cached), told, absent=len(served) - len(cached))


def _ends_within(end: pl.Series, last: datetime | None) -> pl.Series:
    return end.is_not_null() if last is None else end <= last


def _windows(series: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return series.select(
        pl.concat_str("tenant_id", pl.lit("|"), "instrument_id").cast(SERIES).alias("series"),
        pl.lit(start, dtype=INSTANT).alias("start"),
        pl.lit(end, dtype=INSTANT).alias("end"),
    )


def _bars_checked(interval: Interval, computed: pl.DataFrame, stored: BarBatch) -> Checked:
    check = bar_table(interval.name)
    rows = stored.frame.with_columns(weight=stored.frame["revision"] // FINALITY_BITS)
    both = _beside(computed, rows, KEYS, COMPARED, weight="weight")
    told = tuple(
        Difference(check, f"{_name(row)} {row['interval_start']:%Y-%m-%dT%H:%M}", what)
        for row, what in _differing(both, COMPARED)
    )
    return Checked(check, both.height, told)


def _latest_checked(served: LatestPrices, newest: LatestPrices, scope: Scope) -> Checked:
    both = _beside(newest.frame, served.frame, ["series"], PRICE_COMPARED).filter("found")
    if not scope.unbounded:
        # What is served may be later than the times looked at, and then says nothing about them.
        within = pl.col("expected") & ((pl.col("rank_found") <= pl.col("rank")) | _in_scope(pl.col("ts_found"), scope))
        both = both.filter(within)
    told = tuple(Difference(LATEST, _name(row), what) for row, what in _differing(both, PRICE_COMPARED))
    return Checked(LATEST, both.height, told)


def _in_scope(ts: pl.Expr, scope: Scope) -> pl.Expr:
    after = pl.lit(value=True) if scope.start is None else ts >= scope.start
    return after if scope.end is None else after & (ts < scope.end)


def _beside(
    expected: pl.DataFrame, found: pl.DataFrame, keys: Sequence[str], columns: Sequence[str], weight: str | None = None
) -> pl.DataFrame:
    """Expected and found rows side by side: `columns`, the same with `_found`, and whether either is there at all."""
    extra = [weight] if weight else []
    left = expected.select(*keys, *columns, *extra).with_columns(expected=pl.lit(value=True))
    right = found.select(*keys, *columns, *extra).with_columns(found=pl.lit(value=True))
    both = left.join(right, on=list(keys), how="full", coalesce=True, suffix="_found").sort(keys)
    return both.with_columns(
        pl.col("expected", "found").fill_null(value=False),
        differs=pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_found")) for name in columns),
        ahead=(pl.col(f"{weight}_found") > pl.col(weight)).fill_null(value=False) if weight else pl.lit(value=False),
    )


def _differing(both: pl.DataFrame, columns: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """The rows that differ, and what of each does."""
    for row in both.filter(pl.col("differs") | pl.col("ahead")).iter_rows(named=True):
        yield row, _what_differs(row, columns)


def _what_differs(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    if not row["found"]:
        return "missing"
    if not row["expected"]:
        return "made of nothing that is stored"
    wrong = [name for name in columns if row[name] != row[f"{name}_found"]]
    told = [f"{name} is {row[f'{name}_found']}, expected {row[name]}" for name in wrong]
    return ", ".join(told) or "its sum of versions is ahead of what it is made of"


def _name(row: Mapping[str, Any]) -> str:
    return str(row["series"])


def _partitions_checked(check: str, ledger: pl.DataFrame, found: pl.DataFrame, differs: pl.Expr) -> Checked:
    both = found.join(ledger, on=["topic", "partition"], how="full", coalesce=True, suffix="_counted").fill_null(0)
    told = tuple(
        Difference(check, f"{row['topic']}/{row['partition']}", _figures(row))
        for row in both.filter(differs).iter_rows(named=True)
    )
    return Checked(check, both.height, told)


def _figures(row: Mapping[str, Any]) -> str:
    names = [name.removesuffix("_counted") for name in row if name.endswith("_counted")]
    apart = [f"{name} {row[name]} found, {row[f'{name}_counted']} counted" for name in names]
    others = [name for name in row if name not in {"topic", "partition", *names} and not name.endswith("_counted")]
    return ", ".join([*apart, *(f"{name} {row[name]}" for name in others)])


_beyond_the_ledger = (pl.col("ticks") > pl.col("ticks_counted")) | (pl.col("last_offset") >= pl.col("counted_to"))
"""Silver has more distinct ticks of a partition than were counted, or one of a message that was not."""

_not_as_refused = (
    (pl.col("rows") != pl.col("rejected_rows"))
    | (pl.col("whole") > pl.col("dead_letter"))
    | (pl.col("messages") < pl.col("dead_letter"))
)
"""Rejected rows are dead letters one by one; a message that is one is refused whole, or all of its rows are."""
