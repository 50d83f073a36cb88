"""A message that ends the process with all of its stages, on disk: started again, it goes on without that message."""

import signal
from pathlib import Path

import attrs
import pytest

from domain.errors import Reason
from tests.e2e.fragile import DEADLY
from tests.e2e.programs import done
from tests.oracle.comparison import count_differences, read_table, table_differences
from tests.oracle.messages import as_line, messages
from tests.oracle.results import results

EQUAL, WITH_DEAD_LETTERS = 0, 3
SMALL_BATCHES = {"DATA_PROC_MAX_BATCH_SIZE": "150"}
MOST_DEATHS = 6


@pytest.mark.slow
def test_a_message_that_aborts_the_process_is_set_aside_and_all_others_are_in_the_tables(tmp_path: Path) -> None:
    made = messages(21, 400)
    made[260] = attrs.evolve(made[260], value=DEADLY)
    file, export, log = tmp_path / "messages.jsonl", tmp_path / "export", tmp_path / "log"
    file.write_bytes(b"".join(map(as_line, made)))
    told = ["--data-dir", str(tmp_path / "data"), "--input", str(file), "--once", "--export", str(export)]

    deaths = 0
    while (code := done("tests.e2e.fragile", *told, log=log, settings=SMALL_BATCHES)) == -signal.SIGABRT:
        deaths += 1
        assert deaths <= MOST_DEATHS, log.read_text()

    assert code == WITH_DEAD_LETTERS, log.read_text()
    letters = [row for row in read_table(export, "dead_letters") if row["reason"] == Reason.QUARANTINE]
    assert [(row["topic"], row["partition"], row["offset"], row["raw"]) for row in letters] == [
        (*made[260].coordinates, DEADLY)
    ]
    expected = results(made)
    assert [*table_differences(export, expected), *count_differences(export, expected)] == []
    assert done("entrypoints.cli", "verify", "--data-dir", str(tmp_path / "data"), log=log) == EQUAL, log.read_text()
