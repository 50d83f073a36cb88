"""
A long run: python -m tests.fuzz [TARGET …] [--seconds N]

With atheris installed the search is guided by coverage; without it inputs are changed blindly. An input that breaks
something is written to crash-TARGET… in the current folder and shown; add it to the corpus with the fix.
"""

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.corpus import corpus
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS

FOUND = 1


def main(arguments: list[str]) -> int:
    """Fuzz each target for its share of the time. Returns 0, or 1 where something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help="which; all by default")
    parser.add_argument("--seconds", type=float, default=1200, help="for all of them together")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.targets if name not in TARGETS]:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    share_s = asked.seconds / len(asked.targets)
    guided = importlib.util.find_spec("atheris") is not None
    broken = [name for name in asked.targets if not (_apart if guided else _blindly)(name, share_s)]
    _tell(f"broken: {', '.join(broken)}" if broken else "nothing broke")
    return FOUND if broken else 0


def _apart(name: str, seconds: float) -> bool:
    """Run atheris in a process of its own: it ends the process it runs in."""
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds)]
    return subprocess.run(command, check=False).returncode == 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _blindly(name: str, seconds: float) -> bool:
    chance, seeds, runs = random.Random(), corpus(name), 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        value = mutated(seeds, chance)
        runs += 1
        try:
            TARGETS[name](value)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            Path(f"crash-{name}").write_bytes(value)
            _tell(f"{name} broke after {runs:,} runs: {error!r}; the input is in crash-{name}")
            return False
    _tell(f"{name}: {runs:,} runs")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
