"""One process put together: every call of its ports goes through the world, and all its effects are watched."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

import attrs
import polars as pl

from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.event_log import MemoryConsumer
from application.consume import Consume, Pace
from application.ports.event_log import Listener, Polled, Progress, TopicPartition
from application.quarantine import ATTEMPTS
from application.stages.aggregate import Patience
from domain.bronze.raw_event import Decoded, RawEvents
from domain.gold.lateness import Adaptation
from domain.gold.window import Limits
from tests.simulation.building import Parts, decoder, stage
from tests.simulation.checking import Wrong
from tests.simulation.committing import TICKS, committing
from tests.simulation.informed import Informed
from tests.simulation.ports import Epoch, Log, Member, Writable
from tests.simulation.process import Process
from tests.simulation.timely import Timely
from tests.simulation.truth import DEADLY, UNHELD
from tests.simulation.workload import DAY_AHEAD, SOURCES

if TYPE_CHECKING:
    from tests.simulation.world import World


ENDED = "a message ends its process"
MOST_ENDED = 20
"""Two messages take six processes that run them alone, and a few before them that run them with ever fewer others."""


@attrs.frozen
class Mortal:
    """A decoder that some messages end, and its process with it."""

    inner: MarketDecoder
    end: Callable[[], None]

    def decode(self, events: RawEvents) -> Decoded:
        """Read these, or die of them."""
        if DEADLY in list(events.values):
            self.end()
        return self.inner.decode(events)


@attrs.frozen
class Wiring:
    """How a process hangs together with its world."""

    world: "World"
    process: Process

    def consume(self) -> Consume:
        """The loop at its work, with all that it needs."""

        def asks(*call: Any) -> Any:
            return self.world.call(self.process, *call)

        own = {
            name: self.world.product.bar_table(table) if name.startswith("bars_") else table
            for name, table in self.world.tables.items()
        }
        patience = self._patience()
        timely = Timely(self.world.watcher, patience, self.process.epoch, self.process.position)
        known = self.process.informed = Informed(self.world.watcher, patience, timely)
        parts = Parts(
            product=self.world.product,
            decoder=Mortal(decoder(), self._end) if self._dies else decoder(),
            tables=own,
            intervals=self.world.intervals,
            clock=self.process,
            meter=self.process,
            patience=patience,
            remembered=self.world.swarm.remembered,
            asks=asks,
            heard=known.heard,
            reference_version=int(self.world.swarm.catalog_away_s > 0),
        )
        log: Any = Log(self.world.log, asks, self.world.appended, known.tells, lambda inner: self._joined(inner, asks))
        return self.world.product.consume(
            stage=stage(self.process.stage, parts),
            group=self.process.stage,
            log=log,
            tables={
                name: Writable(table, name, asks, self._stored, known.decides, self._unheld(name))
                for name, table in own.items()
            },
            epoch=Epoch(self.world.epoch, asks),
            clock=self.process,
            meter=self.process,
            journal=self.process,
            # Elsewhere processes end by the dozen, and no record is to blame.
            pace=Pace(batch=self.world.swarm.batch, attempts=ATTEMPTS if self._dies else 1_000_000),
        )

    @property
    def _dies(self) -> bool:
        """Whether records alone end this process."""
        return self.world.swarm.deadly and self.process.stage == "normalization"

    def _end(self) -> NoReturn:
        self.world.sometimes[ENDED] += 1
        if self.world.sometimes[ENDED] > MOST_ENDED:
            raise Wrong(f"I15: {MOST_ENDED} processes read what ends them, and more would")
        self.world.crash(self.process)

    def _unheld(self, table: str) -> pl.Expr | None:
        picky = self.world.swarm.picky and table == "silver_ticks"
        return (pl.col("volume") == UNHELD).fill_null(value=False) if picky else None

    def _patience(self) -> Patience:
        feeds = (*SOURCES, DAY_AHEAD)
        patience = self._drawn_patience(feeds)
        if self.world.swarm.adapts and Random(f"adapts {self.world.seed} {self.process.name}").random() < 0.7:
            return attrs.evolve(patience, lateness_s={}, adaptation=Adaptation(quantile=0.9, least=0.0, after=2))
        return patience

    def _drawn_patience(self, feeds: Sequence[str]) -> Patience:
        return Patience(
            provisional_every_s=self.world.swarm.provisional_every_s,
            recomputed_at_once=self.world.swarm.recomputed_at_once,
            read_at_once=self.world.swarm.read_at_once,
            limits=Limits(ticks=self.world.swarm.open_ticks, lag=self.world.swarm.replay),
            remembered=self.world.swarm.remembered,
            lateness_s={feed: self.world.chance.choice(self.world.swarm.lateness_s) for feed in feeds},
            idle_s={feed: self.world.chance.choice(self.world.swarm.idle_s) for feed in feeds},
        )

    def _joined(self, inner: MemoryConsumer, asks: Any) -> Member:
        heard = inner.listener

        def assigned(committed: Mapping[TopicPartition, Progress | None]) -> None:
            self.process.informed.assigned(where.partition for where in committed if where.topic == TICKS)
            heard.assigned(committed)
            self._took_over(committed)

        def revoked(partitions: Sequence[TopicPartition]) -> None:
            if self.process.stage != "aggregation":
                # What remains is its own as before; and of what goes nobody is told by it before it is assigned anew.
                self.process.informed.moved()
            heard.revoked(partitions)

        inner.listener = Listener(assigned, revoked)
        member = Member(
            inner,
            asks,
            lambda: self.world.group_changed(self.process.stage),
            lambda come, left_out: self._committing(come, left_out=left_out),
            lambda: self.world.admit(self.process),
            self._polled,
        )
        self.process.member = member
        self.world.members[self.process.stage].append(member)
        self.world.group_changed(self.process.stage)
        return member

    def _polled(self, polled: Polled) -> None:
        if self.process.stage == "aggregation":
            self.process.informed.timely.polled(polled)
        if polled.raw:
            places = (polled.raw.topics, polled.raw.partitions, polled.raw.offsets)
            self.world.read.extend(zip(*places, strict=True))

    def _committing(self, come: Mapping[TopicPartition, Progress], *, left_out: bool) -> None:
        self.world.sometimes["commits what is no longer its own"] += left_out
        if self.process.epoch < self.world.epoch.highest():
            # The comparison before the commit may just have been too early, once.
            self.process.outdated_commits += 1
            if self.process.outdated_commits > 1:
                raise Wrong(f"epoch: {self.process.name} of epoch {self.process.epoch} goes on committing")
        committing(self.world.watcher, self.process.stage, come, self.world.log.end)

    def _took_over(self, committed: Mapping[TopicPartition, Progress | None]) -> None:
        self.world.sometimes[f"takes partitions over · {self.process.stage}"] += 1
        if self.process.stage == "aggregation" and self.process.epoch > 1:
            for where, come in committed.items():
                if where.topic.startswith("enriched."):
                    self.world.floors_at_upgrade.setdefault(where.partition, come.floor if come else 0)

    def _stored(self, table: str, rows: Any) -> None:
        if table == "bar_seals":
            self._note_closes(rows)
        self.world.watcher.stored(table, rows)

    def _note_closes(self, seals: Any) -> None:
        marks = getattr(self.process.loop and self.process.loop.stage, "marks", {}).values()
        self.world.sometimes["lateness follows what came"] += any(
            mark.policy_us is not None and mark.lateness_us != mark.policy_us for mark in marks
        )
        if self.process.member and not self.process.member.took:
            self.world.sometimes["closes by silence"] += 1
        elif self.world.now_s < min(self.world.swarm.idle_s) and self.world.watcher.beyond_all(seals):
            # Neither silence nor any watermark can have closed these.
            self.world.sometimes["closes early by a limit"] += 1
