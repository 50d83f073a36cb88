"""
Typed payloads (variant B): one price a message, under the market's own field names.

Which field is what, the market's file says in its feeds; this module reads any of them, exactly or fast.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any

import attrs
import polars as pl

from adapters.markets.columns import FastColumns, dotted, filled, is_no_label, is_no_name, read_sure
from adapters.markets.feed import RUN, Feed
from adapters.markets.reading import NO_METADATA, FastReading, Reading, Values, lower, upper
from adapters.markets.venue import refuse_other_market
from adapters.wire.exact_json import Members, is_integer, name_of, text_of
from adapters.wire.raw_envelope import NESTED, RawEnvelope, read_envelope, read_payload
from adapters.wire.typed_json import ABSENT, NUMBER, SCALAR, TEXT, columns_of, message_reader_of, one_of, record
from adapters.wire.unreadable import Unreadable
from domain.bronze.raw_event import RawPrice
from domain.errors import Reason

ENVELOPE: Mapping[str, Any] = {
    "event_id": TEXT,
    "trace_id": TEXT,
    "schema_version": SCALAR,
    "tenant_id": TEXT,
    "producer": TEXT,
    "occurred_at": SCALAR,
    "ingested_at": NUMBER,
    NESTED: ABSENT,
}
_INTEGER = re.compile(r"-?[0-9]+")


@attrs.frozen
class TypedPayloads:
    """Reads the typed payloads of one market. A TopicReader."""

    market: str
    """As in its topic, e.g. miso."""
    feeds: Mapping[str, Feed]
    """By data type."""
    _form: Mapping[Any, Feed] = attrs.field(init=False, factory=dict)
    _decode: Callable[[Sequence[bytes]], list[Any]] = attrs.field(init=False)

    @classmethod
    def of(cls, market: str, feeds: Sequence[Feed]) -> "TypedPayloads":
        """Reads these feeds of a market."""
        return cls(market, {feed.data_type: feed for feed in feeds})

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_decode", message_reader_of(self._message_type))

    def _message_type(self, strict: bool) -> Any:
        payloads = {
            record(f"{self.market}_{feed.data_type}", _fields(feed), strict=strict, tag=feed.data_type): feed
            for feed in self.feeds.values()
        }
        self._form.update(payloads)  # type: ignore[attr-defined]
        fields = {**ENVELOPE, "payload": one_of(list(payloads))}
        return record(self.market, fields, strict=strict, needed=["payload"])

    def read(self, event: int, message: Members) -> Reading:
        """Read one message exactly. Raises Unreadable."""
        payload = read_payload(message)
        refuse_other_market(payload.get("market"), self.market)
        data_type = payload.get("data_type")
        feed = self.feeds.get(data_type) if isinstance(data_type, str) else None
        if feed is None:
            raise Unreadable(Reason.UNKNOWN_DATA_TYPE, "data_type", f"{data_type!r:.80} is no type of {self.market}")
        return Reading(prices=[self._price(event, feed, payload, read_envelope(message))])

    def _price(self, event: int, feed: Feed, payload: Members, envelope: RawEnvelope) -> RawPrice:
        stated = _stated_run(payload)
        run = stated or feed.assumed_run
        symbol = _symbol(feed, payload)
        time = payload.get(feed.time)
        sequence, extras = _sequence_and_extras(feed, payload)
        return RawPrice(
            event=event,
            index=0,
            tenant_id=envelope.tenant_id,
            market=upper(self.market),
            data_type=feed.data_type,
            market_run=run,
            name=_name(self.market, feed, payload, run),
            symbol=symbol,
            source_id=self._source_id(feed, stated),
            source_seq=sequence,
            time=text_of(time),
            time_is_number=is_integer(time),
            end_time=text_of(payload.get(feed.end_time)),
            price=_first_text(payload, feed.price),
            volume=text_of(payload.get(feed.volume)),
            **{column: text_of(payload.get(field)) for column, field in feed.components.items()},
            currency=feed.currency,
            unit=feed.unit,
            ingested_at=envelope.ingested_at,
            flags=0,
            metadata=_metadata(extras),
            source_event_id=envelope.source_event_id,
            source_system=envelope.producer,
            trace_id=envelope.trace_id,
        )

    def _source_id(self, feed: Feed, stated_run: str) -> str:
        return ".".join(filter(None, (self.market, feed.data_type, lower(stated_run))))

    def read_fast(self, values: Values, events: Sequence[int]) -> FastReading:
        """Read many messages, leaving out those it is not sure of."""
        taken = {form: FastColumns(_fields(feed)) for form, feed in self._form.items()}
        unsure = read_sure(events, partial(self._take, taken, values))
        frames = []
        for form, columns in taken.items():
            if columns:
                frame, dropped = self._prices(self._form[form], columns)
                frames.append(frame)
                unsure += dropped
        return FastReading(prices=frames, unsure=sorted(unsure))

    def _take(self, taken: Mapping[Any, FastColumns], values: Values, events: Sequence[int]) -> None:
        messages = self._decode([values[event] for event in events])  # type: ignore[misc]
        payloads = [message.payload for message in messages]
        envelope = envelope_columns(events, messages, [message.producer for message in messages])
        forms = set(map(type, payloads))
        if len(forms) == 1:
            taken[forms.pop()].take([*envelope, *columns_of(payloads)])
            return
        for form in forms:
            its = [type(payload) is form for payload in payloads]
            columns = (list(compress(column, its)) for column in envelope)
            taken[form].take([*columns, *columns_of(compress(payloads, its))])

    def _prices(self, feed: Feed, taken: FastColumns) -> tuple[pl.DataFrame, list[int]]:
        taken.checked("market", lambda stated: stated is None or lower(stated) != self.market)
        names = dict.fromkeys((*feed.id_fields, *feed.symbol[:1]))
        parts = {field: filled(taken.checked(field, is_no_name)) for field in names}
        runs = taken.translated("market_run", is_no_label, lambda run: upper(run) if run else feed.assumed_run)
        source_ids = taken.translated("market_run", is_no_label, lambda run: self._source_id(feed, run or ""))
        return taken.prices(
            {
                "market": upper(self.market),
                "data_type": feed.data_type,
                "market_run": runs,
                "name": dotted([upper(self.market), *({**parts, RUN: runs}.get(part, part) for part in feed.id_parts)]),
                "symbol": parts[feed.symbol[0]] if feed.symbol else feed.fixed_symbol,
                "source_id": source_ids,
                "source_seq": _sequences(feed, taken),
                "time": taken.column(feed.time),
                "end_time": taken.column(feed.end_time) if feed.end_time else None,
                "price": _first_numbers(taken, feed.price),
                "volume": taken.column(feed.volume) if feed.volume else None,
                **{column: taken.column(field) for column, field in feed.components.items()},
                "currency": feed.currency,
                "unit": feed.unit,
                "metadata": _metadata_column(taken, feed.extras),
            }
        )


def envelope_columns(
    events: Sequence[int], messages: Sequence[Any], systems: Sequence[str | None]
) -> Sequence[Sequence[Any]]:
    """The envelopes of typed messages, as `columns.ENVELOPE` has them; `systems` says who sent them."""
    return (
        events,
        [message.event_id for message in messages],
        [message.trace_id for message in messages],
        [message.tenant_id for message in messages],
        systems,
        [message.ingested_at for message in messages],
    )


def _fields(feed: Feed) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(("market", feed.time, *feed.id_fields, *feed.symbol, "market_run"), TEXT)
    fields |= {feed.end_time: TEXT} if feed.end_time else {}
    fields |= dict.fromkeys(filter(None, (*feed.price, *feed.components.values(), feed.volume, feed.sequence)), NUMBER)
    fields |= dict.fromkeys(feed.extras, NUMBER)
    return fields | dict.fromkeys(feed.unused, SCALAR)


def _stated_run(payload: Members) -> str:
    run = payload.get("market_run")
    return "" if run is None or run == "" else upper(name_of(run, "market_run"))


def _symbol(feed: Feed, payload: Members) -> str:
    if feed.fixed_symbol:
        return feed.fixed_symbol
    present = [field for field in feed.symbol if payload.get(field) is not None]
    field = present[0] if present else feed.symbol[0]
    return name_of(payload.get(field), field)


def _name(market: str, feed: Feed, payload: Members, run: str) -> str:
    parts = (run if part == RUN else _part(feed, payload, part) if part.islower() else part for part in feed.id_parts)
    return ".".join(filter(None, (upper(market), *parts)))


def _part(feed: Feed, payload: Members, field: str) -> str | None:
    """A part of an id as text; None where it may be absent, and is: all but the last that names the place."""
    value = payload.get(field)
    if value is None and field not in feed.symbol[-1:]:
        return None
    is_plain_year = is_integer(value) and field not in feed.symbol
    return str(value) if is_plain_year else name_of(value, field)


def _first_text(payload: Members, fields: Sequence[str]) -> str | None:
    return next((text_of(payload[field]) for field in fields if payload.get(field) is not None), None)


def _sequence_and_extras(feed: Feed, payload: Members) -> tuple[str | None, dict[str, str | None]]:
    extras = {field: text_of(payload.get(field)) for field in feed.extras}
    sequence = text_of(payload.get(feed.sequence))
    if sequence is None or _INTEGER.fullmatch(sequence):
        return sequence, extras
    return None, {**extras, feed.sequence: sequence}


def _metadata(facts: Mapping[str, str | None]) -> str:
    known = {field: text for field, text in facts.items() if text is not None}
    return json.dumps(known, sort_keys=True, ensure_ascii=False) if known else NO_METADATA


def _sequences(feed: Feed, taken: FastColumns) -> pl.Series | None:
    if not feed.sequence:
        return None
    texts = taken.column(feed.sequence)
    taken.distrust(~texts.str.contains("^-?[0-9]+$"))
    return texts


def _first_numbers(taken: FastColumns, fields: Sequence[str]) -> pl.Series:
    texts = taken.column(fields[0])
    for field in fields[1:]:
        texts = texts.zip_with(texts.is_not_null(), taken.column(field))
    return texts


def _metadata_column(taken: FastColumns, fields: Sequence[str]) -> list[str] | str:
    if not fields:
        return NO_METADATA
    columns = [taken.column(field).to_list() for field in fields]
    return [_metadata(dict(zip(fields, facts, strict=True))) for facts in zip(*columns, strict=True)]
