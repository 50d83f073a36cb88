"""The command that verifies: what it prints, and the status it ends with."""

import json
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest

from application.ports.errors import StoreUnavailable
from application.queries.verify import VerifyTables
from domain.batch import PRICE
from entrypoints.cli.verifying import verify_app
from tests.unit.application.test_verify import FACTS, World

Captured = pytest.CaptureFixture[str]


@attrs.frozen
class Away:
    """A census whose store can't be reached."""

    def __getattr__(self, name: str) -> Any:
        raise StoreUnavailable("no ClickHouse answers at 127.0.0.1:1")


@pytest.fixture
def world() -> World:
    return World.of(*FACTS)


def ran(world: World, *arguments: str) -> object:
    return verify_app(lambda _: world.verify())(list(arguments))


def test_tables_that_agree_end_with_0(world: World, capsys: Captured) -> None:
    assert ran(world) == 0
    told = capsys.readouterr().out
    (row,) = [line for line in told.splitlines() if "bars_5m" in line]
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["bars_5m", "7", "0", "0"]
    assert "duplicates 1" in " ".join(told.split())


def test_differences_are_told_and_end_with_4(world: World, capsys: Captured) -> None:
    world.rewrite("5m", high_price=(pl.col("high_price") + 1).cast(PRICE))
    world.rewrite("5m", low_price=(pl.col("low_price") - 1).cast(PRICE))
    world.rewrite("1h", trade_count=pl.col("trade_count") + 1)
    assert ran(world, "--rows", "1") == 4
    assert "bars_5m: default|NG_HH 2026-10-05T10:00: high_price is 4.40000000, expected 3.40000000" in (
        capsys.readouterr().out
    )


def test_no_more_rows_are_printed_than_asked_for(capsys: Captured) -> None:
    silver_alone = World.of(*FACTS)
    silver_alone.aggregation.bars = World().aggregation.bars
    assert ran(silver_alone, "--rows", "2") == 4
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bars_5m: ")]
    assert [line.split(": ")[1] for line in lines] == [
        "acme|NG_HH 2026-10-05T10:00",
        "default|CAISO.X 2026-10-05T03:00",
        "and 5 more",
    ]


def test_json_is_for_programs(world: World, capsys: Captured) -> None:
    world.rewrite("1d", trade_count=pl.col("trade_count") + 1)
    assert ran(world, "--json", "--instrument", "NG_HH", "--tenant", "default") == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["equal"], told["totals"]["silver_distinct"]) == (1, False, 9)
    assert told["checks"][6] == {
        "check": "bars_1d",
        "compared": 2,
        "differing": 1,
        "absent": 0,
        "first": [{"row": "default|NG_HH 2026-10-05T00:00", "told": "trade_count is 5, expected 4"}],
    }


def test_times_bound_what_is_looked_at(world: World, capsys: Captured) -> None:
    assert ran(world, "--json", "--from", "2026-10-05T12:00:00+02:00", "--to", "2026-10-05T10:05") == 0
    told = json.loads(capsys.readouterr().out)
    assert {check["check"]: check["compared"] for check in told["checks"]}["bars_5m"] == 3


def test_what_can_not_be_asked_ends_with_2(world: World, tmp_path: Path, capsys: Captured) -> None:
    assert ran(world, "--from", "2026-10-06", "--to", "2026-10-06") == 2
    assert ran(world, "--data-dir", str(tmp_path / "nowhere")) == 2
    assert capsys.readouterr().err.splitlines() == [
        "--to must be later than --from",
        f"there is no folder {tmp_path / 'nowhere'}; check the path",
    ]


def test_a_store_that_is_away_ends_with_69(world: World, capsys: Captured) -> None:
    def away(_: Path | None) -> VerifyTables:
        return attrs.evolve(world.verify(), census=Away())

    assert verify_app(away)([]) == 69
    assert capsys.readouterr().err == "no ClickHouse answers at 127.0.0.1:1; check that the stores run\n"
