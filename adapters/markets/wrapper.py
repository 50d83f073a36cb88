"""Wrapped payloads (variant A): the source's own rows as a text, with its checksum and a connector's summary beside it."""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import attrs

from adapters.markets.reading import Values
from adapters.markets.typed_payload import ENVELOPE, envelope_columns
from adapters.wire.exact_json import Members, is_text, text_of
from adapters.wire.typed_json import COUNT, SCALAR, TEXT, Unsure, record
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

Texts = Sequence[str | None]


@attrs.frozen(kw_only=True)
class Wrapped:
    """What the fast reader takes from wrapped messages: columns, one row a message."""

    envelope: Sequence[Sequence[Any]]
    """As `columns.ENVELOPE` has them."""
    market: Texts
    sequence: Sequence[int | None]
    texts: Sequence[str]
    """The sources' own."""
    metadata: Sequence[Any]
    """Typed records."""


_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LONGEST_NUMBER = 64


def message_type(name: str, metadata: Any, *, strict: bool) -> Any:
    """The type of a message whose payload is a wrapper with this metadata, its fields as connectors order them."""
    fields = {
        "source_system": TEXT,
        "market": TEXT,
        "symbol": SCALAR,
        "sequence": COUNT,
        "received_at": SCALAR,
        "raw_payload": str,
        "encoding": SCALAR,
        "metadata": metadata,
        "retry_count": SCALAR,
        "checksum": TEXT,
    }
    payload = record(f"{name}_payload", fields, strict=strict, needed=["raw_payload"])
    return record(name, {**ENVELOPE, "payload": payload}, strict=strict, needed=["payload"])


def read_wrapped(decode: Callable[[Sequence[Any]], Sequence[Any]], values: Values, events: Sequence[int]) -> Wrapped:
    """
    Read messages of a `message_type`, all or, where one is odd or has a wrong checksum, none.

    Raises:
        One of UNSURE: One is odd.
    """
    messages = decode([values[event] for event in events])
    payloads = [message.payload for message in messages]
    texts = [payload.raw_payload for payload in payloads]
    checksums = [payload.checksum for payload in payloads]
    if checksums != [sha256(text.encode()).hexdigest() for text in texts] and any(map(is_wrong, checksums, texts)):
        raise Unsure
    systems = first_said([payload.source_system for payload in payloads], [message.producer for message in messages])
    return Wrapped(
        envelope=envelope_columns(events, messages, systems),
        market=[payload.market for payload in payloads],
        sequence=[payload.sequence for payload in payloads],
        texts=texts,
        metadata=[payload.metadata for payload in payloads],
    )


def first_said(one: Texts, other: Iterable[str | None]) -> Texts:
    """Of two statements the first, where it is not blank."""
    return one if all(one) else [stated or instead for stated, instead in zip(one, other, strict=False)]


def refuse_contradictions(stated: Texts, given: Texts) -> None:
    """Raise Unsure where any of one column's texts differs from the other's."""
    if list(stated) == list(given):
        return
    different = {pair for pair in zip(stated, given, strict=True) if pair[0] != pair[1]}
    if any(differs(summary, fact) for summary, fact in different):
        raise Unsure


def raw_text(payload: Members) -> str:
    """Return the source's own text. Raises Unreadable (BAD_SHAPE, CHECKSUM_MISMATCH)."""
    text: Any = payload.get("raw_payload")
    if not is_text(text) or not text.strip():
        raise Unreadable(Reason.BAD_SHAPE, "raw_payload", "raw_payload is no text with rows")
    if is_wrong(text_of(payload.get("checksum")), text):
        raise Unreadable(Reason.CHECKSUM_MISMATCH, "checksum", "raw_payload is not what the connector read")
    return str(text)


def is_wrong(checksum: str | None, text: str) -> bool:
    """Whether a checksum is stated and is not the SHA-256 of a text's UTF-8 bytes, in hexadecimal of either case."""
    return checksum is not None and checksum.lower() != sha256(text.encode()).hexdigest()


def sequence_text(*stated: Any) -> str | None:
    """Of several statements of a sequence the first that is not blank, as text; None where none is."""
    texts = (text_of(value) for value in stated)
    return next((text for text in texts if text is not None and text.strip()), None)


def contradicts(summary: Any, row: Any) -> bool:
    """Whether a connector's summary of a value says something else than the source's row. Absent or blank says nothing."""
    return differs(text_of(summary), text_of(row))


def differs(stated: str | None, given: str | None) -> bool:
    """Whether two texts say different things: neither is blank, and they are not one number."""
    return stated != given and bool(stated and given) and not same_number(stated, given)


def same_number(one: str | None, other: str | None) -> bool:
    """Whether two texts are one number, e.g. `0` and `0.0`."""
    if (
        other and other.isdecimal() and one == other + ".0"
    ):  # how floats write whole numbers: most of CAISO's congestion
        return True
    return _is_number(one) and _is_number(other) and Decimal(one or "") == Decimal(other or "")


def _is_number(text: str | None) -> bool:
    return text is not None and len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None
