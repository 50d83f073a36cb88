"""
Events as JSON.

Writing: one text template per event, filled column by column (design.md §7: 440 to 511 thousand a second, where
encoding each record by itself reaches 44). Reading: msgspec structs of only the fields that restore a column, each
taken apart at once; number and object texts stay texts until a whole column is cast.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

import attrs
import msgspec
import polars as pl

from adapters.wire.event_columns import Style, by_distinct
from adapters.wire.event_forms import EventField, EventForm, is_optional
from adapters.wire.event_refusals import Carriers, Refused
from domain.errors import Reason

Tree = dict[str, Any]
"""Fields by name, nested as in the event; a leaf is an EventField."""

NEEDS_ESCAPE = r'[\x00-\x1f"\\]'
SEPARATOR = b"\x00"
"""Stands in no JSON text, so raw values can be joined and cut by it."""

AT_ONCE = 256
"""Records read before their fields move into columns: few enough to stay in the processor's cache."""

NULL = msgspec.Raw(b"null")


def tree_of(fields: Sequence[EventField]) -> Tree:
    """Nest fields as their paths say."""
    tree: Tree = {}
    for field in fields:
        *parents, name = field.path.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[name] = field
    return tree


def encode(form: EventForm, carriers: Mapping[str, pl.Series]) -> list[bytes]:
    """
    This will write one JSON object per row.

    Args:
        form: The event.
        carriers: For each field that is no constant, by its path, the carrier of its column.
    """
    pieces = list(_joined(_pieces(tree_of(form.fields), carriers)))
    frame = pl.DataFrame({str(place): piece for place, piece in enumerate(pieces) if isinstance(piece, pl.Series)})
    columns = [pl.lit(piece) if isinstance(piece, str) else pl.col(str(place)) for place, piece in enumerate(pieces)]
    texts = frame.select(pl.concat_str(columns)).to_series()
    values: list[bytes] = texts.cast(pl.Binary).to_list()
    return values


def _pieces(tree: Tree, carriers: Mapping[str, pl.Series]) -> Iterator[str | pl.Series]:
    opening = "{"
    for name, branch in tree.items():
        yield f'{opening}"{name}":'
        opening = ","
        if isinstance(branch, dict):
            yield from _pieces(branch, carriers)
        elif branch.constant is not None:
            yield json.dumps(branch.constant)
        else:
            yield from _leaf(branch.shape.style, carriers[branch.path])
    yield "}"


def _leaf(style: Style, carrier: pl.Series) -> Iterator[str | pl.Series]:
    if style is Style.BARE:
        yield carrier.cast(pl.String).fill_null("null")
        return
    yield '"'
    yield escaped(carrier) if style is Style.ESCAPED else carrier
    yield '"'


def escaped(texts: pl.Series) -> pl.Series:
    """Texts as they stand between the quotes of a JSON string."""
    if not texts.unique().str.contains(NEEDS_ESCAPE).any():
        return texts
    return by_distinct(texts, lambda text: json.dumps(text, ensure_ascii=False)[1:-1], pl.String)


def batched(records: Iterable[tuple[int, bytes]], size: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Runs of at most this many records."""
    remaining = iter(records)
    while run := list(islice(remaining, size)):
        yield run


def _joined(pieces: Iterator[str | pl.Series]) -> Iterator[str | pl.Series]:
    """Neighbouring constant pieces as one."""
    constant = ""
    for piece in pieces:
        if isinstance(piece, str):
            constant += piece
            continue
        yield constant
        yield piece
        constant = ""
    yield constant


class JsonReader:
    """Reads events of one form."""

    def __init__(self, form: EventForm) -> None:
        """Build the decoder of this form."""
        self.fields = form.restoring()
        self._decode = msgspec.json.Decoder(_struct(form.name, tree_of(self.fields), form)).decode
        self._take_apart = attrgetter(*(field.path for field in self.fields))

    def read(self, records: Mapping[int, bytes], refused: Refused) -> Carriers:
        """This will read what it can, by position; each record it can't read is told to `refused`, with a reason."""
        kept: list[int] = []
        columns = [_column(field) for field in self.fields]
        for run in batched(records.items(), AT_ONCE):
            rows = self._all_rows(run, kept) or list(self._rows(run, kept, refused))
            for column, values in zip(columns, zip(*rows, strict=True), strict=False):
                column.take(values)
        return Carriers(kept, {column.path: column.carrier() for column in columns})

    def _all_rows(self, records: Sequence[tuple[int, bytes]], kept: list[int]) -> list[tuple[Any, ...]]:
        """The rows of a run that can be read as a whole, which takes a third less time than one by one; else none."""
        positions, values = zip(*records, strict=True)
        try:
            if not all(map(bytes.isascii, values)):
                b"".join(values).decode()
            rows = list(map(self._take_apart, map(self._decode, values)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []
        kept.extend(positions)
        return rows

    def _rows(
        self, records: Sequence[tuple[int, bytes]], kept: list[int], refused: Refused
    ) -> Iterator[tuple[Any, ...]]:
        for position, value in records:
            try:
                if not value.isascii():
                    value.decode()
                row = self._take_apart(self._decode(value))
            except msgspec.ValidationError as wrong:
                refused.add(position, Reason.BAD_SHAPE, _place(str(wrong)), str(wrong))
            except msgspec.DecodeError as wrong:
                refused.add(position, Reason.NOT_JSON, "", str(wrong))
            except UnicodeDecodeError as wrong:
                refused.add(position, Reason.ENCODING, "", str(wrong))
            except RecursionError:
                refused.add(position, Reason.TOO_DEEP, "", "nested too deep to be read")
            else:
                kept.append(position)
                yield row


def _place(message: str) -> str:
    _, _, path = message.partition("`$.")
    return path.rstrip("`")


def _struct(name: str, tree: Tree, form: EventForm) -> type[msgspec.Struct]:
    required: list[tuple[str, Any]] = []
    optional: list[tuple[str, Any, Any]] = []
    for key, branch in tree.items():
        if isinstance(branch, dict):
            required.append((key, _struct(f"{name}_{key}", branch, form)))
        elif not is_optional(form, branch):
            required.append((key, branch.shape.python))
        elif branch.shape.python is msgspec.Raw:
            optional.append((key, msgspec.Raw, NULL))
        else:
            optional.append((key, branch.shape.python | None, None))
    return msgspec.defstruct(name, [*required, *optional], kw_only=True, gc=False)


def _column(field: EventField) -> "_RawTexts | _Values":
    if field.shape.python is msgspec.Raw:
        return _RawTexts(field.path)
    return _Values(field.path, pl.String if field.shape.python is str else pl.Int64)


@attrs.define
class _Values:
    """Gathers the strings or whole numbers of one field."""

    path: str
    dtype: Any
    values: list[Any] = attrs.field(factory=list)

    def take(self, values: Sequence[Any]) -> None:
        self.values.extend(values)

    def carrier(self) -> pl.Series:
        return pl.Series(self.path, self.values, dtype=self.dtype)


@attrs.define
class _RawTexts:
    """Gathers the raw JSON of one field: joined at once, because living raw values slow the interpreter down."""

    path: str
    runs: list[bytes] = attrs.field(factory=list)

    def take(self, values: Sequence[msgspec.Raw]) -> None:
        self.runs.append(SEPARATOR.join(values))

    def carrier(self) -> pl.Series:
        texts = SEPARATOR.join(self.runs).decode("utf-8", errors="replace").split("\x00") if self.runs else []
        series = pl.Series(self.path, texts, dtype=pl.String)
        return series.set(series == "null", None)
