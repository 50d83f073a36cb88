"""
One line of a file of raw messages.

It is `{"topic", "partition", "offset", "key", "timestamp_ms", "value" | "value_b64"}`, with an `id` where it has one. The
message is the exact text of `value`, so number texts and repeated keys survive. `timestamp_ms` absent, null or -1 says
nothing; `key` and `id` may be numbers. What `value` holds is the decoder's to judge, however odd it is.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Annotated

import msgspec

from adapters.files.members import NoObject, members_in

NO_TIMESTAMP_MS = -1
"""How Kafka's own tools write that a record has none."""

_Partition = Annotated[int, msgspec.Meta(ge=0, lt=10_000)]
_Offset = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=-1, lt=2**52)]
_Text = str | int | float | None


class BadLine(ValueError):
    """A line that is no raw message; the text says why, its subject being the line."""


class Where(msgspec.Struct, gc=False):
    """The coordinates of a line alone."""

    topic: str
    partition: _Partition | None = None
    offset: _Offset | None = None
    timestamp_ms: _Milliseconds | None = None

    def recorded_us(self) -> int | None:
        """The time of the record; None where the line says nothing."""
        return None if self.timestamp_ms in (None, NO_TIMESTAMP_MS) else self.timestamp_ms * 1000


class Line(Where, gc=False):
    """A line."""

    key: _Text = None
    value: msgspec.Raw = msgspec.Raw(b"")
    value_b64: str | msgspec.UnsetType | None = msgspec.UNSET
    id: _Text = None

    def message(self) -> bytes | None:
        """
        The message; None for a tombstone.

        Raises:
            BadLine: The line carries none.
        """
        if self.value_b64 is msgspec.UNSET:
            if not bytes(self.value):
                raise BadLine("has neither value nor value_b64; a line carries its message in one of them")
            return bytes(self.value)
        if self.value_b64 is None:
            return None
        try:
            return b64decode(self.value_b64, validate=True)
        except (NotBase64, ValueError) as error:
            raise BadLine(f"is no raw message: value_b64 is not base64 ({error})") from error


_LINE = msgspec.json.Decoder(Line)
_WHERE = msgspec.json.Decoder(Where)
_FIELDS = {b'"%b"' % name.encode() for name in Line.__struct_fields__}
_VALUE = b'"value"'
_ODD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def line_of(text: bytes) -> Line:
    """Read a line. Raises BadLine."""
    try:
        return _LINE.decode(text)
    except _ODD as error:
        return _cut_out(text, error)


def where_of(text: bytes) -> Where:
    """Read where a line belongs, passing over what it carries. Raises BadLine."""
    try:
        return _WHERE.decode(text)
    except _ODD as error:
        return _cut_out(text, error)


def _cut_out(text: bytes, odd: Exception) -> Line:
    """Read a line whose value, or a field that is not known, no parser gets through."""
    try:
        members = {field: said for field, said in members_in(text).items() if field in _FIELDS}
        value = members.pop(_VALUE, b"")
        line = _LINE.decode(b"{%b}" % b",".join(b"%b:%b" % member for member in members.items()))
    except (*_ODD, NoObject):
        raise BadLine(f"is no raw message ({odd}); a line is a JSON object with at least topic and value") from odd
    line.value = msgspec.Raw(value)
    return line
