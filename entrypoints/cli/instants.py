"""Instants as they are written on a command line."""

from datetime import UTC, datetime


def utc(moment: datetime | None) -> datetime | None:
    """The same instant in UTC; one without an offset is UTC already."""
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
