"""JSON read fast."""

import msgspec
import pytest

from adapters.wire.typed_json import NUMBER, TEXT, UNSURE, number_texts, reader_of, record, values_of

READ = reader_of(lambda strict: record("form", {"name": TEXT, "number": NUMBER}, strict=strict))


def test_fields_come_in_the_order_declared() -> None:
    name, number = values_of(READ(b'{"number": 1.50, "name": "n"}'))
    assert (name, bytes(number)) == ("n", b"1.50")


def test_unknown_fields_are_skipped() -> None:
    assert READ(b'{"name": "n", "new": [{"a": 1}]}').name == "n"


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
    ],
)
def test_what_it_is_not_sure_of(text: bytes) -> None:
    with pytest.raises(UNSURE):
        READ(text)


def test_texts_beyond_ascii_are_read() -> None:
    assert (READ('{"name": "é"}').name, READ('{"name": "é"}'.encode()).name) == ("é", "é")


def texts_of(*numbers: bytes) -> tuple[list[str | None], list[int]]:
    texts, unsure = number_texts([msgspec.Raw(number) for number in numbers])
    return texts.to_list(), unsure


def test_numbers_become_texts_all_at_once() -> None:
    assert texts_of(b"1.50", b"-3", b"1e400") == (["1.50", "-3", "1e400"], [])
    assert texts_of(b'"1.50"', b"null", b"", b"true", b'""', b'"null"') == (
        ["1.50", None, None, "true", "", "null"],
        [],
    )


def test_lists_objects_and_escapes_are_for_the_exact_reader() -> None:
    texts, unsure = texts_of(b"1", b"[\n1]", b'{"a":\n1}', b'"\\u0031"', b'"[2"')
    assert (unsure, texts[0], texts[4]) == ([1, 2, 3], "1", "[2")
