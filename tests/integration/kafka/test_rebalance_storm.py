"""Members come, leave and die before anything has settled, again and again: all is done, once more than needed at most."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import attrs
import pytest

from entrypoints.samples.stream import Chances, sample_messages
from tests.builders import TEN
from tests.support.kafka import Cluster, broker_of_its_own, until
from tests.support.members import Process, Refinery

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.no_cover]

BATCH = 40
MEMBERS = 3
MOVES = 6
TURNS = 3
"""Between one move and the next: too few for the group to settle."""
DISTURBED = Chances(repeat=0.2, correction=0.05, late=0.05, broken=0.03)
STORMED = ("normalization", "aggregation")


@pytest.fixture
def refinery() -> Iterator[Refinery]:
    with broker_of_its_own() as broker:
        made = Refinery(Cluster(broker.settings["DATA_PROC_KAFKA_BOOTSTRAP"]), BATCH)
        made.create_topics()
        yield made


@attrs.define
class Storm:
    """Processes of two services that come and go, beside two that stay."""

    refinery: Refinery
    chance: Random
    members: dict[str, list[Process]] = attrs.field(init=False)
    _gone: Counter[str] = attrs.field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        several = {name: [self.refinery.process(name) for _ in range(MEMBERS)] for name in STORMED}
        self.members = several | {name: [self.refinery.process(name)] for name in ("enrichment", "projection")}

    def turn(self) -> None:
        for name, processes in self.members.items():
            self.members[name] = [process for process in processes if process.step()]

    def move(self, name: str) -> None:
        """One more comes where there is room; else one goes: of two the first dies over its next batch."""
        processes = self.members[name]
        if len(processes) < MEMBERS:
            processes.append(self.refinery.process(name))
            return
        self._gone[name] += 1
        if self._gone[name] % 2:
            self.chance.choice(processes).doom()
        else:
            processes.pop(self.chance.randrange(MEMBERS)).leave()

    def over(self) -> None:
        for processes in self.members.values():
            for process in processes:
                process.leave()


@pytest.fixture
def storm(refinery: Refinery) -> Iterator[Storm]:
    made = Storm(refinery, Random(37))
    yield made
    made.over()


def test_members_that_come_and_go_before_the_group_has_settled(
    refinery: Refinery, storm: Storm, tmp_path: Path
) -> None:
    samples = sample_messages(37, TEN, DISTURBED)
    for number in range(MOVES):
        refinery.sender.send(islice(samples, 2 * BATCH))
        storm.move(STORMED[number % len(STORMED)])
        for _ in range(TURNS):
            storm.turn()
    read = {name: len(refinery.seen[name].times) for name in STORMED}
    until(refinery.done, *[storm.turn] * 5, within_s=60)

    assert refinery.differences(tmp_path) == []
    for name in STORMED:
        seen = refinery.seen[name]
        assert read[name] > 0
        # A move may cost the batch that somebody has at hand, and whoever takes over begins at the floor.
        assert 0 < seen.again <= seen.held_back + BATCH * MOVES // len(STORMED)
