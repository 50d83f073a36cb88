"""
What one process has read and told, and what it must make of that; of most stages, that it tells nothing twice.

What a bar is called follows from the bar it replaces, as its process read it: others may have written since. Whether it
must be told of follows from that too, and from what this process has told; when a window closes, from what it has heard.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import polars as pl

from application import topics
from application.ports.event_log import Progress, TopicPartition
from application.stages.aggregate import Patience
from tests.simulation.checking import (
    SERIES_KEY,
    US,
    Heard,
    Key,
    SeenBar,
    Watcher,
    bars_of,
    prices_of,
    require,
    ticks_of,
)
from tests.simulation.timely import MICROS_A_SECOND, Timely

UNLIMITED = 1000
"""Ticks and records that no world reaches."""


@attrs.define
class Informed:
    """One process, from outside."""

    watcher: Watcher
    patience: Patience
    timely: Timely
    read: dict[str, dict[Key, SeenBar | None]] = attrs.field(factory=lambda: defaultdict(dict))
    """Bars by interval, as last read."""
    again: set[Key] = attrs.field(factory=set)
    """Windows whose ticks it has read back in this turn."""
    sealed: dict[Key, int] = attrs.field(factory=dict)
    """Seals it has read or written."""
    sealed_before: dict[Key, int] = attrs.field(factory=dict)
    """The same when this turn began."""
    told: dict[tuple[str, Key], SeenBar] = attrs.field(factory=dict)
    """Bars that it has announced since partitions were assigned."""
    told_ticks: set[tuple[Key, tuple[int, int]]] = attrs.field(factory=set)
    """The same of ticks, each with its statement."""
    told_prices: dict[Key, tuple[Any, ...]] = attrs.field(factory=dict)
    """The same of prices: their content."""
    prices: dict[Key, tuple[Any, ...]] = attrs.field(factory=dict)
    """Content of the prices that it has read."""
    decided: dict[tuple[str, Key], SeenBar] = attrs.field(factory=dict)
    """What it has stored in this turn."""

    def begin(self) -> None:
        """A turn begins."""
        self.timely.begin()
        self.sealed_before = dict(self.sealed)
        self.again.clear()
        self.decided.clear()

    def assigned(self, partitions: Iterable[int]) -> None:
        """Ticks of these partitions are read anew."""
        self.moved()
        self.timely.assigned(partitions)

    def moved(self) -> None:
        """Partitions come or go: others may have told of anything meanwhile."""
        for told in (self.told, self.told_ticks, self.told_prices):
            told.clear()

    def heard(self, call: str, asked: tuple[Any, ...], answer: Any) -> None:
        """A port has answered."""
        table, method = call.split(".")
        if table.startswith("bars_") and method == "stored":
            found = dict(bars_of(answer.frame))
            keys = [(*series.split("|"), start) for series, start in _starts(asked[0], "interval_start")]
            self.read[table.removeprefix("bars_")].update({key: found.get(key) for key in keys})
        elif call == "silver_ticks.within":
            length = self.watcher.window_us
            self.again.update((*series.split("|"), at // length * length) for series, at in _starts(asked[0], "start"))
        elif table == "bar_seals":
            self._know(answer.frame)
        elif call == "served_latest.stored":
            self.prices.update({key: content for key, _, content in prices_of(answer.frame)})

    def decides(self, table: str, rows: Any) -> None:
        """It is about to store these rows."""
        if table.startswith("bars_"):
            interval = table.removeprefix("bars_")
            for key, bar in bars_of(rows.frame):
                was = self.read[interval].get(key)
                self._is_called_right(interval, key, bar, was)
                self.decided[interval, key] = bar
        elif table == "bar_revisions":
            for (key, bar), interval in zip(bars_of(rows.frame), rows.frame["interval"], strict=True):
                was = self.read[interval].get(key)
                news = was is None or not (was.says(bar) or bar.overtaken_by(was))
                require(news, "bar_revisions", lambda: f"{interval} {key}: {bar} is among them beside {was}")  # noqa: B023
        elif table == "bar_seals":
            for *series, until in rows.frame.select(*SERIES_KEY, US("sealed_until")).iter_rows():
                self._is_due(tuple(series), until)
            self._know(rows.frame)

    def tells(self, topic: str, rows: Any) -> None:
        """It takes these for announced."""
        if topic.startswith("aggregated."):
            interval = topic.split(".")[3]
            for key, bar in bars_of(rows.frame):
                self._is_worth_telling(interval, key, bar)
                self.told[interval, key] = bar
        elif topic == topics.NORMALIZED:
            told = ticks_of(rows.frame)
            again = self.told_ticks.intersection(told)
            needless = again and self.patience.remembered >= UNLIMITED and not self.watcher.picky
            require(not needless, "announcement", lambda: f"{again} are told again")
            self.told_ticks.update(told)
        elif topic == topics.LATEST:
            for key, _, content in prices_of(rows.frame):
                needless = self.told_prices.get(key) == content == self.prices.get(key)
                require(not needless, "announcement", lambda: f"the price of {key} is told again")  # noqa: B023
                self.told_prices[key] = content

    def turned(self) -> None:
        """A turn is over: what it stored is told of, now or before, and what is settled is sealed."""
        for (interval, key), bar in self.decided.items():
            was, told = self.read[interval].get(key), self.told.get((interval, key))
            known = bar.overtaken_by(was) or bar.repeats(told)
            require(known, "announcement", lambda: f"{interval} {key} is {bar}, and told as {told}")  # noqa: B023
            kept = was and was.settled and was.says(bar)
            is_sealed = not bar.settled or kept or self.sealed.get(key[:2], 0) >= bar.end_us
            require(bool(is_sealed), "state", lambda: f"{interval} {key} is {bar}, and its window is open")  # noqa: B023
        self.timely.turned(self.sealed)

    def owes(self, where: TopicPartition, said: Progress) -> None:
        """What it says it owes is no less than what it has still to tell, or to compute."""
        if where.topic == topics.RECOMPUTE:
            first = self.watcher.requests[where.partition].get(said.floor)
            waits = first is not None and first.end_us <= self.sealed_before.get(first.series, 0)
            require(said.owed > 0 or not waits, "progress", lambda: f"{said} of {where} hides {first}")
        elif where.topic == topics.ENRICHED:
            left_open = self.timely.left_open(where.partition, self.sealed)
            untold = self.timely.untold(where.partition, left_open)
            require(said.owed > 0 or not untold, "progress", lambda: f"{said} of {where} hides {untold}")

    def _is_worth_telling(self, interval: str, key: Key, bar: SeenBar) -> None:
        """Nobody is told of what is overtaken, nor again of what this process told, unless it computed anew for doubt."""
        was, told = self.read[interval].get(key), self.told.get((interval, key))
        overtaken = bar.overtaken_by(was)
        require(not overtaken, "announcement", lambda: f"{interval} {key}: {bar} is told, overtaken by {was}")
        known = bar.repeats(told) and bar.repeats(was)
        needless = known and not self.again and self.patience.remembered >= UNLIMITED
        require(not needless, "announcement", lambda: f"{interval} {key}: {bar} is told again")

    def _know(self, seals: pl.DataFrame) -> None:
        for *series, until in seals.select(*SERIES_KEY, US("sealed_until")).iter_rows():
            self.sealed[tuple(series)] = max(until, self.sealed.get(tuple(series), 0))

    def _is_due(self, series: Key, until: int) -> None:
        """A window closes where a feed of it has spoken of its end or fallen silent, unless a limit closes it early."""
        records = next((own for own in self._partitions() if any(one.series == series for one in own)), [])
        start = until - self.watcher.window_us
        feeds = {one.feed for one in records if one.series == series and self.watcher.start_us(one) == start}
        require(bool(feeds), "seal", lambda: f"{series} is sealed to {until}, where no window ends that was heard of")
        limited = min(self.patience.limits.ticks, self.patience.limits.lag) < UNLIMITED
        due = limited or any(self._closes([one for one in records if one.feed == feed], until) for feed in feeds)
        require(due, "seal", lambda: f"{series} is sealed to {until} before its time")

    def _partitions(self) -> Iterator[list[Heard]]:
        """The ticks of each partition that it has read and that count."""
        for number, records in self.watcher.enriched.items():
            position = self.timely.position(number)
            yield [one for at, one in records.items() if at < position and one.may_count]

    def _closes(self, spoken: list[Heard], until: int) -> bool:
        """Whether what a feed spoke of may close a window that ends here."""
        silent_s = self.watcher.now_s() - max(one.at_s for one in spoken)
        silent = silent_s >= self.patience.idle_s[spoken[0].feed[1]]
        late_us = int(self.patience.lateness_s.get(spoken[0].feed[1], 0) * MICROS_A_SECOND)
        return silent or max(one.ts_us for one in spoken) >= until + late_us

    def _is_called_right(self, interval: str, key: Key, bar: SeenBar, was: SeenBar | None) -> None:
        same = was is not None and was.says(bar)
        is_open = self.sealed.get(key[:2], 0) < bar.end_us
        closed = bar.settled or not is_open
        if was and was.settled:
            wanted = was.state if same else "revised" if closed else "provisional"
        else:
            wanted = "final" if closed else "provisional"
        require(bar.state == wanted, "state", lambda: f"{interval} {key}: {bar} replaces {was}, and is not {wanted}")
        reasons = {was.reason} if was and same else set(self._reasons(interval, key, bar, is_open=is_open))
        require(bar.reason in reasons, "reason", lambda: f"{interval} {key}: {bar} replaces {was}, for {reasons}")

    def _reasons(self, interval: str, key: Key, bar: SeenBar, *, is_open: bool) -> Iterator[str]:
        """Why a bar of new content may have been computed."""
        if interval != self.watcher.intervals[0]:
            yield from self._of_parts(key, bar)
        elif key not in self.again:
            yield "live"
        else:
            yield from self.watcher.reasons(key[:2], key[2])
            if is_open:
                # It closes now, and another has stored more than it knew.
                yield "late"

    def _of_parts(self, key: Key, bar: SeenBar) -> set[str]:
        """Reasons of the bars below a coarser one that changed, or of any where none did, or that a window closed."""
        base = self.watcher.intervals[0]
        parts = {
            (*series, start): part
            for (interval, (*series, start)), part in self.decided.items()
            if interval == base and tuple(series) == key[:2] and key[2] <= start < bar.end_us
        }
        changed = {part.reason for of, part in parts.items() if not part.repeats(self.read[base].get(of))}
        return changed or {"live", *(part.reason for part in parts.values())}


def _starts(windows: pl.DataFrame, column: str) -> list[tuple[str, int]]:
    return windows.select(pl.col("series").cast(pl.String), US(column)).rows()
