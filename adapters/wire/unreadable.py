"""Why a raw message can't be read any further."""

from domain.errors import DataprocError, Reason


class Unreadable(DataprocError):
    """A message, or a row of it, can't become a price. The decoder turns this into a refusal; nobody else sees it."""

    def __init__(self, reason: Reason, field: str = "", message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.field = field
        self.message = message or str(reason)
