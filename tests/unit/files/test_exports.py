import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from adapters.files.exports import refuse_to_replace, write_folder
from domain.silver.tick import Tick
from tests.builders import tick, ticks

OUTCOMES = pl.DataFrame({"topic": ["t"], "outcome": ["accepted"]})
TABLES = {"silver_ticks": (ticks(tick(price="3.3")).frame, Tick)}


def written(folder: Path, **summary: Any) -> list[str]:
    write_folder(folder, TABLES, OUTCOMES, summary)
    return sorted(path.name for path in folder.iterdir())


def test_every_table_is_a_file_and_decimals_stay_decimals(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    assert written(folder, topics={}) == ["outcomes.parquet", "silver_ticks.parquet", "summary.json"]
    prices = pl.read_parquet(folder / "silver_ticks.parquet")["price"]
    assert (prices.dtype, prices.to_list()) == (pl.Decimal(18, 8), [tick(price="3.3").price])
    assert pl.read_parquet(folder / "outcomes.parquet").equals(OUTCOMES)
    assert json.loads((folder / "summary.json").read_text()) == {"topics": {}}


def test_an_earlier_export_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written(folder, run=1)
    (folder / "stale.parquet").touch()
    assert "stale.parquet" not in written(folder, run=2)
    assert json.loads((folder / "summary.json").read_text()) == {"run": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    assert "summary.json" in written(folder)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_export_is_never_deleted(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "thesis"
    precious = place / "thesis.tex" if kind == "folder" else place
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("years of work")
    with pytest.raises(FileExistsError, match="give a new or an empty folder"):
        written(place)
    with pytest.raises(FileExistsError):
        refuse_to_replace(place)
    assert precious.read_text() == "years of work"


def test_what_a_broken_export_left_aside_does_not_matter(tmp_path: Path) -> None:
    aside = tmp_path / ".out.part"
    aside.mkdir()
    (aside / "old.parquet").touch()
    assert "old.parquet" not in written(tmp_path / "out")


def test_the_folder_one_stands_in_is_a_place_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    write_folder(Path(), TABLES, OUTCOMES, {})
    assert (here / "summary.json").is_file()
