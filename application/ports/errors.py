"""
What can go wrong on the other side of a port.

    PortError
    ├── Retryable            the same call may succeed later; nothing is promised about it now
    │   ├── StoreUnavailable
    │   └── LogUnavailable
    └── Fatal                trying again can't help; the process must stop and say so
        ├── OffsetLost       the log no longer holds what was committed, or holds less
        ├── WrongTopics      topics are missing or have other partition counts than agreed
        ├── Denied           the other side refuses who we are, or what we may do
        └── NewerLogic       a higher logic epoch is marked: a newer program owns these tables
"""

from domain.errors import DataprocError


class PortError(DataprocError):
    """The other side of a port failed."""


class Retryable(PortError):
    """The same call may succeed later."""


class StoreUnavailable(Retryable):
    """A table or cache can't be reached, or did not answer in time."""


class LogUnavailable(Retryable):
    """The event log can't be reached, or did not answer in time."""


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
