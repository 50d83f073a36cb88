"""
How a column of a batch lies in a table.

Most columns lie there as they are. Of the others a writer sends a *carrier*, a plain text or list in a column that is
never stored (EPHEMERAL in the migrations), and the table makes the stored column of it; a reader asks for an
expression that gives the carrier back. So every transport carries plain values, and rows are converted by the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import polars as pl

from adapters.wire.event_columns import by_distinct, flag_names
from domain.batch import schema_of, stored_columns
from domain.gold.bar import LINEAGE
from domain.silver.quality import Flag

Convert = Callable[[pl.Series], pl.Series]


@attrs.frozen
class Form:
    """The carrier of one column."""

    name: str
    """Of the carrier, in inserts and in answers."""
    dtype: Any
    """Of the carrier."""
    expression: str
    """SQL that makes the carrier of what is stored."""
    send: Convert
    """From the column to its carrier."""
    receive: Convert
    """And back."""


def _same(column: pl.Series) -> pl.Series:
    return column


def _flag_text(flags: pl.Series) -> pl.Series:
    return by_distinct(flags, lambda mask: ",".join(flag_names(mask)), pl.String)


def _flag_mask(names: pl.Series) -> pl.Series:
    return by_distinct(names, lambda text: sum(int(Flag[name]) for name in text.split(",") if name), pl.UInt32)


def _number_text(numbers: pl.Series) -> pl.Series:
    return numbers.cast(pl.String)


def _wide_number(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.UInt128)


def _base64(raw: pl.Series) -> pl.Series:
    return raw.bin.encode("base64")


def _bytes(text: pl.Series) -> pl.Series:
    return text.str.decode("base64")


FORMS: Mapping[str, Form] = {
    "quality_flags": Form(
        "quality_flags_text", pl.String, "arrayStringConcat(quality_flags, ',')", _flag_text, _flag_mask
    ),
    "metadata": Form("metadata_json", pl.String, "toJSONString(metadata)", _same, _same),
    "taxonomy": Form("taxonomy_json", pl.String, "toJSONString(taxonomy)", _same, _same),
    "tags": Form("tags_json", pl.String, "toJSONString(tags)", _same, _same),
    "revision": Form("revision_text", pl.String, "toString(revision)", _number_text, _wide_number),
    "lineage_digest": Form("lineage_digest_text", pl.String, "toString(lineage_digest)", _number_text, _wide_number),
    "rank": Form(
        "rank_hex",
        pl.String,
        "concat(leftPad(lower(hex(rank)), 64, '0'), leftPad(lower(hex(content)), 16, '0'))",
        _same,
        _same,
    ),
    "raw": Form("raw_base64", pl.String, "base64Encode(raw)", _base64, _bytes),
    "lineage_partitions": Form(
        "lineage_spans",
        LINEAGE,
        "CAST(arrayMap((name, span) -> (name, span.1, span.2), mapKeys(lineage_partitions),"
        " mapValues(lineage_partitions)), 'Array(Tuple(partition String, first_offset Int64, last_offset Int64))')",
        _same,
        _same,
    ),
}
"""Columns that need a carrier, by name: a name means the same in every table."""


@attrs.frozen
class Columns:
    """The stored columns of one kind of fact, as they cross the border to the database."""

    fact: type

    @property
    def names(self) -> Sequence[str]:
        """The stored columns, in declared order."""
        return stored_columns(self.fact)

    def selected(self, source: str = "") -> str:
        """What a query selects to read them; `source` is the alias of the table, where the query has several."""
        return ", ".join(self._selected(name, source) for name in self.names)

    @property
    def answered(self) -> dict[str, Any]:
        """Names and types of the columns of such a query's answer."""
        types = schema_of(self.fact)
        return {
            (FORMS[name].name if name in FORMS else name): (FORMS[name].dtype if name in FORMS else types[name])
            for name in self.names
        }

    def sent(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a batch as an insert takes them."""
        return pl.DataFrame([self._sent(rows[name]) for name in self.names])

    def received(self, answer: pl.DataFrame) -> pl.DataFrame:
        """An answer as columns of a batch."""
        return pl.DataFrame(
            [
                (FORMS[name].receive(answer[FORMS[name].name]) if name in FORMS else answer[name]).alias(name)
                for name in self.names
            ]
        )

    @staticmethod
    def _selected(name: str, source: str) -> str:
        of = f"{source}." if source else ""
        if name not in FORMS:
            return f"{of}`{name}` AS `{name}`"
        return f"{FORMS[name].expression.replace(f'({name}', f'({of}{name}')} AS `{FORMS[name].name}`"

    @staticmethod
    def _sent(column: pl.Series) -> pl.Series:
        form = FORMS.get(column.name)
        return column if form is None else form.send(column).alias(form.name)
