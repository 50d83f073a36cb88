"""
CAISO: OASIS rows, of which four or five make one price.

A row states one component (LMP_TYPE) of one point (node, run, interval). Rows come in any order; those of one point,
however they spell its names and times, are joined before anything is said about it. The column with the value is MW,
whatever its name suggests; other versions of the report call it VALUE or PRC. `clearing_price` of the metadata is the
energy component, not the price.
Source: contracts.md §1, variant A; conventions.md §1.2.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import attrs
import polars as pl

from adapters.markets.columns import FastColumns, dotted, filled, is_no_name, read_sure
from adapters.markets.moments import moment
from adapters.markets.reading import FastReading, Reading, Values, lower, upper
from adapters.markets.venue import refuse_other_market
from adapters.markets.wrapper import (
    contradicts,
    message_type,
    raw_text,
    read_wrapped,
    refuse_contradictions,
    same_number,
    sequence_text,
)
from adapters.wire.exact_json import Members, is_integer, is_text, is_unsaid, name_of, read_text, text_of
from adapters.wire.raw_envelope import RawEnvelope, read_envelope, read_payload
from adapters.wire.typed_json import COUNT, TEXT, Unsure, list_of, message_reader_of, reader_of, record
from adapters.wire.unreadable import Unreadable
from domain.bronze.raw_event import RawPrice, Refusal
from domain.errors import Reason
from domain.silver.quality import Flag

MARKET = "caiso"
DATA_TYPE = "lmp"
CURRENCY = "USD"
UNIT = "MWh"

PRICE = "LMP"
COLUMNS: Mapping[str, str] = {
    PRICE: "price",
    "MCE": "energy_price",
    "MCC": "congestion_price",
    "MCL": "loss_price",
    "MGHG": "greenhouse_gas_price",
}
"""Column of RawPrice by LMP_TYPE."""

MOST_ROWS = 10_000
"""Of one message. One as large as may be holds half as many rows of a report, and half a million that say nothing."""

VALUE_COLUMNS = ("MW", "VALUE", "PRC")
SUMMARIES: Mapping[str, str] = {
    "price": PRICE,
    "clearing_price": "MCE",
    "congestion_price": "MCC",
    "loss_price": "MCL",
}
"""LMP_TYPE by the name the metadata gives its value."""

PLACE = ("NODE", "MARKET_RUN_ID", "INTERVALSTARTTIME_GMT")
"""What a price is for, as rows state it: fields of Place."""
END = "INTERVALENDTIME_GMT"
LABELS: Mapping[str, str] = {"timestamp": END, "delivery_date": "OPR_DT", "delivery_hour": "OPR_HR"}
"""What else rows say of a price, by the name the metadata gives it."""
ROW: Mapping[str, Any] = dict.fromkeys(
    (
        "INTERVALSTARTTIME_GMT",
        "INTERVALENDTIME_GMT",
        "OPR_DT",
        "OPR_HR",
        "OPR_INTERVAL",
        "NODE_ID_XML",
        "NODE_ID",
        "NODE",
        "MARKET_RUN_ID",
        "LMP_TYPE",
        "XML_DATA_ITEM",
        "PNODE_RESMRID",
        "GRP_TYPE",
        "POS",
        *VALUE_COLUMNS,
        "GROUP",
    ),
    TEXT,
)
METADATA: Mapping[str, Any] = dict.fromkeys(
    (
        "timezone",
        "currency",
        "unit",
        "price_unit",
        "data_type",
        "delivery_date",
        "delivery_hour",
        *SUMMARIES,
        "timestamp",
        "transformation_timestamp",
        "delivery_location",
        "market_id",
    ),
    TEXT,
)


@attrs.frozen
class Place:
    """What one price is for: a node, a run and the start of an interval, as the rows state them."""

    node: Any
    run: Any
    start: Any


@attrs.define(eq=False)
class Point:
    """The rows of one place, joined."""

    place: Place
    values: dict[str, Any] = attrs.field(factory=dict)
    """By LMP_TYPE."""
    labels: dict[str, Any] = attrs.field(factory=dict)
    """By column of `LABELS`."""
    conflicting: bool = False
    """Two rows of one type, or two ends, said different things."""

    def add(self, row: Members) -> None:
        """Join one more row; of two that speak of one thing the last counts."""
        kind, value = row.get("LMP_TYPE"), value_of(row)
        if not isinstance(kind, str):
            return
        if kind in self.values:
            earlier = text_of(self.values[kind]), text_of(value)
            self.conflicting |= earlier[0] != earlier[1] and not same_number(*earlier)
        self.values[kind] = value
        self._label({column: row[column] for column in LABELS.values() if not is_unsaid(row.get(column))})

    def _label(self, stated: Members) -> None:
        if END in stated and END in self.labels:
            self.conflicting |= moment(text_of(self.labels[END])) != moment(text_of(stated[END]))
        self.labels |= stated


NO_ROW = Point(Place(None, None, None))
"""Stands where a row is no object."""


def value_of(row: Members) -> Any:
    """Return the value of a row: the first of its value columns that holds something."""
    return next(
        (row[column] for column in VALUE_COLUMNS if row.get(column) not in (None, "")), row.get(VALUE_COLUMNS[0])
    )


class CaisoRows:
    """Reads the messages of CAISO's topic. A TopicReader."""

    def __init__(self) -> None:
        self._decode = message_reader_of(_message_type)
        self._decode_rows = reader_of(lambda strict: list_of(record("caiso_row", ROW, strict=strict)))

    def read(self, event: int, message: Members) -> Reading:
        """Read one message exactly: a price per point, numbered as they first appear. Raises Unreadable."""
        payload = read_payload(message)
        refuse_other_market(payload.get("market"), MARKET)
        if "raw_payload" not in payload and "data_type" in payload:
            raise Unreadable(
                Reason.UNKNOWN_DATA_TYPE, "data_type", f"{payload['data_type']!r:.80} is no type of {MARKET}"
            )
        envelope = read_envelope(message)
        points = _points(read_text(raw_text(payload)))
        metadata = payload.get("metadata")
        contradicted = _contradicted(metadata if isinstance(metadata, dict) else {}, points)
        prices, refusals = [], []
        for index, point in enumerate(points):
            try:
                prices.append(
                    _price(
                        event, index, point, payload, envelope, conflicting=point.conflicting or point in contradicted
                    )
                )
            except Unreadable as refused:
                refusals.append(
                    Refusal(
                        event=event, index=index, reason=refused.reason, field=refused.field, message=refused.message
                    )
                )
        return Reading(prices=prices, refusals=refusals)

    def read_fast(self, values: Values, events: Sequence[int]) -> FastReading:
        """Read many messages, leaving out those it is not sure of, and all that speak of several points."""
        taken = FastColumns(_TAKEN)
        unsure = read_sure(events, lambda portion: taken.take(self._columns(values, portion)))
        if not taken:
            return FastReading(prices=(), unsure=unsure)
        frame, dropped = _prices(taken)
        return FastReading(prices=[frame], unsure=sorted(unsure + dropped))

    def _columns(self, values: Values, events: Sequence[int]) -> Sequence[Sequence[Any]]:
        wrapped = read_wrapped(self._decode, values, events)
        points = _single_points(self._decode_rows(wrapped.texts))
        node, _, _, end, day, hour, price, energy, congestion, loss, _ = points
        summaries = wrapped.metadata
        refuse_contradictions([summary.delivery_location for summary in summaries], node)
        refuse_contradictions([summary.timestamp for summary in summaries], end)
        refuse_contradictions([summary.delivery_date for summary in summaries], day)
        refuse_contradictions([summary.delivery_hour for summary in summaries], hour)
        refuse_contradictions([summary.price for summary in summaries], price)
        refuse_contradictions([summary.clearing_price for summary in summaries], energy)
        refuse_contradictions([summary.congestion_price for summary in summaries], congestion)
        refuse_contradictions([summary.loss_price for summary in summaries], loss)
        return (*wrapped.envelope, wrapped.market, wrapped.sequence, *points[:4], *points[6:])


_TAKEN: Mapping[str, Any] = {
    "market": TEXT,
    "source_seq": COUNT,
    **dict.fromkeys(("node", "run", "time", "end_time", *COLUMNS.values()), TEXT),
}


def _prices(taken: FastColumns) -> tuple[pl.DataFrame, list[int]]:
    taken.checked("market", lambda market: market is None or lower(market) != MARKET)
    nodes = filled(taken.checked("node", is_no_name))
    runs = taken.translated("run", is_no_name, lambda run: upper(run or ""))
    return taken.prices(
        {
            **{name: taken.column(name) for name in ("time", "end_time", *COLUMNS.values())},
            "market": upper(MARKET),
            "data_type": DATA_TYPE,
            "market_run": runs,
            "name": dotted([upper(MARKET), "LMP", runs, nodes]),
            "symbol": nodes,
            "source_id": taken.translated("run", is_no_name, lambda run: f"{MARKET}.{DATA_TYPE}.{lower(run or '')}"),
            "source_seq": taken.column("source_seq").cast(pl.String),
            "currency": CURRENCY,
            "unit": UNIT,
        }
    )


def _message_type(strict: bool) -> Any:
    return message_type(MARKET, record("caiso_metadata", METADATA, strict=strict), strict=strict)


def _single_points(messages: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """
    Join the rows of each message, which must be of one point.

    Returns:
        Columns, one row a message: node, run, start, end, day, hour and the values, in the order of `COLUMNS`.

    Raises:
        Unsure: The rows of one are of several points, or something asks for a closer look.
    """
    kinds = [tuple([row.LMP_TYPE for row in rows]) for rows in messages]
    orders = set(kinds)
    if len(orders) == 1:
        return _joined(messages, kinds[0])
    points: list[tuple[Any, ...]] = [()] * len(messages)
    for order in orders:
        places = [place for place, found in enumerate(kinds) if found == order]
        joined = _joined([messages[place] for place in places], order)
        for place, point in zip(places, zip(*joined, strict=True), strict=True):
            points[place] = point
    return list(zip(*points, strict=True))


def _joined(messages: Sequence[Sequence[Any]], kinds: tuple[str | None, ...]) -> Sequence[Sequence[Any]]:
    """As `_single_points`, of messages whose rows are of these kinds, in this order."""
    if PRICE not in kinds or len(set(kinds)) < len(kinds):
        raise Unsure
    width, rows = len(kinds), list(chain.from_iterable(messages))
    starts, ends = [row.INTERVALSTARTTIME_GMT for row in rows], [row.INTERVALENDTIME_GMT for row in rows]
    days, hours = [row.OPR_DT for row in rows], [row.OPR_HR for row in rows]
    place = [row.NODE for row in rows], [row.MARKET_RUN_ID for row in rows], starts, ends, days, hours
    if any(column[at::width] != column[::width] for column in place for at in range(1, width)):
        raise Unsure
    values = [row.MW or row.VALUE or row.PRC for row in rows]
    if not all(values):
        raise Unsure
    given = {kind: values[at::width] for at, kind in enumerate(kinds)}
    nothing = [None] * len(messages)
    return [*(column[::width] for column in place), *(given.get(kind, nothing) for kind in COLUMNS)]


def _points(rows: Any) -> list[Point]:
    if not isinstance(rows, list) or not rows:
        raise Unreadable(Reason.BAD_SHAPE, "raw_payload", "raw_payload is no list with rows")
    if len(rows) > MOST_ROWS:
        raise Unreadable(Reason.OVERSIZE, "raw_payload", f"{len(rows)} rows are more than {MOST_ROWS}")
    points: dict[Any, Point] = {}
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            points[position] = NO_ROW
            continue
        place = Place(*map(row.get, PLACE))
        points.setdefault(_identity(place), Point(place)).add(row)
    return list(points.values())


def _identity(place: Place) -> tuple[Any, ...]:
    """What tells a point from others: two spellings of one are equal."""
    run = "" if place.run is None else place.run
    return _name(place.node), _name(run), moment(text_of(place.start))


def _name(stated: Any) -> Any:
    """A name in one case; in a tuple what is no name."""
    return upper(stated) if is_text(stated) else (text_of(stated),)


def _price(
    event: int, index: int, point: Point, payload: Members, envelope: RawEnvelope, *, conflicting: bool
) -> RawPrice:
    place = point.place
    if point is NO_ROW:
        raise Unreadable(Reason.BAD_SHAPE, "raw_payload", "a row is not an object")
    node = name_of(place.node, "NODE")
    run = "" if place.run in (None, "") else upper(name_of(place.run, "MARKET_RUN_ID"))
    if PRICE not in point.values:
        raise Unreadable(Reason.MISSING_PRICE, PRICE, "components only, no LMP row")
    return RawPrice(
        event=event,
        index=index,
        tenant_id=envelope.tenant_id,
        market=upper(MARKET),
        data_type=DATA_TYPE,
        market_run=run,
        name=".".join(filter(None, (upper(MARKET), "LMP", run, node))),
        symbol=node,
        source_id=".".join(filter(None, (MARKET, DATA_TYPE, lower(run)))),
        source_seq=sequence_text(payload.get("sequence")),
        time=text_of(place.start),
        time_is_number=is_integer(place.start),
        end_time=text_of(point.labels.get(END)),
        **{column: text_of(point.values.get(kind)) for kind, column in COLUMNS.items()},
        currency=CURRENCY,
        unit=UNIT,
        ingested_at=envelope.ingested_at,
        flags=int(Flag.SOURCE_CONFLICT) if conflicting else 0,
        metadata="{}",
        source_event_id=envelope.source_event_id,
        source_system=text_of(payload.get("source_system")) or envelope.producer,
        trace_id=envelope.trace_id,
    )


def _contradicted(metadata: Members, points: Sequence[Point]) -> Sequence[Point]:
    """
    Find the points of which a connector's metadata says something else than their rows.

    Metadata speaks of one point. Where it names none of those that are there, it contradicts them all.
    """
    named = [point for point in points if point is not NO_ROW and _names(metadata, point)]
    if not named:
        return points
    return [] if any(_agrees(metadata, point) for point in named) else named


def _names(metadata: Members, point: Point) -> bool:
    end = point.labels.get(END)
    return not contradicts(metadata.get("delivery_location"), point.place.node) and (
        not contradicts(metadata.get("timestamp"), end)
        or moment(text_of(metadata["timestamp"])) == moment(text_of(end))
    )


def _agrees(metadata: Members, point: Point) -> bool:
    stated = {name: point.values.get(kind) for name, kind in SUMMARIES.items()}
    stated |= {name: point.labels.get(column) for name, column in LABELS.items() if column != END}
    return not any(contradicts(metadata.get(name), value) for name, value in stated.items())
