"""
What a stage decides: rows to store, events to announce, records refused, and how far the loop may commit.

A stage reads through ports and writes nothing; `consume.py` performs its outcomes, store → announce → commit.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import polars as pl

from application.ports.event_log import TopicPartition
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters


@attrs.frozen
class Store:
    """Rows for a table, by the table's name."""

    table: str
    rows: Batch[Any]
    lost: Callable[[pl.DataFrame], None] = lambda _: None
    """Told of the rows that the table can't hold, in its own columns, once the stage's memory has taken the others."""


@attrs.frozen
class Announce:
    """Facts for a topic, announced once everything of the outcome is stored."""

    topic: str
    facts: Batch[Any]
    held_by: str = ""
    """Table of ticks that others read back: one it can't hold is told to nobody, or they would count what is not there."""


def _nothing() -> None:
    """Change no memory."""


@attrs.frozen
class Outcome:
    """
    One decision of a stage.

    The loop stores `store` in order, then asks `then` (if any) for the part that must be read back after the store,
    performs that too, and so on; then stores the dead letters, announces everything in order, stores what concludes
    it, calls `kept` of each part, so that the stage's memory takes what is now durable, and commits `commit` of the
    last part.
    """

    store: tuple[Store, ...] = ()
    announce: tuple[Announce, ...] = ()
    conclude: tuple[Store, ...] = ()
    """Rows by which whoever comes next takes all of this for done, announcements included."""
    refused: DeadLetters | None = None
    commit: Mapping[TopicPartition, int] = attrs.field(factory=dict)
    owed: int = 0
    """How much of what was taken is still to be told later, e.g. ticks whose bars were not announced yet."""
    more: bool = False
    """Whether the stage has more to do at once, even if no record comes."""
    kept: Callable[[], None] = _nothing
    then: "Callable[[], Outcome] | None" = None
