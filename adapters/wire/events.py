"""
The wire codec of our own events: batches to keyed records, and back without loss.

Events are JSON unless Avro is asked for; what a neighbour reads as JSON stays JSON. Reading takes both, record by
record (an Avro record begins with a zero byte), so the setting can change while old records are in the log. A record
that can't be read is refused with a reason and harms no other.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs
import polars as pl

from adapters.wire import event_ids, event_json
from adapters.wire.event_avro import MAGIC, AvroEvents
from adapters.wire.event_columns import KEY_SEPARATOR
from adapters.wire.event_forms import COORDINATES, EVENT_ID, FORMS, TICK_ID, EventForm, is_optional, polars_type
from adapters.wire.event_json import JsonReader
from adapters.wire.event_refusals import Carriers, Refused
from domain.batch import Batch
from domain.bronze.raw_event import Refusals
from domain.errors import Reason
from domain.identity import SERIES

POSITION = "position of the record"


class WireFormat(StrEnum):
    """How events are written."""

    JSON = "json"
    AVRO = "avro"


@attrs.frozen
class Encoded:
    """Records in the order of the batch: Kafka key and value of each."""

    keys: list[bytes]
    values: list[bytes]


@attrs.frozen
class ReadEvents:
    """What a run of records holds."""

    facts: Batch[Any]
    kept: Sequence[int]
    """For each row of `facts`, the position of its record in what was given."""
    refusals: Refusals
    """The other records; `event` is the position, `index` -1."""


class EventCodec:
    """Batches to records and back. It keeps no state that could change a result."""

    def __init__(self, batches: Mapping[str, type[Batch[Any]]], wire_format: WireFormat = WireFormat.JSON) -> None:
        """
        Serve these topics.

        Args:
            batches: The type of batch each topic carries.
            wire_format: How events are written; both formats are always read.
        """
        self._batches = dict(batches)
        self._format = WireFormat(wire_format)
        self._forms = {form.batch: form for form in FORMS}
        self._json = {form.name: JsonReader(form) for form in FORMS}
        self._avro = {form.name: AvroEvents(form) for form in FORMS}

    def carries(self, topic: str) -> bool:
        """Whether this topic holds events of ours; what others hold is raw."""
        return topic in self._batches

    def encode(self, topic: str, batch: Batch[Any]) -> Encoded:
        """This will write one record per row, in order, with deterministic ids."""
        form = self._forms[type(batch)]
        if not len(batch):
            return Encoded([], [])
        frame = batch.frame.with_columns(_made(form, topic, batch.frame))
        carriers = {
            field.path: field.shape.write(frame[field.column]) for field in form.fields if field.constant is None
        }
        keys: list[bytes] = _key(form, frame).cast(pl.Binary).to_list()
        if self._format is WireFormat.AVRO and not form.json_only:
            return Encoded(keys, self._avro[form.name].encode(carriers, len(batch)))
        return Encoded(keys, event_json.encode(form, carriers))

    def decode(self, topic: str, values: Sequence[bytes | None]) -> ReadEvents:
        """This will rebuild the batch from every record that can be read, in order, and refuse the others."""
        form = self._forms[self._batches[topic]]
        refused = Refused()
        read = [_rebuilt(form, carriers, refused) for carriers in self._read(form, values, refused) if carriers.kept]
        if not read:
            return ReadEvents(form.batch.empty(), [], refused.all())
        ordered = read[0] if len(read) == 1 else pl.concat(read).sort(POSITION)
        facts = form.batch(ordered.select(*form.batch.schema))
        return ReadEvents(facts, ordered[POSITION].to_list(), refused.all())

    def _read(self, form: EventForm, values: Sequence[bytes | None], refused: Refused) -> list[Carriers]:
        there = {position: value for position, value in enumerate(values) if value}
        for position in set(range(len(values))) - there.keys() if len(there) < len(values) else ():
            refused.add(position, Reason.EMPTY, "", "the record has no bytes")
        as_json, as_avro = _by_format(there)
        return [
            read(records, refused)
            for read, records in ((self._json[form.name].read, as_json), (self._avro[form.name].read, as_avro))
            if records
        ]


def _by_format(records: Mapping[int, bytes]) -> tuple[Mapping[int, bytes], Mapping[int, bytes]]:
    """Those in JSON and those in Avro. Nothing is less than Avro's first byte, so mostly two comparisons tell."""
    if not records or not min(records.values()).startswith(MAGIC):
        return records, {}
    if max(records.values()).startswith(MAGIC):
        return {}, records
    as_avro = {position: value for position, value in records.items() if value.startswith(MAGIC)}
    return {position: value for position, value in records.items() if position not in as_avro}, as_avro


def _rebuilt(form: EventForm, carriers: Carriers, refused: Refused) -> pl.DataFrame:
    """The columns of the batch and the positions, without the records whose values can't be read."""
    positions = pl.Series(POSITION, carriers.kept, dtype=pl.Int64)
    columns, unreadable = [positions], pl.repeat(False, len(positions), eager=True)
    for field in form.restoring():
        carrier = carriers.columns[field.path]
        column = field.shape.read(carrier, polars_type(form, field)).alias(field.column)
        wrong = column.is_null() & carrier.is_not_null() if is_optional(form, field) else column.is_null()
        columns.append(column)
        unreadable |= wrong
        for position in positions.filter(wrong):
            refused.add(position, Reason.BAD_SHAPE, field.path, f"{field.path} is no {field.shape.doc}")
    frame = pl.DataFrame(columns)
    if "series" in form.batch.schema:
        frame = frame.with_columns(
            pl.concat_str("tenant_id", "instrument_id", separator=KEY_SEPARATOR).cast(SERIES).alias("series")
        )
    return frame.filter(~unreadable) if unreadable.any() else frame


def _made(form: EventForm, topic: str, frame: pl.DataFrame) -> list[pl.Series]:
    """The columns that follow from others: ids, and the coordinates of a refused record."""
    identity = form.identity
    key = event_ids.key_lanes([frame[name] for name in identity.texts], [frame[name] for name in identity.numbers])
    event = event_ids.with_numbers(event_ids.with_topic(key, topic), [frame[name] for name in identity.version])
    made = [event_ids.id_text(event).alias(EVENT_ID), event_ids.id_text(key).alias(TICK_ID)]
    if COORDINATES in form.key:
        made.append(frame.select(pl.concat_str("topic", "partition", "offset", "row_index", separator="/")).to_series())
        made[-1] = made[-1].alias(COORDINATES)
    return made


def _key(form: EventForm, frame: pl.DataFrame) -> pl.Series:
    return frame.select(
        pl.concat_str([pl.col(name).cast(pl.String) for name in form.key], separator=KEY_SEPARATOR)
    ).to_series()
