"""Facts for tests: a believable one, of which a test says only what it is about."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from application.ports.event_log import Progress, TopicPartition
from domain.bronze.raw_event import RawEvents, RawPrice, RawPrices
from domain.silver.tick import Tick, TickBatch

TEN = datetime(2026, 10, 5, 10, tzinfo=UTC)
"""Ten o'clock of an ordinary day, at which everything here happens unless told otherwise."""


def at(text: str) -> datetime:
    """An instant: `10:01:30` on the ordinary day, or a whole ISO text; UTC unless it says otherwise."""
    if "T" in text:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    hours, minutes, seconds = (*text.split(":"), "0")[:3]
    return TEN.replace(hour=0) + timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def as_far_as(offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, Progress]:
    """Progress of a group that has performed all before these offsets and keeps nothing open."""
    return {where: Progress(offset, offset) for where, offset in offsets.items()}


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def decimal(number: str | Decimal | None) -> Decimal | None:
    """An exact number, or none."""
    return None if number is None else Decimal(number)


def tick(ts: str | datetime = TEN, price: str = "3.30", **fields: Any) -> Tick:
    """A trade of NG_HH, known a second later."""
    moment = at(ts) if isinstance(ts, str) else ts
    known = fields.pop("ingested_at", moment + timedelta(seconds=1))
    instrument_id = fields.get("instrument_id", "NG_HH")
    tenant_id = fields.get("tenant_id", "default")
    for name in ("volume", "bid_price", "ask_price", "energy_price", "congestion_price", "loss_price"):
        fields[name] = decimal(fields.get(name))
    believable: dict[str, Any] = {
        "tenant_id": tenant_id,
        "market": "NYMEX",
        "symbol": instrument_id,
        "instrument_id": instrument_id,
        "source_id": "trades",
        "ts": moment,
        "ingested_at": known,
        "normalized_at": known,
        "source_seq": 0,
        "version": micros(known) * 4096,
        "price": Decimal(price),
        "currency": "USD",
        "unit": "MMBtu",
        "data_type": "tick",
        "market_run": "",
        "quality_flags": 0,
        "metadata": "{}",
        "raw_topic": "ingestion.market.ticks.raw.v1",
        "raw_partition": 0,
        "raw_offset": 0,
        "raw_index": 0,
        "series": f"{tenant_id}|{instrument_id}",
        "source_event_id": "",
        "source_system": "trades",
        "trace_id": "",
    }
    return Tick(**(believable | fields))


def ticks(*facts: Tick) -> TickBatch:
    """A batch of these."""
    return TickBatch.of(facts)


def raw_price(**fields: Any) -> RawPrice:
    """A 5-minute real-time price of a MISO hub, in the market's own texts."""
    believable: dict[str, Any] = {
        "event": 0,
        "index": 0,
        "tenant_id": "default",
        "market": "MISO",
        "data_type": "lmp",
        "market_run": "RT",
        "name": "MISO.LMP.RT.INDIANA.HUB",
        "symbol": "INDIANA.HUB",
        "source_id": "miso.lmp.rt",
        "time": "2026-10-05T05:05:00",
        "time_is_number": False,
        "price": "31.25",
        "currency": "USD",
        "unit": "MWh",
        "ingested_at": str(micros(TEN)),
        "flags": 0,
        "metadata": "{}",
        "source_event_id": "",
        "source_system": "ingestion-miso",
        "trace_id": "",
    }
    return RawPrice(**(believable | fields))


def raw_prices(*facts: RawPrice) -> RawPrices:
    """A batch of these."""
    return RawPrices.of(facts)


def envelope(payload: object, **fields: Any) -> dict[str, Any]:
    """The upstream envelope around a payload."""
    return {
        "event_id": "e-1",
        "trace_id": "",
        "schema_version": "1.0.0",
        "tenant_id": "default",
        "producer": "connector@1.0.0",
        "occurred_at": micros(TEN),
        "ingested_at": micros(TEN),
        "payload": payload,
    } | fields


def raw_events(*values: bytes | dict[str, Any] | None, topic: str = "ingestion.miso.raw.v1") -> RawEvents:
    """Raw messages on one partition of a topic, from bytes or from what their JSON says."""
    encoded: Sequence[bytes | None] = [
        json.dumps(value).encode() if isinstance(value, dict) else value for value in values
    ]
    return RawEvents(
        topics=[topic] * len(encoded),
        partitions=[0] * len(encoded),
        offsets=list(range(len(encoded))),
        timestamps_us=[micros(TEN)] * len(encoded),
        values=encoded,
    )


def column_of(batch: TickBatch | RawPrices, name: str) -> list[Any]:
    """One column of a batch as a list."""
    frame: pl.DataFrame = batch.frame
    return frame[name].to_list()
