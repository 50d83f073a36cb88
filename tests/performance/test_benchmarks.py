"""The benchmarks run, and what they measure ends right; what they took is nobody's business here."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest


def answer(module: str, *arguments: str) -> Any:
    """What a benchmark prints."""
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", f"tests.performance.{module}", *arguments, "--json"]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(told.stdout)


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_every_step_and_the_whole_flow_are_measured() -> None:
    found = answer("bench", "--messages", "2000", "--step-messages", "2000")
    steps = {step["step"].split(",")[0]: step["rows"] for step in found["measured"]}
    assert steps.keys() >= {"decode", "normalize", "enrich", "aggregate 5m", "aggregate 5m+1h+1d", "project"}
    assert steps["whole flow"] == 2000


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_burst_of_late_ticks_ends_as_recomputed() -> None:
    plan = ("--rate", "200", "--late", "2000", "--instruments", "10", "--before-s", "2", "--after-s", "4")
    found = answer("late_burst", *plan)
    assert found["windows"] > 0
    assert found["phases"]["from the burst on"]["latest"]["messages"] == 800
    assert (found["compared"] > 0, found["differing"]) == (True, 0)
