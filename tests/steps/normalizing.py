"""Words of the normalization scenarios: prices as a market states them, without its wire format."""

import json
from collections.abc import Iterator, Sequence

from domain.bronze.raw_event import Decoded, RawEvents, RawPrice, Refusals
from tests.builders import at, micros, raw_price, raw_prices
from tests.steps.enriching import DELIVERIES, Table, rows_of

Row = dict[str, str]

DECEMBER = "2026-12-01T00:00:00Z"
"""When everything is known unless a table says otherwise: after all of the year's switches of clocks."""


class StatedPrices:
    """A decoder of messages that are rows of a scenario's table."""

    def decode(self, events: RawEvents) -> Decoded:
        """Every message is one price."""
        prices = [_price(event, json.loads(value or b"{}")) for event, value in enumerate(events.values)]
        return Decoded(prices=raw_prices(*prices), refusals=Refusals.empty(), filtered=[])


def _price(event: int, row: Row) -> RawPrice:
    market, data_type, *run = row["feed"].split()
    parts = (market, data_type.upper(), *run) if run else ()
    return raw_price(
        event=event,
        tenant_id=row.get("tenant", "default"),
        market=market,
        data_type=data_type,
        market_run="".join(run),
        name=".".join((*parts, row["location"])),
        symbol=row["location"],
        source_id=row.get("source", ".".join(row["feed"].lower().split())),
        time=row["label"],
        price=row["price"],
        volume=row.get("volume") or None,
        ingested_at=row["known"],
    )


def messages(table: Table, delivery: str) -> Iterator[RawEvents]:
    """The rows of a table as messages of one partition, as a delivery brings them; each keeps its offset."""
    values = [json.dumps(row | {"known": _known_us(row)}).encode() for row in rows_of(table)]
    offsets = list(range(len(values)))
    if delivery == DELIVERIES[0]:
        yield _events(values, offsets)
        return
    for offset in reversed(offsets) if delivery == "reversed" else offsets:
        yield _events([values[offset]], [offset])


def _known_us(row: Row) -> str:
    return str(micros(at(row.get("known at", DECEMBER))))


def _events(values: Sequence[bytes], offsets: Sequence[int]) -> RawEvents:
    return RawEvents(
        topics=["ingestion.market.ticks.raw.v1"] * len(values),
        partitions=[0] * len(values),
        offsets=offsets,
        timestamps_us=[micros(at(DECEMBER))] * len(values),
        values=values,
    )
