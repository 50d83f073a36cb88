"""
JSON read fast: messages of a known form, straight into typed records.

msgspec checks the syntax of every byte, also of what it skips, but for two things checked here: UTF-8 in skipped texts,
and depth. The first attempt therefore forbids fields it does not know, so nothing is skipped and nothing can nest but
what stands under a number's key that is repeated; only a message that has unknown fields or other alphabets pays for
the two checks. Whatever this reader raises, `exact_json` finds out why.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union

import msgspec
import polars as pl

from adapters.wire.exact_json import is_too_deep
from domain.errors import DataprocError

TEXT: Any = str | None
NUMBER: Any = msgspec.Raw
"""A number or a text, kept as the bytes it was; read with `number_texts`."""
SCALAR: Any = str | int | float | bool | None
"""A field that is known and not needed."""
COUNT: Any = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
ABSENT: Any = msgspec.UnsetType
"""A field that says by being there, whatever it holds, that the message is for the exact reader."""


class Unsure(DataprocError):
    """A message the fast reader leaves to the exact one."""


UNSURE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unsure)
"""What reading fast raises where the exact reader has to look."""

_values_of = msgspec.structs.astuple


def columns_of(records: Iterable[Any]) -> Sequence[tuple[Any, ...]]:
    """The fields of records of one type, at least one of them, as columns in the order of the fields."""
    return list(zip(*map(_values_of, records), strict=True))


def record(name: str, fields: Mapping[str, Any], *, strict: bool, tag: str = "", needed: Collection[str] = ()) -> Any:
    """
    Make the type of a record whose absent fields are None (NUMBER: no bytes; a record: one without fields).

    Args:
        name: For error messages.
        fields: Field names and types, in the order of `columns_of`; read fastest in the order the messages have them.
        strict: Refuse fields that are not named here.
        tag: Where given, the record is recognised by this `data_type`.
        needed: Fields that must be there.
    """
    declared = [(field, of) if field in needed else (field, of, _absent(of)) for field, of in fields.items()]
    tagged = {"tag_field": "data_type", "tag": tag} if tag else {}
    return msgspec.defstruct(
        name,
        declared,
        gc=False,
        kw_only=True,
        forbid_unknown_fields=strict,
        **tagged,  # type: ignore[arg-type]
    )


def _absent(of: Any) -> Any:
    if of is NUMBER:
        return msgspec.Raw()
    if of is ABSENT:
        return msgspec.UNSET
    return msgspec.field(default_factory=of) if isinstance(of, type(msgspec.Struct)) else None


def one_of(records: Sequence[Any]) -> Any:
    """The type of a field that holds one of several tagged records."""
    return Union[tuple(records)]  # noqa: UP007 the members are known at run time only


def list_of(of: Any) -> Any:
    """The type of a list of records."""
    return list[of]


def message_reader_of(make: Callable[[bool], Any]) -> Callable[[Sequence[bytes]], list[Any]]:
    """As `reader_of`, of whole messages, which may hold NUMBERs."""
    read = reader_of(make)

    def read_messages(texts: Sequence[bytes]) -> list[Any]:
        found = read(texts)
        if not all(map(bytes.isascii, texts)):
            for text in texts:
                _refuse_hidden_hazards(text)
        return found

    return read_messages


def reader_of(make: Callable[[bool], Any]) -> Callable[[Sequence[bytes | str]], list[Any]]:
    """
    Make a reader of one form without NUMBERs.

    Args:
        make: Returns the form's type, refusing unknown fields or not.

    Returns:
        A function from JSON texts to records of that type, which raises one of `UNSURE` where any of them asks for a
        closer look.
    """
    strict = msgspec.json.Decoder(make(True)).decode
    lenient = msgspec.json.Decoder(make(False)).decode

    def read_leniently(text: bytes | str) -> Any:
        try:
            return strict(text)
        except msgspec.ValidationError:
            _refuse_hidden_hazards(text)
            return lenient(text)

    def read(texts: Sequence[bytes | str]) -> list[Any]:
        try:
            return list(map(strict, texts))
        except msgspec.ValidationError:
            return list(map(read_leniently, texts))

    return read


def number_texts(numbers: Sequence[Any]) -> tuple[pl.Series, list[int]]:
    """
    Turn NUMBER fields into texts, all at once.

    Returns:
        String Series: a number's own text, a string's content, null where null or absent; and the positions of lists,
        objects, escapes and bytes that are no UTF-8, for the exact reader.
    """
    joined = b"\n".join(numbers)
    odd = joined.translate(None, _OF_NUMBERS)
    if odd == b"null" * len(numbers):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(numbers)), []
    if not odd and b"\n\n" not in b"\n%b\n" % joined:
        return pl.Series(joined.decode().split("\n"), dtype=pl.String), []
    unsure = [place for place, number in enumerate(numbers) if not _is_plain(bytes(number))]
    plain = list(numbers)
    for place in unsure:
        plain[place] = b""
    texts = b"\n".join(plain).decode().split("\n")
    return pl.Series([None if text in _NO_NUMBER else text.strip('"') for text in texts], dtype=pl.String), unsure


_OF_NUMBERS = b"0123456789.-+eE\n"
_NO_NUMBER = ("null", "")


def _is_plain(number: bytes) -> bool:
    return number.isascii() and not number.startswith((b"[", b"{")) and b"\\" not in number


def _refuse_hidden_hazards(text: bytes | str) -> None:
    """What is skipped is not checked for UTF-8, nor for its depth."""
    if is_too_deep(text if isinstance(text, str) else text.decode()):
        raise Unsure
