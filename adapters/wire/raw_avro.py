"""
Raw messages as Confluent-framed Avro: a zero byte, four bytes of schema id, the body.

A body is read only with the schema it was written with, because another one returns plausible garbage; and it must be
used up to its last byte. It then goes on as the JSON text it stands for, so that one reader decides what it means.
Many are read at once where that is sure to give the same texts (avro_bulk.py), else one by one.
What an id stands for is asked once (raw_schemas.py): a registry, or the files of schemas/registry.json.
"""

import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import fastavro
import msgspec

from adapters.wire.avro_bulk import BulkAvro, is_plain
from adapters.wire.raw_schemas import SchemasInHand, SchemaSource
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

MAGIC = b"\x00"
HEADER_BYTES = 5
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

# Everything a body that was not written with its schema makes the reader raise; it sits on a buffer, so no length in it
# can take more memory than the message has bytes.
_BROKEN = (
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    fastavro.schema.SchemaParseException,
)


@attrs.frozen
class _Writer:
    """What a schema's messages are read with, one by one and many at once."""

    schema: Any
    bulk: BulkAvro | None

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> "_Writer":
        return cls(fastavro.parse_schema(dict(schema)), BulkAvro(schema) if is_plain(schema) else None)


class RawAvro:
    """Reads raw messages written with the schemas that a source knows. What it was told of an id, it keeps."""

    def __init__(self, schemas: SchemaSource) -> None:
        """Take who knows the writers' schemas."""
        self._schemas = schemas
        self._known: dict[int, _Writer | Unreadable] = {}

    @classmethod
    def of_files(cls) -> "RawAvro":
        """Reads messages whose schemas lie beside this file."""
        return cls(SchemasInHand.of_files())

    def all_to_json(self, values: Mapping[int, bytes]) -> tuple[Mapping[int, bytes], Mapping[int, Unreadable]]:
        """
        Turn framed messages into JSON as `to_json` does, given and returned by position.

        Returns:
            The texts, and why the other messages have none.

        Raises:
            Retryable: The registry of schemas does not answer.
        """
        texts: dict[int, bytes] = {}
        unreadable: dict[int, Unreadable] = {}
        for header, places in _by_header(values).items():
            try:
                writer = self._writer(header)
            except Unreadable as why:
                unreadable |= dict.fromkeys(places, why)
                continue
            for place, text in _in_bulk(writer, values, places):
                try:
                    texts[place] = text or _one_to_json(writer, values[place])
                except Unreadable as why:
                    unreadable[place] = why
        return texts, unreadable

    def to_json(self, value: bytes) -> bytes:
        """
        Turn a framed message into the JSON it stands for. Doubles become the shortest text that means the same double.

        Raises:
            Unreadable: UNKNOWN_SCHEMA, ENCODING, or BAD_SHAPE where the body is not of its schema.
            Retryable: The registry of schemas does not answer.
        """
        return _one_to_json(self._writer(value[:HEADER_BYTES]), value)

    def _writer(self, header: bytes) -> _Writer:
        number = int.from_bytes(header[1:], "big")
        known = self._known.get(number) if len(header) == HEADER_BYTES else _no_schema(header)
        if known is None:
            known = self._asked(number)
            if known is None:
                # Not kept: who registers a schema late is understood from then on.
                raise _no_schema(header)
            self._known[number] = known
        if isinstance(known, Unreadable):
            raise Unreadable(known.reason, known.field, known.message)
        return known

    def _asked(self, number: int) -> _Writer | Unreadable | None:
        try:
            schema = self._schemas.of(number)
        except Unreadable as why:
            return why
        return None if schema is None else _Writer.of(schema)


def _by_header(values: Mapping[int, bytes]) -> Mapping[bytes, Sequence[int]]:
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, value in values.items():
        places[value[:HEADER_BYTES]].append(place)
    return places


def _in_bulk(writer: _Writer, values: Mapping[int, bytes], places: Sequence[int]) -> Iterable[tuple[int, bytes | None]]:
    """The texts of those that can be read together; None for those to be read one by one."""
    if not writer.bulk:
        return ((place, None) for place in places)
    return zip(places, writer.bulk.json_of([values[place][HEADER_BYTES:] for place in places]), strict=True)


def _one_to_json(writer: _Writer, value: bytes) -> bytes:
    return msgspec.json.encode(_finite(_read(writer.schema, value)))


def _no_schema(header: bytes) -> Unreadable:
    return Unreadable(Reason.UNKNOWN_SCHEMA, "", f"no schema for the header {header.hex()}")


def _read(schema: Any, value: bytes) -> Any:
    body = io.BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        record = fastavro.schemaless_reader(body, schema)
    except UnicodeDecodeError as error:
        raise Unreadable(Reason.ENCODING, "", str(error)) from None
    except _BROKEN as error:
        raise Unreadable(Reason.BAD_SHAPE, "", _told(error)) from None
    if body.tell() != len(value):
        raise Unreadable(Reason.BAD_SHAPE, "", f"{len(value) - body.tell()} bytes after the record")
    return record


def _told(error: Exception) -> str:
    """What is wrong with a body, in the same words whenever it is read."""
    return f"not of its schema: {type(error).__name__}: {_ADDRESS.sub('', str(error))}"


def _finite(value: Any) -> Any:
    """Spell out doubles that JSON can't write, so that they are refused as numbers and not taken for missing ones."""
    if type(value) is dict:
        return {name: _finite(member) for name, member in value.items()}
    if type(value) is list:
        return [_finite(member) for member in value]
    return str(value) if type(value) is float and not math.isfinite(value) else value
