"""
The fast reader's columns: fields of many messages, and which messages it is not sure of.

Values are handed over a thousand messages at a time and become columns at once: 20,000 messages' worth of small living
objects costs half as much again as the same objects dropped while they are still in the processor's cache.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from adapters.markets.reading import constant, prices_frame
from adapters.wire.exact_json import has_control_characters
from adapters.wire.raw_envelope import DEFAULT_TENANT, is_tenant
from adapters.wire.typed_json import COUNT, NUMBER, TEXT, number_texts

MESSAGES_AT_ONCE = 1000

ENVELOPE: Mapping[str, Any] = {
    "event": int,
    "source_event_id": TEXT,
    "trace_id": TEXT,
    "tenant_id": TEXT,
    "source_system": TEXT,
    "ingested_at": NUMBER,
}
"""What every reader takes from the envelope, first in its rows."""


def portions(events: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut positions into portions whose values fit the processor's cache."""
    return (events[start : start + MESSAGES_AT_ONCE] for start in range(0, len(events), MESSAGES_AT_ONCE))


class FastColumns:
    """Fields of many messages as columns, one row a message."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Declare columns, in the order in which rows hold them: int, TEXT, NUMBER or COUNT."""
        self._kinds = {**ENVELOPE, **fields}
        self._parts: dict[str, list[pl.Series]] = {name: [] for name in self._kinds}
        self._height = 0
        self._unsure: set[int] = set()

    def take(self, rows: list[Any]) -> None:
        """Add rows, laid end to end."""
        width = len(self._kinds)
        for place, (name, kind) in enumerate(self._kinds.items()):
            self._parts[name].append(self._column(rows[place::width], kind))
        self._height += len(rows) // width

    def _column(self, values: list[Any], kind: Any) -> pl.Series:
        if kind is NUMBER:
            texts, unsure = number_texts(values)
            self._unsure.update(self._height + place for place in unsure)
            return texts
        return pl.Series(values, dtype={int: pl.Int32, COUNT: pl.Int64}.get(kind, pl.String))

    def __len__(self) -> int:
        return self._height

    def column(self, name: str) -> pl.Series:
        """A column as it was taken; null where absent."""
        parts = self._parts[name]
        if len(parts) > 1:
            self._parts[name] = parts = [pl.concat(parts, rechunk=True)]
        return parts[0]

    def text(self, name: str, absent: str = "") -> pl.Series:
        """A column of texts without nulls."""
        return filled(self.column(name), absent)

    def checked(self, name: str, odd: Callable[[Any], bool]) -> pl.Series:
        """A column of texts whose odd values make their messages unsure. Each distinct value is looked at once."""
        values = self.column(name)
        strange = [value for value in values.unique().to_list() if odd(value)]
        if strange:
            self.distrust(values.is_in(strange, nulls_equal=True))
        return values

    def translated(self, name: str, odd: Callable[[Any], bool], into: Callable[[Any], str]) -> pl.Series:
        """A checked column with each distinct value, null included, written another way."""
        values = self.checked(name, odd)
        distinct = values.unique().to_list()
        written = [into(value) for value in distinct]
        if len(distinct) == 1:
            return constant(name, pl.String, written[0], self._height)
        return values.replace_strict(distinct, written, return_dtype=pl.String)

    def distrust(self, rows: pl.Series) -> None:
        """Note the messages where this is true as unsure."""
        self._unsure.update(rows.arg_true().to_list())

    def prices(self, columns: Mapping[str, Any]) -> tuple[pl.DataFrame, list[int]]:
        """
        Lay out raw prices: these columns beside the envelope's.

        Returns:
            The rows of all messages but the unsure ones, and the positions of those.
        """
        self.checked("tenant_id", lambda tenant: tenant is not None and not is_tenant(tenant))
        envelope = {
            "event": self.column("event"),
            "tenant_id": self.text("tenant_id", DEFAULT_TENANT),
            "ingested_at": self.column("ingested_at"),
            **{name: self.text(name) for name in ("source_event_id", "source_system", "trace_id")},
        }
        frame = prices_frame(self._height, {**envelope, **columns})
        if not self._unsure:
            return frame, []
        unsure = self.column("event").gather(sorted(self._unsure))
        return frame.filter(~frame["event"].is_in(unsure.to_list())), unsure.to_list()


def filled(texts: pl.Series, absent: str = "") -> pl.Series:
    """A column of texts with this one where it was null."""
    return texts.fill_null(absent) if texts.null_count() else texts


def is_no_name(text: str | None) -> bool:
    """Whether a text can't be a name as it is."""
    return text is None or not text.strip() or has_control_characters(text)


def is_no_label(text: str | None) -> bool:
    """Whether a text, if there is one, can't be a name as it is."""
    return text is not None and is_no_name(text)
