"""
Tables at the border: the form in which rows leave for exports and stores.

Inside, a row's flags are one integer, its metadata JSON text, its revision 128 bits. Outside, they are sorted names,
a map, and 39 digits that compare as the numbers do. Source: contracts.md §4.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import polars as pl

from adapters.wire.event_columns import digits_128, flag_names, hexadecimal_128
from domain.batch import stored_columns
from domain.gold.taxonomy import EnrichedTick
from domain.served.latest_price import RANK_DIGITS

MAP = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
"""A map at the border: polars has none, and parquet reads a list of keys and values."""

DIGITS_256 = 78
"""Decimal digits that hold every 256-bit number."""

ROW_VERSION = "row_version"
METADATA_BITS = 64


def to_stored(rows: pl.DataFrame, fact: type) -> pl.DataFrame:
    """
    This will turn the rows of a batch or table into the form in which they are exported and stored.

    Args:
        rows: At least the columns that a table of this fact stores.
        fact: The attrs class that declares them.

    Returns:
        The stored columns in declared order: flags as sorted names, JSON texts as maps and lists, 128-bit and 256-bit
        numbers as texts of 39 and 78 digits, digests as 16 hexadecimal digits. Decimals and instants stay what they
        are. Enriched ticks gain `row_version`, version · 2^64 + metadata_version.
    """
    columns = [_outside(rows[name]) for name in stored_columns(fact)]
    return pl.DataFrame([*columns, row_version(rows)] if fact is EnrichedTick else columns)


def row_version(rows: pl.DataFrame) -> pl.Series:
    """The tick's version, then that of its metadata; 39 digits."""
    shift = pl.Series([1 << METADATA_BITS], dtype=pl.UInt128)
    combined = rows["version"].cast(pl.UInt128) * shift + rows["metadata_version"].cast(pl.UInt128)
    return digits_128(combined).alias(ROW_VERSION)


def _outside(column: pl.Series) -> pl.Series:
    return _CONVERT.get(column.name, _same)(column)


def _same(column: pl.Series) -> pl.Series:
    return column


def _each_distinct(column: pl.Series, convert: Callable[[Any], Any], dtype: Any) -> pl.Series:
    """Convert each distinct value once. Values may become lists, which `replace_strict` can't give."""
    distinct = column.unique()
    forms = pl.DataFrame([distinct, pl.Series("form", [convert(value) for value in distinct], dtype=dtype)])
    return column.to_frame().join(forms, on=column.name, how="left", maintain_order="left")["form"].alias(column.name)


def _flags(column: pl.Series) -> pl.Series:
    return _each_distinct(column, flag_names, pl.List(pl.String))


def _map(column: pl.Series) -> pl.Series:
    def pairs(text: str) -> list[dict[str, str]]:
        members = msgspec.json.decode(text, type=dict[str, str])
        return [{"key": key, "value": value} for key, value in members.items()]

    return _each_distinct(column, pairs, MAP)


def _texts(column: pl.Series) -> pl.Series:
    return _each_distinct(column, msgspec.json.Decoder(list[str]).decode, pl.List(pl.String))


def _rank(column: pl.Series) -> pl.Series:
    decimal = [f"{int(digits[:RANK_DIGITS], 16):0{DIGITS_256}d}" for digits in column]
    return pl.Series(column.name, decimal, dtype=pl.String)


_CONVERT: Mapping[str, Callable[[pl.Series], pl.Series]] = MappingProxyType(
    {
        "quality_flags": _flags,
        "metadata": _map,
        "taxonomy": _map,
        "tags": _texts,
        "revision": digits_128,
        "rank": _rank,
        "lineage_digest": hexadecimal_128,
    }
)
"""Columns whose form outside differs, by name: a name means the same in every table."""
