"""JSON read fast."""

import msgspec
import pytest

from adapters.wire.typed_json import (
    NUMBER,
    TEXT,
    UNSURE,
    columns_of,
    message_reader_of,
    number_texts,
    reader_of,
    record,
)

READ = message_reader_of(lambda strict: record("form", {"name": TEXT, "number": NUMBER}, strict=strict))


def test_fields_come_in_the_order_declared() -> None:
    names, numbers = columns_of(READ([b'{"number": 1.50, "name": "n"}', b'{"name": "m"}']))
    assert (names, [bytes(number) for number in numbers]) == (("n", "m"), [b"1.50", b""])


def test_unknown_fields_are_skipped() -> None:
    known, new = READ([b'{"name": "n"}', b'{"name": "m", "new": [{"a": 1}]}'])
    assert (known.name, new.name) == ("n", "m")


def test_a_record_within_is_there_also_where_it_is_absent() -> None:
    inner = record("inner", {"name": TEXT}, strict=True)
    (found,) = reader_of(lambda strict: record("outer", {"inner": inner}, strict=strict))([b"{}"])
    assert found.inner.name is None


def test_a_needed_field_must_be_there() -> None:
    read = reader_of(lambda strict: record("form", {"name": str}, strict=strict, needed=["name"]))
    with pytest.raises(UNSURE):
        read([b"{}"])


@pytest.mark.parametrize(
    "text",
    [
        b'{"name": 5}',
        b'{"name": "n"',
        b'{"name": "n", "new": "\xff"}',
        b'{"name": "\xff"}',
        b'{"name": "n", "new": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"new": ' + b"[" * 100_000,
        b'{"name": "\\ud800"}',
        b'{"number": "\xff", "number": 1}',
    ],
)
def test_what_it_is_not_sure_of(text: bytes) -> None:
    with pytest.raises(UNSURE):
        READ([b'{"name": "n"}', text])


def test_texts_beyond_ascii_are_read() -> None:
    read = reader_of(lambda strict: record("form", {"name": TEXT}, strict=strict))
    assert [found.name for found in read(['{"name": "é"}', '{"name": "é"}'.encode()])] == ["é", "é"]
    assert [found.name for found in READ(['{"name": "é"}'.encode()])] == ["é"]


def texts_of(*numbers: bytes) -> tuple[list[str | None], list[int]]:
    texts, unsure = number_texts([msgspec.Raw(number) for number in numbers])
    return texts.to_list(), unsure


def test_numbers_become_texts_all_at_once() -> None:
    assert texts_of(b"1.50", b"-3", b"1e400") == (["1.50", "-3", "1e400"], [])
    assert texts_of(b'"1.50"', b"null", b"", b"true", b'""', b'"null"') == (
        ["1.50", None, None, "true", "", "null"],
        [],
    )


def test_nothing_but_nulls() -> None:
    assert texts_of(b"null", b"null") == ([None, None], [])


def test_lists_objects_escapes_and_other_alphabets_are_for_the_exact_reader() -> None:
    texts, unsure = texts_of(b"1", b"[\n1]", b'{"a":\n1}', b'"\\u0031"', b'"[2"', b'"\xff"')
    assert (unsure, texts[0], texts[4]) == ([1, 2, 3, 5], "1", "[2")
