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
    ENCODING = "ENCODING"
    NOT_JSON = "NOT_JSON"
    OVERSIZE = "OVERSIZE"
    TOO_DEEP = "TOO_DEEP"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    BAD_SHAPE = "BAD_SHAPE"
    BAD_NAME = "BAD_NAME"
    BAD_TENANT = "BAD_TENANT"
    UNKNOWN_MARKET = "UNKNOWN_MARKET"
    MARKET_MISMATCH = "MARKET_MISMATCH"
    UNKNOWN_DATA_TYPE = "UNKNOWN_DATA_TYPE"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    MISSING_PRICE = "MISSING_PRICE"
    BAD_PRICE = "BAD_PRICE"
    BAD_VOLUME = "BAD_VOLUME"
    BAD_TIMESTAMP = "BAD_TIMESTAMP"


class Declared(StrEnum):
    """Why a record is filtered on purpose: no price was ever meant. Source: contracts.md §1."""

    TOMBSTONE = "TOMBSTONE"
    NOT_A_PRICE = "NOT_A_PRICE"
