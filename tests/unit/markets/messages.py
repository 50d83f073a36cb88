"""Raw messages for tests, as the upstream connectors send them."""

import json
from hashlib import sha256
from typing import Any

from adapters.markets.raw_decoder import MarketDecoder
from domain.bronze.raw_event import Decoded, RawEvents
from tests.builders import envelope, raw_events

MISO = "ingestion.miso.raw.v1"
CAISO = "ingestion.caiso.raw.v1"
TICKS = "ingestion.market.ticks.raw.v1"
DECODER = MarketDecoder()

START, END = "2026-10-08T21:00:00-00:00", "2026-10-08T22:00:00-00:00"
NODE = "TH_SP15_GEN-APND"


def topic_of(market: str) -> str:
    """The raw topic of a market."""
    return f"ingestion.{market}.raw.v1"


def miso_lmp(**fields: Any) -> dict[str, Any]:
    """A 5-minute price of a MISO hub."""
    return {
        "market": "miso",
        "data_type": "lmp",
        "timestamp": "2026-10-05T00:05:00",
        "node": "INDIANA.HUB",
        "market_run": "RT",
        "lmp_usd_per_mwh": 31.25,
        "congestion_usd_per_mwh": 1.5,
        "loss_usd_per_mwh": -0.25,
        "energy_usd_per_mwh": None,
    } | fields


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same without some fields."""
    return {name: value for name, value in fields.items() if name not in names}


def wrapper(raw_payload: Any, metadata: Any, **fields: Any) -> dict[str, Any]:
    """A wrapped payload with a right checksum."""
    text = raw_payload if isinstance(raw_payload, str) else json.dumps(raw_payload)
    return {
        "source_system": "source",
        "market": "CAISO",
        "symbol": "wrapped",
        "sequence": None,
        "received_at": 1793600000000000,
        "raw_payload": text,
        "encoding": "json",
        "metadata": metadata,
        "retry_count": 0,
        "checksum": sha256(text.encode()).hexdigest(),
    } | fields


def row(kind: str, value: Any, **fields: Any) -> dict[str, Any]:
    """An OASIS row of one component."""
    return {
        "INTERVALSTARTTIME_GMT": START,
        "INTERVALENDTIME_GMT": END,
        "OPR_DT": "2026-10-08",
        "OPR_HR": "15",
        "NODE": NODE,
        "MARKET_RUN_ID": "DAM",
        "LMP_TYPE": kind,
        "MW": value,
    } | fields


def summary(**fields: Any) -> dict[str, Any]:
    """What CAISO's connector says about the rows of `caiso`."""
    return {
        "price": "45.67",
        "clearing_price": "44.0",
        "congestion_price": "1.2",
        "loss_price": "0.47",
        "currency": "USD",
        "unit": "MWh",
        "delivery_location": NODE,
        "delivery_date": "2026-10-08",
        "delivery_hour": "15",
        "timestamp": END,
    } | fields


ROWS = [row("LMP", "45.67"), row("MCE", "44.00"), row("MCC", "1.20"), row("MCL", "0.47")]


def caiso(*rows: Any, metadata: Any = None, **fields: Any) -> dict[str, Any]:
    """A wrapped payload of OASIS rows."""
    return wrapper(list(rows or ROWS), summary() if metadata is None else metadata, **fields)


def csv_row(**fields: Any) -> dict[str, Any]:
    """A trade as a CSV connector read it."""
    return {
        "market": "NYMEX",
        "price": "2.45",
        "sequence": "98",
        "source_id": "sim-feed",
        "symbol": "NG_TEST",
        "timestamp": "2026-10-05T08:00:00Z",
        "volume": "1200",
    } | fields


def csv(fields: dict[str, Any] | None = None, metadata: Any = None, **wrapped: Any) -> dict[str, Any]:
    """A wrapped payload of one CSV row."""
    content = csv_row() if fields is None else fields
    told = {"price": content.get("price"), "volume": content.get("volume"), "csv_source_path": "a.csv"}
    wrapped = {"market": "NYMEX", "encoding": "csv-line", "sequence": 98} | wrapped
    return wrapper(
        content,
        without(told, *(name for name in told if told[name] is None)) if metadata is None else metadata,
        **wrapped,
    )


def generated(**raw_data: Any) -> dict[str, Any]:
    """A message of a load generator."""
    return {
        "envelope": {
            "event_type": "raw",
            "event_id": "g1",
            "timestamp": "2026-10-05T12:00:05Z",
            "tenant_id": "default",
            "source": "load",
            "version": "1.0",
        },
        "payload": {
            "market": "MISO",
            "instrument_id": "GEN_A",
            "raw_data": {"timestamp": "2026-10-05T12:00:00Z", "price": 31.5, "volume": 10, "node": "GEN_A"} | raw_data,
        },
    }


def decode(*payloads: Any, topic: str = MISO, **around: Any) -> Decoded:
    """Decode payloads, each in an envelope."""
    return DECODER.decode(raw_events(*(envelope(payload, **around) for payload in payloads), topic=topic))


def decode_bytes(*values: bytes | None, topic: str = MISO) -> Decoded:
    """Decode values as they are."""
    return DECODER.decode(raw_events(*values, topic=topic))


def price_of(payload: Any, topic: str = MISO, **around: Any) -> dict[str, Any]:
    """The one price a payload becomes, by column."""
    decoded = decode(payload, topic=topic, **around)
    assert decoded.refusals.frame.rows() == []
    (price,) = decoded.prices.frame.to_dicts()
    return price


def told(decoded: Decoded) -> list[tuple[int, int, str, str]]:
    """What was refused: event, index, reason and field."""
    return decoded.refusals.frame.select("event", "index", "reason", "field").rows()


def refusal_of(payload: Any, topic: str = MISO, **around: Any) -> tuple[str, str]:
    """Reason and field of the one refusal a payload becomes."""
    decoded = decode(payload, topic=topic, **around)
    assert len(decoded.prices) == 0
    ((_, _, reason, field),) = told(decoded)
    return reason, field


def mixed(*messages: tuple[str, bytes | None]) -> RawEvents:
    """Messages of several topics, as one poll may bring them."""
    return RawEvents(
        topics=[topic for topic, _ in messages],
        partitions=[0] * len(messages),
        offsets=list(range(len(messages))),
        timestamps_us=[0] * len(messages),
        values=[value for _, value in messages],
    )
