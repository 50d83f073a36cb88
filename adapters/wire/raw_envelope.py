"""The flat envelope that connectors put around every raw message. Source: contracts.md §1."""

import re
from typing import Any

import attrs

from adapters.wire.exact_json import Members, is_text, members_of, text_of
from adapters.wire.unreadable import Unreadable
from domain.errors import Reason

DEFAULT_TENANT = "default"
NESTED = "envelope"
"""A message that has this field is of the load generators' shape: its envelope lies there, not flat around the payload."""
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@attrs.frozen(kw_only=True)
class RawEnvelope:
    """Who sent a raw message, for whom, and when it was known."""

    tenant_id: str
    ingested_at: str | None
    source_event_id: str
    producer: str
    trace_id: str


def read_envelope(message: Members) -> RawEnvelope:
    """Read a flat envelope. Raises Unreadable (BAD_TENANT)."""
    return RawEnvelope(
        tenant_id=tenant_of(message.get("tenant_id")),
        ingested_at=text_of(message.get("ingested_at")),
        source_event_id=text_of(message.get("event_id")) or "",
        producer=text_of(message.get("producer")) or "",
        trace_id=text_of(message.get("trace_id")) or "",
    )


def read_payload(message: Members) -> Members:
    """Return what the envelope carries. Raises Unreadable (BAD_SHAPE) where that is missing or no object."""
    return members_of(message.get("payload"), "payload")


def tenant_of(value: Any) -> str:
    """Return whose data this is: `default` where nobody says. Raises Unreadable (BAD_TENANT) outside the pattern."""
    if value is None:
        return DEFAULT_TENANT
    if is_text(value) and is_tenant(value):
        return str(value)
    raise Unreadable(Reason.BAD_TENANT, "tenant_id", f"{text_of(value)!r:.80} names no tenant")


def is_tenant(text: str) -> bool:
    """Whether a text can name a tenant. Source: contracts.md §2, tenant_id."""
    return _TENANT.fullmatch(text) is not None
