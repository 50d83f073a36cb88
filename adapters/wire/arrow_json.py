"""
Rows of Arrow arrays as JSON texts, written column by column.

Each text is what msgspec writes of the same row as Python objects, byte for byte, so whoever reads it can't tell which of
the two wrote it. Only a double that is no finite number is written as a string, because JSON has no such number.
"""

from collections.abc import Iterator, Sequence

import msgspec
import polars as pl
import pyarrow as pa

NULL = "null"
_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'
_BETWEEN_KEYS = "\x00"
_encoded = msgspec.json.Encoder().encode

Piece = str | pl.Series
"""Part of a JSON text: the same in every row, or one text a row."""


class NotWritable(TypeError):
    """An Arrow type that has no one JSON form here: decimals, bytes, instants."""


def json_texts(array: pa.Array) -> pl.Series:
    """
    Write each row of an array as JSON.

    Args:
        array: Of nulls, booleans, integers, doubles, texts, and structs, maps, lists and sparse unions of them. Of a
            key that a map holds twice the last value counts.

    Returns:
        String Series without nulls.

    Raises:
        NotWritable: The array holds another type.
    """
    return _row_texts(_pieces(array), len(array))


def _row_texts(pieces: Iterator[Piece], height: int) -> pl.Series:
    merged = list(_merged(pieces))
    if not any(isinstance(piece, pl.Series) for piece in merged):
        return pl.Series(["".join(map(str, merged))], dtype=pl.String).new_from_index(0, height)
    if len(merged) == 1 and isinstance(merged[0], pl.Series):
        return merged[0]
    return pl.select(pl.concat_str([pl.lit(piece) for piece in merged])).to_series()


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Neighbouring constant pieces as one."""
    constant = ""
    for piece in pieces:
        if isinstance(piece, str):
            constant += piece
            continue
        if constant:
            yield constant
        yield piece
        constant = ""
    if constant:
        yield constant


def _pieces(array: pa.Array) -> Iterator[Piece]:
    if array.null_count == len(array):
        yield NULL
    elif array.null_count:
        texts = _row_texts(_filled_pieces(array), len(array))
        yield texts.zip_with(pl.Series(array.is_valid()), pl.Series([NULL]).new_from_index(0, len(array)))
    else:
        yield from _filled_pieces(array)


def _filled_pieces(array: pa.Array) -> Iterator[Piece]:
    """The pieces of an array, whatever stands for its nulls."""
    if pa.types.is_struct(array.type):
        yield from _struct_pieces(array)
    elif pa.types.is_union(array.type):
        yield _union_texts(array)
    elif pa.types.is_map(array.type):
        yield _map_texts(array)
    elif pa.types.is_list(array.type):
        yield from ("[", joined(json_texts(array.values), array.offsets), "]")
    else:
        yield from _scalar_pieces(pl.Series(array))


def _struct_pieces(array: pa.StructArray) -> Iterator[Piece]:
    opening = "{"
    for place, field in enumerate(array.type):
        yield f"{opening}{_encoded(field.name).decode()}:"
        yield from _pieces(array.field(place))
        opening = ","
    yield "}"


def _map_texts(array: pa.MapArray) -> pl.Series:
    keys = pl.Series(array.keys)
    if _any_repeated(_listed(keys, array.offsets)):
        entries = zip(_rows(json_texts(array.keys), array), _rows(json_texts(array.items), array), strict=True)
        return pl.Series([_object(names, values) for names, values in entries], dtype=pl.String)
    texts = _row_texts(_entry_pieces(array), len(keys))
    return _row_texts(iter(("{", joined(texts, array.offsets), "}")), len(array))


def _entry_pieces(array: pa.MapArray) -> Iterator[Piece]:
    yield from _pieces(array.keys)
    yield ":"
    yield from _pieces(array.items)


def _any_repeated(keys: pl.Series) -> bool:
    """Whether a row may hold a key twice. Rows have few distinct sequences of keys, so each of those is looked at once."""
    sequences = keys.list.join(_BETWEEN_KEYS).unique().to_list()
    return any(len(set(names)) < len(names) for names in (sequence.split(_BETWEEN_KEYS) for sequence in sequences))


def _rows(texts: pl.Series, array: pa.MapArray) -> list[list[str]]:
    rows: list[list[str]] = _listed(texts, array.offsets).to_list()
    return rows


def _object(names: Sequence[str], values: Sequence[str]) -> str:
    members = dict(zip(names, values, strict=True))
    return "{" + ",".join(f"{name}:{value}" for name, value in members.items()) + "}"


def joined(texts: pl.Series, offsets: pa.Array) -> pl.Series:
    """The texts of each row, those between its offsets, with commas between them."""
    return _listed(texts, offsets).list.join(",")


def _listed(texts: pl.Series, offsets: pa.Array) -> pl.Series:
    """The same as lists."""
    return pl.Series(pa.LargeListArray.from_arrays(offsets.cast(pa.int64()), texts.to_arrow()))


def _union_texts(array: pa.UnionArray) -> pl.Series:
    """Rows of each kind are written by themselves, then put back in order."""
    kinds = pl.Series(array.type_codes)
    texts, places = [], []
    for kind in range(array.type.num_fields):
        chosen = kinds == kind
        if chosen.any():
            member = array.field(kind)
            texts.append(json_texts(member if chosen.all() else member.filter(chosen.to_arrow())))
            places.append(chosen.arg_true())
    return texts[0] if len(texts) == 1 else pl.concat(texts)[pl.concat(places).arg_sort()]


def _scalar_pieces(values: pl.Series) -> Iterator[Piece]:
    if values.dtype == pl.String:
        yield from _text_pieces(values)
    elif values.dtype.is_float():
        yield _double_texts(values)
    elif values.dtype.is_integer() or values.dtype == pl.Boolean:
        yield values.cast(pl.String)
    else:
        raise NotWritable(f"{values.dtype} has no JSON form here")


def _text_pieces(texts: pl.Series) -> Iterator[Piece]:
    first = texts.first()
    if first is not None and first == texts.last() and (texts == first).all():
        yield _encoded(first).decode()
    elif texts.str.contains(_NEEDS_ESCAPE).any():
        yield pl.Series(list(map(_encoded, texts)), dtype=pl.Binary).cast(pl.String)
    else:
        yield from ('"', texts, '"')


def _double_texts(values: pl.Series) -> pl.Series:
    doubles: list[float | str | None] = values.to_list()
    for place in (~values.is_finite()).arg_true():
        doubles[place] = str(doubles[place])
    return pl.Series(_encoded(doubles)[1:-1].decode().split(","), dtype=pl.String)
