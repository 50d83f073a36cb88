"""Facts that a codec must carry, with a value in every column."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from domain.bronze.dead_letter import DeadLetter
from domain.gold.bar import Bar
from domain.gold.taxonomy import EnrichedTick
from domain.reprocessing import RecomputeRequest
from domain.served.latest_price import LatestPrice
from domain.silver.quality import Flag
from tests.builders import TEN, tick

FLAGS = int(Flag.PRICE_NEGATIVE | Flag.BAD_SEQUENCE)
SERIES = "default|NG_HH"


def full_tick_fields() -> dict[str, Any]:
    """Values for every column of a tick that may be empty or null."""
    return {
        "interval_end": TEN + timedelta(minutes=5),
        "source_seq": 2**63 - 1,
        "version": 2**64 - 1,
        "volume": "-0.00000001",
        "bid_price": "9999999999.99999999",
        "ask_price": "1",
        "energy_price": "-3.5",
        "congestion_price": "0",
        "loss_price": "0.1",
        "market_run": "RT",
        "quality_flags": FLAGS,
        "metadata": '{"a":"x\\"y","b":"ü"}',
        "raw_partition": 3,
        "raw_offset": 2**40,
        "raw_index": 7,
        "source_event_id": 'odd "id" \\ \n\x07 \u2028 é',
        "trace_id": "t-1",
    }


def enriched_tick(**fields: Any) -> EnrichedTick:
    """A tick of a known instrument."""
    known = {
        "commodity": "natural_gas",
        "region": "Gulf",
        "product_tier": "hub",
        "taxonomy": '{"confidence":"1","method":"catalog"}',
        "tags": '["liquid","physical"]',
        "metadata_version": 5,
    }
    plain = tick(**{name: value for name, value in fields.items() if name not in known})
    own = attrs.asdict(plain)
    return EnrichedTick(**(own | known | {name: value for name, value in fields.items() if name in known}))


def bar(**fields: Any) -> Bar:
    """A final 5-minute bar of two ticks."""
    believable: dict[str, Any] = {
        "tenant_id": "default",
        "instrument_id": "NG_HH",
        "market": "NYMEX",
        "interval_start": TEN,
        "interval_end": TEN + timedelta(minutes=5),
        "open_ts": TEN,
        "close_ts": TEN + timedelta(minutes=4),
        "open_price": Decimal("3.3"),
        "high_price": Decimal("3.4"),
        "low_price": Decimal("-3.3"),
        "close_price": Decimal("3.4"),
        "mean_price": Decimal("3.35"),
        "price_sum": Decimal("123456789012345678901234567890.12345678"),
        "volume": Decimal(7),
        "notional": Decimal("1234567890123456789012.1234567890123456"),
        "vwap": Decimal("3.35"),
        "trade_count": 2,
        "quality_flags": FLAGS,
        "currency": "USD",
        "unit": "MMBtu",
        "state": "final",
        "reason": "live",
        "revision": (1 << 112) | (7_246_386_000_000_000_001 << 8) | 1,
        "lineage_partitions": [
            {"partition": "ingestion.market.ticks.raw.v1/0", "first_offset": 3, "last_offset": 9},
            {"partition": "ingestion.market.ticks.raw.v1/4", "first_offset": 0, "last_offset": 2**40},
        ],
        "lineage_digest": 2**128 - 2,
        "known_at": TEN + timedelta(minutes=6),
        "interval": "5m",
        "series": SERIES,
    }
    return Bar(**(believable | fields))


def latest_price(**fields: Any) -> LatestPrice:
    """The latest price of NG_HH."""
    believable: dict[str, Any] = {
        "tenant_id": "default",
        "market": "NYMEX",
        "symbol": "NG_HH",
        "instrument_id": "NG_HH",
        "ts": TEN,
        "price": Decimal("3.3"),
        "volume": Decimal(7),
        "quality_flags": FLAGS,
        "source_id": "trades",
        "source_seq": 9,
        "version": 2**63,
        "currency": "USD",
        "unit": "MMBtu",
        "metadata": '{"a":"1"}',
        "updated_at": TEN + timedelta(microseconds=1),
        "rank": "0" * 78 + "ff",
        "series": SERIES,
    }
    return LatestPrice(**(believable | fields))


def recompute_request(**fields: Any) -> RecomputeRequest:
    """A request for one late tick."""
    believable: dict[str, Any] = {
        "tenant_id": "default",
        "instrument_id": "NG_HH",
        "interval": "5m",
        "interval_start": TEN,
        "reason": "late",
        "cause": "ingestion.market.ticks.raw.v1/0/17",
        "series": SERIES,
    }
    return RecomputeRequest(**(believable | fields))


def dead_letter(**fields: Any) -> DeadLetter:
    """A record that was no JSON."""
    believable: dict[str, Any] = {
        "stage": "normalization",
        "reason": "NOT_JSON",
        "field": "",
        "message": 'not JSON: "\x00"',
        "topic": "ingestion.miso.raw.v1",
        "partition": 2,
        "offset": 11,
        "row_index": -1,
        "first_failed_at": TEN,
        "retry_count": 0,
        "raw": bytes(range(256)),
        "raw_sha256": "ab" * 32,
        "service_version": "0.1.0",
    }
    return DeadLetter(**(believable | fields))
