"""
Typed batches: many facts of one kind, in columns.

A fact is declared once, as an attrs class whose fields say type, unit, null or not, and meaning.
Its batch is a frozen wrapper around a polars frame whose schema is derived from that class and checked once,
when the batch is born. Storage, wire formats and reference pages are tested against the same declaration.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import attrs
import polars as pl

from domain.errors import SchemaMismatch

PRICE = pl.Decimal(18, 8)
PRICE_SUM = pl.Decimal(38, 8)
NOTIONAL = pl.Decimal(38, 16)
INSTANT = pl.Datetime("us", "UTC")

T = TypeVar("T", bound=attrs.AttrsInstance)


def column(dtype: Any, doc: str, *, null: bool = False, stored: bool = True) -> Any:
    """
    Declare a column of a fact.

    Args:
        dtype: The polars type of the column.
        doc: What the column means, with its unit.
        null: Whether the value may be unknown.
        stored: Whether tables and exports keep it; otherwise it only travels between stages.
    """
    metadata = {"dtype": dtype, "doc": doc, "null": null, "stored": stored}
    return attrs.field(metadata=metadata, default=None if null else attrs.NOTHING)


def micros(instant: pl.Series) -> pl.Series:
    """Instants as µs since 1970, Int64. Null for null."""
    return instant.cast(pl.Int64)


def columnwise(columns: Sequence[pl.Series], ask: pl.Expr) -> list[pl.Series]:
    """
    Ask the same of several columns of one length, at little more than the cost of one: most of that is the asking.

    Args:
        columns: At least one.
        ask: Of `pl.all()`; the columns' names are not theirs.

    Returns:
        One column each, in their order; their names mean nothing.
    """
    first, *others = [column.alias(str(place)) for place, column in enumerate(columns)]
    return first.to_frame().hstack(others).select_seq(ask).get_columns()


def rows_of(asked: pl.Series, known: pl.Series) -> pl.Series:
    """Where each key stands among the known ones, which differ. UInt32; null where it does not."""
    places = pl.int_range(len(known), dtype=pl.UInt32, eager=True).alias("row")
    rows = known.to_frame("key").hstack([places])
    return asked.to_frame("key").join(rows, on="key", how="left", maintain_order="left")["row"]


def schema_of(fact: type) -> dict[str, Any]:
    """Column names and types of a fact, in declaration order."""
    return {field.name: field.metadata["dtype"] for field in attrs.fields(fact)}


def stored_columns(fact: type) -> list[str]:
    """The columns of a fact that tables and exports keep, in declaration order."""
    return [field.name for field in attrs.fields(fact) if field.metadata["stored"]]


class Batch(Generic[T]):
    """Many facts of one kind, in columns. Values don't change; an operation returns a new batch."""

    fact: ClassVar[type]
    schema: ClassVar[Mapping[str, Any]]
    required: ClassVar[Sequence[str]]
    _names: ClassVar[list[str]]
    _dtypes: ClassVar[list[Any]]
    _without_nulls: ClassVar[list[int]]
    """Places of the required columns."""
    _empty: "ClassVar[Batch[Any]]"
    __slots__ = ("frame",)

    def __init_subclass__(cls) -> None:
        cls.schema = schema_of(cls.fact)
        cls._names, cls._dtypes = list(cls.schema), list(cls.schema.values())
        cls.required = [field.name for field in attrs.fields(cls.fact) if not field.metadata["null"]]
        cls._without_nulls = [cls._names.index(name) for name in cls.required]
        cls._empty = cls(pl.DataFrame(schema=dict(cls.schema)))

    def __init__(self, frame: pl.DataFrame) -> None:
        """
        Take a frame that has exactly the declared columns.

        Raises:
            SchemaMismatch: A column is missing, extra, of another type, or null where it may not be.
        """
        if frame.columns != self._names or frame.dtypes != self._dtypes:
            frame = self._conform(frame)
        nulls = frame.null_count().row(0)
        for place in self._without_nulls:
            if nulls[place]:
                raise SchemaMismatch(f"{type(self).__name__}: column {self._names[place]} holds nulls")
        self.frame = frame

    def _conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        given = dict(frame.schema)
        wrong = sorted(
            {*given.keys() ^ self.schema.keys()}
            | {name for name in given.keys() & self.schema.keys() if given[name] != self.schema[name]}
        )
        if wrong:
            told = ", ".join(f"{name}: {given.get(name)} instead of {self.schema.get(name)}" for name in wrong)
            raise SchemaMismatch(f"{type(self).__name__}: {told}")
        return frame[list(self.schema)]

    @classmethod
    def empty(cls) -> Self:
        """A batch of nothing."""
        return cast("Self", cls._empty)

    @classmethod
    def of(cls, facts: Iterable[T]) -> Self:
        """A batch of single facts, as people and tests speak of them."""
        rows = [attrs.asdict(fact, recurse=False) for fact in facts]
        return cls(pl.DataFrame(rows, schema=dict(cls.schema), orient="row"))

    @classmethod
    def concat(cls, batches: Sequence[Self]) -> Self:
        """The facts of several batches, in that order."""
        if len(batches) == 1:
            return batches[0]
        return cls(pl.concat([batch.frame for batch in batches])) if batches else cls.empty()

    def facts(self) -> list[T]:
        """The single facts, in order."""
        return [self.fact(**row) for row in self.frame.iter_rows(named=True)]

    def __len__(self) -> int:
        return self.frame.height

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and type(self) is type(other) and self.frame.equals(other.frame)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.frame})"
