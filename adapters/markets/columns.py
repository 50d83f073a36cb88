"""
The fast reader's columns: fields of many messages, and which messages it is not sure of.

Messages are read two hundred at a time, every step a list operation, and become columns soon: records and texts that do
not fit the processor's cache cost half as much again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import attrs
import polars as pl

from adapters.markets.reading import constant, prices_frame
from adapters.wire.exact_json import has_control_characters
from adapters.wire.raw_envelope import DEFAULT_TENANT, is_tenant
from adapters.wire.typed_json import COUNT, NUMBER, TEXT, UNSURE, number_texts

MESSAGES_AT_ONCE = 200
"""CAISO's, with their records, take 8 KiB each."""
ROWS_AT_ONCE = 1000
"""A column costs 5 µs to begin, and its texts 64 bytes each until then."""

ENVELOPE: Mapping[str, Any] = {
    "event": int,
    "source_event_id": TEXT,
    "trace_id": TEXT,
    "tenant_id": TEXT,
    "source_system": TEXT,
    "ingested_at": NUMBER,
}
"""What every reader takes from the envelope, first in its columns."""


def read_sure(events: Sequence[int], read: Callable[[Sequence[int]], None]) -> list[int]:
    """
    Read messages two hundred at a time, and where one of those is odd, one by one.

    Args:
        events: Positions of the messages.
        read: Takes messages in, all of these positions or, raising one of `UNSURE`, none.

    Returns:
        Positions of the odd ones.
    """
    unsure: list[int] = []
    for start in range(0, len(events), MESSAGES_AT_ONCE):
        portion = events[start : start + MESSAGES_AT_ONCE]
        try:
            read(portion)
        except UNSURE:
            unsure += [event for event in portion if _is_odd(event, read)]
    return unsure


def _is_odd(event: int, read: Callable[[Sequence[int]], None]) -> bool:
    try:
        read((event,))
    except UNSURE:
        return True
    return False


@attrs.frozen
class _Repeated:
    """One value in a number of rows."""

    value: Any
    rows: int


class FastColumns:
    """
    Fields of many messages as columns, one row a message.

    Most of a batch's columns hold one value throughout: they are told by one comparison, and looked at once.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        """Declare columns, in the order in which they are taken: int, TEXT, NUMBER or COUNT."""
        self._kinds = {**ENVELOPE, **fields}
        self._waiting: list[list[Any]] = [[] for _ in self._kinds]
        self._parts: dict[str, list[pl.Series | _Repeated]] = {name: [] for name in self._kinds}
        self._columns: dict[str, pl.Series] = {}
        self._values: dict[str, list[Any]] = {}
        self._height = 0
        self._unsure: set[int] = set()

    def take(self, columns: Sequence[Sequence[Any]]) -> None:
        """Add rows, given as columns."""
        for waiting, values in zip(self._waiting, columns, strict=True):
            waiting.extend(values)
        if len(self._waiting[0]) >= ROWS_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        for (name, kind), values in zip(self._kinds.items(), self._waiting, strict=True):
            self._parts[name].append(self._numbers(values) if kind is NUMBER else _column(values, kind))
        self._height += len(self._waiting[0])
        self._waiting = [[] for _ in self._kinds]

    def _numbers(self, values: list[Any]) -> pl.Series:
        texts, unsure = number_texts(values)
        self._unsure.update(self._height + place for place in unsure)
        return texts

    def __len__(self) -> int:
        return self._height + len(self._waiting[0])

    def column(self, name: str) -> pl.Series:
        """A column as it was taken; null where absent."""
        if name not in self._columns:
            if self._waiting[0]:
                self._settle()
            self._columns[name] = _whole(self._parts[name], self._kinds[name])
        return self._columns[name]

    def _distinct(self, name: str) -> list[Any]:
        if name not in self._values:
            values, parts = self.column(name), self._parts[name]
            self._values[name] = [parts[0].value] if _is_one_value(parts) else values.unique().to_list()
        return self._values[name]

    def text(self, name: str, absent: str = "") -> pl.Series:
        """A column of texts without nulls."""
        return filled(self.column(name), absent)

    def checked(self, name: str, odd: Callable[[Any], bool]) -> pl.Series:
        """A column of texts whose odd values make their messages unsure. Each distinct value is looked at once."""
        values = self.column(name)
        strange = [value for value in self._distinct(name) if odd(value)]
        if strange:
            self.distrust(values.is_in(strange, nulls_equal=True))
        return values

    def translated(self, name: str, odd: Callable[[Any], bool], into: Callable[[Any], str]) -> pl.Series:
        """A checked column with each distinct value, null included, written another way."""
        values = self.checked(name, odd)
        distinct = self._distinct(name)
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
        unsure = self.column("event")[sorted(self._unsure)]
        return frame.filter(~frame["event"].is_in(unsure.to_list())), unsure.to_list()


def _type(kind: Any) -> Any:
    return {int: pl.Int32, COUNT: pl.Int64}.get(kind, pl.String)


def _column(values: list[Any], kind: Any) -> pl.Series | _Repeated:
    if values == values[:1] * len(values):
        return _Repeated(values[0], len(values))
    return pl.Series(values, dtype=_type(kind))


def _whole(parts: Sequence[pl.Series | _Repeated], kind: Any) -> pl.Series:
    if _is_one_value(parts):
        return constant("", _type(kind), parts[0].value, sum(part.rows for part in parts))
    series = [
        constant("", _type(kind), part.value, part.rows) if isinstance(part, _Repeated) else part for part in parts
    ]
    return pl.concat(series, rechunk=True) if len(series) > 1 else series[0]


def _is_one_value(parts: Sequence[pl.Series | _Repeated]) -> TypeGuard[Sequence[_Repeated]]:
    first = parts[0]
    return isinstance(first, _Repeated) and all(
        isinstance(part, _Repeated) and part.value == first.value for part in parts
    )


def filled(texts: pl.Series, absent: str = "") -> pl.Series:
    """A column of texts with this one where it was null."""
    return texts.fill_null(absent) if texts.null_count() else texts


def dotted(parts: Sequence[pl.Series | str]) -> pl.Series | str:
    """Texts and columns of texts joined by '.'."""
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) == len(parts):
        return ".".join(texts)
    columns = [pl.lit(part) for part in parts]
    return pl.select(pl.concat_str(columns, separator=".")).to_series()


def is_no_name(text: str | None) -> bool:
    """Whether a text can't be a name as it is."""
    return text is None or not text.strip() or has_control_characters(text)


def is_no_label(text: str | None) -> bool:
    """Whether a text, if there is one, can't be a name as it is."""
    return text is not None and is_no_name(text)
