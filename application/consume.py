"""
The one loop: poll, run, store, announce, commit.

A stage decides and this performs, for every stage alike. Store, then announce, then commit: whoever hears of a fact
can read it, and a crash between the steps repeats work and changes nothing. Here alone it is decided whether a record
is rejected (the stage's dead letters, stored and announced like everything else), a call is tried again (Retryable,
without end, ever more slowly, and readiness says so) or the process stops (Fatal).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import attrs

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.errors import NewerLogic, Retryable, RowsRefused
from application.ports.event_log import Consumer, EventLog, Listener, Polled, Progress, TopicPartition
from application.ports.journal import Journal
from application.ports.logic_epoch import LogicEpoch
from application.ports.meter import Meter
from application.ports.tables import Table
from application.stage import Stage
from domain.bronze.dead_letter import DeadLetters
from domain.bronze.message_outcome import dead_letters, of_refused_rows
from domain.gold.bar import LOGIC_EPOCH

DEAD_LETTERS = "dead_letters"

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Pace:
    """How much the loop takes at once, and how it waits."""

    batch: int = 20_000
    """Records of one poll."""
    linger_s: float = 0.05
    """How long a poll waits for the first record."""
    first_wait_s: float = 0.1
    longest_wait_s: float = 10.0
    """Before a failed call is tried again; each wait is twice the one before, up to the longest."""
    told_every_s: float = 30.0
    """A trouble that lasts is told of this often."""


class Stopped(Exception):
    """The loop was asked to stop while a call was failing; nothing of the batch is committed."""


@attrs.define
class Consume:
    """One stage at work."""

    stage: Stage
    group: str
    log: EventLog
    tables: Mapping[str, Table]
    """By the names that stages use in Store."""
    epoch: LogicEpoch
    clock: Clock
    meter: Meter
    journal: Journal
    pace: Pace = Pace()
    stopping: Callable[[], bool] = lambda: False
    service_version: str = ""
    """Version of this program, for dead letters."""
    before: Sequence[Callable[[], None]] = ()
    """What must succeed before the group is joined: checks of schemas and topics."""
    trouble: str = attrs.field(init=False, default="not started yet")
    """What keeps commits from advancing; empty while they can."""
    _consumer: Consumer | None = attrs.field(init=False, default=None)
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    """The offset after the last record polled, of each partition that brought one."""
    _committed: dict[TopicPartition, Progress] = attrs.field(init=False, factory=dict)

    def start(self) -> None:
        """Wait until what must be there is, mark the logic epoch, and join the group."""
        for check in self.before:
            self._trying("starting", check)
        self._trying("marking the logic epoch", lambda: self.epoch.mark(LOGIC_EPOCH))
        listener = Listener(self._assigned, self.stage.revoked)
        self._consumer = self.log.subscribe(self.group, self.stage.consumes, listener)

    def step(self) -> int:
        """
        Poll once, and perform what the stage decides about it.

        Returns:
            How many records were taken.

        Raises:
            Fatal: The process must stop.
            Stopped: `stopping` turned true while a call was failing.
        """
        polled = self._trying("polling", lambda: self.consumer.poll(self.pace.batch, self.pace.linger_s))
        outcome = self._trying("deciding", lambda: self.stage.run(polled))
        self._positions.update(polled.next_offsets)
        self._perform(self._refusing_unreadable(polled, outcome))
        return len(polled)

    def finish(self) -> None:
        """Perform what the stage decides at the end of an input."""
        self._perform(self._trying("deciding", self.stage.finish))

    def close(self) -> None:
        """Leave the group."""
        if self._consumer:
            self._consumer.close()

    @property
    def consumer(self) -> Consumer:
        """The member of the group, once started."""
        if self._consumer is None:
            raise RuntimeError("call start() before step()")
        return self._consumer

    def _refusing_unreadable(self, polled: Polled, outcome: Outcome) -> Outcome:
        """The outcome, with a dead letter for every record that could not be read."""
        if polled.unreadable is None:
            return outcome
        events, refusals = polled.unreadable.events, polled.unreadable.refusals
        letters = dead_letters(events, refusals, self.stage.name, self.clock.now(), self.service_version)
        refused = DeadLetters.concat([outcome.refused, letters]) if outcome.refused else letters
        return attrs.evolve(outcome, refused=refused)

    def _perform(self, outcome: Outcome) -> None:
        parts = list(self._stored(outcome))
        for part in parts:
            for announcement in self._announcements(part):
                tell = partial(self.log.publish, announcement.topic, announcement.facts)
                self._trying(f"announcing on {announcement.topic}", tell)
        for part in parts:
            part.kept()
        self._commit(parts[-1])

    def _stored(self, outcome: Outcome) -> Iterator[Outcome]:
        """Store each part before the next is asked for, since it reads back what this one stored."""
        part: Outcome | None = outcome
        while part:
            refused = [letters for store in part.store if (letters := self._store(store))]
            letters = DeadLetters.concat([*([part.refused] if part.refused else []), *refused])
            if len(letters):
                self._store(Store(DEAD_LETTERS, letters))
            yield attrs.evolve(part, refused=letters if len(letters) else None)
            part = self._trying("deciding", part.then) if part.then else None

    def _store(self, store: Store) -> DeadLetters | None:
        """Store rows; returns dead letters of those the table can never hold."""
        try:
            self._trying(f"storing {store.table}", partial(self.tables[store.table].upsert, store.rows))
        except RowsRefused as error:
            self.journal.error("rows that can't be stored became dead letters", table=store.table, error=str(error))
            events, refusals = of_refused_rows(store.table, error.rows, error.reasons)
            return dead_letters(events, refusals, self.stage.name, self.clock.now(), self.service_version)
        return None

    def _announcements(self, part: Outcome) -> tuple[Announce, ...]:
        refused = (Announce(topics.dead_letters(self.stage.name), part.refused),) if part.refused else ()
        return (*part.announce, *refused)

    def _commit(self, outcome: Outcome) -> None:
        come = {
            where: Progress(floor, max(floor, self._positions.get(where, floor)), outcome.owed)
            for where, floor in outcome.commit.items()
        }
        moved = {where: progress for where, progress in come.items() if self._committed.get(where) != progress}
        if not moved:
            return
        self._trying("reading the logic epoch", self._refuse_newer_logic)
        try:
            self.consumer.commit({where: progress.floor for where, progress in moved.items()}, outcome.owed)
        except Retryable as error:
            # What is stored is stored; the records come again, and the next commit says the same or more.
            self.journal.warning("offsets were not committed; they will be with the next batch", error=str(error))
            return
        self._committed.update(moved)

    def _assigned(self, committed: Mapping[TopicPartition, int | None]) -> None:
        self._refuse_newer_logic()
        for where in committed:
            self._committed.pop(where, None)
            self._positions.pop(where, None)
        self.stage.assigned(committed)

    def _refuse_newer_logic(self) -> None:
        highest = self.epoch.highest()
        if highest > LOGIC_EPOCH:
            raise NewerLogic(
                f"logic epoch {highest} is marked and this program computes epoch {LOGIC_EPOCH}: "
                "a newer release owns these tables; stop this one and start the newer"
            )

    def _trying(self, what: str, call: Callable[[], T]) -> T:
        """Call until it succeeds: a Retryable failure harms nothing but time."""
        wait_s, told_at_s = self.pace.first_wait_s, None
        while True:
            try:
                result = call()
            except Retryable as error:
                self.trouble = f"{what}: {error}"
                now_s = self.clock.monotonic_s()
                if told_at_s is None or now_s - told_at_s >= self.pace.told_every_s:
                    told_at_s = now_s
                    self.journal.warning(f"{what} failed; trying again", error=str(error), stage=self.stage.name)
                if self.stopping():
                    raise Stopped(self.trouble) from error
                if self._consumer:
                    self._consumer.stay()
                self.clock.sleep(wait_s)
                wait_s = min(2 * wait_s, self.pace.longest_wait_s)
            else:
                self.trouble = ""
                return result
