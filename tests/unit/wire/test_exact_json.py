"""JSON read exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.exact_json import MAX_DEPTH, Number, is_integer, is_too_deep, name_of, read_text, read_value, text_of
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("text", ["1", "-0", "1.50", "1e400", "0.1234567890123456789", "1E+2"])
def test_numbers_keep_their_digits(text: str) -> None:
    assert read_text(f"[{text}]") == [Number(text)]


def test_a_text_is_told_from_a_number() -> None:
    assert [is_integer(value) for value in read_text('[5, "5", 5.0, -5, 5e0, true]')] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("a", "a"), (Number("1.0"), "1.0"), (True, "true"), ([], "[]"), ({}, "{}")]
)
def test_texts_of_values(value: object, text: str | None) -> None:
    assert text_of(value) == text


def test_what_is_no_number_is_kept_short() -> None:
    assert len(text_of(["x" * 10_000]) or "") == 256


@given(JSON)
def test_depth_is_that_of_the_document(document: object) -> None:
    def depth(value: object) -> int:
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if members is None else 1 + max(map(depth, members), default=0)

    wrapped: object = document
    for _ in range(MAX_DEPTH - 2):
        wrapped = [wrapped, "[{"]
    assert is_too_deep(json.dumps(wrapped)) == (depth(wrapped) > MAX_DEPTH)


def test_many_brackets_side_by_side_are_no_depth() -> None:
    assert not is_too_deep("[" + "[]," * 1000 + "[]]")


def test_an_escaped_pair_of_surrogates_is_a_character() -> None:
    assert read_value(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


@pytest.mark.parametrize("value", [b'["\\ud83d"]', b'["\\ude00\\ud83d"]', b'{"\\udfff": 1}'])
def test_lone_surrogates_are_refused(value: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read_value(value)
    assert refused.value.reason == Reason.ENCODING


@pytest.mark.parametrize("name", ["A", " A", "é", "a b", "\u200b", "\U0001f50c"])
def test_names(name: str) -> None:
    assert name_of(name, "node") == name
