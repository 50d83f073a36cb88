"""
Run seeds and tell what failed.

    python -m tests.simulation.run --seed 7            one world, with its trace where it fails
    python -m tests.simulation.run --seed 0 --count 500 --workers 2
    python -m tests.simulation.run --night             fifty thousand, going on where the last night stopped
"""

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from tests.simulation.building import Product
from tests.simulation.checking import Wrong
from tests.simulation.ending import judge
from tests.simulation.mutants import Mutant
from tests.simulation.swarm import Swarm
from tests.simulation.world import World

NIGHT = 50_000
PROGRESS = Path(".simulation-night")
"""Where a night keeps how far it has come; remove it to begin anew."""
TOLD_EVERY = 250


@attrs.frozen(kw_only=True)
class Run:
    """What came of one seed."""

    seed: int
    digest: str
    sometimes: Counter[str]
    failure: str = ""
    """Settings, trace and what is wrong; empty where all is well."""
    caught: str = ""
    """What is wrong alone, where an invariant said so."""


def run(seed: int, swarm: Swarm | None = None, product: Product | None = None) -> Run:
    """Live through one world, and judge it."""
    settings = swarm or Swarm.mostly_short(seed)
    world = World(seed, settings, product or Product())
    told = caught = ""
    try:
        world.run()
        judge(world)
    except Wrong as wrong:
        told = caught = str(wrong)
    except Exception as error:  # noqa: BLE001 whatever fails, its seed is told
        told = "".join(traceback.format_exception(error))
    failure = (
        "\n".join([f"seed {seed}: {settings}", *world.trace, told, f"again: make sim SEED={seed}"]) if told else ""
    )
    return Run(seed=seed, digest=world.digest, sometimes=world.sometimes, failure=failure, caught=caught)


def hunt(mutant: Mutant) -> Run | None:
    """The first of its seeds that catches a mutant."""
    for seed in mutant.seeds:
        found = run(seed, mutant.leaning(Swarm.of(seed)), mutant.product)
        if found.caught:
            return found
    return None


def runs(seeds: Iterable[int], workers: int) -> Iterator[Run]:
    """Run many seeds, in their order."""
    if workers < 2:
        yield from map(run, seeds)
        return
    # Forked polars hangs, so that workers are started anew.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(run, seeds, chunksize=5)


def tell(seeds: Iterable[int], workers: int) -> int:
    """Run seeds and print what fails, and how often each fault struck; returns how many failed."""
    sometimes: Counter[str] = Counter()
    failed, count, began_s = [], 0, time.monotonic()
    for count, result in enumerate(runs(seeds, workers), start=1):
        sometimes.update(result.sometimes)
        if result.failure:
            failed.append(result.seed)
            print(result.failure, flush=True)
        if count % TOLD_EVERY == 0:
            print(f"{count} seeds, {len(failed)} failed, {time.monotonic() - began_s:.0f} s", flush=True)
    for name, times in sorted(sometimes.items()):
        print(f"{times:8} {name}")
    print(f"{count} seeds in {time.monotonic() - began_s:.0f} s; failed: {failed or 'none'}")
    return len(failed)


def night(workers: int) -> int:
    """Run the seeds of a night in portions, and remember how far it came."""
    failed = 0
    first = int(PROGRESS.read_text()) if PROGRESS.exists() else 0
    for start in range(first, NIGHT, 1000):
        failed += tell(range(start, min(start + 1000, NIGHT)), workers)
        PROGRESS.write_text(f"{start + 1000}\n")
    PROGRESS.unlink(missing_ok=True)
    return failed


def main() -> int:
    """What the command line asks for."""
    asked = argparse.ArgumentParser(
        prog="simulation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--count", type=int, default=1)
    asked.add_argument("--workers", type=int, default=1)
    asked.add_argument("--night", action="store_true")
    said = asked.parse_args()
    failed = (
        night(said.workers)
        if said.night
        else tell(range(said.seed, said.seed + said.count), min(said.workers, said.count))
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
