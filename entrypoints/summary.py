"""What a load came to: counts by topic, as JSON and as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import polars as pl
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from application.stages.normalize import NormalizationCounts

COLUMNS = (
    "raw",
    "accepted",
    "filtered",
    "dead_letter",
    "ticks",
    "rejected_rows",
    "silver_distinct",
    "duplicates",
    "corrections",
)


ENDS = ("accepted", "filtered", "dead_letter")
"""How a message may end."""

HEADINGS = ("raw", "accept", "filter", "dead", "ticks", "reject", "silver", "dupl", "corr")
"""The same, short enough for a narrow terminal."""


def summary_of(counts: Mapping[str, NormalizationCounts], silver: Mapping[str, int]) -> dict[str, Any]:
    """
    Counts by topic: raw, accepted, filtered and dead_letter in messages; duplicates = ticks - silver_distinct.

    Args:
        counts: What normalization counted.
        silver: The final silver ticks of each raw topic.
    """
    return {"topics": {topic: _row(count, silver.get(topic, 0)) for topic, count in sorted(counts.items())}}


def tallied(outcomes: pl.DataFrame) -> pl.DataFrame:
    """How many messages of each topic ended how, of some outcomes; `raw` counts all."""
    return outcomes.group_by("topic").agg(
        pl.len().cast(pl.Int64).alias("raw"),
        *((pl.col("outcome") == ended).sum().cast(pl.Int64).alias(ended) for ended in ENDS),
        pl.col("ticks").sum().cast(pl.Int64),
        pl.col("rejected_rows").sum().cast(pl.Int64),
    )


def with_earlier_runs(
    counts: Mapping[str, NormalizationCounts], stored: Sequence[pl.DataFrame]
) -> dict[str, NormalizationCounts]:
    """
    Counts of every message whose outcome is stored, also of runs that were cut short.

    Args:
        counts: What this run counted; corrections and repeats are known of this run alone.
        stored: `tallied` outcomes, in one portion or several.
    """
    together = pl.concat(stored).group_by("topic").agg(pl.exclude("topic").sum())
    return {
        row.pop("topic"): attrs.evolve(counts.get(topic, NormalizationCounts()), **row)
        for topic, row in ((row["topic"], dict(row)) for row in together.iter_rows(named=True))
    }


def _row(count: NormalizationCounts, silver_distinct: int) -> dict[str, int]:
    told = attrs.asdict(count)
    told |= {"silver_distinct": silver_distinct, "duplicates": told["ticks"] - silver_distinct}
    return {name: told[name] for name in COLUMNS}


def refused_any(summary: Mapping[str, Any]) -> bool:
    """Whether some message or row ended as a dead letter."""
    return any(row["dead_letter"] or row["rejected_rows"] for row in summary["topics"].values())


def show(summary: Mapping[str, Any], tables: Mapping[str, int], took_s: float, console: Console) -> None:
    """Print a summary as tables, with rates."""
    table = Table(title="raw messages", title_justify="left", padding=(0, 0, 0, 1), box=SIMPLE)
    table.add_column("raw topic", no_wrap=True)
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for topic, row in summary["topics"].items():
        table.add_row(topic.removeprefix("ingestion.").removesuffix(".raw.v1"), *(f"{row[name]:,}" for name in COLUMNS))
    total = {name: sum(row[name] for row in summary["topics"].values()) for name in COLUMNS}
    table.add_section()
    table.add_row("all", *(f"{total[name]:,}" for name in COLUMNS))
    console.print(table)
    rate = total["raw"] / took_s if took_s else 0
    console.print(f"{total['raw']:,} messages in {took_s:.1f} s: {rate:,.0f} a second")
    console.print("rows: " + ", ".join(f"{name} {rows:,}" for name, rows in tables.items()))
