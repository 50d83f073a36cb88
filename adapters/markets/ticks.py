"""
Trades and settlements that connectors read from CSV files: one row of texts a message.

The row alone says what was traded, when and at what price; `occurred_at` and the metadata are the connector's words.
Only the sequence is taken from the wrapper first. Source: contracts.md §1, variant A.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import polars as pl

from adapters.markets.columns import FastColumns, filled, is_no_label, is_no_name, read_sure
from adapters.markets.moments import moment
from adapters.markets.reading import FastReading, Reading, Values, upper
from adapters.markets.venue import venue_of
from adapters.markets.wrapper import (
    Texts,
    Wrapped,
    contradicts,
    first_said,
    message_type,
    raw_text,
    read_wrapped,
    refuse_contradictions,
    sequence_text,
)
from adapters.wire.exact_json import (
    Members,
    has_control_characters,
    is_integer,
    is_text,
    is_unsaid,
    members_of,
    name_of,
    read_text,
    text_of,
)
from adapters.wire.raw_envelope import read_envelope, read_payload
from adapters.wire.typed_json import ABSENT, COUNT, TEXT, Unsure, columns_of, message_reader_of, reader_of, record
from domain.bronze.raw_event import RawPrice
from domain.silver.quality import Flag

DATA_TYPE = "tick"
UNKNOWN_SOURCE = "unknown"

ROW: Mapping[str, Any] = dict.fromkeys(
    (
        "market",
        "price",
        "sequence",
        "source_id",
        "symbol",
        "timestamp",
        "volume",
        "bid_price",
        "ask_price",
        "currency",
        "unit",
    ),
    TEXT,
)
"""The metadata may repeat any of it, under the same name."""
METADATA: Mapping[str, Any] = dict.fromkeys(ROW, ABSENT) | dict.fromkeys(("price", "volume", "csv_source_path"), TEXT)
"""Connectors repeat no more; where one does, the exact reader compares."""
SAID_ALIKE: Mapping[str, Callable[[str], Any]] = {"timestamp": moment, "market": upper}
"""What two spellings must have in common to say the same."""


def source_of(stated: Any, field: str) -> str:
    """Return who said so; `unknown` where that is blank. Raises Unreadable (BAD_NAME) for what is no name."""
    return UNKNOWN_SOURCE if is_unsaid(stated) else name_of(stated, field)


class CsvTicks:
    """Reads the messages of the ticks topic. A TopicReader."""

    def __init__(self) -> None:
        self._decode = message_reader_of(_message_type)
        self._decode_row = reader_of(lambda strict: record("csv_row", ROW, strict=strict))

    def read(self, event: int, message: Members) -> Reading:
        """Read one message exactly. Raises Unreadable."""
        payload = read_payload(message)
        envelope = read_envelope(message)
        row = members_of(read_text(raw_text(payload)), "raw_payload")
        metadata = payload.get("metadata")
        summary = metadata if isinstance(metadata, dict) else {}
        conflict = any(_contradicts(name, summary.get(name), row.get(name)) for name in ROW)
        symbol = name_of(row.get("symbol"), "symbol")
        price = RawPrice(
            event=event,
            index=0,
            tenant_id=envelope.tenant_id,
            market=venue_of(payload.get("market") if is_unsaid(row.get("market")) else row.get("market")),
            data_type=DATA_TYPE,
            market_run="",
            name=symbol,
            symbol=symbol,
            source_id=source_of(row.get("source_id"), "source_id"),
            source_seq=sequence_text(payload.get("sequence"), row.get("sequence")),
            time=text_of(row.get("timestamp")),
            time_is_number=is_integer(row.get("timestamp")),
            price=text_of(row.get("price")),
            volume=text_of(row.get("volume")),
            bid_price=text_of(row.get("bid_price")),
            ask_price=text_of(row.get("ask_price")),
            currency=_label(row.get("currency")),
            unit=_label(row.get("unit")),
            ingested_at=envelope.ingested_at,
            flags=int(Flag.SOURCE_CONFLICT) if conflict else 0,
            metadata="{}",
            source_event_id=envelope.source_event_id,
            source_system=text_of(payload.get("source_system")) or envelope.producer,
            trace_id=envelope.trace_id,
        )
        return Reading(prices=[price])

    def read_fast(self, values: Values, events: Sequence[int]) -> FastReading:
        """Read many messages, leaving out those it is not sure of."""
        taken = FastColumns(_TAKEN)
        unsure = read_sure(events, lambda portion: taken.take(self._columns(values, portion)))
        if not taken:
            return FastReading(prices=(), unsure=unsure)
        frame, dropped = _prices(taken)
        return FastReading(prices=[frame], unsure=sorted(unsure + dropped))

    def _columns(self, values: Values, events: Sequence[int]) -> Sequence[Sequence[Any]]:
        wrapped = read_wrapped(self._decode, values, events)
        rows = self._decode_row(wrapped.texts)
        market, price, sequence, source_id, symbol, timestamp, volume, *others = columns_of(rows)
        _refuse_second_voices(wrapped, price, volume, sequence)
        venue, source = first_said(market, wrapped.market), first_said(source_id, repeat(None))
        return (*wrapped.envelope, venue, wrapped.sequence, symbol, source, timestamp, price, volume, *others)


_TAKEN: Mapping[str, Any] = {
    "market": TEXT,
    "source_seq": COUNT,
    "symbol": TEXT,
    "source_id": TEXT,
    **dict.fromkeys(("time", "price", "volume", "bid_price", "ask_price"), TEXT),
    "currency": TEXT,
    "unit": TEXT,
}


def _prices(taken: FastColumns) -> tuple[pl.DataFrame, list[int]]:
    symbols = filled(taken.checked("symbol", is_no_name))
    return taken.prices(
        {
            **{name: taken.column(name) for name in ("time", "price", "volume", "bid_price", "ask_price")},
            "market": taken.translated("market", is_no_label, lambda market: upper(market or "")),
            "data_type": DATA_TYPE,
            "name": symbols,
            "symbol": symbols,
            "source_id": filled(taken.checked("source_id", is_no_label), UNKNOWN_SOURCE),
            "source_seq": taken.column("source_seq").cast(pl.String),
            **{
                name: taken.translated(name, lambda label: bool(label) and is_no_name(label), _label)
                for name in ("currency", "unit")
            },
        }
    )


def _message_type(strict: bool) -> Any:
    return message_type("csv", record("csv_metadata", METADATA, strict=strict), strict=strict)


def _refuse_second_voices(wrapped: Wrapped, price: Texts, volume: Texts, sequence: Texts) -> None:
    """Raise Unsure where a row's sequence has to speak for the wrapper's, or the metadata may contradict the row."""
    if None in wrapped.sequence and any(
        given is None and stated for given, stated in zip(wrapped.sequence, sequence, strict=True)
    ):
        raise Unsure
    refuse_contradictions([summary.price for summary in wrapped.metadata], price)
    refuse_contradictions([summary.volume for summary in wrapped.metadata], volume)


def _contradicts(name: str, summary: Any, stated: Any) -> bool:
    alike = SAID_ALIKE.get(name)
    return contradicts(summary, stated) and not (alike and alike(str(summary)) == alike(str(stated)))


def _label(stated: Any) -> str:
    """A currency or unit as the row states it; empty where it states none."""
    return str(stated).strip() if is_text(stated) and not has_control_characters(stated) else ""
