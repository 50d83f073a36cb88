"""`dataproc recompute`: which ranges it takes, what it prints, and the status it ends with."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs
import pytest

from application.ports.errors import StoreUnavailable
from application.ports.range_recompute import BarRange, Recomputed, Slice
from entrypoints.cli.recompute import BAD_USAGE, DONE, INTERRUPTED, UNAVAILABLE, recompute_app

Captured = pytest.CaptureFixture[str]
FIRST, SECOND, THIRD = (datetime(2025, 9, day, tzinfo=UTC) for day in (1, 2, 3))
PARTS = (
    Slice(clock="UTC", start=FIRST, end=SECOND, ticks=1_200),
    Slice(clock="UTC", start=SECOND, end=THIRD, ticks=34),
)


@attrs.define
class Bars:
    """Bars that are recomputed in these parts; after some of them something may happen."""

    parts: Sequence[Slice] = PARTS
    trouble: BaseException | None = None
    after: int = 1
    planned_for: list[BarRange] = attrs.field(factory=list)
    computed: list[BarRange] = attrs.field(factory=list)

    def planned(self, asked: BarRange) -> Sequence[Slice]:
        self.planned_for.append(asked)
        return self.parts

    def recompute(self, asked: BarRange, told: Callable[[Slice], object] = str) -> Recomputed:
        self.computed.append(asked)
        for number, part in enumerate(self.parts):
            if self.trouble and number == self.after:
                raise self.trouble
            told(part)
        return Recomputed(spans={})


def run(bars: Bars, *arguments: str) -> object:
    return recompute_app(lambda _: bars)(list(arguments))


RANGE = ("--from", "2025-09-01", "--to", "2025-09-03")


def test_a_range_is_recomputed_and_told(capsys: Captured) -> None:
    bars = Bars()
    assert run(bars, *RANGE, "--instrument", "NG_HH_BALMO", "--tenant", "acme") == DONE
    asked = BarRange(tenant_id="acme", start=FIRST, end=THIRD, instrument_ids=["NG_HH_BALMO"])
    assert (bars.planned_for, bars.computed) == ([asked], [asked])
    assert capsys.readouterr().out.splitlines() == [
        "to recompute: 1,234 ticks of NG_HH_BALMO, 2025-09-01T00:00:00Z to 2025-09-03T00:00:00Z, in 2 parts",
        "recomputed: 1,234 ticks of NG_HH_BALMO, 2025-09-01T00:00:00Z to 2025-09-03T00:00:00Z, in 2 parts",
    ]


def test_several_instruments_may_be_named() -> None:
    bars = Bars()
    assert run(bars, *RANGE, "--instrument", "A", "B") == DONE
    assert bars.computed[0].instrument_ids == ["A", "B"]


def test_a_dry_run_computes_nothing(capsys: Captured) -> None:
    bars = Bars()
    assert run(bars, *RANGE, "--dry-run") == DONE
    assert bars.computed == []
    assert capsys.readouterr().out.startswith("would be recomputed: 1,234 ticks of all instruments")


def test_a_range_without_ticks_is_said_to_be_one(capsys: Captured) -> None:
    bars = Bars(parts=())
    assert run(bars, *RANGE) == DONE
    assert bars.computed == []
    assert capsys.readouterr().out == (
        "no ticks of all instruments from 2025-09-01T00:00:00Z to 2025-09-03T00:00:00Z: nothing to do\n"
    )


@pytest.mark.parametrize("dry_run", [True, False])
def test_json_is_for_programs(capsys: Captured, dry_run: bool) -> None:
    run(Bars(parts=PARTS[:1]), *RANGE, "--json", *(["--dry-run"] if dry_run else []))
    part = {"clock": "UTC", "from": "2025-09-01T00:00:00Z", "to": "2025-09-02T00:00:00Z", "ticks": 1_200}
    told = {"version": 1, "dry_run": dry_run, "ticks": 1_200, "parts": [part]}
    assert json.loads(capsys.readouterr().out) == told


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2025-09-03", "2025-09-01", "--to must be after --from: 2025-09-03T00:00:00Z to 2025-09-01T00:00:00Z"),
        ("2025-09-01", "2025-09-01", "for one day give --to 2025-09-02"),
        ("yesterday", "2025-09-01", "--from: must be a date"),
        ("2025-09-01", "2025-09-01T06:00:00", "--to: must be a date from 1970 to 2100, or a time with its zone"),
        ("2025-13-01", "2025-09-01", "--from: must be a date"),
        ("1901-01-01", "2025-09-01", "is '1901-01-01'"),
        ("", "2025-09-01", "--from: must be a date"),
    ],
)
def test_a_range_that_can_not_be_used_is_refused(capsys: Captured, start: str, end: str, told: str) -> None:
    bars = Bars()
    assert run(bars, "--from", start, "--to", end) == BAD_USAGE
    assert told in capsys.readouterr().err
    assert bars.planned_for == []


def test_a_time_has_its_own_zone() -> None:
    bars = Bars()
    run(bars, "--from", "2025-08-31T19:00:00-05:00", "--to", "2025-09-03T00:00:00Z")
    assert (bars.computed[0].start, bars.computed[0].end) == (FIRST, THIRD)


@pytest.mark.parametrize(
    ("trouble", "status", "told"),
    [
        (StoreUnavailable("ClickHouse is away"), UNAVAILABLE, "check DATA_PROC_CLICKHOUSE_URL"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
    ],
)
def test_what_is_done_stays_when_it_ends_early(
    capsys: Captured, trouble: BaseException, status: int, told: str
) -> None:
    assert run(Bars(trouble=trouble), *RANGE) == status
    said = capsys.readouterr().err
    assert told in said
    assert said.endswith("1 parts are done and stay; run the same command again for all\n")
