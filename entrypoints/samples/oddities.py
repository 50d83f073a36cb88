"""What goes wrong upstream: each function spoils a good message in one way that connectors really do."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from entrypoints.samples.messages import SampleMessage, compact, wrapped

Value = dict[str, Any]
Oddity = Callable[[Value], bytes | None]
PRICE = "lmp_usd_per_mwh"


def cut_off(value: Value) -> bytes:
    """Half a message, as after a broken connection."""
    text = compact(value).encode()
    return text[: len(text) // 2]


def not_utf8(value: Value) -> bytes:
    """A producer's name in another encoding."""
    return compact(value).encode().replace(b"@", b"\xff\xfe", 1)


def tombstone(_value: Value) -> None:
    """No bytes at all."""


def nothing(_value: Value) -> bytes:
    """Only white space."""
    return b" \n"


def unknown_schema(_value: Value) -> bytes:
    """Avro under a schema nobody registered."""
    return b"\x00\x7f\xff\xff\xfe\x02\x04ab"


def no_payload(value: Value) -> bytes:
    """The payload is null."""
    return compact(value | {"payload": None}).encode()


def bad_tenant(value: Value) -> bytes:
    """A tenant outside the pattern."""
    return compact(value | {"tenant_id": "Tenant A!"}).encode()


def no_ingestion_time(value: Value) -> bytes:
    """The time of knowledge is missing."""
    return compact({name: field for name, field in value.items() if name != "ingested_at"}).encode()


def no_price(value: Value) -> bytes:
    """The price is null, or its row or field empty."""
    return _restated(value, {PRICE: None}, {"price": ""}, "MW", "")


def price_in_words(value: Value) -> bytes:
    """The price is no number."""
    return _restated(value, {PRICE: "n/a"}, {"price": "n/a"}, "MW", "n/a")


def price_too_fine(value: Value) -> bytes:
    """More decimals than a price can keep; the tick is kept and flagged."""
    return _restated(value, {PRICE: 31.123456789012345}, {"price": "31.123456789012345"}, "MW", "31.123456789012345")


def no_time(value: Value) -> bytes:
    """Nobody can tell when."""
    return _restated(value, {"timestamp": "soon"}, {"timestamp": "invalid_ts"}, "INTERVALSTARTTIME_GMT", "24:00")


def confusable_name(value: Value) -> bytes:
    """A name that looks like a real one; it becomes another instrument."""
    return _restated(
        value, {"node": "INDI\u0410NA.HUB"}, {"symbol": "NG_\u041d\u041d"}, "NODE", "TH_NP15_G\u0415N-APND"
    )


def nameless(value: Value) -> bytes:
    """No node or symbol."""
    return _restated(value, {"node": ""}, {"symbol": ""}, "NODE", "")


def wrong_checksum(value: Value) -> bytes:
    """The text is not the one the checksum was made of; a market without checksums sends an unknown type instead."""
    payload = value["payload"]
    damage = {"checksum": "0" * 64} if "checksum" in payload else {"data_type": "lmp2"}
    return compact(value | {"payload": payload | damage}).encode()


def outage(value: Value) -> bytes:
    """News of a power plant, on the topic of prices: no price and no error; only markets with types send it."""
    payload = value["payload"]
    if "data_type" not in payload:
        return nothing(value)
    news = {"market": payload["market"], "data_type": "outages", "outage_id": "4711", "status": "A", "derate_mw": 150.0}
    return compact(value | {"payload": news}).encode()


def from_the_future(value: Value) -> bytes:
    """A time far beyond what the feed may speak of; kept, but it moves nothing."""
    ahead = datetime.fromtimestamp(value["ingested_at"] / 1e6 + 40 * 86_400, UTC).strftime("%Y-%m-%dT%H:00:00")
    return _restated(value, {"timestamp": ahead}, {"timestamp": f"{ahead}Z"}, "OPR_DT", ahead[:10])


def _restated(value: Value, typed: Value, row: Value, caiso_column: str, caiso_text: str) -> bytes:
    """This will state other fields, where the message's shape has them, with a checksum that fits."""
    payload = value["payload"]
    if "raw_payload" not in payload:
        return compact(value | {"payload": payload | typed}).encode()
    raw = json.loads(payload["raw_payload"])
    changed = raw | row if isinstance(raw, dict) else [old | {caiso_column: caiso_text} for old in raw]
    kept = {name: field for name, field in payload.items() if name not in {"raw_payload", "checksum", "retry_count"}}
    return compact(value | {"payload": wrapped(json.dumps(changed), **kept)}).encode()


ODDITIES: tuple[Oddity, ...] = (
    cut_off,
    not_utf8,
    tombstone,
    nothing,
    unknown_schema,
    no_payload,
    bad_tenant,
    no_ingestion_time,
    no_price,
    price_in_words,
    price_too_fine,
    no_time,
    confusable_name,
    nameless,
    wrong_checksum,
    outage,
    from_the_future,
)


def spoiled(good: SampleMessage, oddity: Oddity) -> SampleMessage:
    """This will send a good message's spoiled twin in its place."""
    return attrs.evolve(good, value=oddity(json.loads(good.value or b"{}")))
