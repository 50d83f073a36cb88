"""Computing whole ranges of bars anew inside ClickHouse."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs
import polars as pl

from adapters.clickhouse import bar_sql
from adapters.clickhouse.bar_revision_table import NAME as REVISIONS
from adapters.clickhouse.bar_table import table_name
from adapters.clickhouse.client import KEYS, ClickHouse, Value, quoted
from adapters.clickhouse.table import READING, micros
from application.ports.range_recompute import BarRange, Recomputed, Slice
from domain.batch import INSTANT
from domain.gold.interval import MARKET_CLOCKS, UTC, BarIntervals, Interval, Periods, clock_of
from domain.identity import SERIES

SLICE_TICKS = 10_000_000
"""Statements of ticks that one INSERT reads, which bounds its memory to a few GB; a single day may hold more."""

LONGEST_SLICE = timedelta(days=5 * 365)
"""The engine refuses an insert into more than 100 partitions, and a partition is a month."""

LONGEST_DAY = timedelta(days=2)
"""Further than any clock's day reaches beyond the instants in it."""

COMPUTED_WITHIN_S = 3600.0
"""
How long one INSERT may say nothing. A server behind HTTP is silent until a slice is sorted and stored, which is minutes
of a busy machine; the patience with other statements would give it up, and a repeat would take as long.
"""

_MARKET = "splitByChar('.', instrument_id)[1]"


@attrs.frozen
class _Group:
    """Instruments whose days begin at one clock's midnight."""

    clock: str
    condition: str
    parameters: Mapping[str, Value]
    keys: pl.DataFrame | None

    def where(self, instant: str) -> str:
        """Which rows of a table are theirs, within the slice."""
        return (
            f"tenant_id = {{tenant:String}} AND {instant} >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC')"
            f" AND {instant} < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC'){self.condition}"
        )


@attrs.frozen
class ClickHouseRangeRecompute:
    """Bars from stored ticks, by INSERT … SELECT: only the instruments' names, if any, travel."""

    client: ClickHouse
    intervals: BarIntervals

    def planned(self, asked: BarRange) -> list[Slice]:
        """Say which parts a recompute has, and how many ticks each."""
        return [part for group in self._groups(asked) for part in self._slices(group, asked)]

    def recompute(self, asked: BarRange, told: Callable[[Slice], None] = lambda _: None) -> Recomputed:
        """Compute and store the bars of a range, widened to whole bars of the coarsest interval."""
        spans = {}
        for group in self._groups(asked):
            for part in self._slices(group, asked):
                self._store(group, asked, part.start, part.end)
                told(part)
            spans[group.clock] = self._span(group, asked)
        return Recomputed(spans=spans)

    def _span(self, group: _Group, asked: BarRange) -> tuple[datetime, datetime]:
        first, _ = self._widened(group.clock, asked.start)
        _, last = self._widened(group.clock, asked.end - _INSTANT)
        return first, last

    def _store(self, group: _Group, asked: BarRange, start: datetime, end: datetime) -> None:
        parameters = {
            "tenant": asked.tenant_id,
            "cause": str(asked.cause),
            "first": micros(start),
            "last": micros(end),
            **group.parameters,
        }
        with self.client.patient(COMPUTED_WITHIN_S) as computing:
            for statement in self._statements(group):
                computing.command(f"{statement} {READING}, {bar_sql.SETTINGS}", parameters, group.keys)

    def _statements(self, group: _Group) -> Iterator[str]:
        """Base bars first; every coarser one is folded from what was stored just before."""
        base = self.intervals.base
        parts = bar_sql.parts_of_ticks(self._table("silver_ticks"), group.where("ts"), base)
        yield from self._storing(base, parts, group)
        for interval, finer in self.intervals.coarser:
            source = self._table(table_name(finer.name))
            parts = bar_sql.parts_of_bars(source, group.where("interval_start"), interval, group.clock)
            yield from self._storing(interval, parts, group)

    def _storing(self, interval: Interval, parts: str, group: _Group) -> Iterator[str]:
        stored = self._table(table_name(interval.name))
        bars = bar_sql.folded(parts, interval, group.clock)
        settled = bar_sql.settled(bars, stored, group.where("interval_start"), self._table("bar_seals"))
        yield bar_sql.remembering(settled, self._table(REVISIONS), interval)
        yield bar_sql.storing(settled, stored)

    def _table(self, name: str) -> str:
        return f"{quoted(self.client.database)}.{quoted(name)}"

    def _groups(self, asked: BarRange) -> list[_Group]:
        if asked.start >= asked.end:
            raise ValueError(f"the range from {asked.start} to {asked.end} is empty; give an end after its start")
        if asked.instrument_ids:
            return self._named(asked.instrument_ids)
        if not self._coarsest.is_day:
            return [_Group(UTC, "", {}, None)]
        clocks = {clock_of(market) for market in self._markets(asked)}
        return [_of_clock(clock) for clock in sorted(clocks)]

    def _named(self, instruments: Sequence[str]) -> list[_Group]:
        of_clock: dict[str, list[str]] = {}
        for instrument in instruments:
            of_clock.setdefault(clock_of(instrument) if self._coarsest.is_day else UTC, []).append(instrument)
        condition = f" AND instrument_id IN (SELECT instrument_id FROM {KEYS})"  # noqa: S608 (names of ours)
        return [
            _Group(clock, condition, {}, pl.DataFrame({"instrument_id": names}))
            for clock, names in sorted(of_clock.items())
        ]

    def _markets(self, asked: BarRange) -> list[str]:
        sql = f"""
            SELECT DISTINCT {_MARKET} AS market FROM {self._table("silver_ticks")}
            WHERE tenant_id = {{tenant:String}} AND ts >= fromUnixTimestamp64Micro({{first:Int64}}, 'UTC')
              AND ts < fromUnixTimestamp64Micro({{last:Int64}}, 'UTC')
        """  # noqa: S608 (names of ours)
        span = {"first": micros(asked.start - LONGEST_DAY), "last": micros(asked.end + LONGEST_DAY)}
        return self.client.rows(sql, {"market": pl.String}, {"tenant": asked.tenant_id, **span})["market"].to_list()

    @property
    def _coarsest(self) -> Interval:
        return self.intervals.all[-1]

    def _widened(self, clock: str, instant: datetime) -> tuple[datetime, datetime]:
        """The period around an instant that is whole in every interval."""
        around = [self._period(interval, clock, instant) for interval in self.intervals.all]
        return min(start for start, _ in around), max(end for _, end in around)

    @staticmethod
    def _period(interval: Interval, clock: str, instant: datetime) -> tuple[datetime, datetime]:
        series = pl.Series([f"|{_market_on(clock)}"]).cast(SERIES)
        start, end = Periods().bounds(interval, series, pl.Series([instant], dtype=INSTANT))
        return start.item(), end.item()

    def _slices(self, group: _Group, asked: BarRange) -> Iterator[Slice]:
        """Whole days with ticks in them, as many together as one statement may read."""
        first, last = self._span(group, asked)
        start, held = first, 0
        for day, ticks in self._ticks_by_day(group, asked.tenant_id, first, last):
            begins = max(self._widened(group.clock, day)[0], first)
            full = held + ticks > SLICE_TICKS or begins - start > LONGEST_SLICE
            if held and full and begins > start:
                yield Slice(clock=group.clock, start=start, end=begins, ticks=held)
                start, held = begins, 0
            held += ticks
        if held:
            yield Slice(clock=group.clock, start=start, end=last, ticks=held)

    def _ticks_by_day(
        self, group: _Group, tenant_id: str, first: datetime, last: datetime
    ) -> Iterator[tuple[datetime, int]]:
        sql = f"""
            SELECT toDateTime64(toStartOfDay(ts, 'UTC'), 6, 'UTC') AS day, count() AS ticks
            FROM {self._table("silver_ticks")} WHERE {group.where("ts")} GROUP BY day ORDER BY day
        """  # noqa: S608 (names of ours)
        parameters = {"tenant": tenant_id, "first": micros(first), "last": micros(last), **group.parameters}
        found = self.client.rows(sql, {"day": INSTANT, "ticks": pl.UInt64}, parameters, group.keys)
        return found.iter_rows()


_INSTANT = timedelta(microseconds=1)


def _market_on(clock: str) -> str:
    return next((market for market, of in MARKET_CLOCKS.items() if of == clock), "")


def _of_clock(clock: str) -> _Group:
    markets = [market for market, of in MARKET_CLOCKS.items() if clock in {UTC, of}]
    condition = f" AND {'NOT ' if clock == UTC else ''}has({{markets:Array(String)}}, {_MARKET})"
    return _Group(clock, condition, {"markets": markets}, None)
