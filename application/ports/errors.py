"""
What can go wrong on the other side of a port.

    PortError
    ├── Retryable            the same call may succeed later; nothing is promised about it now
    │   ├── StoreUnavailable
    │   ├── LogUnavailable
    │   └── RegistryUnavailable
    ├── RowsRefused          all other rows are stored; these never can be, and belong among the dead letters
    └── Fatal                trying again can't help; the process must stop and say so
        ├── OffsetLost       the log no longer holds what was committed, or holds less
        ├── WrongTopics      topics are missing or have other partition counts than agreed
        ├── Denied           the other side refuses who we are, or what we may do
        ├── Insecure         the connection would be open to others where it must not be
        ├── SchemaBehind     tables, columns or reference data are missing: the set-up has not run
        └── NewerLogic       a higher logic epoch is marked: a newer program owns these tables
"""

from collections.abc import Sequence

import polars as pl

from domain.errors import DataprocError

OPEN_ENVIRONMENTS = frozenset({"local", "test"})
"""Where a connection may be plain, see Insecure."""


class PortError(DataprocError):
    """The other side of a port failed."""


class Retryable(PortError):
    """
    The same call may succeed later.

    `away` is the other side as an operator calls it, e.g. clickhouse; empty where it has no name. It is shown to anyone.
    """

    def __init__(self, told: str = "", away: str = "") -> None:
        super().__init__(told)
        self.away = away


class StoreUnavailable(Retryable):
    """A table or cache can't be reached, or did not answer in time."""


class LogUnavailable(Retryable):
    """The event log can't be reached, or did not answer in time."""


class RegistryUnavailable(Retryable):
    """The schema registry can't be reached, or did not answer in time."""


class RowsRefused(PortError):
    """
    A table took all rows but some, which it can never store. Writing the batch again stores nothing new.

    `table` names it; `rows` are those rows, in the columns the table was sent; `reasons` has one text for each.
    """

    def __init__(self, table: str, rows: pl.DataFrame, reasons: Sequence[str]) -> None:
        super().__init__(f"{table} can't store {len(reasons)} of the rows, e.g.: {reasons[0]}")
        self.table, self.rows, self.reasons = table, rows, tuple(reasons)


class Fatal(PortError):
    """Trying again can't help."""


class OffsetLost(Fatal):
    """A committed offset is outside what the log holds."""


class NewerLogic(Fatal):
    """A program with a higher logic epoch owns these tables."""


class WrongTopics(Fatal):
    """Topics are missing or have other partition counts than agreed. The text lists each."""


class Denied(Fatal):
    """The other side refuses who we are, or what we may do there."""


class Insecure(Fatal):
    """The connection would be open to others outside a local environment."""


class SchemaBehind(Fatal):
    """A database lacks tables, columns or reference data that this program needs; the message names the command."""
