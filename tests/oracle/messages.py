"""
Raw messages of every kind the contracts speak of: each market, data type and shape, re-delivered, corrected, spoiled.

Seeded: the same seed makes the same messages. What becomes of each is for the oracle to say, not for this file.
"""

import hashlib
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

from tests.oracle.feeds import FEEDS, TICKS_TOPIC, Feed
from tests.oracle.raw import RawMessage

Fields = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 3, 18, tzinfo=UTC)
"""Two days after clocks went back in New York and Los Angeles."""
COMING_HOURS = [NOW + timedelta(hours=hours) for hours in range(1, 5)]
"""As day-ahead labels name them."""
SLOTS = [timedelta(minutes=5 * number) for number in range(12 * 60)]
PARTITIONS = {"ingestion.miso.raw.v1": 4, "ingestion.caiso.raw.v1": 6, "ingestion.nyiso.raw.v1": 3, TICKS_TOPIC: 6}
LITERAL = re.compile(r'"@@(.*?)@@"')
ABSENT = object()
RUNS = {
    "miso": ("DA", "RT", "RT_HOURLY"),
    "nyiso": ("DA", "RT"),
    "pjm": ("DA", "RT"),
    "isone": ("DA", "RT"),
}
LONG = "A_NODE_WITH_A_NAME_THAT_NOBODY_COULD_EVER_WANT_TO_TYPE_OR_READ_OUT_ALOUD_TWICE"

NAMES = (
    ABSENT, None, "", "@@123@@", ["X"], "IND\x00IANA", "IND\nIANA", "\x7f", "IND\u0410NA.HUB", "\u0131nd\u0131ana.hub",
    "A B", "A/B", "lower.case", LONG, "X'; DROP TABLE silver_ticks; --", "%s${jndi:ldap://x}", "\u00fcber", "A:B_C-D.E",
)  # fmt: skip
PRICES = (
    ABSENT, None, "", "  ", True, [1], {"value": 1}, "abc", "NaN", "inf", "Infinity", "+5", "1_000", "52,98", " 5", "5 ",
    "0x10", "1e", ".", "-", "--5", "1.2.3", "\u0661\u0662", "9" * 11, "9999999999.99999999", "9999999999.999999999",
    "-9999999999.99999999", "@@10000000000@@", "@@12345678901234567890@@", "@@1e400@@", "@@1e-400@@", "@@1.5E1@@",
    "@@-0.0@@", "@@0@@", "-0", "@@31.123456789012345678@@", "@@0.000000005@@", "@@0.000000015@@", "@@-0.000000025@@",
    "@@31.1000000000000@@", "5.", ".5", "-.5", "1e2", "1E-3", "12.5e+1", "0" * 64, "0" * 65, "1" + "0" * 9, "00012.50",
    "@@-98.65@@", "@@5e-324@@", "1e999999999", "-1e-999999999",
)  # fmt: skip
VOLUMES = (ABSENT, None, "", "@@0@@", "0", "@@-3@@", "-2.5", "abc", True, [1], "@@1.123456789@@", "@@1e12@@", "7")
COMPONENTS = (ABSENT, None, "abc", True, [1], "@@1e30@@", "@@-4.25@@", "3.5")
TIMES = (
    ABSENT, None, "", "not a time", "2026-11-02", "2026-11-02T24:00:00", "2026-11-02T23:59:60", "2026-W45-1", "2026-11-02T10:00:00 EST",
    "2026-11-02T10:00:00[America/New_York]", "1969-12-31T00:00:00", "2100-01-02T00:00:00", "2026-02-30T00:00:00",
    "2026-13-01T00:00:00", "2026-11-02T10:00:00Z", "2026-11-02T10:00:00+00:00", "2026-11-02T10:00:00+02:00",
    "2026-11-02T10:00:00-0500", "2026-11-02T10:05", "2026-11-02 10:10", "2026-11-02 10:15:00", "2026-11-02T10:20:00.123",
    "2026-11-02T10:20:00.123456789", "2026-11-02T10:20:00.1234567Z", "2026-11-01T01:30:00", "2026-11-01T01:30:00-05:00",
    "2026-11-01T01:30:00-04:00", "2026-03-08T02:30:00", "2026-03-08T03:00:00", "@@1793613600@@", "@@1793613600000@@", "@@1793613600000000@@",
    "@@1793613600000000000@@", "@@99999999999999999999@@", "@@-5@@", True, [1], "3000-01-01T00:00:00", "1600-01-01T00:00:00",
    "2026-11-20T00:00:00", "2027-01-01T00:00:00", "2024-11-02T10:00:00", "2026-11-02T10:00:0", "20261102T100000",
)  # fmt: skip
DATES = (
    ABSENT,
    None,
    "",
    "soon",
    "2026-02-30",
    "2026-11-02",
    "2026-11-01",
    "2030-01-01",
    "2024-01-01",
    "2026-W45-1",
    "1969-12-31",
    "2100-06-01",
    "2026-11-02T10:00:00",
    "2026-11-02T10:00:00Z",
    "2026-11-02T23:30:00-08:00",
    "2026-11-01T03:00:00+00:30",
    "@@1793505600@@",
    "@@1793505599@@",
)
MONTHS = (
    ABSENT, None, "", "2026-13", "2026-11", "2026-12", "2030-01", "2024-02", "11/2026", "2026-12-15", "2026-11-01T00:00:00Z",
    "2026-11-01T00:00:00-04:00", "2026-12-01T00:00:00-04:00", "2026-11-30T23:00:00-08:00", "@@1793505600@@", "@@1793505599@@",
)  # fmt: skip
TENANTS = (
    ABSENT,
    None,
    "tenant-1",
    "a" * 64,
    "a" * 65,
    "Tenant A!",
    "../etc",
    "DEFAULT",
    "",
    "@@7@@",
    "abc\n",
    "_x",
    "0_-",
)
KNOWN = (
    ABSENT, None, "abc", True, "@@1.5@@", "@@1@@", "@@600000000000000@@", "@@1793600000000@@", "@@1893456000000000@@", "@@-1@@",
    "2026-11-03T17:00:00Z", "2026-11-03T12:00:00.000004-05:00", "2026-11-09T17:00:00Z",
)  # fmt: skip
SEQUENCES = (
    ABSENT,
    None,
    "@@-1@@",
    "@@1.5@@",
    "@@9223372036854775807@@",
    "@@9223372036854775808@@",
    "abc",
    True,
    "@@12@@",
    "@@0@@",
    "@@-0@@",
)


def messages(seed: int, count: int) -> list[RawMessage]:
    """
    Messages in the order of their coordinates, `count` of them.

    No two statements about one key are equally old, so that which of them counts never hangs on a digest.
    """
    chance = Random(seed)
    offsets: Counter[tuple[str, int]] = Counter()
    found = []
    for number, (topic, value) in zip(range(count), values(chance), strict=False):
        partition = crc32(str(number).encode()) % PARTITIONS.get(topic, 4)
        offset = offsets[topic, partition]
        offsets[topic, partition] += 1
        found.append(
            RawMessage(
                topic=topic,
                partition=partition,
                offset=offset,
                timestamp_ms=record_ms(number),
                value=value,
                id=f"m{number}",
            )
        )
    return found


def as_line(message: RawMessage) -> bytes:
    """One line of a message file."""
    head = {"topic": message.topic, "partition": message.partition, "offset": message.offset, "key": message.id}
    value = None if message.value is None else b64encode(message.value).decode()
    return (
        json.dumps({**head, "id": message.id, "timestamp_ms": message.timestamp_ms, "value_b64": value}).encode()
        + b"\n"
    )


def record_ms(number: int) -> int:
    return micros(NOW) // 1000 + number


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def values(chance: Random) -> Iterator[tuple[str, bytes | None]]:
    """Topic and value of one message after the other, without end; the n-th is known at the n-th millisecond."""
    said: list[tuple[str, Fields]] = []
    number = 0
    while True:
        topic, fields = chance.choice(said) if said and chance.random() < 0.25 else statement(chance)
        said.append((topic, fields))
        if chance.random() < 0.5:
            fields = corrected(fields, chance)
        known = micros(NOW) + number * 1000 + chance.randint(1, 999) - 3600 * 1_000_000 * chance.choice((0, 0, 0, 1))
        if chance.random() < 0.45:
            yield topic, spoiled(stamped(fields, known), topic, chance)
        else:
            yield topic, text(sealed(stamped(fields, known)))
        number += 1


def statement(chance: Random) -> tuple[str, Fields]:
    """A good message of some feed, before it is known when; what goes inside variant A is still in the open."""
    kind = chance.random()
    if kind < 0.55:
        market, data_type = chance.choice(sorted(FEEDS))
        return f"ingestion.{market}.raw.v1", enveloped(typed(market, data_type, FEEDS[market, data_type], chance))
    if kind < 0.75:
        return "ingestion.caiso.raw.v1", enveloped(caiso(chance))
    if kind < 0.93:
        return TICKS_TOPIC, enveloped(csv_row(chance))
    return nested(chance)


def enveloped(payload: Fields) -> Fields:
    return {
        "event_id": "e-1",
        "trace_id": "",
        "schema_version": "1.0.0",
        "tenant_id": "default",
        "producer": "connector@1.0.0",
        "occurred_at": 1,
        "ingested_at": 0,
        "payload": payload,
    }


def stamped(fields: Fields, known: int) -> Fields:
    if "envelope" in fields:
        moment = EPOCH + timedelta(microseconds=known)
        return {**fields, "envelope": fields["envelope"] | {"timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}
    return fields | {"ingested_at": known}


def typed(market: str, data_type: str, feed: Feed, chance: Random) -> Fields:
    payload: Fields = {"market": market, "data_type": data_type}
    for field in dict.fromkeys([*feed.parts, *feed.symbol]):
        if field != "RUN":
            payload[field] = f"{field.upper()}.{chance.randint(1, 3)}"
    if feed.has_run and chance.random() < 0.95:
        payload["market_run"] = "RT" if data_type.startswith("rt") else chance.choice(RUNS[market])
    if feed.kind.startswith("LMP."):
        payload["node"] = f"HB_{chance.randint(1, 3)}"
    moment = NOW - timedelta(days=2, hours=14) + chance.choice(SLOTS)
    if payload.get("market_run") == "DA" and chance.random() < 0.3:
        moment = chance.choice(COMING_HOURS)
    payload |= label(feed, moment, chance)
    payload[feed.price] = amount(chance)
    if feed.volume:
        payload[feed.volume] = amount(chance).replace("-", "")
    if feed.price.startswith(("lmp", "lbmp")):
        payload |= {field: chance.choice((amount(chance), amount(chance), None)) for field in feed.components if field}
    if feed.sequence and chance.random() < 0.7:
        payload[feed.sequence] = chance.randint(1, 3)
    return payload


def label(feed: Feed, moment: datetime, chance: Random) -> Fields:
    if feed.granularity == "day":
        return {feed.time: moment.strftime("%Y-%m-%d")}
    if feed.granularity == "month":
        return {feed.time: f"2026-{chance.randint(1, 12):02d}"}
    if feed.end:
        end = moment + timedelta(minutes=chance.choice((5, 17, 60)))
        return {feed.time: moment.strftime("%Y-%m-%d %H:%M"), feed.end: end.strftime("%Y-%m-%d %H:%M")}
    return {feed.time: moment.strftime("%Y-%m-%dT%H:%M:%S") + chance.choice(("", "", "Z", "+00:00"))}


def caiso(chance: Random) -> Fields:
    node = f"TH_{chance.randint(1, 3)}-APND"
    run = chance.choice(("DAM", "RTPD", "HASP", "RTM"))
    start = NOW - timedelta(days=2) + chance.choice(SLOTS[::3])
    points = chance.choice((1, 1, 1, 2, 3))
    column = chance.choice(("MW", "MW", "VALUE", "PRC"))
    lines: list[Fields] = []
    for number in range(points):
        lines += caiso_rows(node, run, start + number * timedelta(minutes=15), column, chance)
    chance.shuffle(lines)
    metadata = {"delivery_location": node, "currency": "USD", "unit": "MWh"}
    if points == 1:
        metadata |= {
            {"LMP": "price", "MCE": "clearing_price", "MCC": "congestion_price", "MCL": "loss_price"}[
                line["LMP_TYPE"]
            ]: line[column]
            for line in lines
            if line["LMP_TYPE"] != "MGHG"
        }
    return {
        "source_system": "caiso-oasis",
        "market": "CAISO",
        "symbol": node,
        "sequence": None,
        "inside": lines,
        "metadata": metadata,
    }


def caiso_rows(node: str, run: str, start: datetime, column: str, chance: Random) -> list[Fields]:
    hundredths = {"MCE": chance.randint(-500, 9000), "MCC": chance.randint(-300, 300), "MCL": chance.randint(-99, 99)}
    if chance.random() < 0.4:
        hundredths["MGHG"] = chance.randint(0, 50)
    total = sum(hundredths.values()) + chance.choice((0, 0, 0, 0, 7))
    stated = {kind: f"{number / 100:.2f}" for kind, number in {"LMP": total, **hundredths}.items()}
    return [
        {
            "INTERVALSTARTTIME_GMT": start.strftime("%Y-%m-%dT%H:%M:%S-00:00"),
            "INTERVALENDTIME_GMT": (start + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%S-00:00"),
            "OPR_DT": "2026-11-01",
            "OPR_HR": "25",
            "NODE": node,
            "MARKET_RUN_ID": run,
            "LMP_TYPE": kind,
            column: value,
        }
        for kind, value in stated.items()
    ]


def csv_row(chance: Random) -> Fields:
    moment = NOW - timedelta(hours=6) + timedelta(milliseconds=chance.randint(0, 400) * 37_123)
    price, volume = f"{chance.randint(-50, 9000) / 1000:.3f}", f"{chance.randint(0, 400) / 8:.3f}"
    row = {
        "market": chance.choice(("NYMEX", "binance")),
        "price": price,
        "source_id": chance.choice(("feed-1", "feed-2")),
        "symbol": chance.choice(("NG_HH_BALMO", "clz26", "BTCUSDT", "EEX.DEB.M.2026-12-01", "MISO.TRADED")),
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + chance.choice(("Z", "", "+00:00")),
        "volume": volume,
    }
    if chance.random() < 0.3:
        row |= {"currency": "USD", "unit": "MMBtu"}
    sequence = chance.choice((None, chance.randint(1, 3)))
    if chance.random() < 0.1:
        row |= under_a_feed_s_name(chance)
        sequence = None
    metadata = {"price": f"{price}00", "volume": volume}
    return {
        "source_system": row["source_id"],
        "market": row["market"],
        "symbol": row["symbol"],
        "sequence": sequence,
        "inside": row,
        "metadata": metadata,
    }


def under_a_feed_s_name(chance: Random) -> Fields:
    """What makes a CSV row a statement of the same key as a day-ahead price of MISO."""
    said = chance.choice(COMING_HOURS) + timedelta(hours=5)
    node = f"HB_{chance.randint(1, 3)}"
    return {
        "symbol": f"MISO.LMP.DA.{node}",
        "source_id": "miso.lmp.da",
        "timestamp": said.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def nested(chance: Random) -> tuple[str, Fields]:
    market = chance.choice(("miso", "ercot", "pjm"))
    moment = NOW - timedelta(hours=6) + chance.choice(SLOTS[:60])
    raw = {
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "price": amount(chance),
        "volume": 10,
        "node": "GEN",
        "zone": "Z1",
    }
    envelope = {"event_type": "raw", "event_id": "g", "tenant_id": "default", "source": "load", "version": "1.0"}
    payload = {"market": market.upper(), "instrument_id": f"GEN_{chance.randint(1, 3)}", "raw_data": raw}
    return f"ingestion.{market}.raw.v1", {"envelope": envelope, "payload": payload}


def amount(chance: Random) -> str:
    return f"@@{chance.randint(-2000, 9000) / 100:.2f}@@"


def corrected(fields: Fields, chance: Random) -> Fields:
    """The same point with another price."""
    payload = fields["payload"]
    if "raw_data" in payload:
        return fields | {"payload": payload | {"raw_data": payload["raw_data"] | {"price": amount(chance)}}}
    if isinstance(payload.get("inside"), dict):
        price = f"{chance.randint(1, 9000) / 1000:.3f}"
        inside, metadata = payload["inside"] | {"price": price}, payload["metadata"] | {"price": price}
        return fields | {"payload": payload | {"inside": inside, "metadata": metadata}}
    if "inside" in payload:
        return fields
    feed = FEEDS[payload["market"], payload["data_type"]]
    return fields | {"payload": payload | {feed.price: amount(chance)}}


def sealed(fields: Fields) -> Fields:
    """Variant A with its text and checksum; other shapes as they are."""
    payload = fields.get("payload")
    if not isinstance(payload, dict) or "inside" not in payload:
        return fields
    raw = literal(json.dumps(payload["inside"]))
    rest = {name: value for name, value in payload.items() if name != "inside"}
    wrapped = {"raw_payload": raw, "retry_count": 0, "checksum": hashlib.sha256(raw.encode()).hexdigest()}
    return fields | {"payload": wrapped | rest}


def text(fields: Fields) -> bytes:
    return literal(json.dumps(fields)).encode()


def literal(document: str) -> str:
    """Numbers as they were spelled."""
    return LITERAL.sub(r"\1", document)


# Spoiling


def spoiled(fields: Fields, topic: str, chance: Random) -> bytes | None:
    return chance.choice((odd_bytes, odd_envelope, odd_field, odd_field, odd_field))(fields, topic, chance)


def odd_bytes(fields: Fields, _topic: str, chance: Random) -> bytes | None:
    good = text(sealed(fields))
    deep = b'{"x":' * 31
    return chance.choice((
        None,
        b"",
        b" \n\t ",
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
        good.replace(b"e-1", b"e\xff1").replace(b"load", b"l\xffad"),
        good[: len(good) // 2],
        good + good,
        good + b" x",
        b"\n" + good + b"\n",
        b"null",
        b"[]",
        b"42",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b"\x00\x00\x01",
        b"\x00\x7f\xff\xff\xfe\x02\x04ab",
        good[:-1] + b', "more": NaN}',
        good[:-1] + b', "more": -Infinity}',
        good[:-1] + b', "more": "\\ud800"}',
        good[:-1] + b', "more": "\\ud83d\\ude00"}',
        good[:-1] + b', "more": ' + deep + b"1" + b"}" * 31 + b"}",
        good[:-1] + b', "more": ' + deep + b"{}" + b"}" * 31 + b"}",
        good[:-1] + b', "more": "' + b"x" * (1 << 20) + b'"}',
        good[:-1] + b', "tenant_id": "tenant-2"}',
    ))  # fmt: skip


def odd_envelope(fields: Fields, topic: str, chance: Random) -> bytes:
    inner = "envelope" if "envelope" in fields else ""
    changes: dict[str, tuple[Any, ...]] = {
        "tenant_id": TENANTS,
        "timestamp" if inner else "ingested_at": tuple(value for value in KNOWN if not inner or "@@" not in str(value)),
    }
    if not inner:
        changes |= {
            "occurred_at": (ABSENT, None, "2026-01-01", [1]),
            "trace_id": (None, 7),
            "payload": (ABSENT, None, [], "x", 7),
            "envelope": (None, {}, {"tenant_id": "tenant-9", "source": "load"}),
        }
    field = chance.choice(sorted(changes))
    value = chance.choice(changes[field])
    if inner:
        return text(fields | {"envelope": changed(fields["envelope"], field, value)})
    return text(changed(sealed(fields), field, value))


def changed(fields: Mapping[str, Any], field: str, value: Any) -> Fields:
    rest = {name: old for name, old in fields.items() if name != field}
    return rest if value is ABSENT else rest | {field: value}


def odd_field(fields: Fields, topic: str, chance: Random) -> bytes:
    payload = fields["payload"]
    if "raw_data" in payload:
        spoil: Callable[[Fields, Random], Fields] = odd_nested
    elif isinstance(payload.get("inside"), dict):
        spoil = odd_csv
    elif "inside" in payload:
        spoil = odd_caiso
    else:
        spoil = odd_typed
    return text(fields | {"payload": spoil(payload, chance)})


def odd_typed(payload: Fields, chance: Random) -> Fields:
    feed = FEEDS[payload["market"], payload["data_type"]]
    times = {"day": DATES, "month": MONTHS}.get(feed.granularity, TIMES)
    odd: dict[str, tuple[Any, ...]] = {
        feed.price: PRICES,
        feed.time: times,
        "market": ("xyz", "caiso" if payload["market"] != "caiso" else "miso", payload["market"].upper()),
        "data_type": ("lmp2", "outages", "alberta_internal_load", "current_supply_demand_summary"),
    }
    if feed.symbol and feed.symbol[-1] == feed.parts[-1]:
        odd[feed.symbol[-1]] = NAMES
    odd |= {part: (ABSENT, None) for part in feed.parts if part not in ("RUN", *feed.symbol[-1:])}
    if feed.volume:
        odd[feed.volume] = VOLUMES
    if feed.has_run:
        odd["market_run"] = ("rt" if payload["data_type"].startswith("rt") else "da", "EXANTE", ABSENT)
        odd |= {name: COMPONENTS for name in feed.components if name}
    if feed.end:
        odd[feed.end] = tuple(time for time in TIMES if time not in (ABSENT, None, ""))
    field = chance.choice(sorted(odd))
    return changed(payload, field, chance.choice(odd[field]))


def odd_nested(payload: Fields, chance: Random) -> Fields:
    odd = {"price": PRICES, "volume": VOLUMES, "timestamp": TIMES}
    field = chance.choice((*sorted(odd), "instrument_id", "raw_data", "market"))
    if field in odd:
        return payload | {"raw_data": changed(payload["raw_data"], field, chance.choice(odd[field]))}
    return changed(
        payload,
        field,
        chance.choice({"instrument_id": NAMES, "raw_data": (ABSENT, None, [1], 7), "market": ("xyz", "AESO")}[field]),
    )


def odd_csv(payload: Fields, chance: Random) -> Fields:
    odd = {
        "price": PRICES,
        "volume": VOLUMES,
        "timestamp": tuple(value for value in TIMES if value is ABSENT or isinstance(value, str)),
        "symbol": NAMES,
        "source_id": ("", ABSENT),
        "market": ("", " ", None, ABSENT),
    }
    field = chance.choice((*sorted(odd), "sequence", "raw_payload", "checksum", "metadata"))
    if field in odd:
        spelled = payload | {"inside": changed(payload["inside"], field, chance.choice(odd[field]))}
        spelled["metadata"] = {name: value for name, value in payload["metadata"].items() if name != field}
        return sealed_payload(spelled)
    return odd_wrapper(payload, field, chance)


def odd_wrapper(payload: Fields, field: str, chance: Random) -> Fields:
    good = sealed_payload(payload)
    if field == "sequence":
        return changed(good, "sequence", chance.choice(SEQUENCES))
    if field == "checksum":
        return changed(good, "checksum", chance.choice((ABSENT, None, "0" * 64, good["checksum"].upper())))
    if field == "metadata":
        return good | {"metadata": chance.choice((None, {}, *other_metadata(payload)))}
    raw = chance.choice((ABSENT, None, 7, [], "", "{", '{"a": NaN}', "[]", "null", "7", '"x"', "[7]"))
    if not isinstance(raw, str):
        return changed(changed(good, "checksum", ABSENT), "raw_payload", raw)
    return good | {"raw_payload": raw, "checksum": hashlib.sha256(raw.encode()).hexdigest()}


def other_metadata(payload: Fields) -> Iterator[Fields]:
    """Summaries that say the same as the rows, or something else."""
    inside = payload["inside"]
    price = payload["metadata"].get("price", "1")
    yield from ({"price": "4711.5"}, {"price": price})
    if isinstance(inside, list):
        line = inside[0]
        yield {"delivery_date": line["OPR_DT"], "delivery_hour": line["OPR_HR"], "delivery_location": line["NODE"]}
        yield from ({"delivery_date": "2026-11-02"}, {"delivery_hour": "3"}, {"delivery_location": "ELSEWHERE"})
    else:
        moment = inside["timestamp"].removesuffix("Z").removesuffix("+00:00")
        yield {name: inside[name] for name in ("symbol", "timestamp", "source_id")}
        yield from ({"timestamp": moment + "0+00:00"}, {"timestamp": f"{moment[:-1]}Z"}, {"symbol": "ELSE"})
        yield from ({"source_id": "feed-3"}, {"currency": "EUR"})


def sealed_payload(payload: Fields) -> Fields:
    inner: Fields = sealed({"payload": payload})["payload"]
    return inner


def odd_caiso(payload: Fields, chance: Random) -> Fields:
    lines: list[Fields] = [dict(line) for line in payload["inside"]]
    kind = chance.choice(
        (
            "row",
            "no row",
            "gone",
            "twice",
            "name",
            "time",
            "end",
            "other end",
            "metadata",
            "checksum",
            "raw_payload",
            "spelling",
        )
    )
    if kind in ("metadata", "checksum", "raw_payload"):
        single = len({line["INTERVALSTARTTIME_GMT"] for line in lines}) == 1
        return odd_wrapper(payload, kind if single or kind != "metadata" else "checksum", chance)
    place = chance.randrange(len(lines))
    column = next(name for name in ("MW", "VALUE", "PRC") if name in lines[place])
    start = lines[place]["INTERVALSTARTTIME_GMT"]
    point = [line for line in lines if line["INTERVALSTARTTIME_GMT"] == start]
    if kind == "row":
        odd = chance.choice(
            [value for value in PRICES if value is not ABSENT] if lines[place]["LMP_TYPE"] == "LMP" else ("abc", "7.25")
        )
        lines[place][column] = odd
    elif kind == "gone":
        del lines[place]
    elif kind == "no row":
        return sealed_payload(payload | {"inside": [*lines, chance.choice((None, 7, "x", []))], "metadata": {}})
    elif kind == "other end":
        lines[place]["INTERVALENDTIME_GMT"] = chance.choice(("", start[:14] + "59:59Z"))
    elif kind == "spelling":
        line = respelled(lines[place], chance)
        if chance.random() < 0.5:
            lines[place] = line
        else:
            lines.append(line | {column: "12.5"})
    elif kind == "twice":
        lines.append(lines[place] | {column: chance.choice((lines[place][column], "12.5"))})
    else:
        field, values_ = {
            "name": ("NODE", NAMES),
            "time": (
                "INTERVALSTARTTIME_GMT",
                ("", "soon", "2026-11-02T24:00:00-00:00", "2026-11-02T10:00:00+01:00", "2026-11-20T00:00:00-00:00"),
            ),
            "end": ("INTERVALENDTIME_GMT", ("soon", start)),
        }[kind]
        odd = chance.choice(values_)
        lines = [changed(line, field, odd) if line in point else line for line in lines]
    return sealed_payload(payload | {"inside": lines, "metadata": {}})


def respelled(line: Fields, chance: Random) -> Fields:
    """A row of the same point, which it spells another way."""
    field = chance.choice(("NODE", "MARKET_RUN_ID", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT"))
    if field in {"NODE", "MARKET_RUN_ID"}:
        return line | {field: line[field].lower()}
    said = line[field].removesuffix("-00:00")
    return line | {field: chance.choice((said, f"{said}Z", f"{said}+00:00", f"{said}.000Z", f"{said}-0000"))}
