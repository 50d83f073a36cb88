"""What became of raw messages: outcomes, one a message, and dead letters, one a refusal. Source: contracts.md §4."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from zlib import crc32

import polars as pl

from domain.bronze.dead_letter import RAW_KEPT_BYTES, DeadLetter, DeadLetters, MessageOutcomes
from domain.bronze.raw_event import RawEvents, Refusal, Refusals
from domain.errors import Reason

ACCEPTED = "accepted"
FILTERED = "filtered"
DEAD_LETTER = "dead_letter"


def message_outcomes(
    events: RawEvents, tick_events: pl.Series, refusals: Refusals, filtered: Sequence[tuple[int, str]]
) -> MessageOutcomes:
    """
    Say of each message how it ended: accepted where any of its rows became a tick.

    Args:
        events: The messages.
        tick_events: Position in `events` of the message of each tick.
        refusals: What was refused of them, whole messages and rows.
        filtered: Positions of those that are no price on purpose, with the reason.

    Returns:
        One row a message, in the order of `events`. Rows refused count those of messages that were read that far.
    """
    rows = len(events)
    ticks = per_message(tick_events, rows)
    refused = refusals.frame.sort("event", "index")
    first = refused.unique("event", keep="first", maintain_order=True)
    reason = pl.Series([""]).new_from_index(0, rows).scatter(first["event"], first["reason"])
    outcome = pl.Series([DEAD_LETTER]).new_from_index(0, rows).scatter((ticks > 0).arg_true(), ACCEPTED)
    positions = pl.Series([event for event, _ in filtered], dtype=pl.UInt32)
    codes = pl.Series([str(code) for _, code in filtered], dtype=pl.String)
    return MessageOutcomes(
        pl.DataFrame(
            {
                "topic": events.topics,
                "partition": events.partitions,
                "offset": events.offsets,
                "outcome": outcome.scatter(positions, FILTERED) if filtered else outcome,
                "reason": reason.scatter(positions, codes),
                "ticks": ticks,
                "rejected_rows": per_message(refused.filter(pl.col("index") >= 0)["event"], rows),
            }
        )
    )


def per_message(events: pl.Series, rows: int) -> pl.Series:
    """How often each of so many messages is named: positions in, one Int32 a message out."""
    if not len(events):
        return pl.zeros(rows, dtype=pl.Int32, eager=True)
    counts = events.value_counts(name="rows")
    return pl.zeros(rows, dtype=pl.Int32, eager=True).scatter(counts[events.name], counts["rows"].cast(pl.Int32))


def of_refused_rows(table: str, rows: pl.DataFrame, reasons: Sequence[str]) -> tuple[RawEvents, Refusals]:
    """
    Rows that a table can't hold, as messages that were refused: where their raw message lies, else the table's name.

    Args:
        table: Name of the table.
        rows: The rows, in the form it was given.
        reasons: One text a row.
    """
    lines = rows.write_ndjson().encode().splitlines()
    known = "raw_topic" in rows.columns
    events = RawEvents(
        topics=rows["raw_topic"] if known else [table] * rows.height,
        partitions=rows["raw_partition"] if known else [0] * rows.height,
        offsets=rows["raw_offset"] if known else [crc32(line) for line in lines],
        timestamps_us=[0] * rows.height,
        values=lines,
    )
    refusals = Refusals.of(
        Refusal(event=event, index=-1, reason=Reason.ROW_REFUSED, field=table, message=reason)
        for event, reason in enumerate(reasons)
    )
    return events, refusals


def dead_letters(
    events: RawEvents, refusals: Refusals, stage: str, refused_at: datetime, service_version: str
) -> DeadLetters:
    """
    Keep what a stage refused, with where it came from and enough of its bytes to try again.

    Args:
        events: The messages.
        refusals: What was refused of them.
        stage: Who refused it.
        refused_at: When, by the service's clock.
        service_version: Which program.
    """
    values = {event: events.values[event] or b"" for event in refusals.frame["event"].unique()}
    # Once a message: one of many refused rows has a letter for each.
    hashes = {event: sha256(value).hexdigest() for event, value in values.items()}
    heads = {event: value[:RAW_KEPT_BYTES] for event, value in values.items()}
    return DeadLetters.of(
        DeadLetter(
            stage=stage,
            reason=refusal.reason,
            field=refusal.field,
            message=refusal.message,
            topic=events.topics[refusal.event],
            partition=events.partitions[refusal.event],
            offset=events.offsets[refusal.event],
            row_index=refusal.index,
            first_failed_at=refused_at,
            retry_count=0,
            raw=heads[refusal.event],
            raw_sha256=hashes[refusal.event],
            service_version=service_version,
        )
        for refusal in refusals.facts()
    )
