"""
How a column of a batch looks on the wire, one `Shape` for each way.

A shape turns a column into its *carrier* and back: texts (String) or whole numbers (Int64), which JSON and Avro both
take. Decimals, 64-bit versions and JSON objects travel as the text of a JSON number or object, never as a float.
Reading is total: a carrier that can't be read becomes null, and the codec refuses that record alone.
"""

import json
import struct
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import attrs
import msgspec
import polars as pl
import pyarrow as pa

from adapters.wire.arrow_json import joined
from domain.gold.bar import LINEAGE
from domain.silver.quality import Flag

KEY_SEPARATOR = "|"
"""Between tenant and instrument in keys of events."""

DIGITS_128 = 39
"""Decimal digits that hold every 128-bit number."""

BYTES_64 = 8
_TWO_64 = pl.Series([1 << 64], dtype=pl.UInt128)
ISO_INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
YEAR_1_US, YEAR_9999_US = -62_135_596_800_000_000, 253_402_300_799_999_999

Small = Annotated[int, msgspec.Meta(ge=-INT32_MAX, le=INT32_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Offset = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Instant = Annotated[int, msgspec.Meta(ge=YEAR_1_US, le=YEAR_9999_US)]

Convert = Callable[[pl.Series], pl.Series]


class Style(Enum):
    """How a carrier stands in JSON."""

    ESCAPED = "a string whose characters may need escaping"
    QUOTED = "a string of plain ASCII"
    BARE = "the carrier itself: a number, an object or a list"


@attrs.frozen
class Shape:
    """One way for a column to look on the wire."""

    doc: str
    """What a reader of an event finds, for the reference pages."""
    json_type: str
    style: Style
    avro: Any
    """Avro type of the carrier; the shape of a list of names is an array there."""
    write: Convert
    """From the column to its carrier; null stays null."""
    read: Callable[[pl.Series, Any], pl.Series]
    """From the carrier to a column of this polars type; null where it can't be read."""
    python: Any
    """What msgspec reads from JSON."""


def by_distinct(column: pl.Series, convert: Callable[[Any], Any], dtype: Any) -> pl.Series:
    """Convert a column value by value, each distinct value once; null stays null."""
    distinct = column.unique().drop_nulls()
    converted = pl.Series([convert(value) for value in distinct], dtype=dtype)
    return column.replace_strict(distinct, converted, default=None, return_dtype=dtype)


def _same(column: pl.Series) -> pl.Series:
    return column


def _key_part(carrier: pl.Series, _dtype: Any) -> pl.Series:
    """With a separator inside, two tenants' series could meet under one key."""
    return carrier.set(carrier.str.contains(KEY_SEPARATOR, literal=True), None)


def _as_text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String)


def _as_number(column: pl.Series) -> pl.Series:
    return column.cast(pl.Int64)


def _cast(carrier: pl.Series, dtype: Any) -> pl.Series:
    return carrier.cast(dtype, strict=False)


def digits_128(column: pl.Series) -> pl.Series:
    """128-bit numbers as texts of 39 digits, which compare as the numbers do."""
    return column.cast(pl.String).str.zfill(DIGITS_128)


def hexadecimal_64(column: pl.Series) -> pl.Series:
    """64-bit numbers as texts of 16 hexadecimal digits."""
    memory = pa.py_buffer(struct.pack(f">{len(column)}Q", *column.to_list()))
    numbers = pa.Array.from_buffers(pa.binary(BYTES_64), len(column), [None, memory])
    return pl.Series(column.name, numbers).bin.encode("hex")


def hexadecimal_128(column: pl.Series) -> pl.Series:
    """128-bit numbers as texts of 32 hexadecimal digits."""
    return hexadecimal_pairs(*halves_of(column)).alias(column.name)


def hexadecimal_pairs(upper: pl.Series, lower: pl.Series) -> pl.Series:
    """Two 64-bit numbers side by side as texts of 32 hexadecimal digits."""
    return pl.select(pl.concat_str(hexadecimal_64(upper), hexadecimal_64(lower))).to_series()


def halves_of(number: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The upper and the lower 64 bits of 128-bit numbers."""
    return (number // _TWO_64).cast(pl.UInt64), number.cast(pl.UInt64, wrap_numerical=True)


def _from_hexadecimal(carrier: pl.Series, dtype: Any) -> pl.Series:
    return carrier.str.to_integer(base=16, dtype=dtype, strict=False)


def _rank(carrier: pl.Series, _dtype: Any) -> pl.Series:
    return carrier.set(~carrier.str.contains("^[0-9a-f]{80}$"), None)


def _to_iso(column: pl.Series) -> pl.Series:
    return column.dt.strftime(ISO_INSTANT)


def _from_iso(carrier: pl.Series, _dtype: Any) -> pl.Series:
    return carrier.str.to_datetime(ISO_INSTANT, time_unit="us", time_zone="UTC", strict=False)


def _from_microseconds(carrier: pl.Series, dtype: Any) -> pl.Series:
    return carrier.set(~carrier.is_between(YEAR_1_US, YEAR_9999_US), None).cast(dtype)


def _to_base64(column: pl.Series) -> pl.Series:
    return column.bin.encode("base64")


def _from_base64(carrier: pl.Series, _dtype: Any) -> pl.Series:
    return carrier.str.decode("base64", strict=False)


def flag_names(mask: int) -> list[str]:
    """The sorted names of the flags in a bitmask."""
    return sorted(flag.name or "" for flag in Flag(mask))


def _mask(names: str) -> int | None:
    try:
        flags = [Flag[name] for name in msgspec.json.decode(names, type=list[str])]
    except (msgspec.DecodeError, KeyError):
        return None
    return sum({int(flag) for flag in flags})


def _to_names(column: pl.Series) -> pl.Series:
    return by_distinct(column, lambda mask: json.dumps(flag_names(mask), separators=(",", ":")), pl.String)


def _from_names(carrier: pl.Series, dtype: Any) -> pl.Series:
    return by_distinct(carrier, _mask, dtype)


def _checked(python: Any) -> Callable[[pl.Series, Any], pl.Series]:
    """Keep JSON texts as they are where they hold this type; null elsewhere."""
    decoder = msgspec.json.Decoder(python)

    def keep(text: str) -> str | None:
        try:
            decoder.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None
        return text

    return lambda carrier, _dtype: by_distinct(carrier, keep, pl.String)


def _to_spans(column: pl.Series) -> pl.Series:
    lists = column.to_arrow()
    span = pl.Series(lists.values).struct
    ends = [span.field(name) for name in ("first_offset", "last_offset")]
    names = by_distinct(
        span.field("partition").cast(pl.String), lambda name: json.dumps(name, ensure_ascii=False), pl.String
    )
    entries = pl.select(pl.concat_str([names, pl.lit(":["), ends[0], pl.lit(","), ends[1], pl.lit("]")])).to_series()
    texts = pl.concat_str([pl.lit("{"), joined(entries, lists.offsets), pl.lit("}")])
    return pl.select(texts.alias(column.name)).to_series()


def _spans(text: str) -> list[dict[str, Any]] | None:
    try:
        ends = msgspec.json.decode(text, type=dict[str, tuple[Offset, Offset]])
    except msgspec.DecodeError:
        return None
    return [{"partition": name, "first_offset": first, "last_offset": last} for name, (first, last) in ends.items()]


def _from_spans(carrier: pl.Series, _dtype: Any) -> pl.Series:
    read = [None if text is None else _spans(text) for text in carrier.to_list()]
    return pl.Series(carrier.name, read, dtype=LINEAGE)


ARRAY_OF_STRINGS = {"type": "array", "items": "string"}

TEXT = Shape("text", "string", Style.ESCAPED, "string", _same, _cast, str)
KEY_PART = Shape("text without `|`", "string", Style.ESCAPED, "string", _same, _key_part, str)
DECIMAL = Shape("exact decimal; text in Avro", "number", Style.BARE, "string", _as_text, _cast, msgspec.Raw)
VERSION = Shape("unsigned 64-bit number; text in Avro", "number", Style.BARE, "string", _as_text, _cast, msgspec.Raw)
COUNT = Shape("whole number from 0", "number", Style.BARE, "long", _as_number, _cast, Count)
OFFSET = Shape("whole number", "number", Style.BARE, "long", _as_number, _cast, Offset)
SMALL = Shape("whole number, 32 bits", "number", Style.BARE, "long", _as_number, _cast, Small)
INSTANT_US = Shape(
    "instant, µs since the epoch, UTC",
    "number",
    Style.BARE,
    {"type": "long", "logicalType": "timestamp-micros"},
    _as_number,
    _from_microseconds,
    Instant,
)
INSTANT_ISO = Shape("instant, ISO 8601, UTC", "string", Style.QUOTED, "string", _to_iso, _from_iso, str)
DIGITS_39 = Shape("unsigned 128-bit number as 39 digits", "string", Style.QUOTED, "string", digits_128, _cast, str)
DIGEST = Shape("32 hexadecimal digits", "string", Style.QUOTED, "string", hexadecimal_128, _from_hexadecimal, str)
PLAIN = Shape("text of plain ASCII", "string", Style.QUOTED, "string", _same, _cast, str)
RANK = Shape("80 hexadecimal digits", "string", Style.QUOTED, "string", _same, _rank, str)
BYTES = Shape("bytes in base64", "string", Style.QUOTED, "string", _to_base64, _from_base64, str)
NAMES = Shape(
    "sorted names of flags", "array of strings", Style.BARE, ARRAY_OF_STRINGS, _to_names, _from_names, msgspec.Raw
)
TEXTS = Shape(
    "list of texts; JSON text in Avro",
    "array of strings",
    Style.BARE,
    "string",
    _same,
    _checked(list[str]),
    msgspec.Raw,
)
TEXT_MAP = Shape(
    "texts by name; JSON text in Avro", "object", Style.BARE, "string", _same, _checked(dict[str, str]), msgspec.Raw
)
SPANS = Shape(
    "[lowest, highest] raw offset by topic/partition; JSON text in Avro",
    "object",
    Style.BARE,
    "string",
    _to_spans,
    _from_spans,
    msgspec.Raw,
)
