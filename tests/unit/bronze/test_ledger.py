"""The conservation ledger: prefixes of the log, counted by partition and hour."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from domain.bronze.dead_letter import MessageOutcomes
from domain.bronze.ledger import (
    HOUR_US,
    Ledger,
    LedgerRow,
    beside,
    come_again,
    continued,
    hours_of,
    messages_of,
    not_counted_yet,
    tallied,
    unbalanced,
)
from domain.time import LATEST_US
from tests.builders import TEN, micros

MISO = "ingestion.miso.raw.v1"
NINE_O_CLOCK_US = micros(TEN) - HOUR_US


def ledger_row(**fields: Any) -> LedgerRow:
    believable: dict[str, Any] = {
        "topic": MISO,
        "partition": 0,
        "hour": TEN,
        "messages": 3,
        "accepted": 1,
        "filtered": 1,
        "dead_letter": 1,
        "rows": 4,
        "ticks": 2,
        "rejected_rows": 2,
        "corrections": 0,
        "counted_to": 3,
    }
    return LedgerRow(**(believable | fields))


def messages(*told: tuple[int, str, int, int], timestamps: Sequence[int] | None = None) -> pl.DataFrame:
    """Messages of partition 0, told as (offset, outcome, ticks, rejected rows); of ten o'clock unless said otherwise."""
    rows = [(MISO, 0, offset, outcome, "", ticks, rejected) for offset, outcome, ticks, rejected in told]
    outcomes = MessageOutcomes(pl.DataFrame(rows, schema=dict(MessageOutcomes.schema), orient="row"))
    stamps = pl.Series(timestamps or [micros(TEN)] * len(told), dtype=pl.Int64)
    read = outcomes.frame["ticks"] + outcomes.frame["rejected_rows"]
    return messages_of(outcomes, stamps, read, pl.zeros(len(told), dtype=pl.Int32, eager=True))


def counted(held: Ledger, batch: pl.DataFrame) -> Ledger:
    """What a writer stores that holds these rows and gets this batch."""
    both = beside(tallied(batch), held)
    if come_again(both):
        both = beside(tallied(not_counted_yet(batch, held)), held)
    return continued(both)


def test_messages_are_added_up_by_partition_and_hour() -> None:
    batch = messages(
        (4, "accepted", 2, 1), (5, "filtered", 0, 0), (7, "dead_letter", 0, 2), (9, "accepted", 1, 0),
        timestamps=[micros(TEN) + 1, micros(TEN), micros(TEN), NINE_O_CLOCK_US],
    )  # fmt: skip
    assert counted(Ledger.empty(), batch).facts() == [
        ledger_row(rows=5, ticks=2, rejected_rows=3, counted_to=8),
        ledger_row(
            hour=TEN.replace(hour=9), messages=1, accepted=1, filtered=0, dead_letter=0,
            rows=1, ticks=1, rejected_rows=0, counted_to=10,
        ),
    ]  # fmt: skip


def test_a_batch_continues_the_rows_held() -> None:
    held = Ledger.of([ledger_row(), ledger_row(partition=1, messages=9)])
    assert counted(held, messages((3, "accepted", 1, 0))).facts() == [
        ledger_row(messages=4, accepted=2, rows=5, ticks=3, counted_to=4)
    ]


def test_messages_that_come_again_are_not_counted_again() -> None:
    held = Ledger.of([ledger_row()])
    again = messages((1, "accepted", 1, 0), (2, "accepted", 1, 0))
    assert len(counted(held, again)) == 0
    partly = messages((2, "accepted", 1, 0), (3, "filtered", 0, 0))
    assert counted(held, partly).facts() == [ledger_row(messages=4, filtered=2, counted_to=4)]


def test_each_hour_knows_for_itself_how_far_it_counts() -> None:
    held = Ledger.of([ledger_row(counted_to=6)])
    batch = messages((4, "accepted", 1, 0), (5, "accepted", 1, 0), timestamps=[micros(TEN), NINE_O_CLOCK_US])
    assert [(row.hour, row.messages, row.counted_to) for row in counted(held, batch).facts()] == [
        (TEN.replace(hour=9), 1, 6)
    ]


@pytest.mark.parametrize(
    ("timestamp_us", "hour"),
    [
        (micros(TEN) + HOUR_US - 1, TEN),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**62, datetime(2099, 12, 31, 23, tzinfo=UTC)),
        (LATEST_US, datetime(2099, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_timestamp_no_table_can_hold_counts_as_the_nearest(timestamp_us: int, hour: datetime) -> None:
    assert hours_of(pl.Series([timestamp_us])).to_list() == [hour]


@pytest.mark.parametrize("wrong", [{"messages": 4}, {"accepted": 0}, {"rows": 5}, {"ticks": 1}])
def test_a_row_whose_sides_differ_is_found(wrong: dict[str, int]) -> None:
    odd = ledger_row(partition=1, **wrong)
    assert unbalanced(Ledger.of([ledger_row(), odd])).facts() == [odd]
