"""
Many Avro bodies of one schema at once.

pyruhvro reads a million bodies a second into columns, but stops at the first bad one, does not see bytes after a record,
and lets pass what no writer writes. So bad bodies are found by halving, and a body counts as read only if its columns,
written again, are that body byte for byte. All others are left to the reader of single ones, which decides what they
are. Its schemas are those without logical types, bytes and enums, on some of which pyruhvro panics.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pyruhvro

from adapters.wire.arrow_json import json_texts

BODIES_AT_ONCE = 5000
BYTES_AT_ONCE = 1 << 28
"""Columns of texts count their bytes in 31 bits."""

FEW = 8
"""So few are read one by one sooner than in columns."""

_SCALARS = frozenset(("null", "boolean", "int", "long", "double", "string"))


def is_plain(schema: Any) -> bool:
    """Whether an Avro schema is made of records, maps, lists and unions of plain scalars alone."""
    if isinstance(schema, str):
        return schema in _SCALARS
    if isinstance(schema, list):
        return all(map(is_plain, schema))
    match schema:
        case {"logicalType": _}:
            return False
        case {"type": "record", "fields": fields}:
            return all(is_plain(field["type"]) for field in fields)
        case {"type": "map", "values": member} | {"type": "array", "items": member} | {"type": member}:
            return is_plain(member)
    return False


class BulkAvro:
    """Reads many bodies of one plain schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Take the writer's schema."""
        self._schema = json.dumps(schema)

    def json_of(self, bodies: Sequence[bytes]) -> list[bytes | None]:
        """This will turn each body into the JSON it stands for; None for those to be read one by one."""
        return [text for portion in _portions(bodies) for text in self._portion_json(portion)]

    def _portion_json(self, bodies: Sequence[bytes]) -> list[bytes | None]:
        texts: list[bytes | None] = [None] * len(bodies)
        readable = list(self._readable(bodies, range(len(bodies))))
        if not readable:
            return texts
        chosen = bodies if len(readable) == len(bodies) else [bodies[place] for place in readable]
        columns = self._columns(chosen)
        [again] = pyruhvro.serialize_record_batch(columns, self._schema, 1)
        written = json_texts(columns.to_struct_array()).cast(pl.Binary).to_list()
        for place, body, same, text in zip(readable, chosen, again.to_pylist(), written, strict=True):
            if body == same:
                texts[place] = text
        return texts

    def _readable(self, bodies: Sequence[bytes], places: Sequence[int]) -> Iterator[int]:
        """Those places whose bodies can be read together; the runs of few around a bad one are left out with it."""
        if len(places) <= FEW:
            return
        try:
            self._columns([bodies[place] for place in places])
        except ValueError:
            middle = len(places) // 2
            yield from self._readable(bodies, places[:middle])
            yield from self._readable(bodies, places[middle:])
        else:
            yield from places

    def _columns(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        """
        The bodies as columns.

        Raises:
            ValueError: One of them is cut short, holds an impossible length or kind, or a text that is no UTF-8.
        """
        columns = pyruhvro.deserialize_array(bodies, self._schema)
        columns.validate(full=True)
        return columns


def _portions(bodies: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The bodies in order, so many at a time that their columns can be built."""
    portion: list[bytes] = []
    size = 0
    for body in bodies:
        if len(portion) == BODIES_AT_ONCE or size + len(body) > BYTES_AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(body)
        size += len(body)
    if portion:
        yield portion
