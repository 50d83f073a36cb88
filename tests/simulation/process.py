"""One process: what it runs, on which clock, and what it must keep to after each turn."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from application.consume import Consume
from application.ports.event_log import TopicPartition
from domain.gold.watermark import partition_of
from tests.simulation.checking import Wrong, require
from tests.simulation.committing import TICKS
from tests.simulation.informed import Informed
from tests.simulation.ports import Member
from tests.simulation.scheduling import Actor
from tests.simulation.truth import EPOCH

if TYPE_CHECKING:
    from tests.simulation.world import World

WALL = datetime(2026, 10, 6, tzinfo=EPOCH.tzinfo)
COUNTED = {
    "recompute_trigger_count": "recompute",
    "enrichment_unanswered_total": "goes on without the catalog",
    "enrichment_reenriched_total": "enriches again",
    "quarantined_records_total": "sets a message aside",
}
"""What is made of a meter's counters."""


@attrs.define(eq=False)
class Process:
    """One process: what it runs, on which clock, and how its supervisor knows it."""

    world: "World"
    stage: str
    name: str
    epoch: int
    offset_s: float
    """What its monotonic clock shows beyond the world's time."""
    skew_s: float
    """How wrong its wall clock is."""
    member: Member | None = None
    loop: Consume | None = None
    idle: bool = False
    fenced: bool = False
    """Others have replaced it; it ends when it learns so."""
    outdated_commits: int = 0
    """Made although newer logic was marked."""
    actor: Actor = attrs.field(init=False)
    informed: Informed = attrs.field(init=False)

    def now(self) -> datetime:
        """The wall clock, which is wrong."""
        return WALL + timedelta(seconds=self.world.now_s + self.skew_s)

    def monotonic_s(self) -> float:
        """Seconds since some instant of its own."""
        return self.world.now_s + self.offset_s

    def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        if self.loop is not None and not self.loop.trouble:
            raise Wrong(f"I20: {self.name} waits for a failed call and says nothing of it")
        self.rest(seconds)

    def position(self, partition: int) -> int:
        """How far it has read the ticks of a partition."""
        return self.member.inner._positions.get(TopicPartition(TICKS, partition), 0) if self.member else 0

    def rest(self, seconds: float) -> None:
        """The same, without trouble."""
        self.actor.wake_at_s = self.world.now_s + seconds
        self.actor.give_back()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """A meter's counter."""
        if name in COUNTED and amount:
            self.world.sometimes[COUNTED[name]] += 1

    def observe(self, name: str, value: float, **labels: str) -> None:
        """A meter's histogram."""
        if name == "late_arrival_seconds":
            self.world.sometimes["late tick"] += 1

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """A meter's gauge."""

    def forget(self, name: str, **labels: str) -> None:
        """A meter's gauge that is told no more."""

    def info(self, message: str, **extra: object) -> None:
        """A journal's line."""

    warning = error = info

    def keeps_the_rules(self) -> None:
        """Raise Wrong where what it holds or has committed is not as it must be after a turn."""
        self._within_memory()
        self._keeps_its_own()
        self._is_ready_again()
        self._says_how_far_it_is()

    def _within_memory(self) -> None:
        windows = getattr(self.loop and self.loop.stage, "_windows", None)
        if windows is not None and windows.ticks.height > self.world.swarm.open_ticks:
            raise Wrong(
                f"I14: {self.name} holds {windows.ticks.height} open ticks, {self.world.swarm.open_ticks} at most"
            )

    def _keeps_its_own(self) -> None:
        """Raise Wrong where it holds windows, feeds, requests or progress of partitions that are not its own."""
        loop: Any = self.loop
        own = self.member.inner._positions.keys() if self.member else set()
        held = {where.partition for where in loop._uncommitted.keys() - own}
        if self.stage == "aggregation":
            windows, waiting = loop.stage._windows, loop.stage._waiting.windows
            of_windows = {*windows.ticks["partition"], *map(partition_of, windows.marks), *waiting["partition"]}
            held |= of_windows - {where.partition for where in own}
        if held:
            raise Wrong(f"I9: {self.name} holds something of partitions {held}, which are not its own")

    def _is_ready_again(self) -> None:
        """Raise Wrong where it still says that it can't do its work once all of it is done and committed."""
        if self.loop and self.loop.trouble and not self.loop._uncommitted:
            raise Wrong(f"I20: {self.name} has nothing left to commit and says {self.loop.trouble}")

    def _says_how_far_it_is(self) -> None:
        """Raise Wrong where what it has committed is not how far it has come, or hides what it still has to tell."""
        member, loop = self.member, self.loop
        if member is None or loop is None or loop._uncommitted:
            return
        kept = (member.inner._positions.keys() & member.inner._share()) - member.lost
        for where, said in member.inner.group.progress.items():
            position = member.inner._positions.get(where, 0)
            if where in kept and said.floor < position:
                require(said.position == position, "progress", lambda: f"{self.name} is at {position}: {said}")  # noqa: B023
                self.informed.owes(where, said)
