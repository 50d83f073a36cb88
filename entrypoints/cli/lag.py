"""`dataproc lag`: how far every stage has come."""

import json as json_text
import sys
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from cyclopts import App
from rich.console import Console
from rich.table import Table

from application.ports.clock import Clock
from application.ports.errors import Retryable
from application.queries.lag import PartitionLag, ReadLag, all_done

DONE, UNAVAILABLE, NOT_YET = 0, 69, 75
ASKED_EVERY_S = 0.5
JSON_VERSION = 1


def lag_app(read: Callable[[], ReadLag], clock: Clock) -> App:
    """
    The command about lag.

    Args:
        read: Makes the query once it is known that it runs, e.g. the container's provider.
        clock: For --wait.
    """
    app = App(name="lag", help="How far every stage has come.", result_action="return_value")

    @app.default
    def lag(*, json: bool = False, wait: bool = False, timeout: float = 60.0) -> int:
        """
        Show per stage and partition the position, the committed floor, the end and the lag.

        Args:
            json: Print JSON instead of a table.
            wait: Return only once every stage has performed all there is and every changed bar is announced.
            timeout: Seconds to wait at most.

        Returns:
            0 shown, or with --wait everything is done; 69 Kafka can't be reached; 75 the time is up.
        """
        try:
            rows, done = _waited(read(), clock, timeout) if wait else (read()(), True)
        except Retryable as error:
            print(f"{error}; check DATA_PROC_KAFKA_BOOTSTRAP and that Kafka runs", file=sys.stderr)
            return UNAVAILABLE
        if json:
            print(json_text.dumps(_as_json(rows)))
        else:
            Console().print(_table(rows))
        if not done:
            print(f"not done after {timeout:g} s: {_open(rows)}", file=sys.stderr)
        return DONE if done else NOT_YET

    return app


def _waited(read: ReadLag, clock: Clock, timeout_s: float) -> tuple[list[PartitionLag], bool]:
    """The last reading, and whether all is done in it. A log that is away for a while is waited for as well."""
    until = clock.monotonic_s() + timeout_s
    while True:
        try:
            rows = read()
        except Retryable:
            if clock.monotonic_s() >= until:
                raise
        else:
            if all_done(rows) or clock.monotonic_s() >= until:
                return rows, all_done(rows)
        clock.sleep(ASKED_EVERY_S)


def _as_json(rows: Sequence[PartitionLag]) -> dict[str, Any]:
    partitions = [{**attrs.asdict(row), "lag": row.lag} for row in rows]
    return {
        "version": JSON_VERSION,
        "done": all_done(rows),
        "lag": sum(row.lag for row in rows),
        "partitions": partitions,
    }


def _table(rows: Sequence[PartitionLag]) -> Table:
    table = Table()
    for name in ("stage", "topic"):
        table.add_column(name)
    for name in ("partition", "position", "floor", "end", "lag", "owed"):
        table.add_column(name, justify="right")
    for row in rows:
        numbers = (row.partition, row.position, row.floor, row.end, row.lag, row.owed)
        table.add_row(row.stage, row.topic, *("-" if number is None else f"{number:,}" for number in numbers))
    return table


def _open(rows: Sequence[PartitionLag]) -> str:
    behind = {
        stage: sum(row.lag for row in rows if row.stage == stage) for stage in dict.fromkeys(row.stage for row in rows)
    }
    owed = max((row.owed for row in rows), default=0)
    parts = [f"{stage} is {lag:,} records behind" for stage, lag in behind.items() if lag]
    return "; ".join([*parts, *([f"{owed:,} ticks or windows are in no bar that was announced"] if owed else [])])
