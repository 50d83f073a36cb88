"""
JSON read exactly: every number stays the text it was, every hazard is told by its name.

This reader decides what a message means; the typed one (typed_json.py) is four to ten times faster, reads only what it
is sure of, and leaves the rest to this one.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

MAX_DEPTH = 32
"""Objects and lists nested deeper are refused. Source: contracts.md §1, odd input."""

KEPT_ODDITY_CHARS = 256
"""How much is kept of a list or object that stands where a number should."""

_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INTEGER = re.compile(r"-?[0-9]+")

Members = Mapping[str, Any]


class Number(str):
    """The text of a JSON number, as it stood in the message."""

    __slots__ = ()


def read_value(value: bytes) -> Any:
    """
    Read a message's bytes as one JSON document.

    Returns:
        Dicts, lists, texts, `Number`s, booleans and None; of repeated keys the last counts.

    Raises:
        Unreadable: EMPTY, ENCODING, TOO_DEEP or NOT_JSON.
    """
    if not value.strip():
        raise Unreadable(Reason.EMPTY, "", "nothing but whitespace")
    return read_text(_decoded(value))


def read_text(text: str) -> Any:
    """Read one JSON document, also one that another carries in a string, as `read_value` does."""
    if is_too_deep(text):
        raise Unreadable(Reason.TOO_DEEP, "", f"nested deeper than {MAX_DEPTH}")
    try:
        document = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant)
    except ValueError as error:
        raise Unreadable(Reason.NOT_JSON, "", str(error)) from None
    if _SURROGATE_ESCAPE.search(text):
        _refuse_lone_surrogates(document)
    return document


def is_too_deep(text: str) -> bool:
    """Whether objects and lists nest deeper than `MAX_DEPTH`; brackets within strings do not count."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _NOT_BRACKETS.sub("", _STRINGS.sub("", text)):
        depth += _BRACKET_STEPS[bracket]
        if depth > MAX_DEPTH:
            return True
    return False


def members_of(value: Any, field: str) -> Members:
    """Return a JSON object as it is. Raises Unreadable (BAD_SHAPE) for anything else, `field` naming where it stood."""
    if not isinstance(value, dict):
        raise Unreadable(Reason.BAD_SHAPE, field, f"{field or 'the message'} is not an object")
    return value


def text_of(value: Any) -> str | None:
    """
    Return what stands for a number or a time as text: a string's content, a number's own text, null for null.

    Anything else (true, a list, an object) comes back as JSON text, which no grammar of ours accepts.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    return json.dumps(value)[:KEPT_ODDITY_CHARS]


def is_text(value: Any) -> bool:
    """Whether a value is a JSON string."""
    return isinstance(value, str) and not isinstance(value, Number)


def is_unsaid(value: Any) -> bool:
    """Whether a value says nothing: null, or a text of white space."""
    return value is None or (is_text(value) and not value.strip())


def is_integer(value: Any) -> bool:
    """Whether a value is a JSON number without fraction and exponent."""
    return isinstance(value, Number) and _INTEGER.fullmatch(value) is not None


def name_of(value: Any, field: str) -> str:
    """Return a name as it is. Raises Unreadable (BAD_NAME) unless it is a text with something visible in it and no control characters."""
    if not is_text(value):
        raise Unreadable(Reason.BAD_NAME, field, f"{field} is {'missing' if value is None else 'not a text'}")
    if not value.strip():
        raise Unreadable(Reason.BAD_NAME, field, f"{field} is empty")
    if has_control_characters(value):
        raise Unreadable(Reason.BAD_NAME, field, f"{field} holds control characters")
    return str(value)


def has_control_characters(text: str) -> bool:
    """Whether a text holds characters of Unicode's class Cc."""
    return _CONTROL.search(text) is not None


def _decoded(value: bytes) -> str:
    if value.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\x00" in value[:4]:
        raise Unreadable(Reason.ENCODING, "", "byte order mark, UTF-16 or UTF-32")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(Reason.ENCODING, "", str(error)) from None


def _no_constant(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON number")


def _refuse_lone_surrogates(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Unreadable(Reason.ENCODING, "", "lone surrogate") from None
