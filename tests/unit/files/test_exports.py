import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyarrow.parquet import ParquetFile

from adapters.files.exports import Part, refuse_to_replace, write_folder
from domain.silver.tick import Tick
from tests.builders import tick, ticks

OUTCOMES = pl.DataFrame({"topic": ["t"], "outcome": ["accepted"]})
TABLES = [Part("silver_ticks", Tick, [ticks(tick(price="3.3")).frame])]


def written(folder: Path, **summary: Any) -> list[str]:
    write_folder(folder, TABLES, [OUTCOMES], lambda: summary)
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
    write_folder(Path(), TABLES, [OUTCOMES], dict)
    assert (here / "summary.json").is_file()


def test_a_table_is_written_portion_by_portion_and_what_is_written_is_let_go(tmp_path: Path) -> None:
    kept: list[Any] = []
    portions = [ticks(tick(price=str(n))).frame for n in range(5)]

    def asked() -> Iterator[pl.DataFrame]:
        for portion in portions:
            assert sum(other() is not None for other in kept) <= 1
            frame = portion.clone()
            kept.append(weakref.ref(frame))
            yield frame
            del frame

    write_folder(tmp_path / "out", [Part("silver_ticks", Tick, asked())], [OUTCOMES], None)

    written = ParquetFile(tmp_path / "out" / "silver_ticks.parquet")
    assert written.num_row_groups == 5
    assert pl.read_parquet(tmp_path / "out" / "silver_ticks.parquet")["price"].to_list() == [0, 1, 2, 3, 4]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", [Part("silver_ticks", Tick, [ticks(tick()).frame.clear()])], [OUTCOMES], None)

    written = pl.read_parquet(tmp_path / "out" / "silver_ticks.parquet")
    assert (written.height, written.schema["price"]) == (0, pl.Decimal(18, 8))


def test_an_export_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    def broken() -> Iterator[pl.DataFrame]:
        yield ticks(tick()).frame
        raise OSError("the table is away")

    before = written(tmp_path / "out", run=1)
    with pytest.raises(OSError, match="away"):
        write_folder(tmp_path / "out", [Part("silver_ticks", Tick, broken())], [OUTCOMES], None)

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before
