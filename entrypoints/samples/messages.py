"""Raw messages in the form the upstream connectors give them: envelope, key, partition, and the line of a file."""

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import attrs

from application.topics import partitions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class SampleMessage:
    """One raw message before it has an offset."""

    topic: str
    key: str
    """The upstream event_id, which upstream repeats and collides."""
    timestamp_ms: int
    """When it reaches the log."""
    value: bytes | None

    @property
    def partition(self) -> int:
        """Where its key sends it."""
        return crc32(self.key.encode()) % partitions(self.topic)


@attrs.frozen(kw_only=True)
class Envelope:
    """What every connector wraps its payload in."""

    event_id: str
    trace_id: str
    producer: str
    occurred_at_us: int
    ingested_at_us: int
    payload: dict[str, Any]

    def value(self) -> dict[str, Any]:
        """The message as connectors send it, in their order of fields."""
        return {
            "event_id": self.event_id,
            "trace_id": self.trace_id,
            "schema_version": "1.0.0",
            "tenant_id": "default",
            "producer": self.producer,
            "occurred_at": self.occurred_at_us,
            "ingested_at": self.ingested_at_us,
            "payload": self.payload,
        }


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def compact(value: object) -> str:
    """JSON without spaces, as envelopes are sent."""
    return json.dumps(value, separators=(",", ":"))


def message(topic: str, envelope: Envelope) -> SampleMessage:
    """This will put an envelope on its topic, at the moment its connector knew it."""
    return SampleMessage(
        topic=topic,
        key=envelope.event_id,
        timestamp_ms=envelope.ingested_at_us // 1000,
        value=compact(envelope.value()).encode(),
    )


def wrapped(raw_payload: str, **fields: Any) -> dict[str, Any]:
    """This will wrap a vendor's text the way CAISO and CSV connectors do, checksum included."""
    checksum = hashlib.sha256(raw_payload.encode()).hexdigest()
    return {**fields, "raw_payload": raw_payload, "retry_count": 0, "checksum": checksum}


def line(sample: SampleMessage, offset: int) -> bytes:
    """
    This will write a message as one line of a file that `all_in_one --input` reads.

    The value stands in it as its own text where it is one JSON document on one line, in base64 otherwise.
    """
    head = compact({
        "topic": sample.topic,
        "partition": sample.partition,
        "offset": offset,
        "key": sample.key,
        "timestamp_ms": sample.timestamp_ms,
    })  # fmt: skip
    return f"{head[:-1]},".encode() + _value(sample.value) + b"}\n"


def _value(value: bytes | None) -> bytes:
    if value is not None and _is_plain_object(value):
        return b'"value":' + value
    encoded = None if value is None else b64encode(value).decode()
    return b'"value_b64":' + compact(encoded).encode()


def _is_plain_object(value: bytes) -> bool:
    if not value.startswith(b"{") or b"\n" in value:
        return False
    try:
        json.loads(value.decode())
    except (UnicodeDecodeError, ValueError, RecursionError):
        return False
    return True
