"""
The raw decoder: bytes of every raw topic to prices in our words.

Each topic's messages are read twice at most: fast, all together, and those the fast reader is not sure of once more,
one by one, exactly. The exact reader decides what is refused and why.
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from adapters.markets import aeso, ercot, isone, miso, nyiso, pjm
from adapters.markets.caiso import CaisoRows
from adapters.markets.load_generator import is_generated, read_generated
from adapters.markets.reading import Reading, TopicReader, prices_of, refusals_of
from adapters.markets.ticks import CsvTicks
from adapters.markets.typed_payload import TypedPayloads
from adapters.markets.venue import states_no_price
from adapters.wire.exact_json import members_of, read_value
from adapters.wire.raw_avro import MAGIC, RawAvro
from adapters.wire.unreadable import Unreadable
from application.topics import RAW_TICKS, raw
from domain.bronze.raw_event import Decoded, RawEvents, RawPrice, RawPrices, Refusal
from domain.errors import Declared, Reason

MAX_VALUE_BYTES = 1 << 20
"""A larger value is refused unread. Source: contracts.md §1, odd input."""

TYPED = {module.__name__.rpartition(".")[2]: module.FEEDS for module in (miso, ercot, pjm, nyiso, isone, aeso)}
"""Feeds of the markets that send typed payloads."""


class MarketDecoder:
    """Reads all raw topics. A RawDecoder."""

    def __init__(self, avro: RawAvro | None = None) -> None:
        self._avro = avro or RawAvro.of_files()
        self._markets = {raw(market): market for market in (*TYPED, "caiso")}
        self._readers: Mapping[str, TopicReader] = {
            **{raw(market): TypedPayloads.of(market, feeds) for market, feeds in TYPED.items()},
            raw("caiso"): CaisoRows(),
            RAW_TICKS: CsvTicks(),
        }

    def decode(self, events: RawEvents) -> Decoded:
        """Read each message as far as its market's words allow."""
        frames: list[pl.DataFrame] = []
        prices: list[RawPrice] = []
        refusals: list[Refusal] = []
        filtered: list[tuple[int, str]] = []
        for topic, positions in _by_topic(events).items():
            fast, readings = self._read_topic(topic, events.values, positions)
            frames += fast
            for event, reading in readings:
                prices += reading.prices
                refusals += reading.refusals
                filtered += [(event, reading.filtered)] if reading.filtered else []
        if prices or not frames:
            frames.append(prices_of(prices))
        return Decoded(
            prices=RawPrices(pl.concat(frames) if len(frames) > 1 else frames[0]),
            refusals=refusals_of(refusals),
            filtered=sorted(filtered),
        )

    def _read_topic(
        self, topic: str, values: Sequence[bytes | None], positions: Sequence[int]
    ) -> tuple[list[pl.DataFrame], Iterable[tuple[int, Reading]]]:
        readings: list[tuple[int, Reading]] = []
        reader = self._readers.get(topic)
        if reader is None:
            return [], [(event, _refused(event, Unreadable(Reason.UNKNOWN_MARKET, "", f"{topic} is no raw topic"))) for event in positions]
        small = []
        for event in positions:
            value = values[event]
            if value is None:
                readings.append((event, Reading(filtered=Declared.TOMBSTONE)))
            elif len(value) > MAX_VALUE_BYTES:
                oversize = Unreadable(Reason.OVERSIZE, "", f"{len(value)} bytes are more than {MAX_VALUE_BYTES}")
                readings.append((event, _refused(event, oversize)))
            else:
                small.append(event)
        fast = reader.read_fast(values, small)
        readings += [(event, self._read_exactly(topic, reader, event, values[event] or b"")) for event in fast.unsure]
        return list(fast.prices), readings

    def _read_exactly(self, topic: str, reader: TopicReader, event: int, value: bytes) -> Reading:
        try:
            message = members_of(read_value(self._avro.to_json(value) if value.startswith(MAGIC) else value), "")
            if is_generated(message):
                return read_generated(event, message, self._markets.get(topic, ""))
            payload = message.get("payload")
            if isinstance(payload, dict) and states_no_price(payload):
                return Reading(filtered=Declared.NOT_A_PRICE)
            return reader.read(event, message)
        except Unreadable as refused:
            return _refused(event, refused)
        except Exception as error:  # noqa: BLE001 the last line of defence: a message never harms its neighbours
            return _refused(event, Unreadable(Reason.BAD_SHAPE, "", f"unforeseen {type(error).__name__}: {error}"))


def _by_topic(events: RawEvents) -> Mapping[str, Sequence[int]]:
    if len(set(events.topics)) == 1:
        return {events.topics[0]: range(len(events))}
    positions: dict[str, list[int]] = {}
    for event, topic in enumerate(events.topics):
        positions.setdefault(topic, []).append(event)
    return positions


def _refused(event: int, why: Unreadable) -> Reading:
    refusal = Refusal(event=event, index=-1, reason=why.reason, field=why.field, message=why.message)
    return Reading(refusals=[refusal])
