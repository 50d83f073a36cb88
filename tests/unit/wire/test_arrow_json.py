"""Arrow columns as JSON texts are what msgspec writes of the same rows."""

from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.arrow_json import NotWritable, json_texts

TEXTS = st.lists(st.none() | st.text(max_size=6), max_size=6)
ROW = pa.struct(
    [
        ('na"me', pa.string()),
        ("doubles", pa.list_(pa.float64())),
        ("counts", pa.map_(pa.string(), pa.int64())),
        ("inner", pa.struct([("yes", pa.bool_())])),
        ("nothing", pa.null()),
    ]
)


def written(values: list[Any], kind: pa.DataType) -> list[str]:
    return json_texts(pa.array(values, type=kind)).to_list()


def expected(values: list[Any]) -> list[str]:
    return [msgspec.json.encode(value).decode() for value in values]


@given(values=TEXTS)
def test_texts(values: list[str | None]) -> None:
    assert written(values, pa.string()) == expected(values)


def test_every_character_is_escaped_as_elsewhere() -> None:
    characters = [chr(point) for point in range(0x20000) if not 0xD800 <= point < 0xE000]
    assert written(characters, pa.string()) == expected(characters)
    alone = [text for character in characters[:0x300] for text in written([character, "x"], pa.string())[:1]]
    assert alone == expected(characters[:0x300])


@given(values=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)))
def test_doubles(values: list[float | None]) -> None:
    assert written(values, pa.float64()) == expected(values)


@given(values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers(values: list[int | None]) -> None:
    assert written(values, pa.int64()) == expected(values)


def test_doubles_that_are_no_numbers_become_texts() -> None:
    assert written([float("nan"), 1.5, float("-inf"), None], pa.float64()) == ['"nan"', "1.5", '"-inf"', "null"]


@given(
    rows=st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                'na"me': st.none() | st.text(max_size=3),
                "doubles": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=2),
                "counts": st.none() | st.dictionaries(st.text(max_size=2), st.none() | st.integers(0, 9), max_size=3),
                "nothing": st.none(),
                "inner": st.none() | st.fixed_dictionaries({"yes": st.booleans()}),
            }
        ),
        max_size=5,
    )
)
def test_rows_with_all_of_it(rows: list[Any]) -> None:
    given_rows = [
        row and row | {"counts": None if row["counts"] is None else list(row["counts"].items())} for row in rows
    ]
    in_order = [row and {field.name: row[field.name] for field in ROW} for row in rows]
    assert written(given_rows, ROW) == expected(in_order)


def test_of_a_key_a_map_holds_twice_the_last_value_counts() -> None:
    maps = [[("a", 1), ("b", 2), ("a", 3)], [], [("a", 1)]]
    assert written(maps, pa.map_(pa.string(), pa.int64())) == ['{"a":3,"b":2}', "{}", '{"a":1}']


@pytest.mark.parametrize(("kinds", "texts"), [([0, 1, 0], ["1", '"b"', "3"]), ([1, 1, 1], ['"a"', '"b"', '"c"'])])
def test_each_row_of_a_union_is_of_its_kind(kinds: list[int], texts: list[str]) -> None:
    members = [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    assert json_texts(pa.UnionArray.from_sparse(pa.array(kinds, pa.int8()), members)).to_list() == texts


def test_other_types_are_refused() -> None:
    with pytest.raises(NotWritable, match="Binary"):
        json_texts(pa.array([b"bytes"]))
