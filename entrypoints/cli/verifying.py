"""`dataproc verify`: do the tables agree with each other?"""

import json as json_text
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from application.ports.errors import Retryable
from application.queries.verify import Checked, Difference, Scope, VerifyTables
from entrypoints.cli.instants import utc
from entrypoints.progress import Progress

EQUAL, BAD_USAGE, DIFFERENT, UNAVAILABLE = 0, 2, 4, 69
JSON_VERSION = 1


@attrs.define
class Findings:
    """What the parts of all checks add up to."""

    shown: int
    """At most so many differences are kept of each check."""
    compared: Counter[str] = attrs.field(factory=Counter)
    differing: Counter[str] = attrs.field(factory=Counter)
    absent: Counter[str] = attrs.field(factory=Counter)
    first: dict[str, list[Difference]] = attrs.field(factory=dict)

    def take(self, part: Checked) -> None:
        """Add one part."""
        self.compared[part.check] += part.compared
        self.differing[part.check] += len(part.differences)
        self.absent[part.check] += part.absent
        kept = self.first.setdefault(part.check, [])
        kept.extend(part.differences[: self.shown - len(kept)])

    @property
    def equal(self) -> bool:
        """Whether no check found a difference."""
        return not any(self.differing.values())


def verify_app(verify: Callable[[Path | None], VerifyTables]) -> App:
    """
    The command that verifies.

    Args:
        verify: Makes the query, given the folder of an embedded profile or None for the servers.
    """
    app = App(name="verify", help="Check that the tables agree with each other.", result_action="return_value")

    @app.default
    def verify_tables(
        *,
        start: Annotated[datetime | None, Parameter(name="--from")] = None,
        end: Annotated[datetime | None, Parameter(name="--to")] = None,
        instrument: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
        tenant: str | None = None,
        data_dir: Path | None = None,
        json: bool = False,
        rows: int = 10,
    ) -> int:
        """
        Check the ledger, bars against their ticks, coarser bars against finer ones, latest prices against both.

        Wait until nothing is under way (`dataproc lag --wait`): what is shows as a difference.

        Args:
            start: Look at prices from this instant on; a time without an offset is UTC.
            end: Look at prices before this instant.
            instrument: Look at these instruments alone.
            tenant: Look at this tenant alone.
            data_dir: Folder of an embedded profile; without it the servers of the settings.
            json: Print JSON instead of a table, and no progress.
            rows: Print at most so many differences of each check.

        Returns:
            0 all equal, 2 bad usage, 4 something differs, 69 a store can't be reached.
        """
        scope = Scope(start=utc(start), end=utc(end), tenant_id=tenant, instrument_ids=instrument or ())
        if scope.start and scope.end and scope.end <= scope.start:
            print("--to must be later than --from", file=sys.stderr)
            return BAD_USAGE
        if data_dir and not data_dir.is_dir():
            print(f"there is no folder {data_dir}; check the path", file=sys.stderr)
            return BAD_USAGE
        try:
            query = verify(data_dir)
            findings = _taken(query(scope), Findings(rows), silent=json)
            totals = query.totals()
        except Retryable as error:
            print(f"{error}; check that the stores run", file=sys.stderr)
            return UNAVAILABLE
        if json:
            print(json_text.dumps(_as_json(findings, totals)))
        else:
            _show(findings, totals)
        return EQUAL if findings.equal else DIFFERENT

    return app


def _taken(parts: Iterable[Checked], findings: Findings, *, silent: bool) -> Findings:
    with Progress(silent=silent, unit="rows") as progress:
        for part in parts:
            findings.take(part)
            progress.tell(findings.compared.total(), part.check)
    return findings


def _as_json(findings: Findings, totals: Mapping[str, int]) -> dict[str, Any]:
    checks = [
        {
            "check": check,
            "compared": compared,
            "differing": findings.differing[check],
            "absent": findings.absent[check],
            "first": [{"row": one.row, "told": one.told} for one in findings.first[check]],
        }
        for check, compared in findings.compared.items()
    ]
    return {"version": JSON_VERSION, "equal": findings.equal, "totals": totals, "checks": checks}


def _show(findings: Findings, totals: Mapping[str, int]) -> None:
    table = Table()
    table.add_column("check")
    for heading in ("compared", "differing", "absent"):
        table.add_column(heading, justify="right")
    for check, compared in findings.compared.items():
        numbers = (compared, findings.differing[check], findings.absent[check])
        table.add_row(check, *(f"{number:,}" for number in numbers))
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name} {number:,}" for name, number in totals.items()), highlight=False)
    for check, differences in findings.first.items():
        for one in differences:
            console.print(f"{check}: {one.row}: {one.told}", highlight=False, markup=False, soft_wrap=True)
        if (more := findings.differing[check] - len(differences)) and differences:
            console.print(f"{check}: and {more:,} more", highlight=False)
