"""Records that end the process: found by running ever fewer at once, quarantined, and never run again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.event_log import MemoryEventLog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.tables import MemoryDeadLetterTable
from application.consume import Consume, Pace, Stopped
from application.outcome import Outcome, Store
from application.ports.errors import Fatal, LogUnavailable, NewerLogic, StoreUnavailable
from application.ports.event_log import Doubt, Listener, Polled, Progress, Records, TopicPartition, Unreadable
from application.quarantine import Caution
from application.stage import Share
from domain.bronze.dead_letter import DeadLetter
from domain.bronze.raw_event import RawEvents, Refusal, Refusals
from domain.errors import Reason
from domain.gold.bar import LOGIC_EPOCH
from tests.aggregating import Script, Scripted, ScriptedLog
from tests.builders import TEN, micros, tick, ticks
from tests.performing import StandingClock, Tally

RAW, TYPED = "ingestion.raw", "ticks"
GROUP = "g"
NOBODY = Listener(lambda _: None, lambda _: None)
Place = tuple[str, int, int]


class ProcessDied(BaseException):
    """The process is gone, and no line of it runs any more."""


@attrs.define
class Fragile:
    """A stage that some records kill, and whose floor may stay so far behind, but never goes back."""

    deadly: frozenset[Place]
    performed: Counter[Place]
    runs: list[list[Place]]
    behind: int = 0
    name: str = "fragile"
    consumes: Sequence[str] = (RAW, TYPED)
    _floors: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        self._floors = {where: share.floor or 0 for where, share in shares.items()}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        pass

    def run(self, polled: Polled) -> Outcome:
        places = places_of(polled)
        self.runs.append(places)
        if self.deadly & set(places):
            raise ProcessDied
        for where, offset in polled.next_offsets.items():
            self._floors[where] = max(self._floors[where], offset - self.behind)
        floors = dict(self._floors)
        return Outcome(store=(Store("seen", ticks()),), commit=floors, kept=lambda: self.performed.update(places))

    def finish(self) -> Outcome:
        return Outcome()


@attrs.define
class Failing(Fragile):
    """A stage that fails."""

    error: Exception = attrs.field(default=None)

    def run(self, polled: Polled) -> Outcome:
        raise self.error


@attrs.define
class Waiting(Fragile):
    """A stage that is killed from outside while it waits for a server that fails it a few times."""

    failures: int = 0

    def run(self, polled: Polled) -> Outcome:
        if not self.failures:
            raise ProcessDied
        self.failures -= 1
        raise StoreUnavailable("not now")


@attrs.define
class Overtaken(Fragile):
    """A stage that a newer program takes over from while it decides, or while a server fails it there."""

    epoch: MemoryLogicEpoch = attrs.field(factory=MemoryLogicEpoch)
    fails: bool = False

    def run(self, polled: Polled) -> Outcome:
        self.epoch.mark(LOGIC_EPOCH + 1)
        if self.fails:
            self.fails = False
            raise StoreUnavailable("not now")
        return Fragile.run(self, polled)


def died() -> Any:
    """What a script raises where the process ends."""
    return ProcessDied()


def places_of(polled: Polled) -> list[Place]:
    raw = polled.raw
    found = [*zip(raw.topics, raw.partitions, raw.offsets, strict=True)] if raw else []
    for records in polled.records:
        found += [(records.topic, *place) for place in zip(records.partition, records.offset, strict=True)]
    return found


class Nothing:
    """A table nobody reads."""

    def upsert(self, rows: Any) -> None:
        pass


@attrs.define
class Lines:
    """A journal that keeps its warnings and errors with what they name."""

    told: list[tuple[str, Mapping[str, object]]] = attrs.field(factory=list)

    def info(self, message: str, **fields: object) -> None:
        pass

    def warning(self, message: str, **fields: object) -> None:
        self.told.append((message, fields))

    error = warning


@attrs.define
class World:
    """A log and tables that last while processes come and go."""

    deadly: frozenset[Place] = frozenset()
    batch: int = 100
    behind: int = 0
    script: Script = attrs.field(factory=Script)
    stopping: Callable[[], bool] = lambda: False
    log: MemoryEventLog = attrs.field(factory=lambda: MemoryEventLog(lambda _: 1, retain=True))
    letters: MemoryDeadLetterTable = attrs.field(factory=MemoryDeadLetterTable)
    epoch: MemoryLogicEpoch = attrs.field(factory=MemoryLogicEpoch)
    performed: Counter[Place] = attrs.field(factory=Counter)
    runs: list[list[Place]] = attrs.field(factory=list)
    journal: Lines = attrs.field(factory=Lines)
    meter: Tally = attrs.field(factory=Tally)
    deaths: int = 0

    def process(self) -> Consume:
        log: Any = ScriptedLog(self.log, self.script, [])
        loop = Consume(
            stage=Fragile(self.deadly, self.performed, self.runs, self.behind),
            group=GROUP,
            log=log,
            tables={"dead_letters": self.letters, "seen": Scripted(Nothing(), self.script, {"upsert": "store"})},
            epoch=self.epoch,
            clock=StandingClock(),
            meter=self.meter,
            journal=self.journal,
            pace=Pace(batch=self.batch),
            stopping=self.stopping,
            service_version="1.2.3",
        )
        loop.start()
        return loop

    def put(self, count: int, partition: int = 0, gap: int = 1, first: int = 0) -> None:
        """Raw messages, `gap` offsets apart."""
        self.log.append(
            RawEvents(
                topics=[RAW] * count,
                partitions=[partition] * count,
                offsets=[first + number * gap for number in range(count)],
                timestamps_us=[micros(TEN) + number for number in range(count)],
                values=[f"message {number}".encode() for number in range(count)],
            )
        )

    def life(self) -> bool:
        """One process, until all is done or it dies; whether it lived to see the end."""
        loop = self.process()
        try:
            while loop.step():
                pass
            loop.step()
        except ProcessDied:
            self.deaths += 1
            return False
        else:
            return True
        finally:
            loop.close()

    def lives(self, most: int) -> "World":
        """Processes one after the other, until one sees the end."""
        for _ in range(most):
            if self.life():
                return self
        raise AssertionError(f"none of {most} processes saw the end; the last ones ran {self.runs[-5:]}")

    def progress(self, partition: int = 0, topic: str = RAW) -> Progress:
        return self.log.progress(GROUP, [topic])[TopicPartition(topic, partition)]

    def quarantined(self) -> list[DeadLetter]:
        rows = self.letters.final().sort("topic", "partition", "offset")
        return [DeadLetter(**row) for row in rows.select(list(attrs.fields_dict(DeadLetter))).iter_rows(named=True)]


def places(letters: Sequence[DeadLetter]) -> set[Place]:
    return {(letter.topic, letter.partition, letter.offset) for letter in letters}


def raw(offset: int, partition: int = 0) -> Place:
    return RAW, partition, offset


def test_a_record_that_ends_every_process_is_quarantined_and_all_others_are_performed_once() -> None:
    world = World(frozenset({raw(700)}), batch=20_000)
    world.put(1_000)

    world.lives(6)

    assert world.performed == Counter(raw(offset) for offset in range(1_000) if offset != 700)
    assert places(world.quarantined()) == {raw(700)}
    assert world.deaths == 5


def test_each_attempt_takes_fewer_records_until_the_one_is_run_alone_three_times() -> None:
    world = World(frozenset({raw(700)}), batch=20_000)
    world.put(1_000)

    world.lives(6)

    deadly = [run for run in world.runs if raw(700) in run]
    assert [len(run) for run in deadly] == [1_000, 31, 1, 1, 1]


def test_what_lies_behind_a_quarantined_record_is_run_at_full_size_again() -> None:
    world = World(frozenset({raw(3)}), batch=100)
    world.put(50)

    world.lives(6)

    assert [run for run in world.runs if run][-1] == [raw(offset) for offset in range(4, 50)]


def test_few_records_are_run_one_by_one_at_once() -> None:
    world = World(frozenset({raw(2)}), batch=100)
    world.put(5)

    world.lives(5)

    assert [len(run) for run in world.runs if raw(2) in run] == [5, 1, 1, 1]


def test_its_dead_letter_says_why_and_keeps_its_bytes() -> None:
    world = World(frozenset({raw(2)}))
    world.put(5)

    (letter,) = world.lives(5).quarantined()

    assert attrs.asdict(letter, filter=attrs.filters.include("stage", "reason", "row_index", "raw")) == {
        "stage": "fragile",
        "reason": Reason.QUARANTINE,
        "row_index": -1,
        "raw": b"message 2",
    }
    assert letter.message == (
        "3 processes in a row ended while they ran this record alone, so it was set aside; "
        "replay it once what ends them is mended"
    )


def test_both_are_told_and_counted() -> None:
    world = World(frozenset({raw(2)}))
    world.put(5)

    world.lives(5)

    place = {"topic": RAW, "partition": 0}
    doubts = [(0, 5, 0), (2, 3, 1), (2, 3, 2), (2, 3, 3)]
    few = "taking few records at a time: earlier attempts ended before these were performed"
    assert world.journal.told == [
        *(
            (few, {"stage": "fragile", "records": [place | {"since": since, "until": until, "tries": tries}]})
            for since, until, tries in doubts
        ),
        (
            "a record was quarantined: every process that ran it ended; it is among the dead letters",
            place | {"stage": "fragile", "offset": 2},
        ),
    ]
    assert world.meter.figures["quarantined_records_total"] == 1


def test_what_is_in_doubt_is_one_line_and_not_told_again_where_partitions_only_went_and_came() -> None:
    journal = Lines()
    caution = Caution("fragile", 10, 3, journal, Tally())
    first, second = (TopicPartition(RAW, number) for number in (0, 1))
    doubted = {where: Progress(0, 0, doubt=Doubt(0, 5)) for where in (first, second)}
    caution.assigned(doubted)
    caution.forget(doubted)
    caution.assigned(doubted)
    caution.assigned({first: Progress(0, 0, doubt=Doubt(0, 5, tries=1)), second: None})

    assert len(journal.told) == 2


def test_a_fact_between_stages_is_kept_as_json() -> None:
    world = World(frozenset({(TYPED, 0, 1)}))
    world.log.publish(TYPED, ticks(*(tick(source_seq=number) for number in range(3))))

    (letter,) = world.lives(5).quarantined()

    assert (letter.topic, letter.offset, b'"source_seq":1' in letter.raw) == (TYPED, 1, True)
    assert world.performed == Counter([(TYPED, 0, 0), (TYPED, 0, 2)])


def test_a_process_killed_from_outside_costs_no_record() -> None:
    world = World(batch=10)
    world.put(25)
    for offset in (4, 5, 4, 5, 7, 12, 12):
        world.deadly = frozenset({raw(offset)})
        world.life()
    world.deadly = frozenset()

    world.lives(1)

    assert (world.deaths, set(world.performed), len(world.quarantined())) == (7, {raw(n) for n in range(25)}, 0)


def test_ends_after_a_record_was_decided_take_four_times_as_many() -> None:
    world = World()
    world.put(1)
    world.script.failing = lambda _, effect: died() if effect == "store" else None

    for _ in range(12):
        assert not world.life()
    assert world.progress() == Progress(0, 0, doubt=Doubt(since=0, until=1, tries=12, survived=12))
    world.script.failing = lambda _number, _effect: None
    world.lives(1)

    (letter,) = world.quarantined()
    assert letter.message.startswith("12 processes in a row ended while they ran this record alone")


@pytest.mark.parametrize("effect", ["store", "store done"])
def test_processes_killed_while_they_store_cost_no_record(effect: str) -> None:
    world = World()
    world.put(3)
    world.script.failing = lambda _, at: died() if at == effect else None
    for _ in range(12):
        assert not world.life()

    world.script.failing = lambda _number, _effect: None
    world.lives(1)

    assert (set(world.performed), world.quarantined()) == ({raw(0), raw(1), raw(2)}, [])


def test_a_lone_record_is_alone_from_the_first_attempt_on() -> None:
    world = World(frozenset({raw(0)}))
    world.put(1)

    world.lives(4)

    assert (world.deaths, places(world.quarantined())) == (3, {raw(0)})


def test_a_record_that_runs_beside_other_partitions_is_not_alone() -> None:
    world = World(frozenset({raw(0)}))
    world.put(1)
    world.put(1, partition=1)

    world.lives(5)

    assert [len(run) for run in world.runs if raw(0) in run] == [2, 1, 1, 1]


def test_who_waits_for_a_server_while_deciding_has_survived_the_record() -> None:
    world = World(batch=10)
    world.put(1)
    for _ in range(11):
        loop = world.process()
        loop.stage = Waiting(frozenset(), world.performed, [], failures=3)
        with pytest.raises(ProcessDied):
            loop.step()
        loop.close()
    assert world.progress().doubt == Doubt(since=0, until=1, tries=11, survived=11)
    assert world.script.effects.count("commit") == 22

    world.lives(1)

    assert (world.performed, world.quarantined()) == (Counter([raw(0)]), [])


def test_who_waits_for_a_server_and_the_log_tries_on() -> None:
    world = World(batch=10)
    world.put(1)
    loop = world.process()
    loop.stage = Waiting(frozenset(), world.performed, [], failures=1)
    world.script.failing = lambda _, effect: (
        LogUnavailable("no broker") if effect == "commit" and world.script.effects.count(effect) == 2 else None
    )

    with pytest.raises(ProcessDied):
        loop.step()

    assert world.progress().doubt == Doubt(since=0, until=1, tries=1)


def test_a_record_survived_once_is_in_doubt_no_more() -> None:
    world = World(frozenset({raw(2)}))
    world.put(5)
    for _ in range(3):
        world.life()
    world.deadly = frozenset()

    world.lives(1)

    assert (world.progress(), world.quarantined()) == (Progress(5, 5), [])


def test_a_process_at_work_says_nothing_beside_its_commits() -> None:
    world = World(batch=10)
    world.put(25)

    world.lives(1)

    assert world.script.effects.count("commit") == 4
    assert world.progress() == Progress(25, 25)


def test_the_first_records_after_an_assignment_are_put_in_doubt_before_they_are_run() -> None:
    world = World(frozenset({raw(12)}), batch=10)
    world.put(25)
    world.life()
    assert world.progress() == Progress(10, 10)

    world.life()

    assert world.progress() == Progress(10, 10, doubt=Doubt(since=10, until=20))


def test_a_partition_that_was_never_committed_begins_at_its_first_record() -> None:
    world = World(frozenset({raw(7)}), batch=10)
    world.put(5, first=7)

    world.life()

    assert world.progress() == Progress(7, 7, doubt=Doubt(since=7, until=12))


def test_partitions_without_records_are_never_in_doubt() -> None:
    world = World()

    for _ in range(5):
        world.lives(1)

    assert (world.progress(), world.journal.told) == (Progress(0, 0), [])


def test_of_what_is_read_again_from_the_floor_only_what_was_never_performed_is_in_doubt() -> None:
    world = World(batch=100, behind=8)
    world.put(10)
    world.lives(1)
    world.put(10, first=10)
    world.deadly = frozenset({raw(15)})

    world.life()
    assert world.progress().doubt == Doubt(since=10, until=20)
    world.lives(4)

    assert [len(run) for run in world.runs if raw(9) in run] == [10, 18, 8, 8, 8, 8]
    assert places(world.quarantined()) == {raw(15)}


def test_a_quarantined_record_is_skipped_whenever_its_partition_is_read_again() -> None:
    world = World(frozenset({raw(15)}), batch=1_000, behind=8)
    world.put(20)

    world.lives(5)
    assert world.progress() == Progress(floor=12, position=20, aside=(15,))
    world.lives(1)
    world.put(10, first=20)
    world.lives(1)
    assert world.progress() == Progress(floor=22, position=30)

    world.lives(1)

    assert world.deaths == 4
    assert world.performed.keys() == {raw(offset) for offset in range(30) if offset != 15}
    assert places(world.quarantined()) == {raw(15)}


def test_a_partition_of_which_nothing_but_a_quarantined_record_is_read_again_goes_on_behind_it() -> None:
    world = World(frozenset({raw(15)}), batch=1, behind=1)
    world.put(16)

    world.lives(5)
    assert world.progress() == Progress(floor=15, position=16, aside=(15,))
    world.lives(1)

    assert world.progress() == Progress(floor=15, position=16, aside=(15,))


def test_partitions_are_judged_one_by_one() -> None:
    world = World(frozenset({raw(3, 1)}), batch=20_000)
    for partition in range(3):
        world.put(400, partition)

    world.lives(6)

    assert [{place[1] for place in run} for run in world.runs if raw(3, 1) in run][1:] == [{1}] * 4
    assert places(world.quarantined()) == {raw(3, 1)}


def test_a_doubt_whose_records_are_gone_is_over_once_what_follows_is_performed() -> None:
    world = World(batch=10)
    consumer = world.log.subscribe(GROUP, [RAW], NOBODY)
    consumer.poll(1, 0)
    world.put(5, first=20)
    consumer.poll(0, 0)
    consumer.commit({TopicPartition(RAW, 0): Progress(3, 3, doubt=Doubt(since=3, until=4, tries=3))})
    consumer.close()

    world.lives(1)

    assert (world.progress(), world.quarantined()) == (Progress(25, 25), [])


@pytest.mark.parametrize("end", [Fatal("the disk is gone"), StoreUnavailable("not now")])
def test_an_orderly_end_leaves_no_doubt(end: Exception) -> None:
    world = World(batch=10, stopping=lambda: True)
    world.put(5)
    world.script.failing = lambda _, effect: end if effect == "store" else None
    loop = world.process()

    with pytest.raises((Fatal, Stopped)):
        loop.step()

    assert world.progress() == Progress(0, 0)


def test_an_end_over_a_log_that_is_away_asks_it_nothing_more() -> None:
    world = World(batch=10, stopping=lambda: True)
    world.put(5)
    loop = world.process()
    loop.stage = Failing(frozenset(), world.performed, [], error=LogUnavailable("no broker"))

    with pytest.raises(Stopped):
        loop.step()

    assert world.progress().doubt == Doubt(since=0, until=5)


def test_an_end_that_can_not_take_its_doubt_back_says_so() -> None:
    world = World(batch=10)
    world.put(5)
    world.script.failing = lambda _, effect: ENDS.get((effect, world.script.effects.count("commit")))
    loop = world.process()

    with pytest.raises(Fatal, match="the disk is gone"):
        loop.step()

    assert world.journal.told == [("the next start will be more careful than it need be", {"error": "no broker"})]


ENDS: Mapping[tuple[str, int], Exception] = {
    ("store", 1): Fatal("the disk is gone"),
    ("commit", 2): LogUnavailable("no broker"),
}


def test_what_a_newer_program_owns_is_left_alone() -> None:
    world = World(batch=10)
    world.put(5)
    loop = world.process()

    def newer(_: int, effect: str) -> None:
        if effect == "store":
            world.epoch.mark(LOGIC_EPOCH + 1)

    world.script.failing = newer
    with pytest.raises(NewerLogic):
        loop.step()

    assert world.script.effects.count("commit") == 1


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_overtaken_while_deciding_does_not_say_that_it_survived(*, fails: bool) -> None:
    world = World(batch=10)
    world.put(1)
    loop = world.process()
    loop.stage = Overtaken(frozenset(), world.performed, [], epoch=world.epoch, fails=fails)

    with pytest.raises(NewerLogic):
        loop.step()

    assert world.script.effects.count("commit") == 1


def test_an_end_that_nobody_anticipated_is_taken_for_a_records_doing() -> None:
    world = World(batch=10)
    world.put(5)
    loop = world.process()
    loop.stage = Failing(frozenset(), world.performed, [], error=ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        loop.step()

    assert world.progress().doubt == Doubt(since=0, until=5)


def test_a_mark_says_what_a_commit_that_failed_could_not() -> None:
    world = World(frozenset({raw(2)}), batch=100)
    world.put(5)
    world.life()
    before = world.script.effects.count("commit")
    world.script.failing = lambda _, effect: (
        LogUnavailable("no broker") if effect == "commit" and world.script.effects.count(effect) == before + 2 else None
    )
    loop = world.process()

    with pytest.raises(ProcessDied):
        loop.step()

    assert world.script.effects[-2:] == ["commit", "commit done"]
    assert world.progress() == Progress(2, 2, doubt=Doubt(since=2, until=3, tries=1))
    assert loop.trouble == ""


def test_records_that_can_not_be_read_are_run_apart_like_others() -> None:
    caution = Caution("fragile", 10, 3, Lines(), Tally())
    where = TopicPartition(TYPED, 0)
    caution.assigned({where: Progress(0, 0, doubt=Doubt(since=1, until=3, tries=1))})

    first, second, third = caution.pieces(unreadable(3))

    assert [list(piece.polled.unreadable.events.offsets) for piece in (first, second, third)] == [[0], [1], [2]]  # type: ignore[union-attr]
    assert [piece.polled.unreadable.refusals.frame["message"].to_list() for piece in (first, second, third)] == [  # type: ignore[union-attr]
        ["no fact: 0"],
        ["no fact: 1"],
        ["no fact: 2"],
    ]


def test_a_record_that_can_not_be_read_is_quarantined_with_its_bytes() -> None:
    caution = Caution("fragile", 10, 3, Lines(), Tally())
    caution.assigned({TopicPartition(TYPED, 0): Progress(1, 1, doubt=Doubt(since=1, until=2, tries=3))})

    _, quarantined, _ = caution.pieces(unreadable(3))

    refused = quarantined.polled.unreadable
    assert refused is not None
    assert (list(refused.events.values), refused.refusals.frame["reason"].to_list()) == ([b"bytes 1"], ["QUARANTINE"])


def unreadable(count: int) -> Polled:
    events = RawEvents(
        topics=[TYPED] * count,
        partitions=[0] * count,
        offsets=list(range(count)),
        timestamps_us=[0] * count,
        values=[f"bytes {number}".encode() for number in range(count)],
    )
    refusals = Refusals.of(
        Refusal(event=number, index=-1, reason=Reason.BAD_SHAPE, field="", message=f"no fact: {number}")
        for number in range(count)
    )
    return Polled(next_offsets={TopicPartition(TYPED, 0): count}, unreadable=Unreadable(events, refusals))


def test_records_of_several_topics_are_cut_together() -> None:
    caution = Caution("fragile", 10, 3, Lines(), Tally())
    typed, other = TopicPartition(TYPED, 0), TopicPartition("other", 0)
    caution.assigned({typed: Progress(0, 0, doubt=Doubt(since=0, until=2, tries=1)), other: None})
    facts = [ticks(tick(source_seq=number), tick(source_seq=number + 1)) for number in (0, 10)]
    here, offsets = pl.Series([0, 0], dtype=pl.Int32), pl.Series([0, 1], dtype=pl.Int64)
    records = tuple(Records(name, here, offsets, own) for name, own in zip((TYPED, "other"), facts, strict=True))

    pieces = list(caution.pieces(Polled(records=records, next_offsets={typed: 2, other: 2})))

    assert [places_of(piece.polled) for piece in pieces] == [
        [("other", 0, 0), ("other", 0, 1)],
        [(TYPED, 0, 0)],
        [(TYPED, 0, 1)],
    ]
    assert [dict(piece.begun) for piece in pieces] == [
        {other: Doubt(0, 2)},
        {typed: Doubt(0, 1, 1)},
        {typed: Doubt(1, 2, 1)},
    ]


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=3),
    gap=st.sampled_from([1, 3]),
    batch=st.integers(1, 60),
    behind=st.sampled_from([0, 5]),
    data=st.data(),
)
def test_whatever_is_deadly_is_quarantined_and_nothing_else(
    counts: list[int], gap: int, batch: int, behind: int, data: st.DataObject
) -> None:
    everything = [raw(number * gap, partition) for partition, count in enumerate(counts) for number in range(count)]
    chosen = data.draw(st.lists(st.sampled_from(everything), max_size=3, unique=True) if everything else st.just([]))
    world = World(frozenset(chosen), batch=batch, behind=behind)
    for partition, count in enumerate(counts):
        world.put(count, partition, gap)

    # One end at work, five to isolate; and each time one record of those that are read again may be proven first.
    world.lives((6 + behind) * len(chosen) + 1)

    assert world.performed.keys() == set(everything) - set(chosen)
    assert places(world.quarantined()) == set(chosen)
    assert not any(come.doubt for come in world.log.progress(GROUP, [RAW]).values())
