"""What an export holds: every table as parquet, the outcomes, and a summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from application.stages.normalize import OUTCOMES
from entrypoints.container import EXPORTED, Container

OUTCOME_COLUMNS = ("topic", "partition", "offset", "id", "outcome", "reason", "ticks", "rejected_rows")

Tables = dict[str, tuple[pl.DataFrame, type]]
"""By name: the final rows of a table, and the fact they declare."""


def final_tables(container: Container) -> Tables:
    """The final rows of every table that an export holds."""
    held = container.tables().by_name
    names = [*EXPORTED, *(name for name in held if name.startswith("bars_"))]
    return {name: (held[name].final(), held[name].batch.fact) for name in names}


def outcomes(container: Container, ids: Mapping[tuple[str, int, int], str]) -> pl.DataFrame:
    """What became of each raw message, with the `id` of those that have one."""
    found: pl.DataFrame = container.tables().by_name[OUTCOMES].final()
    named = pl.DataFrame(
        [(*where, name) for where, name in ids.items()],
        schema={"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "id": pl.String},
        orient="row",
    )
    return found.join(named, on=["topic", "partition", "offset"], how="left").select(OUTCOME_COLUMNS)


def write(container: Container, folder: Path, tables: Tables, outcome_rows: pl.DataFrame, summary: Any) -> None:
    """Write all of it into a folder, aside first and then renamed."""
    container.write_folder()(folder, tables, outcome_rows, summary)
