"""
The conservation ledger: every raw message ends in exactly one way, and every row of it too.

One row a raw partition and hour of the record's own timestamp. messages = accepted + filtered + dead_letter.
Rows of messages that were read that far: rows = ticks + rejected_rows. The sides are counted apart, so that a message
or a row that is lost on the way shows as an imbalance.

A row counts the messages of its hour that lie before `counted_to` in its partition: a prefix of the log. Prefixes are
nested, so of two rows for one hour the one with the higher `counted_to` counts more of the same and stays, whoever
wrote it and however batches were cut. Messages below a row's `counted_to` are in it and are not counted again.
"""

from datetime import datetime
from typing import Any

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column
from domain.bronze.dead_letter import MessageOutcomes
from domain.bronze.message_outcome import ACCEPTED, DEAD_LETTER, FILTERED
from domain.time import EARLIEST_US, LATEST_US

HOUR_US = 3_600_000_000
KEY = ("topic", "partition", "hour")


@attrs.frozen(kw_only=True)
class LedgerRow:
    """What became of the messages of one raw partition and hour. The higher counted_to stays."""

    topic: str = column(pl.String, "Raw topic.")
    partition: int = column(pl.Int32, "Its partition.")
    hour: datetime = column(INSTANT, "Hour of the record's own timestamp, its first instant.")
    messages: int = column(pl.Int64, "Messages read.")
    accepted: int = column(pl.Int64, "Messages of which a row became a tick.")
    filtered: int = column(pl.Int64, "Messages that are no price on purpose.")
    dead_letter: int = column(pl.Int64, "Messages that were refused, or all of whose rows were.")
    rows: int = column(pl.Int64, "Rows of messages that were read that far.")
    ticks: int = column(pl.Int64, "Rows that became ticks.")
    rejected_rows: int = column(pl.Int64, "Rows that became dead letters.")
    corrections: int = column(
        pl.Int64, "Ticks that changed what was known when they were counted: at least so many, a process forgets."
    )
    counted_to: int = column(pl.Int64, "The offset after the last message of this hour that is counted here.")


class Ledger(Batch[LedgerRow]):
    """Rows of the ledger, one a partition and hour."""

    fact = LedgerRow


FIGURES = ("messages", "accepted", "filtered", "dead_letter", "rows", "ticks", "rejected_rows", "corrections")
"""What is counted."""
BEFORE = "_before"


def hours_of(timestamps_us: pl.Series) -> pl.Series:
    """
    The hour each record belongs to: INSTANT, `hour`. A timestamp that no table can hold counts as the nearest one that can.

    Args:
        timestamps_us: Timestamps of records, µs since 1970; they may be anything a producer says.
    """
    plausible = timestamps_us.clip(EARLIEST_US, LATEST_US - 1)
    return (plausible // HOUR_US * HOUR_US).cast(INSTANT).alias("hour")


def messages_of(
    outcomes: MessageOutcomes, timestamps_us: pl.Series, rows: pl.Series, corrections: pl.Series
) -> pl.DataFrame:
    """
    Messages as the ledger counts them, one row each.

    Args:
        outcomes: How each ended.
        timestamps_us: The record's own timestamp.
        rows: Rows that were read of it.
        corrections: Its ticks that changed what was known.
    """
    return outcomes.frame.with_columns(hours_of(timestamps_us), rows.alias("rows"), corrections.alias("corrections"))


def tallied(messages: pl.DataFrame) -> pl.DataFrame:
    """Add messages up by partition and hour: the columns of LedgerRow, and `counted_from`, the first offset among them."""
    ended = pl.col("outcome")
    return messages.group_by(KEY, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("messages"),
        *((ended == status).sum().cast(pl.Int64).alias(status) for status in (ACCEPTED, FILTERED, DEAD_LETTER)),
        pl.col("rows", "ticks", "rejected_rows", "corrections").sum().cast(pl.Int64),
        (pl.col("offset").max() + 1).alias("counted_to"),
        pl.col("offset").min().alias("counted_from"),
    )


def beside(tally: pl.DataFrame, held: Ledger) -> pl.DataFrame:
    """
    Each hour's tally beside the row that is held of it: FIGURES and counted_to as `…_before`, null where none is.

    Args:
        tally: What `tallied` returned.
        held: Rows of these hours, as far as there are any, and perhaps of others.
    """
    return tally.join(held.frame, on=KEY, how="left", suffix=BEFORE, maintain_order="left")


def come_again(both: pl.DataFrame) -> bool:
    """Whether some of the messages tallied may be counted in the rows held already."""
    return bool((both["counted_from"] < both[f"counted_to{BEFORE}"]).any())


def not_counted_yet(messages: pl.DataFrame, held: Ledger) -> pl.DataFrame:
    """The messages that the rows held do not count yet, in their order."""
    counted = held.frame.select(*KEY, known_to="counted_to")
    known = messages.join(counted, on=KEY, how="left", maintain_order="left")
    return known.filter((pl.col("offset") >= pl.col("known_to")).fill_null(value=True)).drop("known_to")


def continued(both: pl.DataFrame) -> Ledger:
    """The rows held with the messages of the tally counted; none of those may be in them yet."""
    grown = (pl.col(name) + pl.col(f"{name}{BEFORE}").fill_null(0) for name in FIGURES)
    return Ledger(both.select(*KEY, *grown, "counted_to"))


def imbalance(messages: Any, accepted: Any, filtered: Any, dead_letter: Any) -> Any:
    """Messages that ended in no way, or in several: 0 where nothing is lost."""
    return messages - accepted - filtered - dead_letter


def row_imbalance(rows: Any, ticks: Any, rejected_rows: Any) -> Any:
    """Rows that became neither a tick nor a dead letter, or both: 0 where nothing is lost."""
    return rows - ticks - rejected_rows


def unbalanced(ledger: Ledger) -> Ledger:
    """The rows whose sides differ."""
    lost = imbalance(*(pl.col(name) for name in ("messages", "accepted", "filtered", "dead_letter"))) != 0
    lost_rows = row_imbalance(*(pl.col(name) for name in ("rows", "ticks", "rejected_rows"))) != 0
    return Ledger(ledger.frame.filter(lost | lost_rows))
