"""
Raw messages as Confluent-framed Avro: a zero byte, four bytes of schema id, the body.

A body is read only with the schema it was written with, because another one returns plausible garbage; and it must be
used up to its last byte. It then goes on as the JSON text it stands for, so that one reader decides what it means.
Without a registry client the ids are those of schemas/registry.json.
"""

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro
import msgspec

from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

MAGIC = b"\x00"
HEADER_BYTES = 5
SCHEMAS = Path(__file__).parent / "schemas"

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

    @classmethod
    def of_files(cls, folder: Path = SCHEMAS) -> "RawAvro":
        """Reads messages whose schemas lie beside a registry.json that numbers them."""
        registry = json.loads((folder / "registry.json").read_text())
        return cls({int(number): json.loads((folder / name).read_text()) for number, name in registry.items()})

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
        raise Unreadable(Reason.BAD_SHAPE, "", f"not of its schema: {type(error).__name__}: {error}") from None
    if body.tell() != len(value):
        raise Unreadable(Reason.BAD_SHAPE, "", f"{len(value) - body.tell()} bytes after the record")
    return record


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """Spell out doubles that JSON can't write, so that they are refused as numbers and not taken for missing ones."""
    for name, value in record.items():
        if type(value) is dict:
            _finite(value)
        elif type(value) is float and not math.isfinite(value):
            record[name] = str(value)
    return record
