"""
Broken variants of the product, each with one rule of its theory taken out. Every one must be caught.

A mutant is a `Product`: classes of its own in place of ours, never a switch in ours. Its `leaning` draws worlds in which
the missing rule matters often, so that few seeds are needed; some need a rare chain of events, and name seeds that have it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
import polars as pl
import pytest

import adapters.memory.tables
import application.consume
import application.stages.aggregate
import application.stages.normalize
import domain.gold.taxonomy
import domain.gold.window
import domain.served.latest_price
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryBarTable
from application import topics
from application.consume import Consume
from application.outcome import Announce, Outcome, Store
from application.ports.errors import Retryable, RowsRefused, StoreUnavailable
from application.ports.event_log import Polled, Progress, TopicPartition
from application.stage import Share
from application.stages.aggregate import AggregateBars
from application.stages.enrich import EnrichTicks
from application.stages.normalize import NormalizeTicks
from application.stages.project import ProjectLatest
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch, BarRevisions
from domain.gold.recognition import Recognition
from domain.gold.settling import Change, SettledBars
from domain.gold.watermark import SealBook
from domain.gold.window import Waits, Windows
from domain.reprocessing import Waiting
from domain.served.latest_price import LatestPrices
from tests.simulation.building import Product
from tests.simulation.swarm import FAULTS, STATEMENTS, Swarm

FEW = range(1, 61)
Leaning = Callable[[Swarm], Swarm]


@attrs.frozen(kw_only=True)
class Mutant:
    """A broken product, and where it is looked for."""

    name: str
    product: Product
    leaning: Leaning
    seeds: Sequence[int] = tuple(FEW)
    """It must be caught by one of these; those that are known to come first."""


def leaning(
    faults: Mapping[str, float] | None = None, said: Mapping[str, float] | None = None, **settings: Any
) -> Leaning:
    """Worlds of a seed, but with these faults alone, these statements alone, and these settings."""

    def leant(swarm: Swarm) -> Swarm:
        changed = {**PLAIN, **settings}
        if faults is not None:
            changed = {
                "most_faults": 8,
                "moves": 0,
                **changed,
                "faults": {name: faults.get(name, 0.0) for name in FAULTS},
            }
        if said is not None:
            changed["statements"] = {name: said.get(name, 0.0) for name in STATEMENTS}
        return attrs.evolve(swarm, **changed)

    return leant


PLAIN: Mapping[str, Any] = {
    "adapts": False,
    "catalog_away_s": 0.0,
    "deadly": False,
    "edges": False,
    "late_minutes": (5, 120),
    "picky": False,
    "ties": False,
}
"""Worlds without these, unless a variant asks for them."""
NO_FLAGS = pl.lit(0, dtype=pl.UInt32)
CRASHES = {"crash before": 0.08, "crash after": 0.08}
MOVES = {"rebalance": 0.1, "pause before": 0.03, "pause after": 0.03}
LATE = {"late": 0.5, "correction": 0.3, "repeat": 0.3}


# Where to resume, what is late


class CommitsPosition(AggregateBars):
    """Commits how far it has read, not the floor of what is open."""

    def _floors(self, turn: Any) -> dict[TopicPartition, int]:
        return dict(turn.positions)


class ForgetsSeals(AggregateBars):
    """Judges lateness by watermarks alone, which die with their process: seals are not loaded."""

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:
        super().assigned(shares)
        self._windows = attrs.evolve(self._windows, seals=SealBook())


class KeepsMemory(AggregateBars):
    """Goes on believing what it knew of ticks before partitions moved."""

    def _forget(self) -> None:
        if not hasattr(self, "_announced"):
            super()._forget()


class DropsLateTicks(AggregateBars):
    """Lets late ticks go by."""

    def _judge(self, taken: Any) -> Any:
        return super()._judge(attrs.evolve(taken, late=taken.late.clear()))


@contextmanager
def trusting() -> Iterator[None]:
    """Every repeat of a tick that is known from a close is skipped, whoever else may have read of its window."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recognition, "_is_doubted", lambda _, windows, __: pl.zeros(len(windows), eager=True) > 0)
        yield


class TellsOnce(AggregateBars):
    """Never tells of a settled bar again, whoever may yet tell of it as provisional."""

    def _base_bars(self, *arguments: Any) -> Any:
        return attrs.evolve(super()._base_bars(*arguments), doubted=False)


class SkipsMarkedRepeats(AggregateBars):
    """Skips late ticks that some normalizer took for repeats."""

    def _judge(self, taken: Any) -> Any:
        late = taken.late
        marked = [statement in MARKED for statement in late[["key", "version"]].iter_rows()]
        return super()._judge(attrs.evolve(taken, late=late.filter(~pl.Series(marked, dtype=pl.Boolean))))


@contextmanager
def earlier_left_open() -> Iterator[None]:
    """A close leaves the earlier windows of its instrument open, below its seal."""
    ours = Windows._sealing

    def sealing(windows: Windows, ticks: pl.DataFrame, due: pl.Series, *others: Any) -> Any:
        taken = ours(windows, ticks, due, *others)
        left = taken.closed["key"].is_in(ticks["key"].filter(~due).implode())
        still = attrs.evolve(taken.windows, ticks=pl.concat([taken.windows.ticks, taken.closed.filter(left)]))
        return attrs.evolve(taken, windows=still, closed=taken.closed.filter(~left))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Windows, "_sealing", sealing)
        yield


@contextmanager
def instead(of: Any, name: str, other: Callable[[Any], Any]) -> Iterator[None]:
    """Something stands in for what a module or class has under this name; `other` is given that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of, name, other(getattr(of, name)))
        yield


def later_closed(ours: Any) -> Any:
    """A close takes the later windows of its instrument with it."""

    def sealing(windows: Windows, ticks: pl.DataFrame, due: pl.Series, *others: Any) -> Any:
        return ours(windows, ticks, ticks["series"].is_in(ticks["series"].filter(due).implode()), *others)

    return sealing


def a_minute_more_patient(ours: Any) -> Any:
    """Feeds may be a minute later than is allowed."""

    def mark(*arguments: Any) -> Any:
        feed = ours(*arguments)
        return attrs.evolve(feed, lateness_us=feed.lateness_us + 60_000_000)

    return mark


def longer_silent(ours: Any) -> Any:
    """Feeds may be silent half as long again as is allowed."""

    def mark(*arguments: Any) -> Any:
        feed = ours(*arguments)
        return attrs.evolve(feed, idle_s=feed.idle_s * 1.5)

    return mark


def of_any_tenant(ours: Any) -> Any:
    """A feed is a source, whoever's."""
    return lambda partition, tenant_id, source_id: ours(partition, tenant_id.head(1), source_id)


class KeepsWindows(AggregateBars):
    """Holds on to open windows of partitions that go."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        held = self._windows
        super().revoked(partitions)
        self._windows = held


class ForgetsAllSeals(AggregateBars):
    """Forgets the seals of all partitions with those of one."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        super().revoked(partitions)
        self._windows = attrs.evolve(self._windows, seals=SealBook())


# What waits to be computed anew


class KeepsRequests(AggregateBars):
    """Holds on to requests of partitions that go."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        held = self._waiting
        super().revoked(partitions)
        self._waiting = held


class ForgetsAllRequests(AggregateBars):
    """Forgets the requests of all partitions with those of one."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        super().revoked(partitions)
        self._waiting = Waiting()


def behind_the_first(ours: Any) -> Any:
    """The floor is the offset after the first request that waits."""

    def floors(waiting: Waiting, positions: Mapping[int, int]) -> dict[int, int]:
        return {number: min(at + 1, positions[number]) for number, at in ours(waiting, positions).items()}

    return floors


def by_time_alone(ours: Any) -> Any:
    """Windows of two instruments are one where they begin together."""
    return lambda *both: Waiting(ours(*both).windows.unique("start", keep="first", maintain_order=True))


class CountsFutureTicks(AggregateBars):
    """Lets ticks from beyond their feed's horizon into windows."""

    def _arrivals(self, polled: Polled) -> pl.DataFrame:
        blind = [
            attrs.evolve(records, facts=type(records.facts)(records.facts.frame.with_columns(quality_flags=NO_FLAGS)))
            if records.topic == topics.ENRICHED
            else records
            for records in polled.records
        ]
        return super()._arrivals(attrs.evolve(polled, records=tuple(blind)))


# What a bar is


class ClockRevisions(AggregateBars):
    """Revises by the wall clock."""

    def _folded(self, *args: Any) -> pl.DataFrame:
        bars = super()._folded(*args)
        now_us = int(self.clock.now().timestamp() * 1_000_000)
        return bars.with_columns(weight=pl.lit(now_us + (1 << 104), dtype=pl.UInt128))


@contextmanager
def without_keys() -> Iterator[None]:
    """Ticks are added up as they come: no keys, so no versions and no duplicates."""
    ours = domain.gold.window.winners
    domain.gold.window.winners = lambda ticks: ticks
    try:
        yield
    finally:
        domain.gold.window.winners = ours


@contextmanager
def first_comes_first() -> Iterator[None]:
    """Of two statements about one tick the one that came first stays."""
    ours = domain.gold.window.winners
    domain.gold.window.winners = lambda ticks: ticks.unique("key", keep="first", maintain_order=True)
    try:
        yield
    finally:
        domain.gold.window.winners = ours


class LeavesProvisional(AggregateBars):
    """A recompute keeps the state it finds."""

    def _recomputed(self, windows: pl.DataFrame, seals: SealBook) -> tuple[SettledBars, pl.DataFrame]:
        return super()._recomputed(windows, SealBook())


def renamed(column: str, name: str, wrong: str) -> Callable[[Any], Any]:
    """What settles bars calls a state or a reason by another's name."""

    def settling(ours: Any) -> Any:
        def settle(*arguments: Any) -> SettledBars:
            bars: SettledBars = ours(*arguments)
            return attrs.evolve(bars, rows=BarBatch(bars.rows.frame.with_columns(pl.col(column).replace(name, wrong))))

        return settle

    return settling


def but_the_last_second(ours: Any) -> Any:
    """Windows are read back without their last second."""
    return lambda stage, windows, **how: ours(stage, windows.with_columns(pl.col("end").dt.offset_by("-1s")), **how)


def all_alike(_: Any) -> Any:
    """Whatever is said has the same digest."""
    return lambda rows: pl.zeros(rows.height, dtype=pl.UInt64, eager=True)


def by_version_alone(ours: Any) -> Any:
    """Of equally new statements about one tick the one that came first stays."""

    def winners(ticks: pl.DataFrame) -> pl.DataFrame:
        newest = ticks.filter((pl.col("version") == pl.col("version").max()).over("key"))
        merged: pl.DataFrame = ours(newest.unique("key", keep="first", maintain_order=True))
        return merged

    return winners


def equally_new_repeated(ours: Any) -> Any:
    """What is as new as what is known repeats it, whatever it says."""

    def judge(known: Recognition, late: pl.DataFrame, closed: pl.DataFrame) -> Any:
        judged = ours(known, late, closed)
        held = known._winners.lookup(late["key"])["version"]
        return attrs.evolve(judged, repeat=judged.repeat | (late["version"] == held).fill_null(value=False))

    return judge


def bound_alone(_: Any) -> Any:
    """The digest of a bar binds what is said, and no more."""
    return lambda key, content: (key ^ content).cast(pl.UInt128)


def remembered_as_overtaken(_: Any) -> Any:
    """What is overtaken is remembered beside what bars were."""
    return lambda bars: BarRevisions.of_bars(bars.rows.frame.filter(bars.fresh))


class BarsFirst(AggregateBars):
    """Stores a bar, and then what it was."""

    def _stored(self, *arguments: Any) -> Outcome:
        outcome = super()._stored(*arguments)
        return attrs.evolve(outcome, store=outcome.store[::-1])


# Coarser bars


class LeavesParents(AggregateBars):
    """Leaves coarser bars to the next tick where a window closes."""

    def _coarser(self, turn: Any, *levels: Any) -> Outcome:
        return self._last(turn) if turn.taken.closed.height else super()._coarser(turn, *levels)


class LeavesUnchangedParents(AggregateBars):
    """Folds coarser bars only above children whose content changed."""

    def _parents(self, interval: Any, children: pl.DataFrame, taken: Any) -> pl.DataFrame:
        nothing = attrs.evolve(taken, sealed_from=taken.sealed_from.clear())
        return super()._parents(interval, children, nothing)


def of_one_origin(ours: Any) -> Any:
    """Of the raw partitions a part came from the first alone counts."""

    def parts(*arguments: Any) -> pl.DataFrame:
        found: pl.DataFrame = ours(*arguments)
        return found.with_columns(highest_partition="lowest_partition")

    return parts


@attrs.define
class RemembersChildren:
    """A table of bars whose reader trusts its own memory of what it wrote."""

    inner: MemoryBarTable
    written: list[BarBatch] = attrs.field(factory=list)

    def upsert(self, rows: BarBatch) -> None:
        self.inner.upsert(rows)
        self.written.append(rows)

    def stored(self, keys: pl.DataFrame) -> BarBatch:
        return self.inner.stored(keys)

    def within(self, windows: pl.DataFrame) -> BarBatch:
        mine = MemoryBarTable(self.inner.fill["interval"])
        for rows in self.written:
            mine.upsert(rows)
        return mine.within(windows)


@attrs.define
class KeepsChildren:
    """A table of bars whose reader reads the children of a bar back once, and from then on trusts what it wrote itself."""

    inner: MemoryBarTable
    kept: MemoryBarTable = attrs.field(init=False)
    read: set[tuple[Any, ...]] = attrs.field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        self.kept = MemoryBarTable(self.inner.fill["interval"])

    def upsert(self, rows: BarBatch) -> None:
        self.inner.upsert(rows)
        self.kept.upsert(rows)

    def stored(self, keys: pl.DataFrame) -> BarBatch:
        return self.inner.stored(keys)

    def within(self, windows: pl.DataFrame) -> BarBatch:
        own = windows.select("series", "start", "end")
        unread = own.filter([row not in self.read for row in own.rows()])
        self.kept.upsert(self.inner.within(unread))
        self.read.update(unread.rows())
        return self.kept.within(windows)


# What is announced, and when


class TellsDifferencesOnly(AggregateBars):
    """Announces only what differs from the stored row."""

    def _stored(self, interval: Any, bars: SettledBars, turn: Any, then: Callable[[], Outcome]) -> Outcome:
        outcome = super()._stored(interval, bars, turn, then)
        news = type(bars.rows)(bars.rows.frame.filter(bars.change == Change.NEWS))
        announce = (Announce(topics.bars(interval.name), news),) if len(news) else ()
        return attrs.evolve(outcome, announce=announce)


class RemembersTold(AggregateBars):
    """Goes on believing that all is told of what it told of before partitions moved."""

    def _forget(self) -> None:
        told = getattr(self, "_announced", None)
        super()._forget()
        self._announced = told or self._announced


def nothing_touched(_: Any) -> Any:
    """Open windows are told of only once they close."""
    return lambda windows: windows.ticks.clear()


class TakesTouchedForTold(AggregateBars):
    """Takes what came while nothing was told for told of."""

    def _take_over(self, turn: Any) -> None:
        super()._take_over(attrs.evolve(turn, windows=turn.windows.told()))


class TellsSeldom(AggregateBars):
    """Tells of open windows a third as often."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.patience = attrs.evolve(self.patience, provisional_every_s=3 * self.patience.provisional_every_s)


class OwesNoTicks(AggregateBars):
    """Owes nothing of open windows."""

    def _last(self, turn: Any) -> Outcome:
        return attrs.evolve(super()._last(turn), owed=turn.served.due)


class OwesNoRequests(AggregateBars):
    """Owes nothing of what waits to be computed anew."""

    def _last(self, turn: Any) -> Outcome:
        outcome = super()._last(turn)
        return attrs.evolve(outcome, owed=outcome.owed - turn.served.due)


def told_anew(_: Any) -> Any:
    """All that is not overtaken is told, told before or not."""
    return lambda bars, *_, **__: bars.told()


def told_of_overtaken(_: Any) -> Any:
    """What is overtaken is told of as well."""
    return lambda bars, *_, **__: bars.rows


class SealsFirst(AggregateBars):
    """Raises seals before it announces what they close."""

    def _last(self, turn: Any) -> Outcome:
        outcome = super()._last(turn)
        return attrs.evolve(outcome, store=outcome.conclude, conclude=())


class PricesDifferencesOnly(ProjectLatest):
    """Announces only prices that differ from the stored row."""

    def _news(self, candidates: LatestPrices, standing: Any) -> LatestPrices:
        self._told(candidates.frame["series"].to_physical())
        return LatestPrices(candidates.frame.filter(standing.risen & ~standing.repeated))


class AnnouncesFirst(Consume):
    """Announces, then stores."""

    def _perform(self, outcome: Outcome) -> None:
        for told in outcome.announce:
            self._trying("announcing", partial(self.log.publish, told.topic, told.facts))
        super()._perform(attrs.evolve(outcome, announce=()))


class CommitsFirst(Consume):
    """Commits, then stores."""

    def _perform(self, outcome: Outcome) -> None:
        if outcome.commit:
            self._commit(outcome)
        super()._perform(outcome)


class CommitsUntold(Consume):
    """Commits, then announces."""

    def _perform(self, outcome: Outcome) -> None:
        super()._perform(attrs.evolve(outcome, announce=()))
        for told in outcome.announce:
            self._trying("announcing", partial(self.log.publish, told.topic, told.facts))


class BuriesDeadLetters(Consume):
    """Tells nobody of dead letters."""

    def _announcements(self, part: Outcome) -> tuple[Announce, ...]:
        return part.announce


def told_all_the_same(_: Any) -> Any:
    """What silver can't hold is announced and remembered like all else."""
    return lambda part, _: part


class LosesUnheld(Consume):
    """Makes no dead letters of what a table can't hold."""

    def _letters(self, *arguments: Any) -> DeadLetters:
        return DeadLetters.empty()


class LosesQuarantined(Consume):
    """Makes no dead letters of what it sets aside."""

    def _refusing_unreadable(self, polled: Polled, outcome: Outcome) -> Outcome:
        return outcome


class KeepsDoubtToItself(Consume):
    """Tells nobody what it begins with."""

    def _mark(self, come: Mapping[TopicPartition, Progress]) -> None:
        super()._mark({where: attrs.evolve(progress, doubt=None) for where, progress in come.items()})


class ForgetsRefusedCommits(Consume):
    """Does not come back to what could not be committed."""

    def _commit(self, outcome: Outcome) -> None:
        super()._commit(outcome)
        self._uncommitted = {}


class StaysInTrouble(Consume):
    """Goes on saying that it can't commit when what it could not commit is another's now."""

    def _settle_commits(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            self._uncommitted.pop(where, None)


class HearsNoRefusal(Consume):
    """Takes a table that refuses rows for one that is away."""

    def _trying(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return super()._trying(what, call)
        except RowsRefused as error:
            self._troubles._failing = {what: StoreUnavailable(str(error))}
            raise


class GivesUp(Consume):
    """Tries a store once, and goes on without it."""

    def _store(self, store: Store) -> Any:
        try:
            self.tables[store.table].upsert(store.rows)
        except Retryable:
            self.clock.sleep(0.1) if self.trouble else None
        return None


class SaysFloor(Consume):
    """Says that it has come as far as its floor."""

    def _progress(self, where: TopicPartition, floor: int, owed: int) -> Progress:
        return attrs.evolve(super()._progress(where, floor, owed), position=floor)


class ChecksEpochAtStart(Consume):
    """Looks for newer logic when it starts, and never again."""

    def start(self) -> None:
        super()._refuse_newer_logic()
        super().start()

    def _refuse_newer_logic(self) -> None:
        pass


# Normalization, enrichment and projection


class DropsRepeats(NormalizeTicks):
    """Drops what says the same as the newest statement it knows, though other partitions may have brought others."""

    def _compare(self, ticks: Any, tick_events: pl.Series) -> Any:
        statements = super()._compare(ticks, tick_events)
        known = self._announced.lookup(statements.keys)
        again = (known["content"] == statements.contents).fill_null(value=False)
        return attrs.evolve(statements, announced=statements.announced | again)


MARKED: set[tuple[int, int]] = set()
"""Key and version of what a normalizer took for a repeat."""


@contextmanager
def unmarked() -> Iterator[None]:
    """Each world begins without marks."""
    MARKED.clear()
    yield


class MarksRepeats(NormalizeTicks):
    """Marks what says the same as the newest statement it knows, though other partitions may have brought others."""

    def _compare(self, ticks: Any, tick_events: pl.Series) -> Any:
        statements = super()._compare(ticks, tick_events)
        versions, known = statements.ticks.frame["version"], self._announced.lookup(statements.keys)
        repeats = (versions > known["version"]) & (known["content"] == statements.contents)
        MARKED.update(pl.DataFrame([statements.keys, versions]).filter(repeats).iter_rows())
        return statements


class RemembersUnheld(NormalizeTicks):
    """Goes on knowing what silver can't hold."""

    def _lose(self, *arguments: Any) -> None:
        pass


class KeepsLedger(NormalizeTicks):
    """Goes on believing what it knew of the ledger before partitions moved."""

    def _forget(self) -> None:
        known = self._ledger
        super()._forget()
        self._ledger = known


def known_or_changed(ours: Any) -> Any:
    """Whatever is said of a tick again corrects it."""
    return lambda statements, known: ours(statements, known) | known["version"].is_not_null()


class WaitsForever(EnrichTicks):
    """New ticks wait for the catalog however long it is away."""

    def _looked_up(self, *arguments: Any) -> Any:
        self.patience_s = float("inf")
        return super()._looked_up(*arguments)


class WaitsNotAtAll(EnrichTicks):
    """New ticks go on as soon as the catalog does not answer."""

    def _looked_up(self, *arguments: Any) -> Any:
        self.patience_s = 0.0
        return super()._looked_up(*arguments)


class OwesNothing(EnrichTicks):
    """Does not come back to ticks that went on without the catalog."""

    def _notice(self) -> None:
        self._owes = False
        super()._notice()


def bounds_excluded(_: Any) -> Any:
    """A price at its limit is out of range."""
    return lambda price, floor, cap: (price <= floor) | (price >= cap)


def content_before_source(ours: Any) -> Any:
    """Of prices that are equally new, what they say decides before who said so."""

    def ties(ticks: pl.DataFrame) -> list[pl.Series]:
        sequence, version, source, content = ours(ticks)
        return [sequence, version, content, source]

    return ties


class CachesRisenOnly(ProjectLatest):
    """Caches only what rises in the table."""

    def run(self, polled: Polled) -> Outcome:
        outcome = super().run(polled)
        risen = any(store.table == "served_latest" for store in outcome.store)
        return outcome if risen else attrs.evolve(outcome, store=())


class CachesFirst(ProjectLatest):
    """Caches a price, and then stores it."""

    def run(self, polled: Polled) -> Outcome:
        outcome = super().run(polled)
        return attrs.evolve(outcome, store=outcome.store[::-1])


class LastWriterWins(MemoryPriceCache):
    """Sets prices without comparing."""

    def upsert(self, rows: LatestPrices) -> None:
        written = rows.frame.with_columns(rank=pl.lit(f"{len(self._parts):080d}"))
        told = rows.frame["series"]
        self._parts = [*(part.filter(~part["series"].is_in(told.implode())) for part in self._parts), written]


AWAY: dict[str, Any] = {
    "catalog_away_s": 200.0,
    "instances": {"normalization": 1, "enrichment": 2, "aggregation": 1, "projection": 1},
    "partitions": 2,
    "series": 2,
    "messages": 24,
    "bunch": 4,
}
"""The catalog is away for a while."""
SHORT: dict[str, Any] = {"messages": 40, "bunch": 8, "batch": 6, "gap_s": 10.0}
BARS: dict[str, Any] = {**SHORT, "struck": ("aggregation",), "minutes": 1.5, "series": 2, "intervals": ("5m", "1h")}
"""Enough turns of the aggregation, to which alone things happen."""
TWO = {"normalization": 2, "enrichment": 1, "aggregation": 2, "projection": 1}
ONE = {"normalization": 1, "enrichment": 1, "aggregation": 1, "projection": 1}

CROWDED: dict[str, Any] = {
    "said": {"late": 4.0},
    "late_minutes": (6, 12),
    "recomputed_at_once": 1,
    "struck": ("aggregation",),
    "instances": ONE | {"aggregation": 2},
    "raw_partitions": 1,
    "series": 4,
    "messages": 40,
    "bunch": 20,
    "batch": 40,
    "gap_s": 5.0,
    "minutes": 0.3,
    "intervals": ("5m",),
    "lateness_s": (0.0,),
    "idle_s": (30.0,),
    "disorder": 0.0,
    "upgrade": False,
    "open_ticks": 1000,
    "replay": 1000,
    "backfills": 0,
    "interleaving": 0.1,
}
"""Several instruments are late in the same few windows, which are computed anew one at a time."""
GOING = leaning(faults={"crash before": 0.04, "crash after": 0.02}, most_faults=20, partitions=3, **CROWDED)
"""Of two owners of three partitions one dies and comes back, so that the other lets some go and keeps some."""

STALLED: dict[str, Any] = {
    "said": {"repeat": 3.0},
    "instances": ONE | {"aggregation": 2},
    "struck": ("aggregation",),
    "partitions": 1,
    "raw_partitions": 1,
    "series": 1,
    "recall": 12,
    "messages": 36,
    "bunch": 12,
    "gap_s": 10.0,
    "intervals": ("5m",),
    "lateness_s": (0.0, 1200.0),
    "idle_s": (60.0,),
    "disorder": 0.0,
    "upgrade": False,
    "open_ticks": 1000,
    "replay": 1000,
    "backfills": 0,
    "recomputed_at_once": 1000,
    "provisional_every_s": 1.0,
    "remembered": 1000,
    "interleaving": 0.1,
}
"""Who stands still has read repeats, and is more patient than who closes the window meanwhile."""

TIED: dict[str, Any] = {
    "ties": True,
    "said": {"correction": 2.0, "twin": 0.5, "back": 0.5},
    "instances": ONE | {"aggregation": 2},
    "struck": ("aggregation",),
    "partitions": 1,
    "raw_partitions": 2,
    "series": 1,
    "recall": 6,
    "messages": 40,
    "bunch": 6,
    "gap_s": 20.0,
    "minutes": 1.5,
    "lateness_s": (0.0, 600.0),
    "idle_s": (30.0,),
    "disorder": 0.0,
    "upgrade": False,
    "remembered": 1000,
    "read_at_once": 1000,
}
"""Most of what is said is said again, equally new and differently."""

MUTANTS = (
    Mutant(
        name="commits the position, not the floor",
        product=Product(aggregate=CommitsPosition),
        leaning=leaning(),
    ),
    Mutant(
        name="revises by the wall clock",
        product=Product(aggregate=ClockRevisions),
        leaning=leaning(said=LATE),
    ),
    Mutant(
        name="adds ticks up without keys",
        product=Product(patched=without_keys),
        leaning=leaning(said={"repeat": 0.8}),
    ),
    Mutant(
        name="lets the first statement stay",
        product=Product(patched=first_comes_first),
        leaning=leaning(said={"correction": 0.8}),
    ),
    Mutant(
        name="judges lateness by watermarks that die",
        product=Product(aggregate=ForgetsSeals),
        leaning=leaning(
            faults={"rebalance": 0.06},
            most_faults=40,
            said={"late": 1.0},
            instances=ONE | {"aggregation": 2},
            struck=("aggregation",),
            partitions=1,
            series=1,
            messages=40,
            bunch=2,
            batch=20,
            gap_s=10.0,
            minutes=5.0,
            intervals=("5m",),
            lateness_s=(0.0,),
            disorder=0.0,
        ),
        seeds=(14, 17, *FEW),
    ),
    Mutant(
        name="lets late ticks go by",
        product=Product(aggregate=DropsLateTicks),
        leaning=leaning(said=LATE, **SHORT),
    ),
    Mutant(
        name="leaves earlier windows open below a seal",
        product=Product(patched=earlier_left_open),
        leaning=leaning(),
        seeds=(14, *FEW),
    ),
    Mutant(
        name="trusts repeats of what another owner may have read",
        product=Product(patched=trusting),
        leaning=leaning(faults={"pause before": 0.06}, most_faults=1, batch=4, minutes=0.8, **STALLED),
        seeds=(314,),
    ),
    Mutant(
        name="tells of a settled bar once, whoever stands still",
        product=Product(aggregate=TellsOnce),
        leaning=leaning(faults={"pause before": 0.15}, most_faults=3, batch=12, minutes=3.0, **STALLED),
        seeds=(89, 193, 275, 283),
    ),
    Mutant(
        name="counts ticks from beyond the horizon",
        product=Product(aggregate=CountsFutureTicks),
        leaning=leaning(said={"future": 0.8}),
    ),
    Mutant(
        name="folds parents from children in memory",
        product=Product(bar_table=RemembersChildren),
        leaning=leaning(faults=CRASHES | MOVES, said={}, **BARS),
        seeds=(5, *FEW),
    ),
    Mutant(
        name="folds parents from children that were read back once and kept",
        product=Product(bar_table=KeepsChildren),
        leaning=leaning(
            faults={"rebalance": 0.06},
            most_faults=40,
            said={},
            instances=ONE | {"aggregation": 2},
            struck=("aggregation",),
            partitions=1,
            series=1,
            messages=40,
            bunch=2,
            batch=20,
            gap_s=10.0,
            minutes=1.5,
            intervals=("5m", "1h"),
            lateness_s=(0.0,),
            disorder=0.0,
        ),
    ),
    Mutant(
        name="drops repeats in normalizers",
        product=Product(normalize=DropsRepeats),
        leaning=leaning(said={"correction": 0.8, "back": 0.8}, raw_partitions=3, instances=TWO, **SHORT),
    ),
    Mutant(
        name="skips late ticks that normalizers took for repeats",
        product=Product(normalize=MarksRepeats, aggregate=SkipsMarkedRepeats, patched=unmarked),
        leaning=leaning(said={"correction": 0.8, "back": 0.8}, raw_partitions=3, instances=TWO, **SHORT),
        seeds=(16, *FEW),
    ),
    Mutant(
        name="keeps its memory of ticks when partitions move",
        product=Product(aggregate=KeepsMemory),
        # A call that moves partitions is done again by their next owner, who then knows as much: they move between calls.
        leaning=leaning(
            faults={},
            moves=80,
            said={"correction": 1.0, "back": 1.0},
            instances=ONE | {"aggregation": 2},
            struck=("aggregation",),
            partitions=1,
            raw_partitions=1,
            series=1,
            recall=4,
            remembered=1000,
            messages=40,
            bunch=1,
            gap_s=60.0,
            minutes=5.0,
            intervals=("5m",),
            lateness_s=(0.0,),
            idle_s=(30.0,),
            disorder=0.0,
        ),
        seeds=(10, 25, *FEW),
    ),
    Mutant(
        name="announces only what differs from the stored row",
        product=Product(aggregate=TellsDifferencesOnly),
        leaning=leaning(faults={"crash after": 0.1}, **BARS),
    ),
    Mutant(
        name="raises seals before it announces what they close",
        product=Product(aggregate=SealsFirst),
        leaning=leaning(faults={"crash after": 0.1}, **BARS | {"minutes": 30.0, "series": 1, "lateness_s": (0.0,)}),
        seeds=(5, 14, *FEW),
    ),
    Mutant(
        name="announces only prices that differ from the stored row",
        product=Product(project=PricesDifferencesOnly),
        leaning=leaning(faults={"crash after": 0.1}, struck=("projection",), **SHORT),
        seeds=(5, 4, *FEW),
    ),
    Mutant(
        name="leaves recomputed bars provisional",
        product=Product(aggregate=LeavesProvisional),
        leaning=leaning(said=LATE, faults={}, backfills=2),
    ),
    Mutant(
        name="checks the logic epoch only at start",
        product=Product(consume=ChecksEpochAtStart),
        leaning=leaning(faults={"rebalance": 0.1}, said=LATE, upgrade=True, instances=TWO, **BARS),
    ),
    Mutant(
        name="leaves coarser bars to the next tick",
        product=Product(aggregate=LeavesParents),
        leaning=leaning(intervals=("5m", "1h")),
    ),
    Mutant(
        name="folds coarser bars only above changed children",
        product=Product(aggregate=LeavesUnchangedParents),
        leaning=leaning(intervals=("5m", "1h"), minutes=1.5, **SHORT),
        seeds=(4, *FEW),
    ),
    Mutant(
        name="commits before it stores",
        product=Product(consume=CommitsFirst),
        leaning=leaning(faults=CRASHES, **SHORT),
    ),
    Mutant(
        name="announces before it stores",
        product=Product(consume=AnnouncesFirst),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="commits before it announces",
        product=Product(consume=CommitsUntold),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="gives a store up after one try",
        product=Product(consume=GivesUp),
        leaning=leaning(faults={"refused": 0.1}),
    ),
    Mutant(
        name="sets cached prices without comparing",
        product=Product(cache=LastWriterWins),
        leaning=leaning(
            faults=MOVES,
            said={"late": 0.8},
            struck=("projection",),
            instances=ONE | {"projection": 2},
            partitions=2,
            series=1,
            **SHORT,
        ),
        seeds=(11, *FEW),
    ),
    Mutant(
        name="keeps windows of partitions that go",
        product=Product(aggregate=KeepsWindows),
        leaning=GOING,
    ),
    Mutant(
        name="keeps requests of partitions that go",
        product=Product(aggregate=KeepsRequests),
        leaning=GOING,
        seeds=(14, *FEW),
    ),
    Mutant(
        name="forgets all seals with those of a partition that goes",
        product=Product(aggregate=ForgetsAllSeals),
        leaning=GOING,
        seeds=(14, *FEW),
    ),
    Mutant(
        name="forgets all requests with those of a partition that goes",
        product=Product(aggregate=ForgetsAllRequests),
        leaning=GOING,
        seeds=(3, *FEW),
    ),
    Mutant(
        name="resumes behind the first request that waits",
        product=Product(patched=partial(instead, Waiting, "floors", behind_the_first)),
        leaning=GOING,
        seeds=(3, *FEW),
    ),
    Mutant(
        name="takes requests of two instruments for one",
        product=Product(patched=partial(instead, Waiting, "joined_by", by_time_alone)),
        leaning=leaning(faults={}, partitions=1, **CROWDED),
    ),
    Mutant(
        name="closes later windows with the one that is due",
        product=Product(patched=partial(instead, Windows, "_sealing", later_closed)),
        leaning=leaning(),
    ),
    Mutant(
        name="closes windows later than it might",
        product=Product(patched=partial(instead, Waits, "mark", a_minute_more_patient)),
        leaning=leaning(),
        seeds=(4, *FEW),
    ),
    Mutant(
        name="takes a source of two tenants for one feed",
        product=Product(patched=partial(instead, domain.gold.window, "feed_code", of_any_tenant)),
        leaning=leaning(),
        seeds=(3, *FEW),
    ),
    Mutant(
        name="stores a bar before it remembers what it was",
        product=Product(aggregate=BarsFirst),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="calls a revised bar final",
        product=Product(
            patched=partial(instead, application.stages.aggregate, "settle", renamed("state", "revised", "final"))
        ),
        leaning=leaning(said=LATE, faults={}, **SHORT),
    ),
    Mutant(
        name="calls a correction late",
        product=Product(
            patched=partial(instead, application.stages.aggregate, "settle", renamed("reason", "correction", "late"))
        ),
        leaning=leaning(said=LATE, faults={}, **SHORT),
    ),
    Mutant(
        name="reads windows back without their last second",
        product=Product(patched=partial(instead, AggregateBars, "_stored_parts", but_the_last_second)),
        leaning=leaning(said=LATE, faults={}, edges=True, read_at_once=1000, **SHORT),
    ),
    Mutant(
        name="takes for told what it told of before partitions moved",
        product=Product(aggregate=RemembersTold),
        leaning=leaning(faults={"rebalance": 0.1}, most_faults=20, **BARS),
        seeds=(4, *FEW),
    ),
    Mutant(
        name="tells nobody of dead letters",
        product=Product(consume=BuriesDeadLetters),
        leaning=leaning(said={"broken": 0.8}, faults={}),
    ),
    Mutant(
        name="takes a table that refuses rows for one that is away",
        product=Product(consume=HearsNoRefusal),
        leaning=leaning(faults={}, picky=True),
        seeds=(2, *FEW),
    ),
    Mutant(
        name="says that it can't commit what is another's now",
        product=Product(consume=StaysInTrouble),
        leaning=leaning(faults={"refused": 0.2, "rebalance": 0.1}, most_faults=30, raw_partitions=3, instances=TWO),
        seeds=(8, *FEW),
    ),
    Mutant(
        name="forgets a commit that was refused",
        product=Product(consume=ForgetsRefusedCommits),
        leaning=leaning(faults={"refused": 0.3}, most_faults=30, said={}, raw_partitions=3, struck=("normalization",)),
    ),
    Mutant(
        name="leaves ticks as they went on without the catalog",
        product=Product(enrich=OwesNothing),
        leaning=leaning(faults={}, said={}, gap_s=120.0, **AWAY),
    ),
    Mutant(
        name="takes a price at its limit for out of range",
        product=Product(patched=partial(instead, domain.gold.taxonomy, "price_out_of_range", bounds_excluded)),
        leaning=leaning(said={}, faults={}, edges=True),
    ),
    Mutant(
        name="stores of two equally new statements whichever comes",
        product=Product(patched=partial(instead, adapters.memory.tables, "content_digests", all_alike)),
        leaning=leaning(faults={}, **TIED),
        seeds=(3, *FEW),
    ),
    Mutant(
        name="ranks equally new prices alike",
        product=Product(patched=partial(instead, domain.served.latest_price, "content_digests", all_alike)),
        leaning=leaning(faults={}, **TIED),
        seeds=(7, *FEW),
    ),
    Mutant(
        name="takes of two equally new statements in a window whichever comes",
        product=Product(patched=partial(instead, domain.gold.window, "winners", by_version_alone)),
        leaning=leaning(faults={}, **TIED),
    ),
    Mutant(
        name="skips late ticks that are as new as what is known",
        product=Product(patched=partial(instead, Recognition, "judge", equally_new_repeated)),
        leaning=leaning(faults={}, **TIED),
        seeds=(7, *FEW),
    ),
    Mutant(
        name="lets digests of bars fall where content rises",
        product=Product(patched=partial(instead, domain.gold.window, "digest_of", bound_alone)),
        leaning=leaning(faults=MOVES, **TIED),
        seeds=(2, *FEW),
    ),
    Mutant(
        name="caches a price before it stores it",
        product=Product(project=CachesFirst),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="tells of open windows only once they close",
        product=Product(patched=partial(instead, Windows, "touched", nothing_touched)),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="takes what came between two announcements for told",
        product=Product(aggregate=TakesTouchedForTold),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="tells of open windows less often than it should",
        product=Product(aggregate=TellsSeldom),
        leaning=leaning(faults={}, idle_s=(300.0,), provisional_every_s=20.0, lateness_s=(3600.0,), **SHORT),
    ),
    Mutant(
        name="owes nothing of open windows",
        product=Product(aggregate=OwesNoTicks),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="owes nothing of requests that wait",
        product=Product(aggregate=OwesNoRequests),
        leaning=leaning(faults={}, partitions=1, **CROWDED),
        seeds=(7, *FEW),
    ),
    Mutant(
        name="says that it has come as far as its floor",
        product=Product(consume=SaysFloor),
        leaning=leaning(faults={}),
    ),
    Mutant(
        name="tells again what it has told",
        product=Product(patched=partial(instead, SettledBars, "news", told_anew)),
        leaning=leaning(faults={}, said=LATE, remembered=1000, **SHORT),
    ),
    Mutant(
        name="tells of bars that are overtaken",
        product=Product(patched=partial(instead, SettledBars, "news", told_of_overtaken)),
        leaning=leaning(faults=CRASHES | MOVES, said=LATE, **BARS),
    ),
    Mutant(
        name="remembers bars that were overtaken",
        product=Product(patched=partial(instead, SettledBars, "revisions", remembered_as_overtaken)),
        leaning=leaning(faults=CRASHES | MOVES, said=LATE, **BARS),
    ),
    Mutant(
        name="forgets all but the first raw partition of a bar's parts",
        product=Product(patched=partial(instead, application.stages.aggregate, "parts_of_bars", of_one_origin)),
        leaning=leaning(faults={}, raw_partitions=3, **BARS),
    ),
    Mutant(
        name="forgets all but the first raw partition of a window's slices",
        product=Product(patched=partial(instead, application.stages.aggregate, "gathered", of_one_origin)),
        leaning=leaning(
            faults={},
            said=LATE,
            raw_partitions=3,
            read_at_once=3,
            lateness_s=(0.0,),
            **SHORT | {"series": 1, "minutes": 0.3},
        ),
    ),
    Mutant(
        name="counts whatever is said again as a correction",
        product=Product(patched=partial(instead, application.stages.normalize, "corrects", known_or_changed)),
        leaning=leaning(faults={}, said={"repeat": 0.8}),
    ),
    Mutant(
        name="closes silent feeds later than it might",
        product=Product(patched=partial(instead, Waits, "mark", longer_silent)),
        leaning=leaning(idle_s=(30.0, 300.0)),
    ),
    Mutant(
        name="lets new ticks wait for the catalog for ever",
        product=Product(enrich=WaitsForever),
        leaning=leaning(faults={}, gap_s=10.0, struck=("aggregation",), **AWAY),
    ),
    Mutant(
        name="lets new ticks go on at once where the catalog is away",
        product=Product(enrich=WaitsNotAtAll),
        leaning=leaning(faults={}, gap_s=10.0, struck=("aggregation",), **AWAY),
    ),
    Mutant(
        name="keeps the ledger it knew when partitions move",
        product=Product(normalize=KeepsLedger),
        leaning=leaning(
            faults=CRASHES | MOVES,
            most_faults=20,
            said=LATE,
            struck=("normalization",),
            raw_partitions=3,
            instances=TWO,
            moves=20,
            **SHORT,
        ),
        seeds=(3, *FEW),
    ),
    Mutant(
        name="ranks prices by what they say before who said so",
        product=Product(patched=partial(instead, domain.served.latest_price, "_ties", content_before_source)),
        leaning=leaning(faults={}, **TIED | {"said": {"twin": 4.0}, "recall": 1}),
        seeds=(5, *FEW),
    ),
    Mutant(
        name="caches only prices that rise in the table",
        product=Product(project=CachesRisenOnly),
        leaning=leaning(
            faults=CRASHES | MOVES,
            most_faults=20,
            said=LATE,
            struck=("projection",),
            instances=ONE | {"projection": 2},
            partitions=2,
            series=2,
            **SHORT,
        ),
        seeds=(6, *FEW),
    ),
    Mutant(
        name="makes no dead letters of what silver can't hold",
        product=Product(consume=LosesUnheld),
        leaning=leaning(faults={}, picky=True),
    ),
    Mutant(
        name="announces what silver can't hold",
        product=Product(patched=partial(instead, application.consume, "_held", told_all_the_same)),
        leaning=leaning(faults={}, picky=True),
    ),
    Mutant(
        name="tells nobody which messages it set aside",
        product=Product(consume=LosesQuarantined),
        leaning=leaning(faults={}, deadly=True, instances=ONE),
    ),
    Mutant(
        name="tells nobody which messages it begins with",
        product=Product(consume=KeepsDoubtToItself),
        leaning=leaning(faults={}, deadly=True, instances=ONE),
    ),
    Mutant(
        name="remembers what silver can't hold",
        product=Product(normalize=RemembersUnheld),
        leaning=leaning(faults={}, picky=True, said={"correction": 4.0}, recall=1, bunch=1, disorder=0.5),
        seeds=(6, *FEW),
    ),
)
"""The kill list."""
