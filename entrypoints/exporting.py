"""What an export holds: every table as parquet, the outcomes, and a summary; read and written portion by portion."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import polars as pl

from application.stages.normalize import LEDGER, OUTCOMES
from application.stages.normalize import TICKS as SILVER_TICKS
from domain.bronze.ledger import FIGURES
from entrypoints.container import EXPORTED, Container, ExportedTable

OUTCOME_COLUMNS = ("topic", "partition", "offset", "id", "outcome", "reason", "ticks", "rejected_rows")
NO_IDS: Mapping[tuple[str, int, int], str] = {}


@attrs.define
class Tally:
    """What went by, of which nothing else is kept."""

    rows: Counter[str] = attrs.field(factory=Counter)
    """Rows of each table."""
    silver: Counter[str] = attrs.field(factory=Counter)
    """Silver ticks of each raw topic."""
    ledger: dict[str, Counter[str]] = attrs.field(factory=dict)
    """FIGURES of each raw topic."""

    def table(self, name: str, portions: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same portions, counted."""
        for rows in portions:
            self.rows[name] += rows.height
            if name == SILVER_TICKS:
                self.silver.update(dict(rows.group_by("raw_topic").len().iter_rows()))
            elif name == LEDGER:
                self._add(rows.group_by("topic").agg(pl.col(FIGURES).sum()))
            yield rows

    def _add(self, figures: pl.DataFrame) -> None:
        for row in figures.iter_rows(named=True):
            self.ledger.setdefault(row.pop("topic"), Counter()).update(row)


def parts(container: Container, tally: Tally) -> Iterator[ExportedTable]:
    """Every table an export holds."""
    held = container.tables().by_name
    for name in (*EXPORTED, *(name for name in held if name.startswith("bars_"))):
        yield ExportedTable(name, held[name].batch.fact, tally.table(name, held[name].final_portions()))


def outcomes(container: Container, ids: Mapping[tuple[str, int, int], str] = NO_IDS) -> Iterator[pl.DataFrame]:
    """What became of each raw message, with the `id` of those that have one."""
    named = pl.DataFrame(
        [(*where, name) for where, name in ids.items()],
        schema={"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "id": pl.String},
        orient="row",
    )
    coordinates = ["topic", "partition", "offset"]
    for found in container.tables().by_name[OUTCOMES].final_portions():
        joined = found.join(named, on=coordinates, how="left", maintain_order="left")
        yield joined.select(OUTCOME_COLUMNS)


def count(container: Container) -> Tally:
    """Count the rows of every table that an export would hold."""
    tally = Tally()
    for part in parts(container, tally):
        for _ in part.portions:
            pass
    return tally


def export(
    container: Container,
    folder: Path,
    ids: Mapping[tuple[str, int, int], str] = NO_IDS,
    summary: Callable[[Tally], Any] | None = None,
) -> Tally:
    """
    Write all of it into a folder, aside first and then renamed.

    Args:
        container: Where the tables come from.
        folder: Where to.
        ids: Of raw messages, by topic, partition and offset.
        summary: Makes the summary of what was written; None where there is none.

    Returns:
        What was written.
    """
    tally = Tally()
    summed = None if summary is None else lambda: summary(tally)
    container.write_folder()(folder, parts(container, tally), outcomes(container, ids), summed)
    return tally
