"""
The raw decoder: bytes of every raw topic to prices in our words.

Each topic's messages are read fast, all together; those the fast reader is not sure of are read once more, one by one,
exactly. The exact reader decides what is refused and why. Avro is first turned into the JSON it stands for.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import attrs
import polars as pl

from adapters.markets import aeso, ercot, isone, miso, nyiso, pjm
from adapters.markets.caiso import CaisoRows
from adapters.markets.load_generator import is_generated, read_generated
from adapters.markets.reading import FastReading, Reading, TopicReader, Values, prices_of, refusals_of
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

TYPED = {
    "miso": miso.FEEDS,
    "ercot": ercot.FEEDS,
    "pjm": pjm.FEEDS,
    "nyiso": nyiso.FEEDS,
    "isone": isone.FEEDS,
    "aeso": aeso.FEEDS,
}
"""Feeds of the markets that send typed payloads."""


class MarketDecoder:
    """Reads all raw topics. A RawDecoder."""

    def __init__(self, avro: RawAvro | None = None) -> None:
        """Take a reader of Avro; by default one of the schemas that lie beside it."""
        self._avro = avro or RawAvro.of_files()
        self._topics = {
            **{raw(market): _Topic(market, TypedPayloads.of(market, feeds)) for market, feeds in TYPED.items()},
            raw("caiso"): _Topic("caiso", CaisoRows()),
            RAW_TICKS: _Topic("", CsvTicks()),
        }

    def decode(self, events: RawEvents) -> Decoded:
        """Read each message as far as its market's words allow."""
        frames: list[pl.DataFrame] = []
        readings: dict[int, Reading] = {}
        for name, rows in events.by_topic().items():
            positions = rows.to_list()
            topic = self._topics.get(name)
            if topic is None:
                stray = Unreadable(Reason.UNKNOWN_MARKET, "", f"{name} is no raw topic")
                readings |= {event: _refused(event, stray) for event in positions}
                continue
            texts, refused = self._as_json(events.values, positions)
            readable = [event for event in positions if event not in refused] if refused else positions
            fast = _read_fast(topic.reader, texts, readable)
            frames += fast.prices
            readings |= refused
            readings |= {event: _read_exactly(topic, event, texts[event] or b"") for event in fast.unsure}
        return _decoded(frames, readings)

    def _as_json(self, values: Sequence[bytes | None], events: Sequence[int]) -> tuple[Values, Mapping[int, Reading]]:
        """The messages at these positions with Avro turned into JSON, and what becomes of those that can't be read as such."""
        if _may_be_json([values[event] for event in events]):
            return values, {}
        unread = _unread(values, events)
        texts = {event: values[event] or b"" for event in events if event not in unread}
        framed = {event: value for event, value in texts.items() if value.startswith(MAGIC)}
        translated, unreadable = self._avro.all_to_json(framed) if framed else ({}, {})
        refused = {event: _refused(event, why) for event, why in unreadable.items()}
        return {**texts, **translated}, {**unread, **refused}


@attrs.frozen
class _Topic:
    market: str
    """Whose messages it carries; empty where those of many venues."""
    reader: TopicReader


def _may_be_json(values: Sequence[bytes | None]) -> bool:
    """Whether none of these is absent, empty, too large or Avro: what is asked of every message is asked of all at once."""
    return (
        all(values)
        and max(map(len, values)) <= MAX_VALUE_BYTES  # type: ignore[arg-type]
        and MAGIC[0] not in map(itemgetter(0), values)  # type: ignore[arg-type]
    )


def _unread(values: Sequence[bytes | None], positions: Sequence[int]) -> Mapping[int, Reading]:
    """What becomes of messages that are not read at all."""
    found = {}
    for event in positions:
        value = values[event]
        if value is None:
            found[event] = Reading(filtered=Declared.TOMBSTONE)
        elif len(value) > MAX_VALUE_BYTES:
            oversize = Unreadable(Reason.OVERSIZE, "", f"{len(value)} bytes are more than {MAX_VALUE_BYTES}")
            found[event] = _refused(event, oversize)
    return found


def _read_fast(reader: TopicReader, values: Values, events: Sequence[int]) -> FastReading:
    try:
        return reader.read_fast(values, events)
    except Exception:  # noqa: BLE001 the last line of defence: what the fast reader can't cope with is read one by one
        return FastReading(prices=(), unsure=events)


def _read_exactly(topic: _Topic, event: int, value: bytes) -> Reading:
    try:
        message = members_of(read_value(value), "")
        if is_generated(message):
            return read_generated(event, message, topic.market)
        if states_no_price(message):
            return Reading(filtered=Declared.NOT_A_PRICE)
        return topic.reader.read(event, message)
    except Unreadable as refused:
        return _refused(event, refused)
    except Exception as error:  # noqa: BLE001 the last line of defence: a message never harms its neighbours
        return _refused(event, Unreadable(Reason.BAD_SHAPE, "", f"unforeseen {type(error).__name__}: {error!s:.200}"))


def _refused(event: int, why: Unreadable) -> Reading:
    return Reading(refusals=[Refusal(event=event, index=-1, reason=why.reason, field=why.field, message=why.message)])


def _decoded(frames: list[pl.DataFrame], readings: Mapping[int, Reading]) -> Decoded:
    ordered = sorted(readings.items())
    prices: list[RawPrice] = [price for _, reading in ordered for price in reading.prices]
    if prices or not frames:
        frames = [*frames, prices_of(prices)]
    return Decoded(
        prices=RawPrices(pl.concat(frames) if len(frames) > 1 else frames[0]),
        refusals=refusals_of([refusal for _, reading in ordered for refusal in reading.refusals]),
        filtered=[(event, reading.filtered) for event, reading in ordered if reading.filtered],
    )
