"""The one loop, with a stage that says what the test wants: store, announce, keep, commit, and what happens when they fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from adapters.memory.event_log import MemoryEventLog
from adapters.memory.logic_epoch import MemoryLogicEpoch
from application import topics
from application.consume import Consume, Pace, Stopped
from application.outcome import Announce, Outcome, Store
from application.ports.errors import Fatal, NewerLogic, OffsetLost, RowsRefused, StoreUnavailable
from application.ports.event_log import Polled, TopicPartition, Unreadable
from application.stage import Share
from application.troubles import Vigilance
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.bronze.message_outcome import dead_letters
from domain.bronze.raw_event import Refusal, Refusals
from domain.gold.bar import LOGIC_EPOCH
from domain.silver.tick import RAW_ROW, TickBatch
from tests.aggregating import Lines, Script, Scripted, ScriptedLog
from tests.builders import TEN, raw_events, tick, ticks
from tests.performing import StandingClock, Tally

FACTS = ticks(tick())
WHERE = TopicPartition(topics.RAW_TICKS, 0)
TOLD = ("store ", "publish done", "kept", "then", "commit done")


@attrs.define
class Saying:
    """A stage that returns one outcome, and keeps what it is told."""

    outcome: Outcome = attrs.field(factory=Outcome)
    name: str = "saying"
    consumes: Sequence[str] = (topics.RAW_TICKS,)
    told: list[Any] = attrs.field(factory=list)

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        self.told.append(("assigned", dict(shares)))

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("revoked", list(partitions)))

    def run(self, polled: Polled) -> Outcome:
        self.told.append(("run", len(polled)))
        return self.outcome

    def finish(self) -> Outcome:
        self.told.append(("finish",))
        return self.outcome


@attrs.define
class Rows:
    """A table that keeps what is put into it."""

    name: str
    order: list[str]

    def upsert(self, rows: Batch[Any]) -> None:
        self.order.append(f"store {self.name} {len(rows)}")


@attrs.define
class Bench:
    """A loop with everything around it scripted; `order` is what happened."""

    outcome: Outcome = attrs.field(factory=Outcome)
    failing: Callable[[int, str], Exception | None] = lambda _number, _effect: None
    stopping: Callable[[], bool] = lambda: False
    order: list[str] = attrs.field(factory=list)
    clock: StandingClock = attrs.field(factory=StandingClock)
    journal: Lines = attrs.field(factory=Lines)
    epoch: MemoryLogicEpoch = attrs.field(factory=MemoryLogicEpoch)
    heard: list[tuple[str, Batch[Any]]] = attrs.field(factory=list)
    log: MemoryEventLog = attrs.field(init=False)
    stage: Saying = attrs.field(init=False)
    loop: Consume = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stage = Saying(self.outcome)
        self.log = MemoryEventLog(lambda _: 1, retain=True)
        script = Script(self._struck)
        log: Any = ScriptedLog(self.log, script, self.heard)
        self.loop = Consume(
            stage=self.stage,
            group="g",
            log=log,
            tables={
                name: Scripted(Rows(name, self.order), script, {"upsert": "store"})
                for name in ("a", "b", "dead_letters")
            },
            epoch=Scripted(self.epoch, script, {"highest": "highest", "mark": "mark"}),
            clock=self.clock,
            meter=Tally(),
            journal=self.journal,
            pace=Pace(first_wait_s=1.0, longest_wait_s=4.0, vigilance=Vigilance(told_every_s=5.0)),
            stopping=self.stopping,
            service_version="1.2.3",
        )

    def _struck(self, number: int, effect: str) -> Exception | None:
        failure = self.failing(self.order.count(effect), effect)
        self.order.append(effect if failure is None else f"{effect} failed")
        return failure

    def begun(self) -> "Bench":
        self.loop.start()
        self.order.clear()
        return self

    def stored_and_told(self) -> list[str]:
        return [step for step in self.order if step.startswith(TOLD) and step != "store done"]


def failing_times(effect: str, times: int, failure: Exception) -> Callable[[int, str], Exception | None]:
    left = [times]

    def fail(_number: int, struck: str) -> Exception | None:
        if struck != effect or not left[0]:
            return None
        left[0] -= 1
        return failure

    return fail


def two_parts(order: list[str]) -> Outcome:
    """Two parts, the second decided once the first is stored."""
    last = Outcome(
        store=(Store("b", FACTS),),
        announce=(Announce("told-b", FACTS),),
        commit={WHERE: 0},
        kept=lambda: order.append("kept b"),
    )

    def decide() -> Outcome:
        order.append("then")
        return last

    return Outcome(
        store=(Store("a", FACTS), Store("b", FACTS)),
        announce=(Announce("told-a", FACTS),),
        kept=lambda: order.append("kept a"),
        then=decide,
    )


def test_the_epoch_is_marked_before_the_group_is_joined() -> None:
    bench = Bench()
    bench.loop.start()
    assert bench.order == ["mark"]
    assert bench.epoch.highest() == LOGIC_EPOCH


def test_a_loop_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="call start"):
        Bench().loop.step()


def test_everything_is_stored_before_anything_is_told_and_told_before_it_is_kept_and_kept_before_it_is_committed() -> (
    None
):
    bench = Bench().begun()
    bench.stage.outcome = two_parts(bench.order)
    bench.loop.step()
    assert bench.stored_and_told() == [
        "store a 1", "store b 1", "then", "store b 1", "publish done", "publish done", "kept a", "kept b", "commit done",
    ]  # fmt: skip
    assert [topic for topic, _ in bench.heard] == ["told-a", "told-b"]


def test_what_is_refused_is_stored_and_told_like_everything_else() -> None:
    bench = Bench(Outcome(refused=some_letters())).begun()
    bench.loop.step()
    assert bench.stored_and_told() == ["store dead_letters 1", "publish done"]
    assert bench.heard == [("processing.deadletter.saying.v1", some_letters())]


@pytest.mark.parametrize(
    ("effect", "doing"),
    [
        ("store", "storing dead_letters"),
        ("store done", "storing dead_letters"),
        ("publish", "announcing on processing.deadletter.saying.v1"),
        ("publish done", "announcing on processing.deadletter.saying.v1"),
    ],
)
def test_while_letters_can_not_be_stored_or_told_nothing_is_read_or_committed_and_it_is_said(
    effect: str, doing: str
) -> None:
    bench = Bench().begun()
    bench.log.append(raw_events(b"x", topic=topics.RAW_TICKS))
    bench.stage.outcome = Outcome(refused=some_letters(), commit={WHERE: 1})
    bench.failing = failing_times(effect, 3, StoreUnavailable("not now", "somebody"))
    seen: list[Any] = []

    def slept(seconds: float) -> None:
        seen.append((bench.loop.trouble, set(bench.loop.away), bench.log.committed("g", [topics.RAW_TICKS])))
        bench.clock.sleep(seconds)

    bench.loop.clock = Sleeping(bench.clock, slept)
    assert bench.loop.step() == 1

    assert seen == [(f"{doing}: not now", {"somebody"}, {WHERE: 0})] * 3
    assert bench.stage.told[-1:] == [("run", 1)]
    assert bench.journal.told[0] == f"{doing} failed; trying again"
    assert bench.heard[-1] == ("processing.deadletter.saying.v1", some_letters())
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {WHERE: 1}


@pytest.mark.parametrize("effect", ["store", "publish"])
def test_a_letter_that_nobody_will_ever_take_stops_the_loop_and_its_record_comes_again(effect: str) -> None:
    bench = Bench().begun()
    bench.log.append(raw_events(b"x", topic=topics.RAW_TICKS))
    bench.stage.outcome = Outcome(refused=some_letters(), commit={WHERE: 1})
    bench.failing = failing_times(effect, 1, Fatal("too large"))
    with pytest.raises(Fatal, match="too large"):
        bench.loop.step()
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {WHERE: 0}

    bench.loop.close()
    bench.loop.start()
    assert bench.loop.step() == 1
    assert bench.heard[-1] == ("processing.deadletter.saying.v1", some_letters())


def some_letters() -> DeadLetters:
    return dead_letters(raw_events(b"x"), a_refusal(), "saying", TEN, "1.2.3")


def a_refusal() -> Refusals:
    return Refusals.of([Refusal(event=0, index=-1, reason="NOT_JSON", field="", message="it is no JSON")])


def test_records_that_can_not_be_read_are_refused_beside_what_the_stage_refused() -> None:
    bench = Bench().begun()
    bench.loop.step()
    unreadable = Unreadable(raw_events(b"x"), a_refusal())
    for refused, letters in ((None, 1), (some_letters(), 2)):
        bench.heard.clear()
        bench.stage.outcome = Outcome(refused=refused)
        bench.loop._perform(bench.loop._refusing_unreadable(Polled(unreadable=unreadable), bench.stage.outcome))
        assert [len(batch) for _, batch in bench.heard] == [letters]


@pytest.mark.parametrize("effect", ["poll", "store", "store done", "publish", "publish done", "highest"])
def test_a_call_that_fails_for_now_is_tried_again(effect: str) -> None:
    bench = Bench().begun()
    bench.loop.step()
    bench.stage.outcome = attrs.evolve(two_parts(bench.order), refused=some_letters())
    bench.failing = failing_times(effect, 3, StoreUnavailable("not now"))
    bench.order.clear()
    bench.loop.step()
    assert bench.order.count(f"{effect} failed") == 3
    assert bench.stored_and_told()[-3:] == ["kept a", "kept b", "commit done"]
    assert bench.loop.trouble == ""


def test_each_wait_is_twice_the_one_before_up_to_the_longest_and_lasting_trouble_is_told_of_now_and_then() -> None:
    bench = Bench(failing=failing_times("poll", 6, StoreUnavailable("not now"))).begun()
    troubles: list[str] = []
    waits: list[float] = []
    sleep = bench.clock.sleep

    def slept(seconds: float) -> None:
        waits.append(seconds)
        troubles.append(bench.loop.trouble)
        sleep(seconds)

    bench.loop.clock = Sleeping(bench.clock, slept)
    bench.loop.step()
    assert waits == [1, 2, 4, 4, 4, 4]
    assert set(troubles) == {"polling: not now"}
    assert bench.journal.told == [*["polling failed; trying again"] * 3, "it works again"]


@attrs.frozen
class Sleeping:
    """A clock whose sleep is the test's."""

    inner: StandingClock
    sleep: Callable[[float], None]

    def now(self) -> Any:
        return self.inner.now()

    def monotonic_s(self) -> float:
        return self.inner.monotonic_s()


def test_a_stage_that_fails_to_decide_is_asked_again() -> None:
    bench = Bench().begun()
    tries: list[int] = []

    def decide() -> Outcome:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("not now")
        return Outcome()

    bench.stage.outcome = Outcome(then=decide)
    bench.loop.step()
    assert len(tries) == 3


def test_offsets_that_could_not_be_committed_are_committed_with_the_next_batch() -> None:
    bench = Bench(
        Outcome(commit={WHERE: 0}), failing=failing_times("commit", 1, StoreUnavailable("rebalancing"))
    ).begun()
    bench.loop.step()
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {}
    assert bench.journal.told == ["offsets were not committed; they will be with the next batch"]
    bench.loop.step()
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {WHERE: 0}


def test_an_idle_turn_commits_what_could_not_be_committed() -> None:
    bench = Bench(
        Outcome(commit={WHERE: 0}), failing=failing_times("commit", 1, StoreUnavailable("rebalancing", "kafka"))
    ).begun()
    bench.loop.step()
    assert (bench.loop.trouble, bench.loop.away) == ("committing: rebalancing", frozenset({"kafka"}))
    bench.stage.outcome = Outcome()
    bench.loop.step()
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {WHERE: 0}
    assert (bench.loop.trouble, bench.loop.away) == ("", frozenset())


def test_what_could_not_be_committed_is_another_ones_once_its_partition_is_lost() -> None:
    bench = Bench(
        Outcome(commit={WHERE: 0}), failing=failing_times("commit", 1, StoreUnavailable("rebalancing"))
    ).begun()
    bench.loop.step()
    bench.loop._revoked([WHERE])
    bench.stage.outcome = Outcome()
    bench.loop.step()
    assert bench.log.committed("g", [topics.RAW_TICKS]) == {}
    assert bench.loop.trouble == ""
    assert bench.stage.told[-2:] == [("revoked", [WHERE]), ("run", 0)]


def test_other_partitions_that_go_leave_what_could_not_be_committed() -> None:
    bench = Bench(
        Outcome(commit={WHERE: 0}), failing=failing_times("commit", 1, StoreUnavailable("rebalancing"))
    ).begun()
    bench.loop.step()
    bench.loop._revoked([TopicPartition(topics.RAW_TICKS, 1)])
    assert bench.loop.trouble == "committing: rebalancing"


def test_it_is_in_trouble_until_it_was_started() -> None:
    bench = Bench()
    assert bench.loop.trouble == "not started yet"
    bench.loop.start()
    assert bench.loop.trouble == ""


def test_every_effect_is_heard_of_once_it_is_performed() -> None:
    heard: list[str] = []
    outcome = Outcome(
        store=(Store("a", FACTS),), announce=(Announce("t", FACTS),), refused=some_letters(), commit={WHERE: 0}
    )
    bench = Bench(outcome).begun()
    bench.loop.passed = heard.append
    bench.loop.step()
    assert heard == [
        "stored a",
        "stored dead_letters",
        "announced t",
        "announced processing.deadletter.saying.v1",
        "kept",
        "committed",
    ]


def test_what_is_done_beside_is_done_before_each_poll_and_tried_again() -> None:
    bench = Bench().begun()
    bench.loop.meanwhile = (Failing([StoreUnavailable("not now")], bench.order),)
    bench.loop.step()
    assert bench.order[0] == "checked"
    assert bench.journal.told == ["catching up failed; trying again", "it works again"]


def test_what_is_committed_already_is_not_committed_again() -> None:
    bench = Bench(Outcome(commit={WHERE: 0})).begun()
    bench.loop.step()
    bench.loop.step()
    assert bench.order.count("commit done") == 1


def test_nothing_to_commit_reads_no_epoch() -> None:
    bench = Bench().begun()
    bench.loop.step()
    before = bench.order.count("highest")
    bench.loop.step()
    assert bench.order.count("highest") == before


@pytest.mark.parametrize("failure", [OffsetLost("gone"), Fatal("no")])
def test_what_trying_again_can_not_help_stops_the_loop(failure: Exception) -> None:
    bench = Bench(failing=failing_times("poll", 1, failure)).begun()
    with pytest.raises(type(failure)):
        bench.loop.step()


def test_a_newer_epoch_stops_the_loop_at_its_assignment() -> None:
    bench = Bench().begun()
    bench.epoch.mark(LOGIC_EPOCH + 1)
    with pytest.raises(
        NewerLogic, match=f"epoch {LOGIC_EPOCH + 1} is marked and this program computes epoch {LOGIC_EPOCH}"
    ):
        bench.loop.step()
    assert bench.stage.told == []


def test_a_newer_epoch_stops_the_loop_after_storing_and_before_committing() -> None:
    bench = Bench().begun()
    bench.loop.step()
    bench.stage.outcome = Outcome(store=(Store("a", FACTS),), commit={WHERE: 0})
    bench.epoch.mark(LOGIC_EPOCH + 1)
    with pytest.raises(NewerLogic):
        bench.loop.step()
    assert "store a 1" in bench.order
    assert "commit" not in bench.order


def test_asked_to_stop_while_a_call_fails_it_stops_and_commits_nothing() -> None:
    bench = Bench(
        Outcome(store=(Store("a", FACTS),), commit={WHERE: 0}),
        failing=failing_times("store", 9, StoreUnavailable("not now")),
        stopping=lambda: True,
    ).begun()
    with pytest.raises(Stopped, match="storing a: not now"):
        bench.loop.step()
    assert bench.loop.trouble == "storing a: not now"
    assert "commit" not in bench.order


def test_a_mark_that_fails_at_the_start_is_tried_again() -> None:
    bench = Bench(failing=failing_times("mark", 2, StoreUnavailable("not now")))
    bench.loop.start()
    assert bench.order == ["mark failed", "mark failed", "mark"]


def test_an_assignment_that_fails_is_told_again() -> None:
    bench = Bench(failing=failing_times("highest", 2, StoreUnavailable("not now"))).begun()
    bench.loop.step()
    assert bench.stage.told == [("assigned", {WHERE: Share()}), ("run", 0)]


def test_the_stage_is_told_of_the_offsets_that_were_committed() -> None:
    bench = Bench(Outcome(commit={WHERE: 1})).begun()
    bench.log.append(raw_events(b"x", topic=topics.RAW_TICKS))
    assert bench.loop.step() == 1
    bench.loop.close()
    bench.loop.start()
    bench.loop.step()
    assert [said for said in bench.stage.told if said[0] == "assigned"][1:] == [("assigned", {WHERE: Share(1, end=1)})]


def test_at_the_end_of_an_input_the_stage_decides_once_more() -> None:
    bench = Bench(Outcome(store=(Store("a", FACTS),))).begun()
    bench.loop.step()
    bench.order.clear()
    bench.loop.finish()
    assert (bench.stage.told[-1], bench.stored_and_told()) == (("finish",), ["store a 1"])


def test_closing_what_was_never_started_is_nothing() -> None:
    bench = Bench()
    bench.loop.close()
    assert bench.order == []


def test_facts_are_told_as_they_are() -> None:
    bench = Bench(Outcome(announce=(Announce("t", FACTS),))).begun()
    bench.loop.step()
    assert bench.heard == [("t", FACTS)]
    assert isinstance(bench.heard[0][1], TickBatch)


def test_what_must_be_there_is_waited_for_before_the_group_is_joined() -> None:
    bench = Bench()
    bench.loop.before = (Failing([StoreUnavailable("no table yet"), StoreUnavailable("no table yet")], bench.order),)
    bench.loop.start()
    assert bench.order == ["checked", "mark"]
    assert bench.journal.told == ["starting failed; trying again", "it works again"]


@attrs.frozen
class Failing:
    """A check that fails until its failures are used up."""

    failures: list[Exception]
    order: list[str]

    def __call__(self) -> None:
        if self.failures:
            raise self.failures.pop()
        self.order.append("checked")


@attrs.define
class Refusing:
    """A table that can't hold the first row it is given, once it can be reached."""

    away: int = 0

    def upsert(self, rows: Batch[Any]) -> None:
        self.away -= 1
        if self.away >= 0:
            raise StoreUnavailable("not now")
        raise RowsRefused("a", rows.frame.select(RAW_ROW).head(1), ["code 69"])


@pytest.mark.parametrize("refused", [None, "something"])
def test_rows_that_a_table_can_never_hold_become_dead_letters_and_the_others_go_on(refused: str | None) -> None:
    outcome = Outcome(
        store=(Store("a", ticks(tick(), tick("10:01"))), Store("b", FACTS)), refused=some_letters() if refused else None
    )
    bench = Bench(outcome).begun()
    bench.loop.tables = dict(bench.loop.tables) | {"a": Refusing()}
    bench.loop.step()
    letters = 2 if refused else 1
    assert bench.stored_and_told() == ["store b 1", f"store dead_letters {letters}", "publish done"]
    (letter,) = [fact for fact in bench.heard[0][1].facts() if fact.reason == "ROW_REFUSED"]
    assert (letter.stage, letter.topic, letter.offset, letter.message) == (
        "saying",
        FACTS.frame["raw_topic"][0],
        0,
        "code 69",
    )
    assert bench.journal.told == ["rows that can't be stored became dead letters"]


def test_a_table_that_refuses_rows_is_there_again() -> None:
    bench = Bench(Outcome(store=(Store("a", ticks(tick())),))).begun()
    bench.loop.tables = dict(bench.loop.tables) | {"a": Refusing(away=3)}
    bench.loop.step()
    assert bench.loop.trouble == ""
    assert bench.journal.told[0] == "storing a failed; trying again"


@pytest.mark.parametrize(("held_by", "told"), [("a", ["10:01"]), ("b", ["10:00", "10:01"]), ("", ["10:00", "10:01"])])
def test_what_its_table_can_not_hold_is_not_announced(held_by: str, told: list[str]) -> None:
    both = ticks(tick(), tick("10:01", raw_offset=1))
    remembered: list[Any] = []
    outcome = Outcome(
        store=(Store("a", both, lost=lambda rows: remembered.append(rows["raw_offset"].to_list())),),
        announce=(Announce(topics.NORMALIZED, both, held_by=held_by),),
        kept=lambda: remembered.append("kept"),
    )
    bench = Bench(outcome).begun()
    bench.loop.tables = dict(bench.loop.tables) | {"a": Refusing()}
    bench.loop.step()
    (facts,) = [facts for topic, facts in bench.heard if topic == topics.NORMALIZED]
    assert [f"{ts:%H:%M}" for ts in facts.frame["ts"]] == told
    assert remembered == ["kept", [0]]


@attrs.define
class Spans:
    """A tracer that remembers which spans began, and what happened before they ended."""

    order: list[str]
    told: list[Any] = attrs.field(factory=list)

    @contextmanager
    def span(self, name: str, **attributes: str | int) -> Iterator[None]:
        self.told.append((name, attributes))
        yield
        self.order.append("span ended")


def test_a_batch_that_brought_records_is_a_span_until_it_is_committed() -> None:
    bench = Bench().begun()
    spans = Spans(bench.order)
    bench.loop.tracer = spans
    bench.loop.step()
    assert spans.told == []
    bench.log.append(raw_events(b"{}", topic=topics.RAW_TICKS))
    bench.stage.name, bench.stage.outcome = "normalization", Outcome(commit={WHERE: 1})
    bench.order.clear()
    assert bench.loop.step() == 1
    assert spans.told == [("normalization.consume", {"records": 1})]
    assert bench.order[-2:] == ["commit done", "span ended"]


@pytest.mark.parametrize(("more", "count"), [(True, 1), (False, 0)])
def test_a_turn_without_records_counts_where_the_stage_has_more_to_do(more: bool, count: int) -> None:
    assert Bench(Outcome(more=more)).begun().loop.step() == count
