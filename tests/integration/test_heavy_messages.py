"""One message, as large as may be and of as many rows as it can hold: it ends in bounded memory."""

import json
import subprocess
import sys

import pytest

from tests.e2e.programs import ROOT
from tests.integration.heavy_messages import MOST_PRICED

MOST_MIB = 300


@pytest.mark.parametrize(
    ("shape", "ticks", "letters"), [("prices", MOST_PRICED, 0), ("refused", 0, 10_000), ("too many", 0, 1)]
)
def test_a_message_of_the_most_rows_possible_ends_in_bounded_memory(shape: str, ticks: int, letters: int) -> None:
    program = [sys.executable, "-m", "tests.integration.heavy_messages", shape]
    told = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    *ended, cost_mib = json.loads(told.stdout)

    assert ended == [ticks, letters]
    assert cost_mib < MOST_MIB
