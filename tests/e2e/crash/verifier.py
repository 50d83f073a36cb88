"""
A second opinion: read the raw topics, recompute everything in plain Python, and compare with what the refinery stored.

    python -m tests.e2e.crash.verifier     (reads DATA_PROC_KAFKA_BOOTSTRAP, DATA_PROC_CLICKHOUSE_URL, DATA_PROC_REDIS_URL)

It shares no code with the refinery: raw messages come from Kafka itself, tables from ClickHouse's own SQL, the cache
from Redis's own commands. Exits with 0 where all agree, 4 where something differs; the first differences are printed.
"""

import json
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import clickhouse_connect
from confluent_kafka import Consumer, Message, TopicPartition
from redis import Redis

from tests.oracle.comparison import (
    BAR,
    compared,
    dead_letter_differences,
    latest_rows,
    masked,
    plain,
    read_table,
    table_differences,
)
from tests.oracle.raw import RawMessage
from tests.oracle.results import Results, micros, results

AGREES, DIFFERS = 0, 4
SHOWN = 20
HOUR_MS = 3_600_000
RAW_TOPICS = tuple(
    f"ingestion.{source}.raw.v1"
    for source in ("miso", "caiso", "ercot", "pjm", "nyiso", "isone", "aeso", "market.ticks")
)
INTERVALS = ("5m", "1h", "1d")
BARS = tuple(f"bars_{interval}" for interval in INTERVALS)
TABLES = ("silver_ticks", "enriched_ticks", "served_latest", *BARS, "bar_seals", "dead_letters", "ledger")
COLUMNS = {
    "served_latest": "* REPLACE (concat(leftPad(lower(hex(rank)), 64, '0'), leftPad(lower(hex(content)), 16, '0')) AS rank)",
    "dead_letters": "topic, partition, offset, reason",
    **dict.fromkeys(BARS, "* REPLACE (toString(revision) AS revision)"),
}
"""What is read of a table, where that is not every column as it stands."""
SERIES = ("tenant_id", "instrument_id")
TICK = (*SERIES, "ts", "source_id", "source_seq")
DEAD_LETTER_TOPICS = tuple(
    f"processing.deadletter.{stage}.v1" for stage in ("normalization", "enrichment", "aggregation", "projection")
)
SETTLED = {"final", "revised"}


@attrs.frozen
class Told:
    """What a topic tells of the rows of a table: the last of the events with the highest `order` counts."""

    topic: str
    table: str
    key: tuple[str, ...]
    order: str
    content: tuple[str, ...]
    """What must be as it is stored. A repeat raises the order of what is stored and may be told of or not."""


ANNOUNCED = (
    Told("normalized.market.ticks.v1", "silver_ticks", TICK, "version", ("version", "price", "volume")),
    Told("enriched.market.ticks.v1", "enriched_ticks", TICK, "version", ("version", "price", "volume")),
    Told("served.market.latest_prices.v1", "served_latest", SERIES, "rank", ("ts", "source_seq", "price", "volume")),
    *(
        Told(
            f"aggregated.market.bars.{interval}.v1",
            f"bars_{interval}",
            (*SERIES, "interval_start"),
            "revision",
            ("state", *BAR),
        )
        for interval in INTERVALS
    ),
)


def main() -> int:
    """Compare, and say what differs."""
    raw = list(raw_messages())
    expected = results(raw)
    with tempfile.TemporaryDirectory() as folder:
        export = exported(Path(folder))
        found = [
            *table_differences(export, expected),
            *dead_letter_differences(export, expected),
            *ledger_differences(export, expected),
            *cache_differences(expected, export),
            *state_differences(export),
            *announcement_differences(export),
            *dead_letter_announcement_differences(export),
        ]
    ticks = sum(counted["ticks"] for counted in expected.counts.values())
    print(f"{len(raw)} raw messages, {ticks} ticks, {len(expected.silver)} distinct: {len(found)} differences")  # noqa: T201 - a program
    for difference in found[:SHOWN]:
        print(f"  {difference}")  # noqa: T201 - a program
    return DIFFERS if found else AGREES


def raw_messages() -> Iterator[RawMessage]:
    """Every raw message in the log, in order of time."""
    found = [
        RawMessage(
            topic=str(taken.topic()),
            partition=int(taken.partition() or 0),
            offset=int(taken.offset() or 0),
            timestamp_ms=taken.timestamp()[1],
            value=taken.value(),
        )
        for taken in log(RAW_TOPICS)
    ]
    yield from sorted(found, key=lambda message: (message.timestamp_ms, *message.coordinates))


def log(topics: Iterable[str]) -> Iterator[Message]:
    """Every record of these topics, each partition in its order."""
    reader = Consumer(
        {
            "bootstrap.servers": os.environ["DATA_PROC_KAFKA_BOOTSTRAP"],
            "group.id": "verifier",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
        }
    )
    try:
        known = reader.list_topics(timeout=30).topics
        places = [TopicPartition(name, number, 0) for name in topics for number in known[name].partitions]
        ends = {(place.topic, place.partition): reader.get_watermark_offsets(place, 30)[1] for place in places}
        reader.assign([place for place in places if ends[place.topic, place.partition]])
        left = sum(ends.values())
        while left:
            for taken in reader.consume(min(left, 10_000), 10):
                if taken.error():
                    raise RuntimeError(str(taken.error()))
                left -= 1
                yield taken
    finally:
        reader.close()


def exported(folder: Path) -> Path:
    """The tables as ClickHouse itself writes them, each row at its highest version."""
    address = urlsplit(os.environ["DATA_PROC_CLICKHOUSE_URL"])
    database = address.path.strip("/")
    client = clickhouse_connect.get_client(host=address.hostname, port=address.port, autogenerate_session_id=False)
    for table in TABLES:
        file = client.raw_query(f"SELECT {COLUMNS.get(table, '*')} FROM {database}.{table} FINAL", fmt="Parquet")
        (folder / f"{table}.parquet").write_bytes(file)
    client.close()
    return folder


def ledger_differences(export: Path, expected: Results) -> Iterator[str]:
    """Per raw partition and hour: every message in exactly one way, and every row of it."""
    wanted: dict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    for message, verdict in expected.outcomes.values():
        hour = message.timestamp_ms // HOUR_MS * HOUR_MS * 1000
        counted = wanted[message.topic, message.partition, hour]
        counted["messages"] += 1
        counted[verdict.outcome] += 1
        counted["ticks"] += len(verdict.ticks)
    held = {(row["topic"], row["partition"], micros(row["hour"])): row for row in read_table(export, "ledger")}
    yield from (f"ledger: missing {key}" for key in wanted.keys() - held.keys())
    yield from (f"ledger: unexpected {key}" for key in held.keys() - wanted.keys())
    for key in wanted.keys() & held.keys():
        told = {name: held[key][name] for name in ("messages", "accepted", "filtered", "dead_letter", "ticks")}
        if told != {name: wanted[key][name] for name in told}:
            yield f"ledger: {key} is {told} instead of {dict(wanted[key])}"
        if held[key]["rows"] != held[key]["ticks"] + held[key]["rejected_rows"]:
            yield f"ledger: {key} has {held[key]['rows']} rows that do not add up"


def cache_differences(expected: Results, export: Path) -> Iterator[str]:
    """Every latest price is in the cache, as the messages have it and at the rank of the table."""
    redis = Redis.from_url(os.environ["DATA_PROC_REDIS_URL"], socket_timeout=10)
    ranks = {
        masked([row["tenant_id"], row["instrument_id"]]): str(row["rank"])
        for row in read_table(export, "served_latest")
    }
    held: dict[tuple[Any, ...], dict[bytes, bytes]] = {}
    for key in redis.scan_iter("tenant:*:latest:*", count=1000):
        _, tenant, _, instrument = key.decode().split(":", 3)
        held[masked([tenant, instrument])] = redis.hgetall(key)  # type: ignore[assignment]  # no awaitable here
    redis.close()
    wanted = latest_rows(expected)
    yield from (f"cache: missing {key}" for key in wanted.keys() - held.keys())
    yield from (f"cache: unexpected {key}" for key in held.keys() - wanted.keys())
    for key in wanted.keys() & held.keys():
        record = json.loads(held[key][b"record"])
        if Decimal(record["price"]) != wanted[key]["price"]:
            yield f"cache: {key} costs {record['price']} instead of {wanted[key]['price']}"
        if held[key][b"version"].decode() != ranks.get(key):
            yield f"cache: {key} has rank {held[key][b'version']!r} and the table {ranks.get(key)}"


def state_differences(export: Path) -> Iterator[str]:
    """A bar is settled, which its revision says as well, where its instrument is sealed up to its end; else provisional."""
    seals = {tuple(row[name] for name in SERIES): row["sealed_until"] for row in read_table(export, "bar_seals")}
    for table in BARS:
        for row in read_table(export, table):
            seal = seals.get(tuple(row[name] for name in SERIES))
            sealed = seal is not None and row["interval_end"] <= seal
            if (row["state"] in SETTLED, int(row["revision"]) % 256) != (sealed, int(sealed)):
                where = [row[name] for name in (*SERIES, "interval_start")]
                yield f"{table}: {where} is {row['state']} at revision {row['revision']} and sealed up to {seal}"


def announcement_differences(export: Path) -> Iterator[str]:
    """What was told last of every row is what is stored of it."""
    for told in ANNOUNCED:
        stored = {
            tuple(plain(row[name]) for name in told.key): {name: plain(row[name]) for name in told.content}
            for row in read_table(export, told.table)
        }
        yield from compared(told.topic, list(last_told(told).items()), stored)


def last_told(told: Told) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a topic tells of each key in the end."""
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for taken in log([told.topic]):
        event = fields(taken)
        key = tuple(event[name] for name in told.key)
        if key not in last or event[told.order] >= last[key][told.order]:
            last[key] = event
    return last


def fields(taken: Message) -> dict[str, Any]:
    """The fields of an event, by the names of the table's columns."""
    event = json.loads(taken.value() or b"", parse_float=Decimal)
    payload = event["payload"]
    data = payload.pop("data", None)
    if data:
        data["ts"] = micros(datetime.fromisoformat(data.pop("timestamp")))
        payload |= data
    payload["quality_flags"] = frozenset(payload.get("quality_flags", ()))
    return {"tenant_id": event["tenant_id"], **payload}


def dead_letter_announcement_differences(export: Path) -> Iterator[str]:
    """Every dead letter was told, and every one that was told is stored."""
    stored = {tuple(row.values()) for row in read_table(export, "dead_letters")}
    names = ("failed_topic", "failed_partition", "failed_offset", "error_code")
    told = {tuple(fields(taken)[name] for name in names) for taken in log(DEAD_LETTER_TOPICS)}
    yield from (f"dead letters: {letter} was never told" for letter in stored - told)
    yield from (f"dead letters: {letter} was told and is not stored" for letter in told - stored)


if __name__ == "__main__":
    sys.exit(main())
