"""
Events as Avro, Confluent-framed: a zero byte, four bytes of schema id, the body.

pyruhvro writes and reads whole columns (1.3 to 1.9 million events a second), but panics on decimal and uuid types and
fails a batch for one bad record. So decimals and unsigned 64-bit numbers are declared as texts, maps stay JSON texts,
and where a batch fails its records are read one by one. Without a registry the schema id is the head of the schema's
SHA-256: it changes with the schema, so a record of another writer schema is refused, never read as garbage.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyruhvro

from adapters.wire.event_columns import ARRAY_OF_STRINGS
from adapters.wire.event_forms import NAMESPACE, EventField, EventForm, description, is_optional
from adapters.wire.event_json import Tree, tree_of
from adapters.wire.event_refusals import Carriers, Refused
from domain.errors import Reason

MAGIC = b"\x00"
ID_BYTES = 4
HEADER_BYTES = len(MAGIC) + ID_BYTES
POSITIVE = 0x7FFFFFFF


def schema_of(form: EventForm) -> dict[str, Any]:
    """The Avro schema of an event."""
    return {"namespace": NAMESPACE, **_record(form.name, tree_of(form.fields), form)}


def schema_text(form: EventForm) -> str:
    """The Avro schema of an event as its file holds it."""
    return json.dumps(schema_of(form), indent=2, ensure_ascii=False) + "\n"


def schema_id(form: EventForm) -> int:
    """The id that records of this schema carry."""
    return int.from_bytes(hashlib.sha256(schema_text(form).encode()).digest()[:ID_BYTES]) & POSITIVE


def _record(name: str, tree: Tree, form: EventForm) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [_entry(name, key, one, form) for key, one in tree.items()]}


def _entry(record: str, name: str, branch: Tree | EventField, form: EventForm) -> dict[str, Any]:
    if isinstance(branch, dict):
        return {"name": name, "type": _record(f"{record}{name.capitalize()}", branch, form)}
    doc = f"{description(form, branch)} ({branch.shape.doc})"
    if is_optional(form, branch):
        return {"name": name, "type": ["null", branch.shape.avro], "default": None, "doc": doc}
    return {"name": name, "type": branch.shape.avro, "doc": doc}


class AvroEvents:
    """Writes and reads events of one form."""

    def __init__(self, form: EventForm) -> None:
        """Build the schema of this form."""
        self._form = form
        self._tree = tree_of(form.fields)
        self._schema = json.dumps(schema_of(form))
        self._arrow = pyruhvro.avro_to_arrow_schema(self._schema)
        self._header = MAGIC + schema_id(form).to_bytes(ID_BYTES)

    def encode(self, carriers: Mapping[str, pl.Series], height: int) -> list[bytes]:
        """This will write one framed record per row; arguments as for JSON."""
        columns = {field.path: _to_avro(field, carriers, height) for field in self._form.fields}
        frame = pl.DataFrame(columns).select(_nested(name, branch) for name, branch in self._tree.items())
        table = frame.to_arrow().cast(self._arrow).combine_chunks()
        bodies = pyruhvro.serialize_record_batch(table.to_batches()[0], self._schema, 1)
        return [self._header + body for chunk in bodies for body in chunk.to_pylist()]

    def read(self, records: Mapping[int, bytes], refused: Refused) -> Carriers:
        """This will read what it can, by position; each record it can't read is told to `refused`, with a reason."""
        kept = [position for position, value in records.items() if value.startswith(self._header)]
        for position in records.keys() - kept:
            refused.add(position, Reason.UNKNOWN_SCHEMA, "", "written with another schema than this event's")
        bodies = [records[position][HEADER_BYTES:] for position in kept]
        try:
            return Carriers(kept, self._columns(bodies))
        except ValueError:
            return self._read_singly(dict(zip(kept, bodies, strict=True)), refused)

    def _read_singly(self, bodies: Mapping[int, bytes], refused: Refused) -> Carriers:
        good: dict[int, bytes] = {}
        for position, body in bodies.items():
            try:
                self._deserialized([body])
            except ValueError as wrong:
                refused.add(position, Reason.BAD_SHAPE, "", str(wrong))
            else:
                good[position] = body
        return Carriers(list(good), self._columns(list(good.values())))

    def _columns(self, bodies: Sequence[bytes]) -> dict[str, pl.Series]:
        frame = pl.DataFrame(self._deserialized(bodies))
        return {field.path: _from_avro(field, frame) for field in self._form.restoring()}

    def _deserialized(self, bodies: Sequence[bytes]) -> Any:
        """
        An arrow record batch of these bodies.

        Raises:
            ValueError: One of them is cut short, or holds a text that is no UTF-8, which pyruhvro itself lets pass.
        """
        batch = pyruhvro.deserialize_array(list(bodies), self._schema)
        batch.validate(full=True)
        return batch


def _nested(name: str, branch: Tree | EventField) -> pl.Expr:
    if isinstance(branch, dict):
        return pl.struct(_nested(inner, one) for inner, one in branch.items()).alias(name)
    return pl.col(branch.path).alias(name)


def _to_avro(field: EventField, carriers: Mapping[str, pl.Series], height: int) -> pl.Series:
    if field.constant is not None:
        return pl.repeat(field.constant, height, dtype=pl.String, eager=True)
    carrier = carriers[field.path]
    if field.shape.avro is ARRAY_OF_STRINGS:
        return carrier.str.json_decode(pl.List(pl.String))
    return carrier.cast(pl.Datetime("us")) if _is_instant(field) else carrier


def _from_avro(field: EventField, frame: pl.DataFrame) -> pl.Series:
    first, *inner = field.path.split(".")
    column = frame[first]
    for name in inner:
        column = column.struct.field(name)
    if field.shape.avro is ARRAY_OF_STRINGS:
        names = pl.when(column.list.len() > 0).then('["' + column.list.join('","') + '"]').otherwise(pl.lit("[]"))
        return pl.select(names).to_series()
    return column.cast(pl.Int64) if _is_instant(field) else column


def _is_instant(field: EventField) -> bool:
    return isinstance(field.shape.avro, dict) and "logicalType" in field.shape.avro
