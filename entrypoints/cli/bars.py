"""`dataproc bars`: questions about bars."""

import json as json_text
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from application.ports.errors import Retryable
from application.queries.gaps import FindGaps, UnknownInstrument
from domain.errors import BadInterval
from domain.gold.gap import Gap, Quiet, TooLong
from domain.gold.taxonomy import InstrumentKey
from entrypoints.cli.instants import utc

DONE, BAD_USAGE, UNAVAILABLE = 0, 2, 69
JSON_VERSION = 1


def bars_app(finding: Callable[[Path | None], FindGaps]) -> App:
    """
    The commands about bars.

    Args:
        finding: Makes the query about gaps, given the folder of an embedded profile or None for the servers.
    """
    app = App(name="bars", help="Questions about bars.", result_action="return_value")

    @app.command
    def gaps(
        *,
        instrument: str,
        start: Annotated[datetime, Parameter(name="--from")],
        end: Annotated[datetime | None, Parameter(name="--to")] = None,
        interval: str = "5m",
        tenant: str = "default",
        data_dir: Path | None = None,
        json: bool = False,
    ) -> int:
        """
        Show the periods that have no bar, and why: NO_TRADES where the feed spoke of others meanwhile, else FEED_GAP.

        Args:
            instrument: The price series.
            start: First instant; a time without an offset is UTC.
            end: First instant after; now where it is left out.
            interval: Length of the bars.
            tenant: Whose instrument.
            data_dir: Folder of an embedded profile; without it the servers of the settings.
            json: Print JSON instead of a table.

        Returns:
            0 shown, 2 bad usage, 69 a store can't be reached.
        """
        key = InstrumentKey(tenant, instrument.upper())
        first, after = utc(start) or start, utc(end)
        if after and after <= first:
            print("--to must be later than --from", file=sys.stderr)
            return BAD_USAGE
        try:
            found = finding(data_dir)(key, interval, first, after)
        except (BadInterval, TooLong, UnknownInstrument) as error:
            print(error, file=sys.stderr)
            return BAD_USAGE
        except Retryable as error:
            print(f"{error}; check that the stores run", file=sys.stderr)
            return UNAVAILABLE
        if json:
            print(json_text.dumps(_as_json(found)))
        else:
            Console().print(_table(found))
            print(", ".join(f"{_missing(found, reason):,} bars {reason}" for reason in Quiet))
        return DONE

    return app


def _missing(found: Sequence[Gap], reason: Quiet) -> int:
    return sum(gap.bars for gap in found if gap.reason is reason)


def _as_json(found: Sequence[Gap]) -> dict[str, Any]:
    return {
        "version": JSON_VERSION,
        "missing": {reason.value: _missing(found, reason) for reason in Quiet},
        "gaps": [
            {"start": gap.start.isoformat(), "end": gap.end.isoformat(), "bars": gap.bars, "reason": gap.reason.value}
            for gap in found
        ],
    }


def _table(found: Sequence[Gap]) -> Table:
    table = Table()
    for name in ("from", "to"):
        table.add_column(name)
    table.add_column("bars", justify="right")
    table.add_column("reason")
    for gap in found:
        table.add_row(f"{gap.start:%Y-%m-%d %H:%M}", f"{gap.end:%Y-%m-%d %H:%M}", f"{gap.bars:,}", gap.reason.value)
    return table
