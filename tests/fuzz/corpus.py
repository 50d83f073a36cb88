"""
The corpus: small inputs of our own making, one file each, from which fuzzing starts.

    python -m tests.fuzz.corpus      write it anew

An input that was found to break something is added here as a seed of its target, and stays.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapters.wire.events import WireFormat
from application import topics
from domain.batch import Batch
from domain.gold.bar import BarBatch
from domain.gold.taxonomy import EnrichedTicks
from domain.reprocessing import RecomputeRequests
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch
from tests.builders import envelope, tick
from tests.fuzz.targets import OUR_TOPICS, codec, name_of
from tests.unit.markets.messages import caiso, csv, generated, miso_lmp, row
from tests.unit.wire_events.facts import bar, enriched_tick, latest_price, recompute_request

CORPUS = Path(__file__).parent / "corpus"
RAW = "raw"
"""Folder of what every raw topic must withstand."""

FACTS: Sequence[Batch[Any]] = (
    TickBatch.of([tick()]),
    EnrichedTicks.of([enriched_tick()]),
    RecomputeRequests.of([recompute_request()]),
    LatestPrices.of([latest_price()]),
    BarBatch.of([bar()]),
)
"""One of each topic of ours."""

SEEDS_OF_ALL: Sequence[bytes] = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b'{"payload":{}}',
    b'{"payload":null,"envelope":{}}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'{"a":"\\ud800"}',
    b"[" * 64,
    b'{"payload":' * 40,
    b'{"a":NaN}',
    b'{"a":1}{"a":2}',
    b'{"a":1,"a":2}\x00',
    b"\x00\x00\x00\x00\x01",
    b"\x00",
)
"""What every raw topic must withstand."""

ODD_TEXTS = (
    "x" * 300,
    "\u202eevil",
    "../..",
    "'; DROP TABLE",
    "\u0130STANBUL",
    "a\u0301",
    "\n",
    "1e400",
    "-0",
    "0x1",
    "24:00",
    "1969-12-31T23:59:59",
    "2026-03-08T02:30:00",
    "2026-11-01T01:30:00",
    "9" * 70,
)


def typed_payloads(market: str) -> Iterator[dict[str, Any]]:
    """Payloads of the markets that send typed ones."""
    at = "2026-10-05T00:05:00"
    prices = {
        "miso": [miso_lmp(), {"data_type": "as", "timestamp": at, "product": "REG", "zone": "Z1"}],
        "ercot": [{"data_type": "rtm", "node": "HB_NORTH", "timestamp": at, "lmp_usd_per_mwh": 20.5}],
        "pjm": [{"data_type": "lmp", "timestamp": at, "node": "WEST", "market_run": "DA", "lmp_usd_per_mwh": "-1.5"}],
        "nyiso": [{"data_type": "rt_lbmp", "timestamp": at, "node": "CAPITL", "lbmp_usd_per_mwh": 3}],
        "isone": [{"data_type": "fcm", "auction": "FCA", "auction_date": "2026-10-05", "capacity_zone": "Z"}],
        "aeso": [{"data_type": "pool_price", "begin_datetime_utc": at, "pool_price_cad_per_mwh": 44.1}],
    }
    yield from ({"market": market} | payload for payload in prices[market])
    yield {"market": market, "data_type": "outages"}
    first = {"market": market} | prices[market][0]
    for name in first:
        yield first | {name: ODD_TEXTS[len(name) % len(ODD_TEXTS)]}
        yield first | {name: [None, {}, 10**30, True][len(name) % 4]}


def messages(topic: str) -> Iterator[dict[str, Any]]:
    """Whole messages of a raw topic, good and odd."""
    name = name_of(topic)
    if name == "caiso":
        payloads = [
            caiso(),
            caiso(row("LMP", "x")),
            caiso(row("LMP", "1", NODE="")),
            caiso("no row"),
            caiso(checksum="0"),
        ]
    elif name == "market.ticks":
        payloads = [csv(), csv({"symbol": ODD_TEXTS[1], "price": "1e9", "timestamp": "1"}), csv({}), csv(encoding="?")]
    else:
        payloads = list(typed_payloads(name))
    yield from (envelope(payload) for payload in payloads)
    yield envelope(payloads[0], tenant_id="../admin", ingested_at="2026-10-05T00:00:00+25:00")
    yield generated()
    yield generated(price=ODD_TEXTS[7], timestamp=10**18)


COMMANDS = (
    "migrate\nstatus",
    "lag\n--json\n--wait\n--timeout\n5",
    "topics\ncreate\n--dry-run",
    "export\n--out\nout",
    "verify\n--from\n2026-10-05\n--to\n2026-10-06T00:00:00+02:00\n--instrument\nA\nB",
    "bars\ngaps\n--instrument\nA\n--from\n2026-10-05\n--interval\n5m",
    "ingest\nreplay\na.jsonl\n--speed\n10x",
    "verify\n--rows\n1e9\n--from\nyesterday",
    "--help",
    "verify\n--data-dir\n../../etc\n--json=maybe",
)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Every seed, with the name of its target."""
    yield from ((RAW, seed) for seed in SEEDS_OF_ALL)
    for topic in topics.RAW:
        yield from ((name_of(topic), json.dumps(message).encode()) for message in messages(topic))
    for choice in range(3 * len(topics.RAW)):
        yield "avro", bytes([choice]) + bytes(range(choice, choice + 20))
    for choice, topic in enumerate(OUR_TOPICS):
        for wire_format in WireFormat:
            (record,) = codec(wire_format).encode(topic, FACTS[choice]).values
            yield "events", bytes([choice]) + record
            yield "events", bytes([choice]) + record[: len(record) // 2]
    yield "events", b"\x00[]"
    yield from (("commands", words.encode()) for words in COMMANDS)


def write() -> None:
    """This will write each seed into its target's folder, numbered, in place of what lies there."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    numbers: dict[str, int] = {}
    for target, seed in seeds():
        number = numbers[target] = numbers.get(target, -1) + 1
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03d}").write_bytes(seed)


def folders(target: str) -> list[Path]:
    """Where the seeds of a target lie: those of all raw topics, and its own."""
    return [*([CORPUS / RAW] if target in map(name_of, topics.RAW) else []), CORPUS / target]


def corpus(target: str) -> list[bytes]:
    """The seeds of a target as they lie in the repository."""
    return [path.read_bytes() for folder in folders(target) for path in sorted(folder.iterdir())]


if __name__ == "__main__":
    write()
