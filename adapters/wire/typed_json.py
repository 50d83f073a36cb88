"""
JSON read fast: messages of a known form, straight into typed records.

msgspec checks the syntax of every byte, also of what it skips, but for two things checked here: UTF-8 in skipped texts,
and depth. The first attempt therefore forbids fields it does not know, so nothing can nest; only a message that has
such fields pays for counting its brackets. Whatever this reader raises, `exact_json` finds out why.
"""

from collections.abc import Callable, Mapping, Sequence
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


class Unsure(DataprocError):
    """A message the fast reader leaves to the exact one."""


UNSURE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unsure)
"""What reading fast raises where the exact reader has to look."""

values_of: Callable[[Any], tuple[Any, ...]] = msgspec.structs.astuple
"""The fields of a record, in order."""


def record(name: str, fields: Mapping[str, Any], *, strict: bool, tag: str = "") -> Any:
    """
    Make the type of a record whose absent fields are None (NUMBER: no bytes).

    Args:
        name: For error messages.
        fields: Field names and types, in the order of `values_of`.
        strict: Refuse fields that are not named here.
        tag: Where given, the record is recognised by this `data_type`.
    """
    declared = [(field, of, msgspec.Raw() if of is NUMBER else None) for field, of in fields.items()]
    tagged = {"tag_field": "data_type", "tag": tag} if tag else {}
    return msgspec.defstruct(name, declared, gc=False, forbid_unknown_fields=strict, **tagged)  # type: ignore[arg-type]


def one_of(records: Sequence[Any]) -> Any:
    """The type of a field that holds one of several tagged records."""
    return Union[tuple(records)]  # noqa: UP007 the members are known at run time only


def list_of(of: Any) -> Any:
    """The type of a list of records."""
    return list[of]


def reader_of(make: Callable[[bool], Any]) -> Callable[[bytes | str], Any]:
    """
    Make a reader of one form.

    Args:
        make: Returns the form's type, refusing unknown fields or not.

    Returns:
        A function from JSON to a record of that type, which raises one of `UNSURE`.
    """
    strict = msgspec.json.Decoder(make(True)).decode
    lenient = msgspec.json.Decoder(make(False)).decode

    def read(text: bytes | str) -> Any:
        if not text.isascii():
            _refuse_bad_utf8(text)
        try:
            return strict(text)
        except msgspec.ValidationError:
            _refuse_depth(text)
            return lenient(text)

    return read


def number_texts(numbers: list[Any]) -> tuple[pl.Series, list[int]]:
    """
    Turn NUMBER fields into texts, all at once.

    Returns:
        String Series: a number's own text, a string's content, null where null or absent; and the positions of lists,
        objects and escapes, for the exact reader.
    """
    joined = b"\n".join(numbers).decode()
    unsure: list[int] = []
    if "\\" in joined or "[" in joined or "{" in joined:
        unsure = [place for place, number in enumerate(numbers) if not _is_plain(bytes(number))]
        plain = list(numbers)
        for place in unsure:
            plain[place] = b""
        joined = b"\n".join(plain).decode()
    texts = joined.split("\n")
    if '"' in joined or "null" in joined or "\n\n" in f"\n{joined}\n":
        return pl.Series([None if text in _NO_NUMBER else text.strip('"') for text in texts], dtype=pl.String), unsure
    return pl.Series(texts, dtype=pl.String), unsure


_NO_NUMBER = ("null", "")


def _is_plain(number: bytes) -> bool:
    return not number.startswith((b"[", b"{")) and b"\\" not in number


def _refuse_bad_utf8(text: bytes | str) -> None:
    if isinstance(text, bytes):
        text.decode()


def _refuse_depth(text: bytes | str) -> None:
    if is_too_deep(text if isinstance(text, str) else text.decode()):
        raise Unsure
