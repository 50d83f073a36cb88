"""The refinery ends right in every world, every fault is reached, and every broken variant is caught."""

from collections import Counter
from itertools import islice

import pytest

from tests.simulation.faults import CAN_STRIKE
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.run import Run, hunt, run, runs
from tests.simulation.swarm import FAULTS, STAGES, STATEMENTS, Swarm

SEEDS = 500
WORKERS = 2
REPEATED = (3, 8, 21)
STATES = (
    "asked to recompute: correction",
    "asked to recompute: late",
    "closed windows were computed for a backfill",
    "closes by silence",
    "closes early by a limit",
    "enriches again",
    "goes on without the catalog",
    "late tick",
    "lateness follows what came",
    "price lost to a higher rank",
    "recompute",
    "same content, higher revision",
    "sets a message aside",
    "silver can't hold a tick",
    "stops before newer logic",
    "told of a bar: final",
    "told of a bar: provisional",
    "told of a bar: revised",
    "write lost to a higher revision",
    "zombie comes back",
    "commits what is no longer its own",
)
"""What must have happened in some world."""


@pytest.fixture(scope="module")
def worlds() -> list[Run]:
    return list(runs(range(SEEDS), WORKERS))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_world_ends_as_its_raw_log_says(worlds: list[Run]) -> None:
    assert list(islice((world.failure for world in worlds if world.failure), 3)) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_fault_strikes_every_stage(worlds: list[Run]) -> None:
    struck = sum((world.sometimes for world in worlds), Counter[str]())
    assert [f"{fault} · {stage}" for fault in FAULTS for stage in STAGES if not struck[f"{fault} · {stage}"]] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_interesting_state_is_reached(worlds: list[Run]) -> None:
    reached = sum((world.sometimes for world in worlds), Counter[str]())
    assert [state for state in STATES if not reached[state]] == []


def test_every_fault_can_strike_some_call() -> None:
    assert {fault for faults in CAN_STRIKE.values() for fault in faults} == set(FAULTS)


def test_every_kind_of_statement_is_drawn_by_some_seed() -> None:
    drawn = [Swarm.of(seed).statements for seed in range(20)]
    assert {name for statements in drawn for name, weight in statements.items() if weight} == set(STATEMENTS)


@pytest.mark.parametrize("seed", REPEATED)
def test_a_seed_is_one_world(seed: int) -> None:
    assert run(seed).digest == run(seed).digest


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_variant_is_caught(mutant: Mutant) -> None:
    found = hunt(mutant)
    assert found is not None, f"nobody noticed that the refinery {mutant.name}"
