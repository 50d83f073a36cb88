"""Published files as the messages upstream would have made of them."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.oracle.results import micros

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EST = timedelta(hours=-5)
KNOWN_AFTER = timedelta(minutes=10)
Message = tuple[str, dict[str, Any]]
Trade = tuple[datetime, str, str | None, int]
"""Time, price, volume, number."""


def write(file: Path, messages: Iterable[Message]) -> Path:
    """One line a message, on partition 0 of its topic, in this order."""
    offsets: dict[str, int] = {}
    with file.open("w") as out:
        for topic, value in messages:
            offsets[topic] = offsets.get(topic, -1) + 1
            record = {
                "topic": topic,
                "partition": 0,
                "offset": offsets[topic],
                "key": value["event_id"],
                "timestamp_ms": value["ingested_at"] // 1000,
                "value": value,
            }
            out.write(json.dumps(record) + "\n")
    return file


def enveloped(payload: dict[str, Any], known: datetime) -> dict[str, Any]:
    return {
        "event_id": "golden",
        "trace_id": "",
        "schema_version": "1.0.0",
        "tenant_id": "default",
        "producer": "golden@1.0.0",
        "occurred_at": micros(known),
        "ingested_at": micros(known),
        "payload": payload,
    }


def wrapped(raw: str, **fields: Any) -> dict[str, Any]:
    return fields | {
        "raw_payload": raw,
        "metadata": {},
        "retry_count": 0,
        "checksum": hashlib.sha256(raw.encode()).hexdigest(),
    }


def miso_five_minutes(path: Path) -> Iterator[Message]:
    """MISO's rolling file of 5-minute ex-post prices: EST labels at the interval's end."""
    for label, node, lmp, loss, congestion in json.loads(path.read_text())["data"]:
        payload = {
            "market": "miso",
            "data_type": "lmp",
            "timestamp": label,
            "node": node,
            "market_run": "RT",
            "lmp_usd_per_mwh": lmp,
            "congestion_usd_per_mwh": congestion,
            "loss_usd_per_mwh": loss,
            "energy_usd_per_mwh": None,
        }
        known = datetime.fromisoformat(label).replace(tzinfo=UTC) - EST + KNOWN_AFTER
        yield "ingestion.miso.raw.v1", enveloped(payload, known)


def caiso_rows(*paths: Path) -> Iterator[Message]:
    """OASIS files: one message an interval, holding its rows as the file spells them."""
    for path in paths:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            rows = sorted(csv.DictReader(file), key=caiso_point)
        for _, members in groupby(rows, key=caiso_point):
            point = list(members)
            payload = wrapped(
                json.dumps(point), source_system="caiso-oasis", market="CAISO", symbol=point[0]["NODE"], encoding="json"
            )
            known = datetime.fromisoformat(point[0]["INTERVALENDTIME_GMT"]) + KNOWN_AFTER
            yield "ingestion.caiso.raw.v1", enveloped(payload, known)


def caiso_point(row: dict[str, str]) -> tuple[str, str]:
    return row["NODE"], row["INTERVALSTARTTIME_GMT"]


def csv_trades(symbol: str, trades: Iterable[Trade]) -> Iterator[Message]:
    """Trades as rows of a CSV feed, in order of arrival."""
    for number, (moment, price, volume, sequence) in enumerate(trades):
        row = {
            "market": "GOLDEN",
            "symbol": symbol,
            "source_id": "golden",
            "timestamp": moment.isoformat(),
            "price": price,
        }
        row |= {} if volume is None else {"volume": volume}
        payload = wrapped(
            json.dumps(row),
            source_system="golden",
            market="GOLDEN",
            symbol=symbol,
            sequence=sequence,
            encoding="csv-line",
        )
        yield "ingestion.market.ticks.raw.v1", enveloped(payload, moment + KNOWN_AFTER + timedelta(microseconds=number))


def kraken_trades(path: Path) -> Iterator[Trade]:
    """Kraken's trades: times in seconds with a fraction finer than a microsecond, which is cut."""
    found = json.loads(path.read_text(), parse_float=str)["result"]["XBTUSDT"]
    for price, volume, time, *_, number in found:
        yield EPOCH + timedelta(microseconds=int(Decimal(time) * 1_000_000)), price, volume, number


def freqtrade_trades(path: Path) -> Iterator[Trade]:
    """Freqtrade's trades: times in milliseconds, numbers as JSON spells them."""
    with gzip.open(path, "rt") as file:
        for time, number, _, _, price, volume, _ in json.load(file, parse_float=str):
            yield EPOCH + timedelta(milliseconds=time), price, volume, int(number)
