"""
What one process of the aggregation must have done by the end of a turn: windows that are due are closed, and those that
changed some time ago are told of.

It is late only with what it had read by the end of an earlier turn, which it had all the time it is given to act upon.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from application import topics
from application.ports.event_log import Polled
from application.stages.aggregate import Patience
from tests.simulation.checking import Heard, Key, SeenBar, Watcher, require
from tests.simulation.workload import DAY_AHEAD

MICROS_A_SECOND = 1_000_000
POLICIES_S = {"floor": 600, "screen": 600, DAY_AHEAD: 7200}
"""Lateness that the policies of these worlds' feeds allow."""


@attrs.define
class Timely:
    """What it has read, and when."""

    watcher: Watcher
    patience: Patience
    epoch: int
    position: Callable[[int], int]
    """How far it has read the ticks of a partition."""
    floors: dict[int, int] = attrs.field(factory=dict)
    """The first offset it read of the ticks of each partition since it was assigned it."""
    read_s: dict[tuple[int, int], float] = attrs.field(factory=dict)
    """When the turn ended that read a tick, by partition and offset."""
    began_s: float = 0.0
    """When this turn began."""

    def begin(self) -> None:
        """A turn begins."""
        self.began_s = self.watcher.now_s()

    def assigned(self, partitions: Iterable[int]) -> None:
        """Ticks of these partitions are read anew."""
        for number in partitions:
            self.floors.pop(number, None)
            self.read_s = {where: at for where, at in self.read_s.items() if where[0] != number}

    def polled(self, polled: Polled) -> None:
        """It has read these records."""
        for records in polled.records:
            if records.topic == topics.ENRICHED:
                for number, at in zip(records.partition, records.offset, strict=True):
                    self.floors.setdefault(number, at)

    def turned(self, sealed: Mapping[Key, int]) -> None:
        """A turn is over; `sealed` is how far it knows each instrument to be closed."""
        for number in self.watcher.enriched:
            heard = dict(self._heard(number))
            for at in heard:
                self.read_s.setdefault((number, at), self.watcher.now_s())
            counting = [(at, one) for at, one in heard.items() if one.may_count]
            self._has_closed_what_is_due([one for _, one in counting], sealed)
            left_open = [(at, one) for at, one in counting if self._end_us(one) > sealed.get(one.series, 0)]
            self._has_closed_what_is_silent(number, counting, left_open)
            self._has_told(number, left_open)

    def untold(self, number: int, heard: Iterable[Heard]) -> dict[Key, SeenBar | None]:
        """The windows of ticks of a partition of which no bar was told that counts as much as these, and what was."""
        newest: dict[Key, dict[Key, tuple[int, int]]] = {}
        for one in heard:
            said = newest.setdefault((*one.series, self.watcher.start_us(one)), {})
            said[one.key] = max(one.statement, said.get(one.key, one.statement))
        lacking: dict[Key, SeenBar | None] = {}
        for window, said in newest.items():
            told = self.watcher.told_bars[self.watcher.intervals[0]].get(window)
            least = sum(self._first_said(number, key, content) for key, (_, content) in said.items())
            if told is None or (told.epochs, told.versions) < (self.epoch, least):
                lacking[window] = told
        return lacking

    def _first_said(self, number: int, key: Key, content: int) -> int:
        """The version at which this was first said of a tick: who says it again changes nothing."""
        records = self.watcher.enriched[number].values()
        return min(one.statement[0] for one in records if one.key == key and one.statement[1] == content)

    def left_open(self, number: int, sealed: Mapping[Key, int]) -> Iterator[Heard]:
        """The ticks of a partition that it has read whose windows are open."""
        for _, one in self._heard(number):
            if one.may_count and self._end_us(one) > sealed.get(one.series, 0):
                yield one

    def _heard(self, number: int) -> Iterator[tuple[int, Heard]]:
        """The ticks of a partition that it has read since it was assigned it, by offset."""
        records, position = self.watcher.enriched[number], self.position(number)
        for at in range(self.floors.get(number, position), position):
            if at in records:
                yield at, records[at]

    def _end_us(self, heard: Heard) -> int:
        return self.watcher.start_us(heard) + self.watcher.window_us

    def _has_closed_what_is_due(self, heard: list[Heard], sealed: Mapping[Key, int]) -> None:
        """No window is open of which a feed that spoke in it has spoken as far beyond its end as it may be late."""
        highest: dict[Any, int] = {}
        for one in reversed(heard):
            end = self._end_us(one)
            due = highest.get(one.feed, 0) >= end + self._latest_us(one)
            is_closed = sealed.get(one.series, 0) >= end
            require(not due or is_closed, "close", lambda: f"the window of {one} is open beyond its time")  # noqa: B023
            highest[one.feed] = max(one.ts_us, highest.get(one.feed, 0))

    def _has_closed_what_is_silent(
        self, number: int, counting: list[tuple[int, Heard]], left_open: list[tuple[int, Heard]]
    ) -> None:
        """No window is open of a feed that has not been heard for as long as it may be silent."""
        last_s = {one.feed: self.read_s[number, at] for at, one in counting}
        for _, one in left_open:
            silent = self.began_s - last_s[one.feed] >= self.patience.idle_s[one.feed[1]]
            require(not silent, "close", lambda: f"the window of {one} is open, and its feed is silent")  # noqa: B023

    def _has_told(self, number: int, left_open: list[tuple[int, Heard]]) -> None:
        """No window that is open has changed long ago and is as it was told of still."""
        long_ago = self.began_s - self.patience.provisional_every_s
        late = self.untold(number, [one for at, one in left_open if self.read_s[number, at] <= long_ago])
        if late:
            # What was said meanwhile may have taken the change back.
            now = self.untold(number, [one for _, one in left_open])
            late = {window: told for window, told in late.items() if window in now}
        require(not late, "told in time", lambda: f"windows have changed that were told as {late}")

    def _latest_us(self, heard: Heard) -> int:
        """How late its feed may be at most."""
        adaptation = self.patience.adaptation
        most_s = POLICIES_S[heard.feed[1]] * (adaptation.most if adaptation else 1)
        return int(self.patience.lateness_s.get(heard.feed[1], most_s) * MICROS_A_SECOND)
