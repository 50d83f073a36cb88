"""Where each profile has its reference data from, and how it gets there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.gold.taxonomy import InstrumentKey
from entrypoints.cli import __main__ as dataproc
from entrypoints.cli.migrate import migrate_app
from entrypoints.container import SHIPPED_REFERENCE, Container, Profile
from entrypoints.settings import Settings
from tests.e2e.programs import done
from tests.support.databases import KINDS, empty_database

DONE, BAD_USAGE = 0, 2
HUB = InstrumentKey("default", "MISO.LMP.RT.INDIANA.HUB")
NEW = InstrumentKey("default", "NEW_HUB")
Captured = pytest.CaptureFixture[str]


def commodity(container: Container, key: InstrumentKey) -> str:
    return str(container.catalog().lookup([key])[key][0].commodity)


@pytest.fixture(params=KINDS)
def distributed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    with empty_database(request.param, tmp_path) as dsn:
        container = Container(settings=Settings(postgres_dsn=dsn), profile=Profile.DISTRIBUTED.value)
        yield container
        container.database().close()


def test_migrating_loads_the_starter_set_once(distributed: Container, capsys: Captured) -> None:
    app = migrate_app({"reference": distributed.sql_migrator}, distributed.load_starter_set)

    assert app(["up", "--dry-run"]) == DONE
    assert "starter set" not in capsys.readouterr().out
    assert app(["up"]) == DONE
    assert "the starter set is loaded" in capsys.readouterr().out
    assert app(["up"]) == DONE
    assert capsys.readouterr().out == "reference: the schema is current\n"


def test_the_distributed_profile_reads_everything_from_the_database(distributed: Container) -> None:
    distributed.sql_migrator().up()
    distributed.load_starter_set()()

    distributed.required_reference()()
    shipped = Container(settings=Settings())
    assert set(distributed.policies().feeds().policies) == set(shipped.policies().feeds().policies)
    assert distributed.reference_store().held().limits != {}


def test_the_embedded_profile_begins_with_the_starter_set_and_takes_what_is_loaded(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, file = tmp_path / "data", tmp_path / "instruments.yaml"
    file.write_text("groups: [{instruments: [NEW_HUB], commodity: power}]")
    monkeypatch.chdir(tmp_path)

    assert dataproc.main(["reference", "load", str(file), "--data-dir", str(data), "--yes"]) == BAD_USAGE
    assert "start python -m entrypoints.all_in_one --data-dir" in capsys.readouterr().err
    nothing, log = tmp_path / "nothing.jsonl", tmp_path / "log"
    nothing.write_text("")
    once = ["entrypoints.all_in_one", "--data-dir", str(data), "--input", str(nothing), "--once"]
    assert done(*once, log=log) == DONE, log.read_text()
    assert dataproc.main(["reference", "load", str(file), "--data-dir", str(data), "--yes"]) == DONE
    assert done(*once, log=log, settings={"DATA_PROC_REFERENCE_DIR": str(SHIPPED_REFERENCE)}) == DONE
    assert "DATA_PROC_REFERENCE_DIR counts only where nothing is loaded yet" in log.read_text()

    embedded = Container(settings=Settings(), profile=Profile.EMBEDDED.value, data_dir=data)
    assert [commodity(embedded, key) for key in (HUB, NEW)] == ["power", "power"]
    assert embedded.policies().feeds().find("MISO", "lmp", "RT") is not None
    assert embedded.reference_store().loads() == 2
    embedded.database().close()
