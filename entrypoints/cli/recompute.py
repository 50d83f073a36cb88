"""`dataproc recompute`: the bars of a range anew, from every stored tick, inside ClickHouse."""

import json as json_text
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import App, Parameter

from application.ports.errors import Retryable
from application.ports.range_recompute import BarRange, RangeRecompute, Slice
from entrypoints.progress import Progress

DONE, BAD_USAGE, UNAVAILABLE, INTERRUPTED = 0, 2, 69, 130
JSON_VERSION = 1
FIRST_YEAR, LAST_YEAR = 1970, 2100
LONGEST_DATE = len("2025-09-01")


def recompute_app(recomputing: Callable[[Path | None], RangeRecompute]) -> App:
    """
    The command that recomputes bars.

    Args:
        recomputing: Makes what computes them once it is known that it runs: in the folder of an embedded profile, where
            one is named.
    """
    app = App(
        name="recompute",
        help="Compute bars of a range anew from every stored tick, inside ClickHouse.",
        help_epilogue="""
Examples:

  dataproc recompute --from 2025-09-01 --to 2025-09-07 --instrument NG_HH_BALMO
      one instrument, six days

  dataproc recompute --from 2025-09-01 --to 2025-09-02 --dry-run
      what all instruments of a day would be
""",
        result_action="return_value",
    )

    @app.default
    def recompute(
        *,
        start: Annotated[str, Parameter(name="--from")],
        end: Annotated[str, Parameter(name="--to")],
        instrument: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
        tenant: str = "default",
        data_dir: Path | None = None,
        dry_run: bool = False,
        json: bool = False,
    ) -> int:
        """
        Compute and store the bars of every enabled interval in a range; nothing is announced. May be repeated.

        The range is widened to whole bars of the coarsest interval, since a bar is folded from all of its parts.

        Args:
            start: First instant: a date, which is its midnight UTC, or a time with its zone, e.g. 2025-09-01T06:00:00Z.
            end: First instant after the range, likewise.
            instrument: Whose bars; without it, those of all instruments of the tenant.
            tenant: Whose data.
            data_dir: Folder of a refinery that runs with --data-dir, and is stopped; without it, the settings' ClickHouse.
            dry_run: Only say what would be computed.
            json: Print JSON instead of text.

        Returns:
            0 done, 2 the range can't be used, 69 ClickHouse can't be reached, 130 interrupted.
        """
        try:
            asked = BarRange(
                tenant_id=tenant,
                start=_instant("--from", start),
                end=_instant("--to", end),
                instrument_ids=instrument or (),
            )
            _refuse_no_time(asked)
        except ValueError as error:
            print(error, file=sys.stderr)
            return BAD_USAGE
        return _Recompute(recomputing(data_dir), asked, json)(dry_run=dry_run)

    return app


@attrs.frozen
class _Recompute:
    """One run of the command."""

    bars: RangeRecompute
    asked: BarRange
    json: bool

    def __call__(self, *, dry_run: bool) -> int:
        done: list[Slice] = []
        try:
            parts = self.bars.planned(self.asked)
            self._tell(parts, "would be recomputed" if dry_run else "to recompute")
            if parts and not dry_run:
                self._compute(done)
                self._tell(done, "recomputed")
        except Retryable as error:
            return self._stopped(UNAVAILABLE, f"{error}; check DATA_PROC_CLICKHOUSE_URL and that ClickHouse runs", done)
        except KeyboardInterrupt:
            return self._stopped(INTERRUPTED, "interrupted", done)
        if self.json:
            self._print(parts if dry_run else done, dry_run=dry_run)
        return DONE

    def _compute(self, done: list[Slice]) -> None:
        with Progress(silent=self.json, unit="ticks") as progress:

            def told(part: Slice) -> None:
                done.append(part)
                progress.tell(_ticks(done), "recomputing")

            self.bars.recompute(self.asked, told)

    def _tell(self, parts: Sequence[Slice], doing: str) -> None:
        if self.json:
            return
        whose = ", ".join(self.asked.instrument_ids) or "all instruments"
        if not parts:
            print(f"no ticks of {whose} from {self.asked.start:%FT%TZ} to {self.asked.end:%FT%TZ}: nothing to do")
            return
        first, last = min(part.start for part in parts), max(part.end for part in parts)
        print(f"{doing}: {_ticks(parts):,} ticks of {whose}, {first:%FT%TZ} to {last:%FT%TZ}, in {len(parts)} parts")

    def _print(self, parts: Sequence[Slice], *, dry_run: bool) -> None:
        told: list[dict[str, Any]] = [
            {"clock": part.clock, "from": f"{part.start:%FT%TZ}", "to": f"{part.end:%FT%TZ}", "ticks": part.ticks}
            for part in parts
        ]
        print(json_text.dumps({"version": JSON_VERSION, "dry_run": dry_run, "ticks": _ticks(parts), "parts": told}))

    @staticmethod
    def _stopped(status: int, why: str, done: Sequence[Slice]) -> int:
        kept = f"{len(done)} parts are done and stay; " if done else ""
        print(f"{why}\n{kept}run the same command again for all", file=sys.stderr)
        return status


def _ticks(parts: Sequence[Slice]) -> int:
    return sum(part.ticks for part in parts)


def _instant(option: str, text: str) -> datetime:
    """
    An instant, UTC; a date is its midnight.

    Raises:
        ValueError: It is no date and no time with a zone.
    """
    try:
        found = datetime.fromisoformat(text if len(text) > LONGEST_DATE else f"{text}T00:00:00Z")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_YEAR <= found.year < LAST_YEAR:
        raise ValueError(
            f"{option}: must be a date from {FIRST_YEAR} to {LAST_YEAR}, or a time with its zone, "
            f"e.g. 2025-09-01 or 2025-09-01T06:00:00Z; is {text[:40]!r}"
        )
    return found.astimezone(UTC)


def _refuse_no_time(asked: BarRange) -> None:
    if asked.start >= asked.end:
        raise ValueError(
            f"--to must be after --from: {asked.start:%FT%TZ} to {asked.end:%FT%TZ} holds no time; "
            f"for one day give --to {asked.start + timedelta(days=1):%F}"
        )
