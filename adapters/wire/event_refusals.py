"""What could be read of a run of events, and what could not."""

from collections.abc import Mapping, Sequence

import attrs
import polars as pl

from domain.bronze.raw_event import Refusal, Refusals
from domain.errors import Reason

WHOLE_MESSAGE = -1


@attrs.frozen
class Carriers:
    """Carriers of the records that could be taken apart, by path, and the positions of those records."""

    kept: Sequence[int]
    columns: Mapping[str, pl.Series]


@attrs.define
class Refused:
    """Gathers the records that could not be read; the first reason of each counts."""

    _found: dict[int, Refusal] = attrs.field(factory=dict)

    def add(self, position: int, reason: Reason, field: str, message: str) -> None:
        """Note one record."""
        refusal = Refusal(event=position, index=WHOLE_MESSAGE, reason=reason, field=field, message=message)
        self._found.setdefault(position, refusal)

    def all(self) -> Refusals:
        """What was noted, by position."""
        return Refusals.of(refusal for _, refusal in sorted(self._found.items()))
