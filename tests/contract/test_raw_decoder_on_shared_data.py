"""The raw decoder on the acceptance data: real messages all decode, hostile ones are refused where it can tell."""

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from adapters.markets.raw_decoder import MarketDecoder
from domain.bronze.raw_event import Decoded, RawEvents

DECODER = MarketDecoder()

TOLD_BY_THE_DECODER = {
    "not_json": {"NOT_JSON", "TOO_DEEP"},
    "schema": {"BAD_SHAPE", "BAD_NAME", "TOO_DEEP"},
    "empty": {"EMPTY", "TOMBSTONE"},
    "encoding": {"ENCODING"},
    "too_large": {"OVERSIZE"},
    "avro_unknown_schema": {"UNKNOWN_SCHEMA"},
    "bad_tenant": {"BAD_TENANT"},
    "unknown_market": {"UNKNOWN_MARKET"},
    "unknown_data_type": {"UNKNOWN_DATA_TYPE"},
    "confusable": {"BAD_NAME"},
    "no_price_feed": {"NOT_A_PRICE"},
}
"""Codes by the class of reason in the file; the other classes are about numbers and times, which the domain reads."""

TOLD_BY_THE_DOMAIN = {"bad_price", "missing_price", "bad_timestamp"}


def lines(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as stream:
        yield from stream


def events_of(heads: list[dict[str, Any]], values: Sequence[bytes | None]) -> RawEvents:
    return RawEvents(
        topics=[head["topic"] for head in heads],
        partitions=[head["partition"] for head in heads],
        offsets=[head["offset"] for head in heads],
        timestamps_us=[head["timestamp_ms"] * 1000 for head in heads],
        values=values,
    )


def real_events(file: Path, at_most: int | None = None) -> RawEvents:
    heads, values = [], []
    for line in islice(lines(file), at_most):
        start = line.index(b'"value":') + len(b'"value":')
        heads.append(json.loads(line[:start] + b"null}"))
        values.append(line[start:].rstrip()[:-1])
    return events_of(heads, values)


def test_every_real_message_is_one_price_without_a_conflict(shared_data: Path) -> None:
    found = {}
    for file in sorted((shared_data / "raw" / "main").glob("*.jsonl.gz")):
        events = real_events(file)
        decoded = DECODER.decode(events)
        found[file.name] = (
            len(decoded.prices) - len(events),
            len(decoded.refusals),
            len(decoded.filtered),
            decoded.prices.frame["flags"].sum(),
        )
    assert found == dict.fromkeys(found, (0, 0, 0, 0))
    assert len(found) == 14


def outcomes(decoded: Decoded, messages: int) -> list[str]:
    codes = [""] * messages
    for event, reason in decoded.refusals.frame.select("event", "reason").rows():
        codes[event] = reason
    for event, declared in decoded.filtered:
        codes[event] = declared
    return codes


def test_hostile_messages_end_as_their_file_says(shared_data: Path) -> None:
    heads = [json.loads(line) for line in lines(shared_data / "hostile" / "hostile.jsonl.gz")]
    values = [None if head["value_b64"] is None else base64.b64decode(head["value_b64"]) for head in heads]
    codes = outcomes(DECODER.decode(events_of(heads, values)), len(heads))
    wrong = [(head["id"], code) for head, code in zip(heads, codes, strict=True) if not _is_right(head, code)]
    assert wrong == []


def _is_right(head: dict[str, Any], code: str) -> bool:
    if head["expect"] == "accepted":
        return code == ""
    if head["reason"] in TOLD_BY_THE_DOMAIN:
        return code in {"", "NOT_JSON", "MISSING_PRICE"}
    return code in TOLD_BY_THE_DECODER[head["reason"]]


def test_the_head_of_the_burst_is_one_price_a_message(shared_data: Path) -> None:
    events = real_events(shared_data / "raw" / "burst.jsonl.gz", at_most=40_000)
    decoded = DECODER.decode(events)
    assert (len(decoded.prices), len(decoded.refusals)) == (len(events), 0)
    assert decoded.prices.frame["flags"].sum() == 0
