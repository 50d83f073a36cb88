"""
Aggregate: enriched ticks become bars, and late ones revise exactly the bars they touch.

The theory is told where it lives: windows and lateness in domain.gold.watermark, merging in domain.gold.window,
bars and revisions in domain.gold.bar. This module says in which order it is applied:

    ticks → late? ─ no ─▶ open windows ─ watermark ─▶ bars ─▶ coarser bars, read back ─▶ seals
              └─ yes, and no repeat ─▶ recompute request ─▶ window read from silver ─▶ bars ─▶ coarser bars

Memory is a value: a run computes the next one, and the loop lets it count once everything is stored.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.bar_table import BarTable
from application.ports.clock import Clock
from application.ports.event_log import Polled, TopicPartition
from application.ports.meter import Meter
from application.ports.policies import Policies
from application.ports.seal_table import SealTable
from application.ports.tick_table import TickTable
from application.sealed_until import SealedUntil
from application.stage import Share
from domain.batch import INSTANT, micros, rows_of
from domain.gold.bar import Cause, fold, gathered, parts_of_bars
from domain.gold.interval import BarIntervals, Interval, Periods, period_code
from domain.gold.lateness import Adaptation
from domain.gold.recognition import KNOWN_BY, Recognition
from domain.gold.settling import Change, SettledBars, bar_contents, bar_keys, settle
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.watermark import Mark, SealBook
from domain.gold.window import (
    Limits,
    Taken,
    Waits,
    Windows,
    arrived,
    digests,
    in_order,
    parts_of_ticks,
    window_codes,
    window_ends_us,
)
from domain.reprocessing import WAITING, RecomputeRequests, Served, Waiting, base_windows, halved, requests_for
from domain.silver.duplicates import Winners
from domain.silver.feed import FeedPolicies
from domain.silver.quality import eligible
from domain.time import SECOND_US

NAME = "aggregation"
SEALS = "bar_seals"
BAR_REVISIONS = "bar_revisions"
MOST_OBSERVED = 100
"""Ticks of one batch whose lateness is measured."""


def bar_table(interval: str) -> str:
    """Name of the table of an interval's bars."""
    return f"bars_{interval}"


@attrs.frozen(kw_only=True)
class Patience:
    """How long the stage waits, and how much it remembers."""

    provisional_every_s: float = 1.0
    """Touched open windows are announced about this often."""
    limits: Limits = attrs.field(factory=Limits)
    recomputed_at_once: int = 1_000
    """Windows computed anew in one turn at most; further ones wait, so that a burst of late data holds up nobody."""
    read_at_once: int = 500_000
    """Stored ticks that are read back at most at a time; of what is more, slices are folded one by one."""
    remembered: int = 1_000_000
    """Ticks of closed windows whose repeats are recognised without reading them back."""
    lateness_s: Mapping[str, float] = attrs.field(factory=dict)
    """Allowed lateness by feed (source_id) where it differs from the feed's policy."""
    idle_s: Mapping[str, float] = attrs.field(factory=dict)
    """The same for the silence after which a feed's windows close."""
    adaptation: Adaptation | None = None
    """How allowed lateness that is not overridden follows what is observed; None where it stays as policies say."""


@attrs.define
class AggregateBars:
    """
    Bars of every enabled interval from enriched ticks.

    Bars that are stored read-before-write: `settle` says how each stands to its stored row, and only what is news is
    announced, or what this process has not announced since the partition was assigned.
    """

    intervals: BarIntervals
    tables: Mapping[str, BarTable]
    """By interval name."""
    ticks: TickTable
    seals: SealTable
    policies: Policies
    clock: Clock
    meter: Meter
    patience: Patience = Patience()
    name: str = NAME
    consumes: Sequence[str] = (topics.ENRICHED, topics.RECOMPUTE)
    _windows: Windows = attrs.field(init=False)
    _waiting: Waiting = attrs.field(init=False, factory=Waiting)
    _known: Recognition = attrs.field(init=False)
    _sealed: SealedUntil = attrs.field(init=False)
    _announced: Winners = attrs.field(init=False)
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    _periods: Periods = attrs.field(init=False, factory=Periods)
    _told_at_s: float = attrs.field(init=False, default=0.0)
    _turn: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._windows = Windows(self.intervals.base, Waits(FeedPolicies.of([])), self.patience.limits)
        self._known = Recognition(self.intervals.base, self.patience.remembered)
        self._sealed = SealedUntil(self.meter)
        self._forget()

    @property
    def marks(self) -> Mapping[int, Mark]:
        """The watermarks of the feeds that speak, by feed code."""
        return self._windows.marks

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions of ticks that were read from since they were assigned."""
        return frozenset(_tick_partitions(self._positions))

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        """Take over partitions: their seals are read after their committed offsets are known; memory starts empty."""
        patience = self.patience
        waits = Waits(self.policies.feeds(), patience.lateness_s, patience.idle_s, patience.adaptation)
        self._forget()
        self._positions.update({where: share.floor for where, share in shares.items() if share.floor is not None})
        self._known.inherit({where.partition: shares[where].end for where in _of_ticks(shares)})
        sealed = self.seals.of_partitions(_tick_partitions(shares)).frame
        book = self._windows.seals.raised(sealed["series"], micros(sealed["sealed_until"]))
        self._windows = attrs.evolve(self._windows.without(_tick_partitions(shares)), seals=book, waits=waits)
        self._sealed.gone(_tick_partitions(shares))

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let partitions go with their open windows; their next owner reads them again from the floor."""
        self._windows = self._windows.without(_tick_partitions(partitions))
        self._sealed.gone(_tick_partitions(partitions))
        self._waiting = self._waiting.without(
            [where.partition for where in partitions if where.topic == topics.RECOMPUTE]
        )
        for partition in partitions:
            self._positions.pop(partition, None)

    def run(self, polled: Polled) -> Outcome:
        """Bars of the windows that closed, that were asked for, and about once a second of those that changed."""
        now_s = self.clock.monotonic_s()
        return self._decide(polled, now_s, tell=now_s - self._told_at_s >= self.patience.provisional_every_s)

    def finish(self) -> Outcome:
        """Bars of all windows that are still open, as they stand."""
        return self._decide(Polled(), self.clock.monotonic_s(), tell=True)

    def _forget(self) -> None:
        self._known.forget()
        self._announced = Winners(self.patience.remembered)

    def _decide(self, polled: Polled, now_s: float, *, tell: bool) -> Outcome:
        positions = {**self._positions, **polled.next_offsets}
        at = _of_topic(positions, topics.ENRICHED)
        arrivals = self._arrivals(polled)
        taken = self._windows.take(arrivals, at, now_s)
        late = self._judge(taken)
        if tell:
            taken = self._observing(taken, arrivals, late)
        open_ticks = taken.windows.touched() if tell else taken.windows.ticks.clear()
        waiting = self._waiting.joined_by(self._asked(polled))
        most = self.patience.recomputed_at_once
        served = waiting.served(most, taken.closed["window"], taken.windows.ticks["window"])
        base = self._base_bars(taken, open_ticks, served.windows)
        windows = taken.windows.told() if tell else taken.windows
        turn = _Turn(taken, late, base, windows, served, positions, now_s if tell else self._told_at_s)
        return attrs.evolve(self._bars(turn) if len(base.bars.rows) else self._last(turn), more=served.due > 0)

    def _arrivals(self, polled: Polled) -> pl.DataFrame:
        batches = [records for records in polled.records if records.topic == topics.ENRICHED]
        parts = [arrived(r.facts.frame, r.partition, r.offset, self.intervals.base) for r in batches]
        return pl.concat(parts) if parts else NO_ARRIVALS

    def _judge(self, taken: Taken) -> "_Late":
        """Tell repeats among late ticks from what asks for a recompute."""
        late = taken.late
        if not late.height:
            return _Late(late, late, RecomputeRequests.empty())
        self._observe_lateness(taken)
        judged = self._known.judge(late, taken.closed)
        asking = late.filter(~judged.repeat)
        requests = requests_for(asking, judged.corrects.filter(~judged.repeat), self.intervals.base)
        return _Late(late.filter(judged.repeat), asking, requests)

    def _observing(self, taken: Taken, arrivals: pl.DataFrame, late: "_Late") -> Taken:
        """Count how late a sample of the arrivals came. What was stated again is left out: it came in time before."""
        sample = arrivals[["feed", "ts", "key"]].gather_every(1 + arrivals.height // MOST_OBSERVED)
        held = self._windows.ticks["key"]
        stated = pl.concat([held.filter(held.is_in(sample["key"].implode())), late.repeats["key"]])
        fresh = sample.filter(~sample["key"].is_in(stated.implode()))
        return attrs.evolve(taken, windows=taken.windows.observing(fresh, self._windows.marks))

    def _observe_lateness(self, taken: Taken) -> None:
        """How far behind their instrument's seal late ticks are; of a burst, a sample in equal steps."""
        behind_us = taken.windows.seals.until(taken.late["series"]) - micros(taken.late["ts"])
        for late_us in behind_us.gather_every(1 + len(behind_us) // MOST_OBSERVED):
            self.meter.observe("late_arrival_seconds", late_us / SECOND_US)

    def _asked(self, polled: Polled) -> pl.DataFrame:
        """The base windows that requests of this poll ask for, and where they were read."""
        asked = [records for records in polled.records if records.topic == topics.RECOMPUTE]
        if not asked:
            return NO_WINDOWS
        placed = [
            records.facts.frame.hstack([records.partition.alias("partition"), records.offset.alias("offset")])
            for records in asked
        ]
        return base_windows(pl.concat(placed), self.intervals.base)

    def _base_bars(self, taken: Taken, open_ticks: pl.DataFrame, requested: pl.DataFrame) -> "_Base":
        nothing_read = taken.closed[list(KNOWN_BY)].clear()
        live = pl.concat([taken.closed, open_ticks])
        if not live.height and not requested.height:
            return _Base(SettledBars.none(), nothing_read, doubted=False)
        computed = self._fold_ticks(live, taken.windows.seals)
        bars = self._settled(self.intervals.base, computed)
        overtaken = (bars.change == Change.OVERTAKEN) & computed["closed"]
        if not requested.height and not overtaken.any():
            return _Base(bars, nothing_read, doubted=False)
        windows = _told_apart(pl.concat([requested[WINDOW], _windows_of(bars.rows.frame.filter(overtaken))]))
        again, read = self._recomputed(windows, taken.windows.seals)
        return _Base(bars.replaced_by(again), read, self._known.doubts(windows["bar"], taken.closed))

    def _recomputed(self, windows: pl.DataFrame, seals: SealBook) -> tuple[SettledBars, pl.DataFrame]:
        """Bars of these windows from stored ticks, and those of the ticks whose windows are closed."""
        base, parts, read = self.intervals.base, [], []
        for part, ticks in self._stored_parts(windows.select("series", "start", "end")):
            parts.append(part)
            read.append(self._sealed_of(ticks, seals))
        whole = pl.concat(parts)
        computed = self._folded(base, whole, whole["open_ts"], seals, windows)
        self.meter.count("recompute_trigger_count", windows.height)
        return self._settled(base, computed), pl.concat(read)

    def _stored_parts(
        self, windows: pl.DataFrame, *, sliced: bool = False
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """
        The parts of the bars of these windows, and the ticks they are made of, in slices that fit into memory.

        Slices of one window ascend in time. A sliced window is as many parts, and not as many as its ticks.
        """
        ticks = self.ticks.within(windows, self.patience.read_at_once).frame
        too_many = ticks.height > self.patience.read_at_once
        halves = halved(windows, ticks["ts"]) if too_many else ()
        for half in halves:
            yield from self._stored_parts(half, sliced=True)
        if not halves:
            # Those of one instant can't be divided: they are read whole, however many they are.
            ticks = self.ticks.within(windows).frame if too_many else ticks
            ticks = ticks.filter(eligible(ticks["quality_flags"]))
            ticks = ticks.with_columns(*digests(ticks))
            parts = parts_of_ticks(in_order(ticks))
            yield (gathered(parts, *self._bounds(parts)) if sliced else parts), ticks

    def _bounds(self, parts: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        return self._periods.bounds(self.intervals.base, parts["series"], parts["open_ts"])

    def _sealed_of(self, ticks: pl.DataFrame, seals: SealBook) -> pl.DataFrame:
        """Those whose windows are closed, with their `window`; what is known of others is known by their open windows."""
        window = window_codes(ticks["series"], ticks["ts"], self.intervals.base)
        sealed = window_ends_us(window, self.intervals.base) <= seals.until(ticks["series"])
        return ticks.hstack([window])[list(KNOWN_BY)].filter(sealed)

    def _fold_ticks(self, ticks: pl.DataFrame, seals: SealBook) -> pl.DataFrame:
        parts = parts_of_ticks(in_order(ticks))
        return self._folded(self.intervals.base, parts, parts["ts"], seals, None)

    def _folded(
        self, interval: Interval, parts: pl.DataFrame, instant: pl.Series, seals: SealBook, causes: pl.DataFrame | None
    ) -> pl.DataFrame:
        """Bars with `closed` and `cause`, which these windows tell; of live ticks where there are none."""
        begun_s = self.clock.monotonic_s()
        start, end = self._periods.bounds(interval, parts["series"], instant)
        bars = fold(parts, start, end)
        took_ms = (self.clock.monotonic_s() - begun_s) * 1000
        self.meter.observe("aggregation_bar_build_duration_ms", took_ms, interval=interval.name)
        closed = micros(bars["interval_end"]) <= seals.until(bars["series"])
        return bars.hstack([closed.alias("closed"), _causes(bars, causes)])

    def _settled(self, interval: Interval, computed: pl.DataFrame) -> SettledBars:
        stored = self.tables[interval.name].stored(computed[["series", "interval_start"]])
        return settle(computed, interval.name, stored)

    def _bars(self, turn: "_Turn") -> Outcome:
        """The base bars, and then what is above them."""
        base, coarser = self.intervals.base, self.intervals.coarser
        touched = {base.name: turn.base.bars.touched()}
        return self._stored(base, turn.base.bars, turn, lambda: self._coarser(turn, touched, coarser))

    def _coarser(
        self,
        turn: "_Turn",
        touched: Mapping[str, pl.DataFrame],
        levels: Sequence[tuple[Interval, Interval]],
    ) -> Outcome:
        """Fold the coarser bars above what was just stored, level by level; then announce, raise seals and commit."""
        if not levels:
            return self._last(turn)
        (interval, finer), *rest = levels
        parents = self._parents(interval, touched[finer.name], turn.taken)
        children = self.tables[finer.name].within(parents[["series", "start", "end"]])
        parts = parts_of_bars(children)
        computed = self._folded(interval, parts, parts["interval_start"], turn.windows.seals, parents)
        above = {**touched, interval.name: parents[["series", "start", "cause"]]}
        return self._stored(interval, self._settled(interval, computed), turn, lambda: self._coarser(turn, above, rest))

    def _parents(self, interval: Interval, children: pl.DataFrame, taken: Taken) -> pl.DataFrame:
        """The coarser periods above these base bars, and those that a rising seal makes final: as `_told_apart` has them."""
        risen = taken.sealed_from.filter(pl.col("seal") > 0).select(
            "series", start=(pl.col("seal") - 1).cast(INSTANT), cause=pl.lit(Cause.LIVE.value)
        )
        touched = pl.concat([children, risen])
        start, end = self._periods.bounds(interval, touched["series"], touched["start"])
        return _told_apart(touched[["series"]].hstack([start, end, touched["cause"]]))

    def _stored(self, interval: Interval, bars: SettledBars, turn: "_Turn", then: Callable[[], Outcome]) -> Outcome:
        news = bars.news(self._announced, interval, doubted=turn.base.doubted)
        announce = (Announce(topics.bars(interval.name), news),) if len(news) else ()
        self.meter.count("aggregation_bars_generated_total", len(bars.rows), interval=interval.name)
        revisions = bars.revisions()
        # What a bar becomes is remembered before it is that: else a crash between the two would leave a gap.
        past = (Store(BAR_REVISIONS, revisions),) if len(revisions) else ()
        return Outcome(
            store=(*past, Store(bar_table(interval.name), bars.rows)) if len(bars.rows) else (),
            announce=announce,
            kept=lambda: self._remember(bars, interval),
            then=then,
        )

    def _last(self, turn: "_Turn") -> Outcome:
        requests, seals = turn.late.requests, turn.taken.sealed
        return Outcome(
            announce=(Announce(topics.RECOMPUTE, requests),) if len(requests) else (),
            conclude=(Store(SEALS, seals),) if len(seals) else (),
            commit=self._floors(turn),
            owed=int(turn.windows.ticks["fresh"].sum()) + turn.served.due,
            kept=lambda: self._take_over(turn),
        )

    def _floors(self, turn: "_Turn") -> dict[TopicPartition, int]:
        floors = {
            topics.ENRICHED: turn.windows.floors(_of_topic(turn.positions, topics.ENRICHED)),
            topics.RECOMPUTE: turn.served.rest.floors(_of_topic(turn.positions, topics.RECOMPUTE)),
        }
        return {where: floors[where.topic][where.partition] for where in turn.positions}

    def _remember(self, bars: SettledBars, interval: Interval) -> None:
        """What was announced now need not be told again."""
        self._turn += 1
        told = bars.told()
        turn = pl.Series([self._turn], dtype=pl.UInt64).new_from_index(0, len(told))
        self._announced.remember(bar_keys(told, interval), turn, bar_contents(told))

    def _take_over(self, turn: "_Turn") -> None:
        """Let the next memory count, now that everything is stored."""
        self._windows, self._waiting = turn.windows, turn.served.rest
        self._positions, self._told_at_s = turn.positions, turn.told_at_s
        closed = turn.taken.closed
        if closed.height:
            self._sealed.closed(
                closed["market"], closed["partition"], window_ends_us(closed["window"], self.intervals.base)
            )
        self._known.learn(turn.taken.closed, turn.base.read, turn.late.repeats, turn.late.asking)
        if turn.served.windows.height:
            self._known.doubt(self._early(turn))

    def _early(self, turn: "_Turn") -> pl.Series:
        """The windows that were computed before they were closed."""
        asked = period_code(turn.served.windows["series"], turn.served.windows["start"])
        sealed_us = turn.windows.seals.until(turn.served.windows["series"])
        return asked.filter(window_ends_us(asked, self.intervals.base) > sealed_us)


@attrs.frozen
class _Late:
    """Late ticks: repeats that change nothing, the others, and what those ask for."""

    repeats: pl.DataFrame
    asking: pl.DataFrame
    requests: RecomputeRequests


@attrs.frozen
class _Base:
    """Base bars, and the ticks of closed windows that were read back for some of them."""

    bars: SettledBars
    read: pl.DataFrame
    doubted: bool
    """Whether another owner may have read of the windows that were computed anew."""


@attrs.frozen
class _Turn:
    """What a run decided, to count once it is stored."""

    taken: Taken
    late: _Late
    base: _Base
    windows: Windows
    served: Served
    positions: dict[TopicPartition, int]
    told_at_s: float


NO_ARRIVALS = arrived(
    EnrichedTicks.empty().frame,
    pl.Series("partition", [], dtype=pl.Int32),
    pl.Series("offset", [], dtype=pl.Int64),
    Interval.parse("1h"),
)
WINDOW = ["series", "start", "end", "cause"]
NO_WINDOWS = pl.DataFrame(schema=WAITING)


def _tick_partitions(partitions: Iterable[TopicPartition]) -> list[int]:
    return [where.partition for where in _of_ticks(partitions)]


def _of_ticks(partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
    return [where for where in partitions if where.topic == topics.ENRICHED]


def _causes(bars: pl.DataFrame, windows: pl.DataFrame | None) -> pl.Series:
    """Why each bar was computed: what its window says, or live ticks."""
    if windows is None:
        return pl.Series("cause", [Cause.LIVE.value]).new_from_index(0, bars.height)
    return windows["cause"][rows_of(bars["bar"], windows["bar"])]


def _told_apart(periods: pl.DataFrame) -> pl.DataFrame:
    """Each of these periods (columns `series`, `start`) once, as it comes first, with its code, `bar`."""
    code = period_code(periods["series"], periods["start"]).alias("bar")
    return periods.hstack([code])[code.arg_unique()]


def _windows_of(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select("series", start="interval_start", end="interval_end", cause=pl.lit(Cause.LATE.value))


def _of_topic(positions: Mapping[TopicPartition, int], topic: str) -> dict[int, int]:
    return {where.partition: offset for where, offset in positions.items() if where.topic == topic}
