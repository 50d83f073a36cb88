"""The lock says which schemas events are held to, and notices when one changes."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from application import topics
from entrypoints.cli import specs

NOW = datetime(2026, 10, 5, 10, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(specs.ROOT / specs.SCHEMAS, tmp_path / specs.SCHEMAS)
    specs.lock(NOW, tmp_path)
    return tmp_path


def test_the_lock_of_this_repository_is_current() -> None:
    assert specs.differences() == []


def test_a_lock_has_the_form_of_the_contract(repository: Path) -> None:
    lock = json.loads((repository / specs.LOCK).read_text())

    assert list(lock) == ["version", "locked_at", "specs_repo", "contracts", "dependencies"]
    assert lock["locked_at"] == "2026-10-05T10:00:00Z"
    assert sorted(lock["contracts"]["events"][topics.bars("5m")]) == ["compatibility", "schema", "sha256", "version"]
    assert len(lock["contracts"]["events"][topics.bars("5m")]["sha256"]) == 64


def test_a_changed_schema_is_named(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / specs.SCHEMAS / "normalized.market.ticks.v1.avsc"
    path.write_text(path.read_text() + "\n")

    assert specs.main(["check"], repository) == 1
    assert capsys.readouterr().out.startswith("normalized.market.ticks.v1 is not what specs.lock.json pins")


def test_a_lock_that_agrees_keeps_its_time(repository: Path) -> None:
    before = (repository / specs.LOCK).read_text()

    specs.lock(datetime(2030, 1, 1, tzinfo=UTC), repository)

    assert (repository / specs.LOCK).read_text() == before


def test_locking_anew_takes_the_change(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / specs.SCHEMAS / "normalized.market.ticks.v1.avsc"
    path.write_text(path.read_text() + "\n")

    assert specs.main(["lock"], repository) == 0
    assert specs.main(["check"], repository) == 0
    assert capsys.readouterr().out == "specs.lock.json agrees with every schema.\n"


def test_another_word_is_answered_with_the_right_ones(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert specs.main([], repository) == 2
    assert capsys.readouterr().err == "Say `check` or `lock`.\n"
