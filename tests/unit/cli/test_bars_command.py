"""The command about gaps: what it prints, and the status it ends with."""

import json
from pathlib import Path

import attrs
import pytest

from application.queries.gaps import FindGaps
from entrypoints.cli.bars import bars_app
from tests.aggregating import Aggregation
from tests.builders import tick
from tests.unit.application.test_quiet import finding
from tests.unit.cli.test_verify_command import Away

Captured = pytest.CaptureFixture[str]
SINCE_TEN = ("gaps", "--instrument", "ng_hh", "--from", "2026-10-05T12:00:00+02:00")


@pytest.fixture
def world() -> Aggregation:
    found = Aggregation()
    found.take(tick("10:01"), tick("10:06", instrument_id="X"), tick("10:21"))
    return found.ended()


def ran(world: Aggregation, *arguments: str) -> object:
    return bars_app(lambda _: finding(world))(list(arguments))


def test_gaps_are_a_table_for_people(world: Aggregation, capsys: Captured) -> None:
    assert ran(world, *SINCE_TEN) == 0
    told = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in told.splitlines() if "2026" in line]
    assert rows == [
        ["2026-10-05 10:05", "2026-10-05 10:10", "1", "NO_TRADES"],
        ["2026-10-05 10:10", "2026-10-05 10:20", "2", "FEED_GAP"],
        ["2026-10-05 10:25", "2026-10-05 10:30", "1", "FEED_GAP"],
    ]
    assert told.splitlines()[-1] == "1 bars NO_TRADES, 3 bars FEED_GAP"


def test_gaps_are_json_for_programs(world: Aggregation, capsys: Captured) -> None:
    assert ran(world, *SINCE_TEN, "--to", "2026-10-05T10:10", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "missing": {"NO_TRADES": 1, "FEED_GAP": 0},
        "gaps": [
            {
                "start": "2026-10-05T10:05:00+00:00",
                "end": "2026-10-05T10:10:00+00:00",
                "bars": 1,
                "reason": "NO_TRADES",
            }
        ],
    }


@pytest.mark.parametrize(
    ("further", "told"),
    [
        (("--to", "2026-10-05T09:00"), "--to must be later than --from"),
        (("--interval", "2m"), "there are no bars of '2m'; there are of 5m, 1h, 1d"),
        (("--tenant", "acme"), "tenant acme has no tick of NG_HH; check the name"),
    ],
)
def test_what_can_not_be_asked_ends_with_2(
    world: Aggregation, further: tuple[str, ...], told: str, capsys: Captured
) -> None:
    assert ran(world, *SINCE_TEN, *further) == 2
    assert capsys.readouterr().err == f"{told}\n"


def test_a_store_that_is_away_ends_with_69(world: Aggregation, capsys: Captured) -> None:
    def away(_: Path | None) -> FindGaps:
        return attrs.evolve(finding(world), feeds=Away())

    assert bars_app(away)(list(SINCE_TEN)) == 69
    assert "check that the stores run" in capsys.readouterr().err
