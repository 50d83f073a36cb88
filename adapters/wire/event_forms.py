"""
What each of our events looks like, declared once.

A form lists the fields of one event in order, each with its place in the envelope or payload, the column it carries
and the shape it has. JSON templates, decoders, Avro schemas and the reference pages all follow from these lists.
Source: contracts.md §3. Fields beyond the contract's
lists are there so that a batch survives the journey unchanged.
"""

from typing import Any

import attrs

from adapters.wire import event_columns as as_
from adapters.wire.event_columns import Shape
from domain.batch import Batch
from domain.bronze.dead_letter import DeadLetters
from domain.gold.bar import BarBatch
from domain.gold.taxonomy import EnrichedTicks
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch

SCHEMA_VERSION = "1.0.0"
NAMESPACE = "dataproc.events"


@attrs.frozen
class EventField:
    """
    One field of an event.

    It carries `column` of the batch and restores it when read; or, with `restores` off, says again what another
    field or the codec knows; or, without a column, always is `constant`.
    """

    path: str
    """Names from the outside in, joined by dots."""
    shape: Shape
    column: str = ""
    constant: str | None = None
    restores: bool = True
    doc: str = ""
    """For people; the column's own doc where empty."""


@attrs.frozen
class Identity:
    """The columns whose values make an event what it is: hashed with the topic into its event_id."""

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    version: tuple[str, ...]


@attrs.frozen(kw_only=True)
class EventForm:
    """One event: the batch it carries, its fields in order, its identity and its Kafka key."""

    name: str
    """Name of its Avro record."""
    schema_file: str
    """Name of its Avro schema's file."""
    batch: type[Batch[Any]]
    fields: tuple[EventField, ...]
    identity: Identity
    key: tuple[str, ...]
    """Columns joined by `|` into the Kafka key."""
    json_only: bool = False
    """A neighbour reads it as JSON, whatever the setting."""

    def restoring(self) -> tuple[EventField, ...]:
        """The fields from which the batch is rebuilt."""
        return tuple(field for field in self.fields if field.restores)


EVENT_ID = "event_id"
TICK_ID = "tick_id"


def _made(path: str, shape: Shape, column: str, doc: str = "") -> EventField:
    """A field that follows from others: an id, or a column said again."""
    return EventField(path, shape, column, restores=False, doc=doc)


def _always(path: str, constant: str, doc: str) -> EventField:
    return EventField(path, as_.TEXT, constant=constant, restores=False, doc=doc)


def _payload(*columns: tuple[str, Shape] | tuple[str, Shape, str]) -> tuple[EventField, ...]:
    """Fields of the payload, named as their columns unless a third name is given."""
    return tuple(EventField(f"payload.{given[0]}", given[1], (*given, given[0])[2]) for given in columns)


TRACE = EventField("trace_id", as_.TEXT, "trace_id")
NO_TRACE = _always("trace_id", "", "Empty: the event follows from many records.")
TENANT = EventField("tenant_id", as_.KEY_PART, "tenant_id")
NO_TENANT = _always("tenant_id", "default", "`default`: nobody could say whose record it is.")


def _envelope(
    producer: str,
    *,
    occurred_at: str,
    ingested_at: EventField,
    trace: EventField = NO_TRACE,
    tenant: EventField = TENANT,
) -> tuple[EventField, ...]:
    return (
        _made("event_id", as_.PLAIN, EVENT_ID, "Hash of topic, natural key and version: the same at every repetition."),
        trace,
        _always("schema_version", SCHEMA_VERSION, "Version of this schema."),
        tenant,
        _always("producer", f"254carbon-data-processing-{producer}", "The service that says so."),
        _made("occurred_at", as_.INSTANT_US, occurred_at),
        ingested_at,
    )


def _known_at(column: str, doc: str = "") -> EventField:
    return _made("ingested_at", as_.INSTANT_US, column, doc)


def _tick_fields(producer: str) -> tuple[EventField, ...]:
    return (
        *_envelope(
            producer,
            trace=TRACE,
            occurred_at="ts",
            ingested_at=EventField("ingested_at", as_.INSTANT_US, "ingested_at"),
        ),
        _made("causation_id", as_.TEXT, "source_event_id", "The upstream event that caused this one."),
        _made(
            "payload.tick_id", as_.PLAIN, TICK_ID, "Hash of the tick's key: the same for all its versions and topics."
        ),
        *_payload(
            ("source_event_id", as_.TEXT),
            ("source_id", as_.TEXT),
            ("source_system", as_.TEXT),
            ("source_seq", as_.COUNT),
            ("market", as_.TEXT),
            ("symbol", as_.TEXT),
            ("instrument_id", as_.TEXT),
            ("ts", as_.INSTANT_US),
            ("interval_end", as_.INSTANT_US),
            ("price", as_.DECIMAL),
            ("volume", as_.DECIMAL),
            ("bid_price", as_.DECIMAL),
            ("ask_price", as_.DECIMAL),
            ("energy_price", as_.DECIMAL),
            ("congestion_price", as_.DECIMAL),
            ("loss_price", as_.DECIMAL),
            ("currency", as_.TEXT),
            ("unit", as_.TEXT),
            ("data_type", as_.TEXT),
            ("market_run", as_.TEXT),
            ("quality_flags", as_.NAMES),
            ("version", as_.VERSION),
            ("normalized_at", as_.INSTANT_US),
            ("raw.topic", as_.TEXT, "raw_topic"),
            ("raw.partition", as_.SMALL, "raw_partition"),
            ("raw.offset", as_.OFFSET, "raw_offset"),
            ("raw.index", as_.SMALL, "raw_index"),
            ("metadata", as_.TEXT_MAP),
        ),
    )


TICK_IDENTITY = Identity(("series", "source_id"), ("ts", "source_seq"), ("version",))
SERIES_KEY = ("series",)

NORMALIZED_TICK = EventForm(
    name="NormalizedTick",
    schema_file="normalized.market.ticks.v1.avsc",
    batch=TickBatch,
    fields=_tick_fields("normalization"),
    identity=TICK_IDENTITY,
    key=SERIES_KEY,
)

ENRICHED_TICK = EventForm(
    name="EnrichedTick",
    schema_file="enriched.market.ticks.v1.avsc",
    batch=EnrichedTicks,
    fields=(
        *_tick_fields("enrichment"),
        *_payload(
            ("commodity", as_.TEXT),
            ("region", as_.TEXT),
            ("product_tier", as_.TEXT),
            ("taxonomy", as_.TEXT_MAP),
            ("tags", as_.TEXTS),
            ("metadata_version", as_.VERSION),
        ),
    ),
    identity=Identity(TICK_IDENTITY.texts, TICK_IDENTITY.numbers, ("version", "metadata_version")),
    key=SERIES_KEY,
)

BAR = EventForm(
    name="Bar",
    schema_file="aggregated.market.bars.v1.avsc",
    batch=BarBatch,
    fields=(
        *_envelope(
            "aggregation",
            occurred_at="close_ts",
            ingested_at=EventField("ingested_at", as_.INSTANT_US, "known_at"),
        ),
        *_payload(
            ("instrument_id", as_.TEXT),
            ("market", as_.TEXT),
            ("interval", as_.TEXT),
            ("interval_start", as_.INSTANT_US),
            ("interval_end", as_.INSTANT_US),
            ("open_price", as_.DECIMAL),
            ("high_price", as_.DECIMAL),
            ("low_price", as_.DECIMAL),
            ("close_price", as_.DECIMAL),
            ("mean_price", as_.DECIMAL),
            ("volume", as_.DECIMAL),
            ("notional", as_.DECIMAL),
            ("vwap", as_.DECIMAL),
            ("trade_count", as_.COUNT),
            ("state", as_.TEXT),
            ("revision", as_.DIGITS_39),
            ("reason", as_.TEXT),
            ("quality_flags", as_.NAMES),
            ("currency", as_.TEXT),
            ("unit", as_.TEXT),
            ("price_sum", as_.DECIMAL),
            ("open_ts", as_.INSTANT_US),
            ("close_ts", as_.INSTANT_US),
            ("lineage.partitions", as_.SPANS, "lineage_partitions"),
            ("lineage.digest", as_.DIGEST, "lineage_digest"),
        ),
    ),
    identity=Identity(("series", "interval"), ("interval_start",), ("revision", "lineage_digest")),
    key=SERIES_KEY,
)

LATEST_PRICE = EventForm(
    name="LatestPrice",
    schema_file="served.market.latest_prices.v1.avsc",
    batch=LatestPrices,
    fields=(
        *_envelope("projection", occurred_at="ts", ingested_at=_known_at("updated_at")),
        _made("instrument_id", as_.TEXT, "instrument_id"),
        _made("symbol", as_.TEXT, "symbol"),
        _made("market", as_.TEXT, "market"),
        _made("price", as_.DECIMAL, "price"),
        _made("volume", as_.DECIMAL, "volume"),
        _made("timestamp", as_.INSTANT_ISO, "ts"),
        _always("payload.projection_type", "latest_price", "What kind of projection this is."),
        EventField("payload.instrument_id", as_.TEXT, "instrument_id"),
        _made("payload.tenant_id", as_.TEXT, "tenant_id"),
        *_payload(
            ("data.price", as_.DECIMAL, "price"),
            ("data.volume", as_.DECIMAL, "volume"),
            ("data.timestamp", as_.INSTANT_ISO, "ts"),
            ("data.source", as_.TEXT, "source_id"),
            ("data.quality_flags", as_.NAMES, "quality_flags"),
            ("last_updated", as_.INSTANT_ISO, "updated_at"),
            ("metadata", as_.TEXT_MAP),
            ("symbol", as_.TEXT),
            ("market", as_.TEXT),
            ("source_seq", as_.COUNT),
            ("version", as_.VERSION),
            ("currency", as_.TEXT),
            ("unit", as_.TEXT),
            ("rank", as_.RANK),
        ),
    ),
    identity=Identity(("series", "source_id"), ("ts", "source_seq"), ("version",)),
    key=SERIES_KEY,
    json_only=True,
)

RECOMPUTE_REQUEST = EventForm(
    name="RecomputeRequest",
    schema_file="processing.recompute.request.v1.avsc",
    batch=RecomputeRequests,
    fields=(
        *_envelope(
            "aggregation",
            occurred_at="interval_start",
            ingested_at=_known_at("interval_start", "As occurred_at: a request has no time of its own."),
        ),
        *_payload(
            ("instrument_id", as_.TEXT),
            ("interval", as_.TEXT),
            ("interval_start", as_.INSTANT_US),
            ("reason", as_.TEXT),
            ("cause", as_.TEXT),
        ),
    ),
    identity=Identity(("series", "interval", "reason", "cause"), ("interval_start",), ()),
    key=SERIES_KEY,
)

COORDINATES = "coordinates"

DEAD_LETTER = EventForm(
    name="DeadLetter",
    schema_file="processing.deadletter.v1.avsc",
    batch=DeadLetters,
    fields=(
        *_envelope(
            "dead-letters",
            tenant=NO_TENANT,
            occurred_at="first_failed_at",
            ingested_at=_known_at("first_failed_at"),
        ),
        _made("payload.failed_event_id", as_.TEXT, COORDINATES, "topic/partition/offset/row of what was refused."),
        *_payload(
            ("failed_topic", as_.TEXT, "topic"),
            ("failed_partition", as_.SMALL, "partition"),
            ("failed_offset", as_.OFFSET, "offset"),
            ("failure_stage", as_.TEXT, "stage"),
            ("error_code", as_.TEXT, "reason"),
            ("error_message", as_.TEXT, "message"),
            ("field", as_.TEXT),
            ("retry_count", as_.SMALL),
            ("first_failed_at", as_.INSTANT_US),
            ("raw_event", as_.BYTES, "raw"),
            ("service_version", as_.TEXT),
            ("row_index", as_.SMALL),
            ("raw_sha256", as_.TEXT),
        ),
    ),
    identity=Identity(("stage", "topic"), ("partition", "offset", "row_index"), ("retry_count",)),
    key=(COORDINATES,),
)

FORMS = (NORMALIZED_TICK, ENRICHED_TICK, BAR, LATEST_PRICE, RECOMPUTE_REQUEST, DEAD_LETTER)
"""All events."""


def is_optional(form: EventForm, field: EventField) -> bool:
    """Whether the field may be null in an event."""
    return field.column in form.batch.schema and field.column not in form.batch.required


def description(form: EventForm, field: EventField) -> str:
    """What the field means."""
    declared = {one.name: str(one.metadata["doc"]) for one in attrs.fields(form.batch.fact)}
    return field.doc or declared[field.column]


def polars_type(form: EventForm, field: EventField) -> Any:
    """The type of the column the field carries."""
    return form.batch.schema[field.column]
