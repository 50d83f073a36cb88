"""
Every error the refinery anticipates, drawn as a tree.

    DataprocError
    ├── DomainError            a rule was broken by the caller: a programming or configuration mistake
    │   ├── SchemaMismatch     columns other than declared
    │   └── BadInterval        bar intervals that do not tile each other
    └── (ports)                application.ports.errors: Retryable, Fatal

Records are never refused by an exception: a record that can't be used becomes a row of dead letters with a reason.
"""

from enum import StrEnum


class DataprocError(Exception):
    """Something the refinery anticipated went wrong."""


class DomainError(DataprocError):
    """A rule of the domain was broken by its caller."""


class SchemaMismatch(DomainError):
    """A frame has other columns than its fact declares."""


class BadInterval(DomainError):
    """Bar intervals that do not tile each other, or that nobody could read."""


class Reason(StrEnum):
    """Why a record became a dead letter. Source: contracts.md §1, odd input."""

    EMPTY = "EMPTY"
    """No bytes but whitespace."""
    ENCODING = "ENCODING"
    """A byte-order mark, UTF-16, invalid UTF-8 or a lone surrogate."""
    NOT_JSON = "NOT_JSON"
    """Not one JSON document, or one with NaN or Infinity."""
    OVERSIZE = "OVERSIZE"
    """More than 1 MiB, or than 10,000 rows."""
    TOO_DEEP = "TOO_DEEP"
    """Nested deeper than 32."""
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    """Avro without a schema id that is known here."""
    BAD_SHAPE = "BAD_SHAPE"
    """A part of the message is missing, or is of another type than it must be."""
    BAD_NAME = "BAD_NAME"
    """Node, symbol or zone is missing, empty, no text, or has control characters."""
    BAD_TENANT = "BAD_TENANT"
    """A tenant outside the pattern."""
    UNKNOWN_MARKET = "UNKNOWN_MARKET"
    """A market nobody told us of."""
    MARKET_MISMATCH = "MARKET_MISMATCH"
    """Another market than the topic's."""
    UNKNOWN_DATA_TYPE = "UNKNOWN_DATA_TYPE"
    """A data type that this market is not known to have."""
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    """The payload is not the one its checksum was made of."""
    MISSING_PRICE = "MISSING_PRICE"
    """A price that is missing, null or blank."""
    BAD_PRICE = "BAD_PRICE"
    """A price that is no number by the grammar, not finite, or too large."""
    BAD_VOLUME = "BAD_VOLUME"
    """A volume that is no number by the grammar, not finite, or too large."""
    BAD_TIMESTAMP = "BAD_TIMESTAMP"
    """A time that is missing, can't be read, doesn't exist, or is out of range."""
    ROW_REFUSED = "ROW_REFUSED"
    """A table can't hold the row."""
    QUARANTINE = "QUARANTINE"
    """Each process that ran it, alone at last, ended before it was done."""


class Declared(StrEnum):
    """Why a record is filtered on purpose: no price was ever meant. Source: contracts.md §1."""

    TOMBSTONE = "TOMBSTONE"
    """No bytes at all: a Kafka null."""
    NOT_A_PRICE = "NOT_A_PRICE"
    """A data type that carries no price on purpose."""
