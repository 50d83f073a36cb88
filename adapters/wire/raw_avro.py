"""
Raw messages as Confluent-framed Avro: a zero byte, four bytes of schema id, the body.

A body is read only with the schema it was written with, because another one returns plausible garbage; and it must be
used up to its last byte. It then goes on as the JSON text it stands for, so that one reader decides what it means.
Many are read at once where that is sure to give the same texts (avro_bulk.py), else one by one.
Without a registry client the ids are those of schemas/registry.json.
"""

import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from adapters.wire.avro_bulk import BulkAvro, is_plain
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

MAGIC = b"\x00"
HEADER_BYTES = 5
SCHEMAS = Path(__file__).parent / "schemas"
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


class RawAvro:
    """Reads raw messages written with one of these schemas."""

    def __init__(self, schemas: Mapping[int, Mapping[str, Any]]) -> None:
        """Take writer schemas by their id."""
        self._schemas = {number: fastavro.parse_schema(dict(schema)) for number, schema in schemas.items()}
        self._bulk = {number: BulkAvro(schema) for number, schema in schemas.items() if is_plain(schema)}

    @classmethod
    def of_files(cls, folder: Path = SCHEMAS) -> "RawAvro":
        """Reads messages whose schemas lie beside a registry.json that numbers them."""
        registry = json.loads((folder / "registry.json").read_text())
        return cls({int(number): json.loads((folder / name).read_text()) for number, name in registry.items()})

    def all_to_json(self, values: Mapping[int, bytes]) -> tuple[Mapping[int, bytes], Mapping[int, Unreadable]]:
        """
        Turn framed messages into JSON as `to_json` does, given and returned by position.

        Returns:
            The texts, and why the other messages have none.
        """
        texts: dict[int, bytes] = {}
        unreadable: dict[int, Unreadable] = {}
        for place, text in self._in_bulk(values).items():
            try:
                texts[place] = text or self.to_json(values[place])
            except Unreadable as why:
                unreadable[place] = why
        return texts, unreadable

    def _in_bulk(self, values: Mapping[int, bytes]) -> Mapping[int, bytes | None]:
        of_schema: dict[int, list[int]] = defaultdict(list)
        for place, value in values.items():
            of_schema[int.from_bytes(value[1:HEADER_BYTES], "big")].append(place)
        found: dict[int, bytes | None] = dict.fromkeys(values)
        for number, places in of_schema.items():
            if number in self._bulk:
                found.update(
                    zip(
                        places,
                        self._bulk[number].json_of([values[place][HEADER_BYTES:] for place in places]),
                        strict=True,
                    )
                )
        return found

    def to_json(self, value: bytes) -> bytes:
        """
        Turn a framed message into the JSON it stands for. Doubles become the shortest text that means the same double.

        Raises:
            Unreadable: UNKNOWN_SCHEMA, ENCODING, or BAD_SHAPE where the body is not of its schema.
        """
        number = int.from_bytes(value[1:HEADER_BYTES], "big")
        schema = self._schemas.get(number)
        if len(value) < HEADER_BYTES or schema is None:
            raise Unreadable(Reason.UNKNOWN_SCHEMA, "", f"no schema for the header {value[:HEADER_BYTES].hex()}")
        return msgspec.json.encode(_finite(_read(schema, value)))


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
