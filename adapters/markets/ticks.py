"""
Trades and settlements that connectors read from CSV files: one row of texts a message.

The row alone says what was traded, when and at what price; `occurred_at` and the metadata are the connector's words.
Only the sequence is taken from the wrapper first. Source: contracts.md §1, variant A.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from adapters.markets.columns import FastColumns, filled, is_no_label, is_no_name, portions
from adapters.markets.reading import FastReading, Reading, Values, upper
from adapters.markets.venue import venue_of
from adapters.markets.wrapper import contradicts, differs, message_type, raw_text, sequence_text, text_in
from adapters.wire.exact_json import (
    Members,
    has_control_characters,
    is_integer,
    is_text,
    members_of,
    name_of,
    read_text,
    text_of,
)
from adapters.wire.raw_envelope import read_envelope, read_payload
from adapters.wire.typed_json import COUNT, TEXT, UNSURE, Unsure, reader_of, record
from domain.bronze.raw_event import RawPrice
from domain.silver.quality import Flag

DATA_TYPE = "tick"
UNKNOWN_SOURCE = "unknown"
SUMMARIES = ("price", "volume", "symbol", "timestamp")
"""What the metadata may repeat of the row, under the same name."""

ROW: Mapping[str, Any] = dict.fromkeys(
    (
        "symbol",
        "timestamp",
        "price",
        "volume",
        "bid_price",
        "ask_price",
        "source_id",
        "market",
        "currency",
        "unit",
        "sequence",
    ),
    TEXT,
)
METADATA: Mapping[str, Any] = dict.fromkeys((*SUMMARIES, "csv_source_path"), TEXT)


def source_of(stated: Any, field: str) -> str:
    """Return who said so; `unknown` where that is blank. Raises Unreadable (BAD_NAME) for what is no name."""
    blank = stated is None or (is_text(stated) and not stated.strip())
    return UNKNOWN_SOURCE if blank else name_of(stated, field)


class CsvTicks:
    """Reads the messages of the ticks topic. A TopicReader."""

    def __init__(self) -> None:
        self._decode = reader_of(_message_type)
        self._decode_row = reader_of(lambda strict: record("csv_row", ROW, strict=strict))

    def read(self, event: int, message: Members) -> Reading:
        """Read one message exactly. Raises Unreadable."""
        payload = read_payload(message)
        envelope = read_envelope(message)
        row = members_of(read_text(raw_text(payload)), "raw_payload")
        metadata = payload.get("metadata")
        summary = metadata if isinstance(metadata, dict) else {}
        conflict = any(contradicts(summary.get(name), row.get(name)) for name in SUMMARIES)
        symbol = name_of(row.get("symbol"), "symbol")
        price = RawPrice(
            event=event,
            index=0,
            tenant_id=envelope.tenant_id,
            market=venue_of(row.get("market") or payload.get("market")),
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
        unsure: list[int] = []
        taken = FastColumns(_TAKEN)
        decode, decode_row = self._decode, self._decode_row
        for portion in portions(events):
            rows: list[Any] = []
            for event in portion:
                try:
                    message = decode(values[event])  # type: ignore[arg-type]
                    payload = message.payload
                    row = decode_row(text_in(payload))
                    if _asks_for_a_closer_look(payload, row):
                        raise Unsure
                except UNSURE:
                    unsure.append(event)
                    continue
                rows += (event, message.event_id, message.trace_id, message.tenant_id)
                rows += (payload.source_system or message.producer, message.ingested_at)
                rows += (
                    row.market or payload.market,
                    payload.sequence,
                    row.symbol,
                    row.source_id or None,
                    row.timestamp,
                )
                rows += (row.price, row.volume, row.bid_price, row.ask_price, row.currency, row.unit)
            if rows:
                taken.take(rows)
        if not taken:
            return FastReading(prices=(), unsure=unsure)
        frame, dropped = _prices(taken)
        return FastReading(prices=[frame], unsure=sorted(unsure + dropped))


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


def _asks_for_a_closer_look(payload: Any, row: Any) -> bool:
    """Whether the row's sequence has to speak for the wrapper's, or the metadata may contradict the row."""
    if payload.sequence is None and row.sequence:
        return True
    summary = payload.metadata
    return summary is not None and (
        differs(summary.price, row.price)
        or differs(summary.volume, row.volume)
        or summary.symbol is not None
        or summary.timestamp is not None
    )


def _label(stated: Any) -> str:
    """A currency or unit as the row states it; empty where it states none."""
    return str(stated).strip() if is_text(stated) and not has_control_characters(stated) else ""
