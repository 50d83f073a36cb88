"""Everything on disk: killed at any moment and started again, the tables end as if nothing had happened."""

import json
from pathlib import Path

import pytest

from tests.e2e.programs import done, killed_after, started, told_by
from tests.oracle.comparison import differences, read_table
from tests.oracle.messages import as_line, messages
from tests.oracle.results import results

EQUAL, FAILED, BAD_USAGE, WITH_DEAD_LETTERS = 0, 1, 2, 3
SMALL_BATCHES = {"DATA_PROC_MAX_BATCH_SIZE": "400"}


@pytest.mark.slow
def test_killed_and_started_again_it_ends_as_an_undisturbed_run(tmp_path: Path) -> None:
    made = messages(21, 2_500)
    file, export, log = tmp_path / "messages.jsonl", tmp_path / "export", tmp_path / "log"
    file.write_bytes(b"".join(map(as_line, made)))
    told = ["entrypoints.all_in_one", "--data-dir", str(tmp_path / "data"), "--input", str(file), "--once"]
    told += ["--export", str(export)]

    for alive_s in (6, 9):
        killed_after(started(*told, log=log, settings=SMALL_BATCHES), alive_s)

    assert done(*told, log=log, settings=SMALL_BATCHES) == WITH_DEAD_LETTERS, log.read_text()
    assert differences(export, results(made)) == []
    verified = done("entrypoints.cli", "verify", "--data-dir", str(tmp_path / "data"), log=log)
    assert verified == EQUAL, log.read_text()


def test_a_folder_tells_of_every_load_whoever_asks_when(tmp_path: Path) -> None:
    made = messages(22, 400)
    file, export = tmp_path / "messages.jsonl", tmp_path / "export"
    file.write_bytes(b"".join(map(as_line, made)))
    told = ["entrypoints.all_in_one", "--data-dir", str(tmp_path / "data"), "--input", str(file), "--once", "--json"]
    first, again = tmp_path / "first", tmp_path / "again"

    assert done(*told, log=first) == WITH_DEAD_LETTERS, first.read_text()
    assert done(*told, "--export", str(export), log=again) == WITH_DEAD_LETTERS, again.read_text()

    assert differences(export, results(made)) == []
    assert {row["id"] for row in read_table(export, "outcomes")} == {message.id for message in made}
    counted = json.loads((export / "summary.json").read_text())["topics"]
    assert counted == json.loads(first.read_text())["topics"]
    assert sum(row["corrections"] for row in counted.values()) > 0


def test_a_second_process_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    log, free_port = tmp_path / "log", {"DATA_PROC_PORT": "0"}
    told = ["entrypoints.all_in_one", "--data-dir", str(tmp_path / "data")]
    first = started(*told, log=log, settings=free_port)
    try:
        told_by(log, "serving on")
        second = tmp_path / "second"

        assert done(*told, "--seconds", "1", log=second, settings=free_port) == FAILED
        assert "is in use by process" in second.read_text()
    finally:
        first.kill()
        first.wait()


def test_everything_lies_in_the_folder_whatever_its_name(tmp_path: Path) -> None:
    file, log, folder = tmp_path / "messages.jsonl", tmp_path / "log", tmp_path / "100%25 #1"
    file.write_bytes(b"".join(map(as_line, messages(21, 50))))
    told = ["entrypoints.all_in_one", "--data-dir", str(folder), "--input", str(file), "--once"]

    assert done(*told, log=log) in {EQUAL, WITH_DEAD_LETTERS}, log.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {file.name, log.name, folder.name}
    assert {path.name for path in folder.iterdir()} >= {"tables", "reference.sqlite", "in-use.lock"}
    assert any((folder / "tables").iterdir())


def test_a_folder_that_the_engine_can_not_open_is_refused(tmp_path: Path) -> None:
    log, file = tmp_path / "log", tmp_path / "messages.jsonl"
    file.write_bytes(b"".join(map(as_line, messages(21, 50))))
    told = ["entrypoints.all_in_one", "--data-dir", str(tmp_path / "a?b"), "--input", str(file), "--once"]

    assert done(*told, log=log) == BAD_USAGE
    assert "takes no directory with a ? in its path" in log.read_text()
    assert "Traceback" not in log.read_text()
