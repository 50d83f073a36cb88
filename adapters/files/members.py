"""
The members of a JSON object as bytes, whatever is written in them.

A parser gives up on a whole line for one odd thing in it. This knows only strings and brackets, and recurses nowhere, so
a line falls apart into its members even where one of them nests too deep, or holds a lone surrogate or no JSON at all.
"""

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,"]', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}


class NoObject(ValueError):
    """A text whose strings and brackets do not make up one object."""


def members_in(text: bytes) -> Mapping[bytes, bytes]:
    """
    Cut an object into its members.

    Returns:
        The exact text of each value by that of its key, quotes included; of repeated keys the last counts.

    Raises:
        NoObject: A bracket or quote is open at the end or closes nothing, or something stands around the object.
    """
    text = text.strip()
    if not text.startswith(b"{"):
        raise NoObject("no object begins here")
    members: dict[bytes, bytes] = {}
    key, begin = b"", 1
    for mark in _outermost(text):
        said, begin_next = text[begin : mark.start()].strip(), mark.end()
        if mark[0] != b":":
            members[key] = said
            key, begin = b"", begin_next
        elif not key:
            key, begin = said, begin_next
    if begin < len(text):
        raise NoObject("the object doesn't end where the text does")
    return members


def _outermost(text: bytes) -> Iterator[re.Match[bytes]]:
    """The colons and commas between the outermost brackets, and the bracket that closes these."""
    due: list[bytes] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == b'"':
            raise NoObject("a quote is never closed")
        if mark in _CLOSING:
            due.append(_CLOSING[mark])
        elif mark in _CLOSING.values() and (not due or due.pop() != mark):
            raise NoObject("a bracket closes nothing")
        if not due:
            yield token
            return
        if len(due) == 1 and mark in {b":", b","}:
            yield token
    raise NoObject("a bracket is never closed")
