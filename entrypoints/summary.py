"""What a load came to: counts by topic, as JSON and as a table."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

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

HEADINGS = ("raw", "accept", "filter", "dead", "ticks", "reject", "silver", "dupl", "corr")
"""The same, short enough for a narrow terminal."""


def summary_of(ledger: Mapping[str, Mapping[str, int]], silver: Mapping[str, int]) -> dict[str, Any]:
    """
    Counts by topic: raw, accepted, filtered and dead_letter in messages; duplicates = ticks - silver_distinct.

    Args:
        ledger: FIGURES of each raw topic: where the ledger is durable, it counts what earlier runs took in as well.
        silver: The final silver ticks of each raw topic.
    """
    return {"topics": {topic: _row(counted, silver.get(topic, 0)) for topic, counted in sorted(ledger.items())}}


def _row(counted: Mapping[str, int], silver_distinct: int) -> dict[str, int]:
    duplicates = counted["ticks"] - silver_distinct
    told = {**counted, "raw": counted["messages"], "silver_distinct": silver_distinct, "duplicates": duplicates}
    return {name: told[name] for name in COLUMNS}


def refused_any(summary: Mapping[str, Any]) -> bool:
    """Whether some message or row ended as a dead letter."""
    return any(row["dead_letter"] or row["rejected_rows"] for row in summary["topics"].values())


def show(summary: Mapping[str, Any], tables: Mapping[str, int], read: int, took_s: float, console: Console) -> None:
    """
    Print a summary as tables, with the rate of this run.

    Args:
        summary: As `summary_of` made it.
        tables: Rows by table.
        read: Messages this run has read, also those that were in the log already.
        took_s: How long it took.
        console: Where to.
    """
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
    rate = read / took_s if took_s else 0
    console.print(f"{read:,} messages read in {took_s:.1f} s: {rate:,.0f} a second")
    console.print("rows: " + ", ".join(f"{name} {rows:,}" for name, rows in tables.items()))
