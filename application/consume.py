"""
The one loop: poll, run, store, announce, commit.

A stage decides and this performs, for every stage alike. Store, then announce, then commit: whoever hears of a fact
can read it, and a crash between the steps repeats work and changes nothing. Here alone it is decided whether a record
is rejected (the stage's dead letters, stored and announced like everything else), a call is tried again (Retryable,
without end, ever more slowly, and readiness says so) or the process stops (Fatal). What ended earlier processes is found
and set aside by application/quarantine.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import starmap
from math import isqrt
from types import MappingProxyType
from typing import TypeVar

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.errors import Fatal, LogUnavailable, NewerLogic, PortError, Retryable, RowsRefused
from application.ports.event_log import Consumer, EventLog, Listener, Polled, Progress, TopicPartition
from application.ports.journal import Journal
from application.ports.logic_epoch import LogicEpoch
from application.ports.meter import Meter
from application.ports.tables import Table
from application.ports.tracer import SPANS, Tracer, Untraced
from application.quarantine import ATTEMPTS, Caution, Piece
from application.stage import Share, Stage
from application.troubles import Troubles, Vigilance
from domain.bronze.dead_letter import DeadLetters
from domain.bronze.message_outcome import dead_letters, of_refused_rows
from domain.gold.bar import LOGIC_EPOCH
from domain.silver.tick import RAW_ROW

DEAD_LETTERS = "dead_letters"
COMMITTING = "committing"

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
    attempts: int = ATTEMPTS
    """Of a record that ends the process, run alone, before it is quarantined."""
    vigilance: Vigilance = attrs.field(factory=Vigilance)
    """When a failing or slow call counts as trouble, and how often that is told."""


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
    tracer: Tracer = attrs.field(factory=Untraced)
    """Hears of each batch that brought records."""
    before: Sequence[Callable[[], None]] = ()
    """What must succeed before the group is joined: checks of schemas and topics."""
    meanwhile: Sequence[Callable[[], None]] = ()
    """What is done beside, once before each poll."""
    passed: Callable[[str], None] = lambda _: None
    """Hears of each effect once it is performed, e.g. `stored silver_ticks`; see `_perform` for their order."""
    _started: bool = attrs.field(init=False, default=False)
    _troubles: Troubles = attrs.field(init=False)
    _caution: Caution = attrs.field(init=False)
    _consumer: Consumer | None = attrs.field(init=False, default=None)
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    """The offset after the last record polled, of each partition that brought one."""
    _committed: dict[TopicPartition, Progress] = attrs.field(init=False, factory=dict)
    """As the log has it."""
    _uncommitted: dict[TopicPartition, Progress] = attrs.field(init=False, factory=dict)
    """Performed, and the commit of it failed."""

    def __attrs_post_init__(self) -> None:
        self._troubles = Troubles(self.stage.name, self.clock, self.journal, self.pace.vigilance)
        few = isqrt(self.pace.batch)
        self._caution = Caution(self.stage.name, few, self.pace.attempts, self.journal, self.meter)

    @property
    def trouble(self) -> str:
        """What keeps commits from advancing; empty while they can."""
        return self._troubles.told or ("" if self._started else "not started yet")

    @property
    def away(self) -> frozenset[str]:
        """Names of what keeps them from it, e.g. clickhouse; empty also where the trouble has no such name."""
        return self._troubles.away

    def start(self) -> None:
        """Wait until what must be there is, mark the logic epoch, and join the group."""
        for check in self.before:
            self._trying("starting", check)
        self._trying("marking the logic epoch", lambda: self.epoch.mark(LOGIC_EPOCH))
        listener = Listener(self._assigned, self._revoked)
        self._consumer = self.log.subscribe(self.group, self.stage.consumes, listener)
        self._started = True

    def step(self) -> int:
        """
        Poll once, and perform what the stage decides about it.

        Returns:
            How many records were taken; at least 1 where the stage has more to do without any.

        Raises:
            Fatal: The process must stop.
            Stopped: `stopping` turned true while a call was failing.
        """
        for duty in self.meanwhile:
            self._trying("catching up", duty)
        polled = self._trying("polling", lambda: self.consumer.poll(self.pace.batch, self.pace.linger_s))
        if not len(polled):
            return self._take(polled)
        with self.tracer.span(SPANS.get(self.stage.name, self.stage.name), records=len(polled)):
            for number, piece in enumerate(self._caution.pieces(polled)):
                if number:
                    self.consumer.stay()
                self._take_cautiously(piece)
        return len(polled)

    def _take_cautiously(self, piece: Piece) -> None:
        """Say in the log what is begun before it is run; what ends the process leaves it there."""
        if not piece.begun:
            self._take(piece.polled)
            return
        before = {where: self._known(where, doubt.since) for where, doubt in piece.begun.items()}
        begun = {where: attrs.evolve(before[where], doubt=doubt) for where, doubt in piece.begun.items()}
        self._trying("marking what is begun", lambda: self._mark(begun))
        try:
            self._take(piece.polled, survived=_survived(begun))
        except NewerLogic:
            raise  # what lies in the log is the newer program's
        except (Fatal, Stopped) as end:
            self._unmark(before, end)
            raise

    def _known(self, where: TopicPartition, first: int) -> Progress:
        """What is performed; a partition that was never committed begins at its first record."""
        return self._uncommitted.get(where) or self._committed.get(where) or Progress(first, first)

    def _mark(self, come: Mapping[TopicPartition, Progress]) -> None:
        if all(self._committed.get(where) == progress for where, progress in come.items()):
            return
        self._refuse_newer_logic()
        self.consumer.commit(come)
        self._committed.update(come)
        self._settle_commits(come)
        self.passed("marked")

    def _unmark(self, before: Mapping[TopicPartition, Progress], end: Exception) -> None:
        """An orderly end was no record's doing."""
        if isinstance(end.__cause__, LogUnavailable):
            return  # and asking it again would only hold up the end
        try:
            self._mark(before)
        except PortError as error:
            self.journal.warning("the next start will be more careful than it need be", error=str(error))

    def _take(self, polled: Polled, survived: Mapping[TopicPartition, Progress] = MappingProxyType({})) -> int:
        outcome = self._trying("deciding", lambda: self._decide(polled, survived))
        if survived:
            self._trying("marking what was survived", lambda: self._mark(survived))
        self._positions.update(polled.next_offsets)
        self._caution.advance(polled.next_offsets)
        self._perform(self._refusing_unreadable(polled, outcome))
        return len(polled) or int(outcome.more)

    def _decide(self, polled: Polled, survived: Mapping[TopicPartition, Progress]) -> Outcome:
        """A server that fails ends no process: who waits for it is innocent of what comes meanwhile."""
        try:
            return self.stage.run(polled)
        except Retryable:
            with suppress(Retryable):
                self._mark(survived)
            raise

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
                self.passed(f"announced {announcement.topic}")
        for store in (store for part in parts for store in part.conclude):
            self._upsert(store)
        for part in parts:
            part.kept()
        self.passed("kept")
        self._commit(parts[-1])

    def _stored(self, outcome: Outcome) -> Iterator[Outcome]:
        """Store each part before the next is asked for, since it reads back what this one stored."""
        part: Outcome | None = outcome
        while part:
            refused = [(store, error) for store in part.store if (error := self._store(store))]
            letters = DeadLetters.concat([*([part.refused] if part.refused else []), *starmap(self._letters, refused)])
            if len(letters):
                self._store(Store(DEAD_LETTERS, letters))
            yield _held(attrs.evolve(part, refused=letters if len(letters) else None), refused)
            part = self._trying("deciding", part.then) if part.then else None

    def _store(self, store: Store) -> RowsRefused | None:
        """Store rows; returns those the table can never hold."""
        try:
            self._upsert(store)
        except RowsRefused as error:
            self.journal.error("rows that can't be stored became dead letters", table=store.table, error=str(error))
            return error
        return None

    def _letters(self, store: Store, refused: RowsRefused) -> DeadLetters:
        events, refusals = of_refused_rows(store.table, refused.rows, refused.reasons)
        return dead_letters(events, refusals, self.stage.name, self.clock.now(), self.service_version)

    def _upsert(self, store: Store) -> None:
        self._trying(f"storing {store.table}", partial(self.tables[store.table].upsert, store.rows))
        self.passed(f"stored {store.table}")

    def _announcements(self, part: Outcome) -> tuple[Announce, ...]:
        refused = (Announce(topics.dead_letters(self.stage.name), part.refused),) if part.refused else ()
        return (*part.announce, *refused)

    def _commit(self, outcome: Outcome) -> None:
        come = {where: self._progress(where, floor, outcome.owed) for where, floor in outcome.commit.items()}
        come = {**self._uncommitted, **come}
        moved = {where: progress for where, progress in come.items() if self._committed.get(where) != progress}
        if not moved:
            return
        self._trying("reading the logic epoch", self._refuse_newer_logic)
        self._troubles.begin(COMMITTING)
        try:
            self.consumer.commit(moved)
        except Retryable as error:
            # What is stored is stored, and the stage goes on; the next turn commits the same or more.
            self._uncommitted = moved
            self._troubles.fail(COMMITTING, error, "offsets were not committed; they will be with the next batch")
            self.clock.sleep(self.pace.first_wait_s)
            return
        self._troubles.succeed(COMMITTING)
        self._committed.update(moved)
        self._uncommitted = {}
        self.passed("committed")

    def _progress(self, where: TopicPartition, floor: int, owed: int) -> Progress:
        position = max(floor, self._positions.get(where, floor))
        return Progress(floor, position, owed, self._caution.doubt(where), self._caution.aside(where, floor))

    def _assigned(self, committed: Mapping[TopicPartition, Progress | None]) -> None:
        self._refuse_newer_logic()
        self._forget(committed)
        self._committed.update({where: come for where, come in committed.items() if come})
        self._caution.assigned(committed)
        ends = self.log.end_offsets(self.stage.consumes)
        self.stage.assigned(
            {where: Share(come.floor if come else None, ends.get(where, 0)) for where, come in committed.items()}
        )

    def _revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._forget(partitions)
        self.stage.revoked(partitions)

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        self._caution.forget(partitions)
        for where in partitions:
            self._committed.pop(where, None)
            self._positions.pop(where, None)
        self._settle_commits(partitions)

    def _settle_commits(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing of these partitions is left to be committed."""
        for where in partitions:
            self._uncommitted.pop(where, None)
        if not self._uncommitted:
            self._troubles.succeed(COMMITTING)

    def _refuse_newer_logic(self) -> None:
        highest = self.epoch.highest()
        if highest > LOGIC_EPOCH:
            raise NewerLogic(
                f"logic epoch {highest} is marked and this program computes epoch {LOGIC_EPOCH}: "
                "a newer release owns these tables; stop this one and start the newer"
            )

    def _trying(self, what: str, call: Callable[[], T]) -> T:
        """Call until it succeeds: a Retryable failure harms nothing but time."""
        wait_s = self.pace.first_wait_s
        while True:
            self._troubles.begin(what)
            try:
                result = call()
            except Retryable as error:
                self._troubles.fail(what, error, f"{what} failed; trying again")
                if self.stopping():
                    raise Stopped(self.trouble) from error
                if self._consumer:
                    self._consumer.stay()
                self.clock.sleep(wait_s)
                wait_s = min(2 * wait_s, self.pace.longest_wait_s)
            except RowsRefused:
                self._troubles.succeed(what)  # an answer, if not the one that was hoped for
                raise
            else:
                self._troubles.succeed(what)
                return result


def _held(part: Outcome, refused: Sequence[tuple[Store, RowsRefused]]) -> Outcome:
    """The outcome without the ticks that their table can't hold: they are not announced, nor remembered."""
    for store, error in refused:
        told = tuple(
            _without(announcement, error.rows) if announcement.held_by == store.table else announcement
            for announcement in part.announce
        )
        part = attrs.evolve(part, announce=told, kept=partial(_both, part.kept, partial(store.lost, error.rows)))
    return part


def _without(announcement: Announce, rows: pl.DataFrame) -> Announce:
    facts = announcement.facts
    held = facts.frame.join(rows, on=RAW_ROW, how="anti", maintain_order="left")
    return attrs.evolve(announcement, facts=type(facts)(held))


def _both(first: Callable[[], None], then: Callable[[], None]) -> None:
    first()
    then()


def _survived(begun: Mapping[TopicPartition, Progress]) -> Mapping[TopicPartition, Progress]:
    """The same, once it is decided what becomes of records that were begun alone."""
    return {
        where: attrs.evolve(progress, doubt=attrs.evolve(doubt, survived=doubt.survived + 1))
        for where, progress in begun.items()
        if (doubt := progress.doubt) and doubt.tries
    }
