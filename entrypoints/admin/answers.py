"""
What is answered, as JSON in which prices are exact numbers.

Source: contracts.md §5. A price is written with the digits it has, never through a float; trailing zeros are left out.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Self, TypeVar

import attrs
import msgspec
from litestar import MediaType, Response

from domain.gold.bar import Bar
from domain.served.latest_price import LatestPrice
from domain.silver.quality import Flag

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="number")
REVISION_DIGITS = 39


class Problem(msgspec.Struct):
    """Why there is no answer."""

    error: str


class PriceData(msgspec.Struct):
    """A price as the gateway reads it."""

    price: Decimal
    volume: Decimal | None
    timestamp: datetime
    source: str
    quality_flags: list[str]


class Projection(msgspec.Struct):
    """One projection of one instrument."""

    projection_type: str
    instrument_id: str
    tenant_id: str
    data: PriceData
    last_updated: datetime
    metadata: dict[str, str]

    @classmethod
    def of(cls, price: LatestPrice, projection_type: str) -> Self:
        """The latest price as a projection."""
        data = PriceData(
            price=plain(price.price),
            volume=_plain_or_none(price.volume),
            timestamp=price.ts,
            source=price.source_id,
            quality_flags=flag_names(price.quality_flags),
        )
        about = {"market": price.market, "symbol": price.symbol, "currency": price.currency, "unit": price.unit}
        metadata = about | json.loads(price.metadata)
        return cls(projection_type, price.instrument_id, price.tenant_id, data, price.updated_at, metadata)


class LatestAnswer(msgspec.Struct):
    """One latest price with all that is known of it."""

    tenant_id: str
    instrument_id: str
    market: str
    symbol: str
    timestamp: datetime
    price: Decimal
    volume: Decimal | None
    currency: str
    unit: str
    quality_flags: list[str]
    source_id: str
    source_seq: int
    version: str
    metadata: dict[str, str]
    updated_at: datetime

    @classmethod
    def of(cls, price: LatestPrice) -> Self:
        """A latest price; its version is text, since it may have more digits than a reader's numbers."""
        return cls(
            tenant_id=price.tenant_id,
            instrument_id=price.instrument_id,
            market=price.market,
            symbol=price.symbol,
            timestamp=price.ts,
            price=plain(price.price),
            volume=_plain_or_none(price.volume),
            currency=price.currency,
            unit=price.unit,
            quality_flags=flag_names(price.quality_flags),
            source_id=price.source_id,
            source_seq=price.source_seq,
            version=str(price.version),
            metadata=json.loads(price.metadata),
            updated_at=price.updated_at,
        )


class LatestAnswers(msgspec.Struct):
    """Latest prices, by instrument_id."""

    prices: list[LatestAnswer]


class BarAnswer(msgspec.Struct):
    """One bar."""

    interval_start: datetime
    interval_end: datetime
    market: str
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    close_price: Decimal
    mean_price: Decimal
    price_sum: Decimal
    volume: Decimal | None
    notional: Decimal | None
    vwap: Decimal | None
    trade_count: int
    open_ts: datetime
    close_ts: datetime
    currency: str
    unit: str
    quality_flags: list[str]
    state: str
    reason: str
    revision: str

    @classmethod
    def of(cls, bar: Bar) -> Self:
        """A bar; its revision is text of 39 digits, which compares as the number does."""
        told = attrs.asdict(bar, recurse=False, filter=lambda field, _: field.name in cls.__struct_fields__)
        numbers = {name: plain(value) for name, value in told.items() if isinstance(value, Decimal)}
        texts = {
            "quality_flags": flag_names(bar.quality_flags),
            "revision": str(bar.revision).zfill(REVISION_DIGITS),
        }
        return cls(**(told | numbers | texts))


class BarsAnswer(msgspec.Struct):
    """Bars of one instrument, ascending."""

    tenant_id: str
    instrument_id: str
    interval: str
    bars: list[BarAnswer]


class Readiness(msgspec.Struct):
    """Whether the service can do its work, and which of its needs are met."""

    ready: bool
    checks: dict[str, bool]


class Liveness(msgspec.Struct):
    """The service answers."""

    alive: bool = True


class ExactJson(Response[T], Generic[T]):
    """A JSON answer whose decimals are numbers, digit by digit."""

    def __init__(self, content: T, status_code: int | None = None) -> None:
        super().__init__(content, status_code=status_code, media_type=MediaType.JSON)

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:  # noqa: ARG002 - the framework's signature
        """Write the answer."""
        return _ENCODER.encode(content)


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent."""
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _plain_or_none(number: Decimal | None) -> Decimal | None:
    return None if number is None else plain(number)


def flag_names(mask: int) -> list[str]:
    """Sorted names of the flags in a bitmask."""
    return sorted(str(flag.name) for flag in Flag(mask))
