"""Dead letters: records no stage could use, with the reason, the place they came from and enough of their bytes to try again."""

from datetime import datetime

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column

RAW_KEPT_BYTES = 8192
"""A larger raw record is kept as its head and its SHA-256."""


@attrs.frozen(kw_only=True)
class DeadLetter:
    """One refused record or row. Source: contracts.md §4, dead_letters; key: stage, topic, partition, offset, row_index."""

    stage: str = column(pl.String, "The stage that refused it, e.g. normalization.")
    reason: str = column(pl.String, "Code, one of errors.Reason.")
    field: str = column(pl.String, "The field at fault; empty where none.")
    message: str = column(pl.String, "What was wrong, for a person.")
    topic: str = column(pl.String, "Topic of the record.")
    partition: int = column(pl.Int32, "Its partition.")
    offset: int = column(pl.Int64, "Its offset.")
    row_index: int = column(pl.Int32, "Which row of it; -1 for the whole record.")
    first_failed_at: datetime = column(INSTANT, "When this was first refused, by the service's clock.")
    retry_count: int = column(pl.Int32, "How often it was tried again.")
    raw: bytes = column(pl.Binary, "The record's bytes, at most 8 KiB of them.")
    raw_sha256: str = column(pl.String, "SHA-256 of all its bytes, hexadecimal.")
    service_version: str = column(pl.String, "Version of the program that refused it.")


class DeadLetters(Batch[DeadLetter]):
    """Refused records."""

    fact = DeadLetter


@attrs.frozen(kw_only=True)
class MessageOutcome:
    """What became of one raw message. Source: contracts.md §4, outcomes."""

    topic: str = column(pl.String, "Topic of the message.")
    partition: int = column(pl.Int32, "Its partition.")
    offset: int = column(pl.Int64, "Its offset.")
    outcome: str = column(pl.String, "accepted, filtered or dead_letter.")
    reason: str = column(pl.String, "Code of the filter or the (first) refusal; empty where accepted whole.")
    ticks: int = column(pl.Int32, "Rows that became ticks.")
    rejected_rows: int = column(pl.Int32, "Rows that became dead letters.")


class MessageOutcomes(Batch[MessageOutcome]):
    """What became of raw messages, one row each."""

    fact = MessageOutcome
