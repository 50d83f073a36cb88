"""
The shape of load generators: envelope and payload side by side, the price under `raw_data`.

It may come on any topic and names its instrument itself. Source: contracts.md §1, third shape.
"""

from adapters.markets.reading import Reading
from adapters.markets.ticks import DATA_TYPE, source_of
from adapters.markets.venue import refuse_other_market, venue_of
from adapters.wire.exact_json import Members, is_integer, members_of, name_of, text_of
from adapters.wire.raw_envelope import NESTED, read_payload, tenant_of
from domain.bronze.raw_event import RawPrice


def is_generated(message: Members) -> bool:
    """Whether a message has this shape."""
    return NESTED in message


def read_generated(event: int, message: Members, market: str) -> Reading:
    """Read one message exactly; `market` is its topic's, empty where that has none. Raises Unreadable."""
    envelope = members_of(message.get(NESTED), NESTED)
    payload = read_payload(message)
    raw_data = members_of(payload.get("raw_data"), "raw_data")
    stated = payload.get("market")
    if market and stated is not None:
        refuse_other_market(stated, market)
    name = name_of(payload.get("instrument_id"), "instrument_id")
    source = source_of(envelope.get("source"), "source")
    price = RawPrice(
        event=event,
        index=0,
        tenant_id=tenant_of(envelope.get("tenant_id")),
        market=venue_of(stated),
        data_type=DATA_TYPE,
        market_run="",
        name=name,
        symbol=name,
        source_id=source,
        time=text_of(raw_data.get("timestamp")),
        time_is_number=is_integer(raw_data.get("timestamp")),
        price=text_of(raw_data.get("price")),
        volume=text_of(raw_data.get("volume")),
        currency="",
        unit="",
        ingested_at=text_of(envelope.get("timestamp")),
        flags=0,
        metadata="{}",
        source_event_id=text_of(envelope.get("event_id")) or "",
        source_system=source,
        trace_id=text_of(envelope.get("trace_id")) or "",
    )
    return Reading(prices=[price])
