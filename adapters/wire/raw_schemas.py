"""
Writer schemas of raw Avro messages by their ids: who knows them, and which of them can be a raw message's.

An id stands for one schema for ever, so whoever has asked once need not ask again.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs
import fastavro

from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

SCHEMAS = Path(__file__).parent / "schemas"
AVRO = "AVRO"

# Everything that a text which is no Avro schema makes the parser raise.
_NO_SCHEMA = (
    fastavro.schema.SchemaParseException,
    fastavro.schema.UnknownType,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


class SchemaSource(Protocol):
    """Who knows what an id stands for. Its contract suite is tests/contract/test_schema_source.py."""

    def of(self, number: int) -> Mapping[str, Any] | None:
        """
        Return the schema of an id; None where there is no such id.

        Raises:
            Unreadable: There is, and what it stands for can't be a raw message.
            Retryable: It can't be asked now.
        """


@attrs.frozen
class SchemasInHand:
    """Schemas that are known from the start."""

    schemas: Mapping[int, Mapping[str, Any]]

    @classmethod
    def of_files(cls, folder: Path = SCHEMAS) -> "SchemasInHand":
        """Those that lie beside a registry.json that numbers them."""
        registry = json.loads((folder / "registry.json").read_text())
        return cls({int(number): json.loads((folder / name).read_text()) for number, name in registry.items()})

    def of(self, number: int) -> Mapping[str, Any] | None:
        """Return the schema of an id; None where there is no such id."""
        return self.schemas.get(number)


def raw_schema(number: int, text: str, kind: str = AVRO) -> Mapping[str, Any]:
    """
    Read a schema that somebody else keeps.

    Every raw message is a record whose `payload` is an object: a record of its own, or a map. What the payload has to
    say is decided message by message, so a producer may add to a schema what it likes.

    Args:
        number: Its id, for the message.
        text: The schema.
        kind: Which language it is written in.

    Raises:
        Unreadable: UNKNOWN_SCHEMA, with what is wrong.
    """
    if kind != AVRO:
        raise _refused(number, f"is {kind}, and raw messages are JSON or Avro")
    try:
        schema = json.loads(text)
        fastavro.parse_schema(schema)
    except _NO_SCHEMA as error:
        raise _refused(number, f"can't be read: {type(error).__name__}: {error!s:.200}") from None
    fields = schema.get("fields", ()) if isinstance(schema, dict) and schema.get("type") == "record" else ()
    if not any(field["name"] == "payload" and _is_object(field["type"]) for field in fields):
        raise _refused(number, "is no raw message's: that is a record whose payload is a record or a map")
    return dict(schema)


def _is_object(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_is_object, schema))
    return isinstance(schema, dict) and schema.get("type") in {"record", "map"}


def _refused(number: int, why: str) -> Unreadable:
    return Unreadable(Reason.UNKNOWN_SCHEMA, "", f"schema {number} {why}")
