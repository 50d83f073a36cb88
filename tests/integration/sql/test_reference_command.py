"""`dataproc reference load`: shows, asks, changes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.memory.reference import reference_from
from adapters.sql.database import Database
from adapters.sql.reference_store import SqlReferenceStore
from application.commands.load_reference import LoadReference
from entrypoints.cli.reference_data import DECLINED, load
from entrypoints.exits import BAD_USAGE, DONE, FAILED
from tests.support.databases import reference_database

Load = Callable[..., int]


def refuses(_: str) -> str:
    raise AssertionError("nobody is to be asked")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with reference_database("sqlite", tmp_path) as found:
        yield found


def given(folder: Path, text: str) -> list[Path]:
    path = folder / "instruments.yaml"
    path.write_text(text)
    return [path]


def run(database: Database, files: list[Path], **options: object) -> int:
    command = LoadReference(SqlReferenceStore(database))
    return load(files, read=reference_from, command=command, **options)  # type: ignore[arg-type]


def test_the_changes_are_shown_and_loaded_when_agreed_to(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = given(tmp_path, "version: 1\ngroups: [{instruments: [A, B], commodity: oil}]")
    assert run(database, files, ask=lambda _: "y") == DONE
    assert capsys.readouterr().out.splitlines() == ["instruments: 2 changes", "  + A", "  + B", "2 changes loaded"]
    given(
        tmp_path,
        "version: 2\ngroups: [{tenant: acme, instruments: [C], commodity: oil}, {instruments: [A], commodity: gas}]",
    )
    assert run(database, files, prune=True, yes=True, ask=refuses) == DONE
    assert capsys.readouterr().out.splitlines()[:4] == ["instruments: 3 changes", "  + acme C", "  ~ A", "  - B"]


def test_the_same_again_asks_nobody(database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = given(tmp_path, "version: 1\ngroups: [{instruments: [A], commodity: oil}]")
    run(database, files, yes=True)
    capsys.readouterr()
    assert run(database, files, ask=refuses) == DONE
    assert capsys.readouterr().out == "nothing would change\n"


def ends(_: str) -> str:
    raise EOFError


@pytest.mark.parametrize("ask", [lambda _: "", lambda _: "no", ends], ids=["nothing said", "no", "no terminal"])
def test_what_is_not_agreed_to_is_not_loaded(
    database: Database, tmp_path: Path, ask: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = given(tmp_path, "version: 1\ngroups: [{instruments: [A], commodity: oil}]")
    assert run(database, files, ask=ask) == DECLINED
    assert capsys.readouterr().out.splitlines()[-1] == "nothing was changed"
    assert SqlReferenceStore(database).held().entries == {}


def test_many_changes_are_counted_and_some_are_shown(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ", ".join(f"I{number:02d}" for number in range(25))
    run(database, given(tmp_path, f"version: 1\ngroups: [{{instruments: [{names}], commodity: oil}}]"), yes=True)
    told = capsys.readouterr().out.splitlines()
    assert (told[0], told[20:]) == ("instruments: 25 changes", ["  + I19", "  … and 5 more", "25 changes loaded"])


def test_files_that_can_not_be_used_are_told(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(database, given(tmp_path, "groups: [{instruments: [A]}]"), yes=True) == BAD_USAGE
    assert "group 1: needs a commodity" in capsys.readouterr().err


def test_a_database_that_can_not_be_used_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = Database.at(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    files = given(tmp_path, "groups: [{instruments: [A], commodity: x}]")
    assert run(database, files, yes=True) == FAILED
    assert "run `dataproc migrate" in capsys.readouterr().err
    database.close()


def test_a_limit_of_everything_has_a_name(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "price_limits.yaml"
    path.write_text("limits: [{floor: 0}, {market: X, cap: 1}]")
    run(database, [path], yes=True)
    assert capsys.readouterr().out.splitlines() == [
        "price limits: 2 changes",
        "  + X",
        "  + everything",
        "2 changes loaded",
    ]
