"""A process that ends itself between two effects, where a test of crashes asks for it."""

import signal
import subprocess
import sys

import pytest

from entrypoints.killpoint import keep_going
from entrypoints.settings import BadSettings, Settings

EFFECTS = ("stored a", "announced a", "stored b", "kept", "stored a")
PROGRAM = """
import sys
from entrypoints.killpoint import KillPoint
passed = KillPoint(sys.argv[1], int(sys.argv[2]))
for effect in sys.argv[3:]:
    passed(effect)
    print(effect, flush=True)
"""


@pytest.mark.parametrize(
    ("effect", "passage", "survived"),
    [("stored", 1, 0), ("stored", 2, 2), ("stored a", 2, 4), ("announced", 1, 1), ("kept", 1, 3), ("committed", 1, 5)],
)
def test_it_ends_as_a_power_switch_would_once_the_effect_is_performed(effect: str, passage: int, survived: int) -> None:
    program = [sys.executable, "-c", PROGRAM, effect, str(passage), *EFFECTS]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)

    assert ended.stdout.splitlines() == list(EFFECTS[:survived])
    assert ended.returncode == (0 if survived == len(EFFECTS) else -signal.SIGKILL)


def test_without_one_nothing_happens() -> None:
    keep_going("stored a")


def test_it_is_set_by_an_effect_and_a_number() -> None:
    given = {"DATA_PROC_ENV": "test", "DATA_PROC_KILLPOINT": "stored bars_5m:3"}

    assert Settings.from_environment(given).killpoint == ("stored bars_5m", 3)


@pytest.mark.parametrize("text", ["stored", ":1", "stored:0", "stored:x", "stored:-1", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadSettings, match="must be an effect and a number"):
        Settings.from_environment({"DATA_PROC_ENV": "test", "DATA_PROC_KILLPOINT": text})


@pytest.mark.parametrize("env", [{}, {"DATA_PROC_ENV": "production"}])
def test_nobody_else_may_be_told_to_kill_itself(env: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="only a process in DATA_PROC_ENV=test"):
        Settings.from_environment({**env, "DATA_PROC_KILLPOINT": "stored:1"})
