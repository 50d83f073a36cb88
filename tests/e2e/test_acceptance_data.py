"""Real raw messages in, the expected tables out, to the last digit."""

import gzip
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.e2e.conftest import LoadFiles
from tests.oracle.comparison import differences, read_table
from tests.oracle.raw import read
from tests.oracle.results import results

OFFSET = re.compile(rb'"offset": ?[0-9]+, ?')


def checked(shared_data: Path, export: Path, *arguments: str) -> str:
    """What the published checker says about an export."""
    checker = [sys.executable, str(shared_data / "check_outputs.py"), str(export), *arguments]
    answer = subprocess.run(checker, cwd=shared_data, capture_output=True, text=True, check=False)
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


def main_files(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "raw/main").glob("*.jsonl.gz"))


def test_the_main_set(shared_data: Path, load: LoadFiles) -> None:
    done = load(main_files(shared_data))

    assert checked(shared_data, done.export, "--expected", "expected/main") == ""
    assert differences(done.export, results(read(*main_files(shared_data)))) == []


def test_the_main_set_fed_twice_is_stored_once(shared_data: Path, load: LoadFiles) -> None:
    done = load([*main_files(shared_data), *main_files(shared_data)], "--as-new")

    tables = ("silver", "bars_5m", "bars_1h", "bars_1d", "latest")
    (done.export / "summary.json").unlink()
    assert checked(shared_data, done.export, "--expected", "expected/main", "--only", *tables) == ""


def shuffled(files: list[Path]) -> bytes:
    """Their lines in any order, without offsets, so that each partition gets them as they come."""
    lines = [
        OFFSET.sub(b"", line, count=1) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()
    ]
    Random(1).shuffle(lines)
    return b"\n".join(lines)


def test_the_main_set_in_any_order(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    file = tmp_path / "shuffled.jsonl"
    file.write_bytes(shuffled(main_files(shared_data)))
    done = load([file])

    assert checked(shared_data, done.export, "--expected", "expected/main") == ""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_burst_set(shared_data: Path, load: LoadFiles) -> None:
    done = load([shared_data / "raw/burst.jsonl.gz"])

    assert checked(shared_data, done.export, "--expected", "expected/burst") == ""


def test_each_hostile_message_ends_as_it_must(shared_data: Path, load: LoadFiles) -> None:
    hostile = shared_data / "hostile/hostile.jsonl.gz"
    done = load([hostile])

    assert checked(shared_data, done.export, "--hostile", str(hostile)) == ""
    assert differences(done.export, results(read(hostile))) == []
    assert len(read_table(done.export, "outcomes")) == 107
