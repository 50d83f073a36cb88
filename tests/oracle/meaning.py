"""What becomes of one raw message: ticks, refusals or a filter."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from tests.oracle.feeds import (
    DAY,
    FEEDS,
    FIXED_SYMBOL,
    HOUR,
    LABEL_CLOCK,
    MARKETS,
    MINUTE,
    NOT_PRICES,
    NOT_PRICES_PREFIX,
    RUNS,
    TICKS_TOPIC,
    Feed,
)
from tests.oracle.raw import RawMessage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WIDE = Context(prec=120, rounding=ROUND_HALF_EVEN)
STEP = Decimal("1e-8")
LIMIT = Decimal(10) ** 10
NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
LABEL = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-")
OLDEST_KNOWLEDGE = 631_152_000_000_000
LATEST_TIME = 4_102_444_800
CAISO_TYPES = {"MCE": "energy_price", "MCC": "congestion_price", "MCL": "loss_price", "MGHG": "greenhouse_gas_price"}
CAISO_METADATA = {
    "price": "price",
    "clearing_price": "energy_price",
    "congestion_price": "congestion_price",
    "loss_price": "loss_price",
}


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


class Refused(Exception):
    """A message or row that can't become a tick; any of the reasons will do."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = frozenset(reasons)


class Filtered(Exception):
    """A message that was never meant to be a price."""


@attrs.define(kw_only=True)
class Tick:
    """One price as the oracle reads it; instants in µs since the epoch."""

    tenant_id: str
    market: str
    symbol: str
    instrument_id: str
    source_id: str
    ts: int
    source_seq: int
    ingested_at: int
    price: Decimal
    volume: Decimal | None = None
    energy_price: Decimal | None = None
    congestion_price: Decimal | None = None
    loss_price: Decimal | None = None
    interval_end: int | None = None
    currency: str = ""
    unit: str = ""
    flags: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, str, int, str, int]:
        return self.tenant_id, self.instrument_id, self.ts, self.source_id, self.source_seq


@attrs.define
class Verdict:
    """What became of one message."""

    ticks: list[Tick]
    refusals: list[frozenset[str]]
    """Acceptable reasons of each refused row, or of the whole message."""
    filtered: str = ""

    @property
    def outcome(self) -> str:
        if self.filtered:
            return "filtered"
        return "accepted" if self.ticks else "dead_letter"


def judge(message: RawMessage) -> Verdict:
    try:
        return rows(message)
    except Filtered as declared:
        return Verdict([], [], str(declared))
    except Refused as refused:
        return Verdict([], [refused.reasons])


def rows(message: RawMessage) -> Verdict:
    document = parsed(message.value)
    if "envelope" in document:
        return single(nested, message, document)
    tenant = tenant_of(document)
    payload = document.get("payload")
    if not isinstance(payload, dict):
        raise Refused("BAD_SHAPE")
    flags: set[str] = set()
    known = knowledge(document.get("ingested_at"), message.timestamp_ms, flags)
    common = {"tenant_id": tenant, "ingested_at": known}
    if message.topic == TICKS_TOPIC:
        return single(csv_row, payload, common, flags)
    market = market_of(payload, message.topic)
    if market == "caiso" or "raw_payload" in payload:
        return caiso(payload, common, flags)
    return single(typed, market, payload, common, flags)


def single(reader: Any, *arguments: Any) -> Verdict:
    return Verdict([reader(*arguments)], [])


# The document


def parsed(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise Filtered("TOMBSTONE")
    if len(value) > 1 << 20:
        raise Refused("OVERSIZE")
    if value[:1] == b"\x00":
        raise Refused("UNKNOWN_SCHEMA")
    if not value.strip(b" \t\r\n"):
        raise Refused("EMPTY")
    document = from_json(utf8(value))
    if not isinstance(document, dict):
        raise Refused("BAD_SHAPE")
    return document


def utf8(value: bytes) -> str:
    if value[:3] == b"\xef\xbb\xbf":
        raise Refused("ENCODING")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused("ENCODING") from None


def from_json(text: str) -> Any:
    try:
        document = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=not_a_number)
    except RecursionError:
        raise Refused("TOO_DEEP", "NOT_JSON") from None
    except ValueError:
        raise Refused("NOT_JSON", "TOO_DEEP") from None
    if depth(document) > 32:
        raise Refused("TOO_DEEP")
    if "\\u" in text and any(
        "\ud800" <= character <= "\udfff" for character in json.dumps(document, ensure_ascii=False)
    ):
        raise Refused("ENCODING")
    return document


def not_a_number(text: str) -> Any:
    raise Refused("NOT_JSON")


def depth(document: Any) -> int:
    if isinstance(document, dict):
        return 1 + max(map(depth, document.values()), default=0)
    if isinstance(document, list):
        return 1 + max(map(depth, document), default=0)
    return 0


# Names, tenants, markets


def tenant_of(fields: Mapping[str, Any]) -> str:
    tenant = fields.get("tenant_id")
    if tenant is None:
        return "default"
    if isinstance(tenant, Number) or not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
        raise Refused("BAD_TENANT")
    return tenant


def market_of(payload: Mapping[str, Any], topic: str) -> str:
    market = payload.get("market")
    if isinstance(market, Number) or not isinstance(market, str):
        raise Refused("UNKNOWN_MARKET", "BAD_SHAPE")
    if market.lower() not in MARKETS:
        raise Refused("UNKNOWN_MARKET")
    if topic not in (f"ingestion.{market.lower()}.raw.v1", TICKS_TOPIC):
        raise Refused("MARKET_MISMATCH")
    return market.lower()


def name(fields: Mapping[str, Any], field: str) -> str:
    text = fields.get(field)
    if isinstance(text, Number) or not isinstance(text, str) or not text:
        raise Refused("BAD_NAME")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise Refused("BAD_NAME")
    return text


def upper(text: str) -> str:
    return "".join(character.upper() if character.isascii() else character for character in text)


def tidy(original: str, limit: int = 64) -> str:
    """A name with odd characters replaced, told apart by a digest of the original."""
    text = "".join(character if character in ALLOWED else "-" for character in original)
    if any(character not in ALLOWED and character != " " for character in original):
        text += "-" + hashlib.sha256(original.encode()).hexdigest()[:8].upper()
    if len(text) > limit:
        text = f"{text[:47]}-{hashlib.sha256(text.encode()).hexdigest()[:16].upper()}"
    return text


# Numbers


def number(value: Any) -> Decimal | None:
    """An exact number, or None for what is not one; null and blank are not asked here."""
    if not isinstance(value, str):
        return None
    if not isinstance(value, Number) and (len(value) > 64 or not NUMBER.fullmatch(value)):
        return None
    exact = Decimal(value)
    return None if exact and exact.adjusted() >= 10 else exact


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(" \t\r\n"))


def rounded(exact: Decimal, flags: set[str]) -> Decimal | None:
    kept = exact.quantize(STEP, context=WIDE) if exact.adjusted() > -100 else Decimal("0E-8")
    if kept != exact:
        flags.add("PRECISION_LOSS")
    return None if abs(kept) >= LIMIT else kept + 0


def required_price(value: Any, flags: set[str]) -> Decimal:
    if missing(value):
        raise Refused("MISSING_PRICE")
    exact = number(value)
    kept = None if exact is None else rounded(exact, flags)
    if kept is None:
        raise Refused("BAD_PRICE")
    if kept < 0:
        flags.add("PRICE_NEGATIVE")
    return kept


def optional_volume(value: Any, flags: set[str]) -> Decimal | None:
    if missing(value):
        return None
    exact = number(value)
    kept = None if exact is None else rounded(exact, flags)
    if kept is None:
        raise Refused("BAD_VOLUME")
    if kept < 0:
        flags.add("VOLUME_NEGATIVE")
    return kept


def component(value: Any, flags: set[str]) -> Decimal | None:
    if missing(value):
        return None
    exact = number(value)
    kept = None if exact is None else rounded(exact, flags)
    if kept is None:
        flags.add("BAD_COMPONENT")
    return kept


def component_flags(tick: Mapping[str, Any], incomplete: str, greenhouse_gas: Decimal | None, flags: set[str]) -> None:
    parts = [tick["energy_price"], tick["congestion_price"], tick["loss_price"]]
    if None in parts:
        return
    if abs(tick["price"] - sum(parts) - (greenhouse_gas or 0)) > Decimal("0.0001"):
        flags.add(incomplete if greenhouse_gas is None else "COMPONENT_MISMATCH")


def sequence(value: Any, flags: set[str]) -> int:
    if value is None:
        return 0
    if isinstance(value, Number) and re.fullmatch(r"-?\d+", value) and 0 <= int(value) < 1 << 63:
        return int(value)
    flags.add("BAD_SEQUENCE")
    return 0


# Times


def knowledge(value: Any, record_ms: int, flags: set[str]) -> int:
    """When the connector knew it: µs; the record's own time where it does not say so believably."""
    micros = said_micros(value)
    record = record_ms * 1000
    if micros is None or micros < OLDEST_KNOWLEDGE or micros > record + DAY * 1_000_000:
        flags.add("INGESTED_AT_ASSUMED")
        return record
    return micros


def said_micros(value: Any) -> int | None:
    if isinstance(value, Number):
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    if not isinstance(value, str):
        return None
    try:
        return instant(value, "UTC", set())
    except Refused:
        return None


def instant(value: Any, clock: str, flags: set[str], *, naive_by_policy: bool = False) -> int:
    """The instant a label names: µs."""
    if isinstance(value, Number):
        return guessed_unit(value, flags)
    found = LABEL.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise Refused("BAD_TIMESTAMP")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if naive_by_policy and offset in ("Z", "+00:00", "+0000"):
        offset = None
    try:
        wall = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))  # noqa: DTZ001 a wall time, before its clock is known
    except ValueError:
        raise Refused("BAD_TIMESTAMP") from None
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    moment = wall.replace(tzinfo=UTC) - shift(offset) if offset else on_clock(wall, clock, flags)
    return within_reach((moment - EPOCH) // timedelta(microseconds=1) + micros)


def shift(offset: str) -> timedelta:
    if offset == "Z":
        return timedelta()
    digits = offset[1:].replace(":", "")
    if int(digits[:2]) > 23 or int(digits[2:]) > 59:
        raise Refused("BAD_TIMESTAMP")
    return timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if offset[0] == "-" else 1)


def on_clock(wall: datetime, clock: str, flags: set[str]) -> datetime:
    zone = ZoneInfo(clock)
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != wall:
        raise Refused("BAD_TIMESTAMP")
    if first != second:
        flags.add("TS_AMBIGUOUS")
    return first


def guessed_unit(text: str, flags: set[str]) -> int:
    if not re.fullmatch(r"\d+", text):
        raise Refused("BAD_TIMESTAMP")
    count = int(text)
    flags.add("TS_UNIT_GUESSED")
    for per_second in (1, 1_000, 1_000_000, 1_000_000_000):
        if count < LATEST_TIME * per_second:
            return count * 1_000_000 // per_second
    raise Refused("BAD_TIMESTAMP")


def within_reach(micros: int) -> int:
    if not 0 <= micros < LATEST_TIME * 1_000_000:
        raise Refused("BAD_TIMESTAMP")
    return micros


def day(label: Any, clock: str, flags: set[str]) -> int:
    """First instant of the day a label is in, on the market's clock."""
    whole = None if isinstance(label, Number) else re.fullmatch(r"\d{4}-\d\d-\d\d", str(label))
    return midnight(str(label) if whole else str(shown(label, clock, flags)), clock)


def shown(label: Any, clock: str, flags: set[str]) -> date:
    """The day a market's clock shows at an instant."""
    moment = EPOCH + timedelta(microseconds=instant(label, clock, flags, naive_by_policy=True))
    return moment.astimezone(ZoneInfo(clock)).date()


def midnight(day: str, clock: str) -> int:
    try:
        wall = datetime.combine(date.fromisoformat(day), datetime.min.time())
    except ValueError:
        raise Refused("BAD_TIMESTAMP") from None
    return within_reach((on_clock(wall, clock, set()) - EPOCH) // timedelta(microseconds=1))


def month(value: Any, clock: str, flags: set[str]) -> tuple[int, int]:
    """First instants of the month a label is in, on the market's clock, and of the next one."""
    found = None if isinstance(value, Number) else re.fullmatch(r"(\d{4})-(\d\d)(-\d\d)?", str(value))
    if found:
        year, number_ = int(found[1]), int(found[2])
    else:
        year, number_ = shown(value, clock, flags).year, shown(value, clock, flags).month
    following = f"{year + number_ // 12:04d}-{number_ % 12 + 1:02d}-01"
    return midnight(f"{year:04d}-{number_:02d}-01", clock), midnight(following, clock)


def time_flags(ts: int, ingested_at: int, horizon_s: int, flags: set[str]) -> None:
    if ts > ingested_at + horizon_s * 1_000_000:
        flags.add("TS_FUTURE")
    if ts < ingested_at - 365 * DAY * 1_000_000:
        flags.add("TS_ANCIENT")


def horizon_of(source: str) -> int:
    """How far ahead trades may speak: as far as the feed whose name they use, else five minutes."""
    market, kind, run = [*source.split(".", 2), "", ""][:3]
    if market == "caiso":
        return 8 * DAY if run == "dam" else 3 * HOUR
    feed = FEEDS.get((market, kind))
    if feed is None:
        return 5 * MINUTE
    stated = upper(run) or ("RT" if kind.startswith("rt") else "DA")
    return RUNS[market, kind, stated][2] if (market, kind, stated) in RUNS else feed.horizon


# The three shapes


def typed(market: str, payload: Mapping[str, Any], common: Mapping[str, Any], flags: set[str]) -> Tick:
    """Variant B: the unit is in the field name."""
    kind = payload.get("data_type")
    if isinstance(kind, Number) or not isinstance(kind, str):
        raise Refused("UNKNOWN_DATA_TYPE", "BAD_SHAPE")
    if kind in NOT_PRICES or kind.startswith(NOT_PRICES_PREFIX):
        raise Filtered("NOT_A_PRICE")
    feed = FEEDS.get((market, kind))
    if feed is None:
        raise Refused("UNKNOWN_DATA_TYPE")
    said_run = upper(payload["market_run"]) if isinstance(payload.get("market_run"), str) else ""
    run = said_run or ("RT" if kind.startswith("rt") else "DA")
    there = [part for part in feed.parts if part in ("RUN", *feed.symbol[-1:]) or payload.get(part) is not None]
    parts = [run if part == "RUN" else name(payload, part) for part in there]
    symbol = FIXED_SYMBOL.get(kind) or name(
        payload, next((part for part in feed.symbol if payload.get(part) is not None), feed.symbol[-1])
    )
    if feed.kind.startswith("LMP."):
        parts = [name(payload, "node")]
    original = ".".join([market, feed.kind or kind, *parts])
    ts, end, horizon = interval(market, kind, run, feed, payload, flags)
    time_flags(ts, common["ingested_at"], horizon, flags)
    energy, congestion, loss = (component(payload.get(field), flags) for field in feed.components)
    numbers: dict[str, Any] = {
        "price": required_price(payload.get(feed.price), flags),
        "volume": optional_volume(payload.get(feed.volume), flags) if feed.volume else None,
        "energy_price": energy,
        "congestion_price": congestion,
        "loss_price": loss,
    }
    component_flags(numbers, "COMPONENT_MISMATCH", None, flags)
    seq = sequence(payload.get(feed.sequence), flags) if feed.sequence else 0
    return Tick(
        market=market.upper(),
        symbol=tidy(symbol),
        instrument_id=tidy(upper(original)),
        source_id=f"{market}.{kind}" + (f".{said_run.lower()}" if said_run else ""),
        ts=ts,
        interval_end=end,
        source_seq=seq,
        currency=feed.currency,
        unit=feed.unit,
        flags=frozenset(flags),
        **common,
        **numbers,
    )


def interval(
    market: str, kind: str, run: str, feed: Feed, payload: Mapping[str, Any], flags: set[str]
) -> tuple[int, int | None, int]:
    """Start, end where known, and how far ahead the feed may speak (s)."""
    clock = LABEL_CLOCK[market.upper()]
    label = payload.get(feed.time)
    if feed.granularity == "day":
        return day(label, clock, flags), None, feed.horizon
    if feed.granularity == "month":
        return *month(label, clock, flags), feed.horizon
    moment = instant(label, clock, flags, naive_by_policy=market != "aeso")
    if feed.end:
        end = instant(payload.get(feed.end), clock, flags)
        if end <= moment:
            raise Refused("BAD_TIMESTAMP")
        return moment, end, feed.horizon
    if not feed.has_run:
        length = feed.length or 0
        return moment, moment + length * 1_000_000, feed.horizon
    policy = RUNS.get((market, kind, run))
    if policy is None:
        flags.add("FEED_POLICY_ASSUMED")
        return moment, None, feed.horizon
    side, length, horizon = policy
    start = moment - length * 1_000_000 if side == "end" else moment
    return start, start + length * 1_000_000, horizon


def wrapped_text(payload: Mapping[str, Any]) -> str:
    """The text inside variant A, once its checksum fits."""
    text = payload.get("raw_payload")
    if isinstance(text, Number) or not isinstance(text, str):
        raise Refused("BAD_SHAPE")
    checksum = payload.get("checksum")
    if checksum is not None and str(checksum).lower() != hashlib.sha256(text.encode()).hexdigest():
        raise Refused("CHECKSUM_MISMATCH")
    return text


def csv_row(payload: Mapping[str, Any], common: Mapping[str, Any], flags: set[str]) -> Tick:
    """A row of a CSV feed inside variant A."""
    row = from_json(wrapped_text(payload) or "[]")
    if not isinstance(row, dict):
        raise Refused("BAD_SHAPE")
    symbol = name(row, "symbol")
    ts = instant(row.get("timestamp"), "UTC", flags)
    source = row.get("source_id") or "unknown"
    time_flags(ts, common["ingested_at"], horizon_of(source), flags)
    price = required_price(row.get("price"), flags)
    volume = optional_volume(row.get("volume"), flags)
    contradictions({"price": price, "volume": volume}, {"price": "price", "volume": "volume"}, payload, flags)
    other_words({name: row.get(name) for name in ("symbol", "source_id", "currency", "timestamp")}, payload, flags)
    market: Any = payload.get("market") if missing(row.get("market")) else row["market"]
    return Tick(
        market="" if missing(market) else upper(market),
        symbol=tidy(symbol),
        instrument_id=tidy(upper(symbol)),
        source_id=source,
        ts=ts,
        source_seq=sequence(payload.get("sequence"), flags),
        price=price,
        volume=volume,
        currency=row.get("currency") or "",
        unit=row.get("unit") or "",
        flags=frozenset(flags),
        **common,
    )


def nested(message: RawMessage, document: Mapping[str, Any]) -> Tick:
    """The load generators' shape."""
    envelope, payload = document["envelope"], document.get("payload")
    if not isinstance(envelope, dict) or not isinstance(payload, dict):
        raise Refused("BAD_SHAPE")
    tenant = tenant_of(envelope)
    if message.topic != TICKS_TOPIC:
        market_of(payload, message.topic)
    raw = payload.get("raw_data")
    if not isinstance(raw, dict):
        raise Refused("BAD_SHAPE")
    flags: set[str] = set()
    known = knowledge(envelope.get("timestamp"), message.timestamp_ms, flags)
    symbol = name(payload, "instrument_id")
    ts = instant(raw.get("timestamp"), "UTC", flags)
    source = envelope.get("source") or "unknown"
    time_flags(ts, known, horizon_of(source), flags)
    price = required_price(raw.get("price"), flags)
    volume = optional_volume(raw.get("volume"), flags)
    return Tick(
        tenant_id=tenant,
        ingested_at=known,
        market=upper(payload.get("market") or ""),
        symbol=tidy(symbol),
        instrument_id=tidy(upper(symbol)),
        source_id=source,
        ts=ts,
        source_seq=0,
        price=price,
        volume=volume,
        flags=frozenset(flags),
    )


def caiso(payload: Mapping[str, Any], common: Mapping[str, Any], flags: set[str]) -> Verdict:
    """OASIS rows inside variant A: one tick for each point, made of the rows of its types."""
    lines = from_json(wrapped_text(payload) or "[]")
    if not isinstance(lines, list) or not lines:
        raise Refused("BAD_SHAPE")
    if len(lines) > 10_000:
        raise Refused("OVERSIZE")
    verdict = Verdict([], [frozenset({"BAD_SHAPE"}) for line in lines if not isinstance(line, dict)])
    points = grouped(line for line in lines if isinstance(line, dict))
    for members in points:
        try:
            verdict.ticks.append(caiso_point(members, payload if len(points) == 1 else {}, common, set(flags)))
        except Refused as refused:
            verdict.refusals.append(refused.reasons)
    return verdict


def grouped(lines: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    points: dict[Any, list[Mapping[str, Any]]] = {}
    for line in lines:
        points.setdefault(json.dumps(point(line)), []).append(line)
    return list(points.values())


def point(line: Mapping[str, Any]) -> list[Any]:
    """What a row speaks of, however it spells it."""
    run = line.get("MARKET_RUN_ID")
    names = [line.get("NODE"), "" if run is None else run]
    start = moment(line.get("INTERVALSTARTTIME_GMT"))
    return [*(upper(text) if isinstance(text, str) else text for text in names), start]


def moment(label: Any) -> Any:
    try:
        return instant(label, "UTC", set())
    except Refused:
        return [label]


def caiso_point(
    members: list[Mapping[str, Any]], payload: Mapping[str, Any], common: Mapping[str, Any], flags: set[str]
) -> Tick:
    stated = stated_values(members, flags)
    first = members[0]
    node = name(first, "NODE")
    run = upper(str(first.get("MARKET_RUN_ID") or ""))
    ts = instant(first.get("INTERVALSTARTTIME_GMT"), "UTC", flags)
    ends = [line["INTERVALENDTIME_GMT"] for line in members if not missing(line.get("INTERVALENDTIME_GMT"))]
    if any(moment(end) != moment(ends[0]) for end in ends):
        flags.add("SOURCE_CONFLICT")
    end = instant(ends[-1], "UTC", flags) if ends else None
    if end is not None and end <= ts:
        raise Refused("BAD_TIMESTAMP")
    time_flags(ts, common["ingested_at"], 8 * DAY if run == "DAM" else 3 * HOUR, flags)
    price = required_price(stated.get("LMP"), flags)
    parts: dict[str, Any] = {column: component(stated.get(kind), flags) for kind, column in CAISO_TYPES.items()}
    greenhouse_gas = parts.pop("greenhouse_gas_price")
    component_flags({"price": price, **parts}, "COMPONENT_INCOMPLETE", greenhouse_gas, flags)
    contradictions({"price": price, **parts}, CAISO_METADATA, payload, flags)
    words = {
        "delivery_location": node,
        "delivery_date": last(members, "OPR_DT"),
        "delivery_hour": last(members, "OPR_HR"),
    }
    other_words(words, payload, flags)
    return Tick(
        market="CAISO",
        symbol=tidy(node),
        instrument_id=tidy(upper(f"CAISO.LMP.{run}.{node}")),
        source_id=f"caiso.lmp.{run.lower()}",
        ts=ts,
        interval_end=end,
        source_seq=sequence(payload.get("sequence"), flags),
        price=price,
        currency="USD",
        unit="MWh",
        flags=frozenset(flags),
        **parts,
        **common,
    )


def last(members: list[Mapping[str, Any]], column: str) -> Any:
    return next((line[column] for line in reversed(members) if not missing(line.get(column))), None)


def stated_values(members: list[Mapping[str, Any]], flags: set[str]) -> dict[str, Any]:
    stated: dict[str, Any] = {}
    for line in members:
        kind = line.get("LMP_TYPE")
        value = next((line[column] for column in ("MW", "VALUE", "PRC") if column in line), None)
        if kind in stated and stated[kind] != value:
            flags.add("SOURCE_CONFLICT")
        stated[str(kind)] = value
    return stated


def contradictions(
    rows_say: Mapping[str, Decimal | None], fields: Mapping[str, str], payload: Mapping[str, Any], flags: set[str]
) -> None:
    metadata = payload.get("metadata")
    for field, column in fields.items():
        said = metadata.get(field) if isinstance(metadata, dict) else None
        if said is None or missing(said):
            continue
        exact = number(said)
        if exact is None or rounded(exact, set()) != rows_say[column]:
            flags.add("SOURCE_CONFLICT")


def other_words(rows_say: Mapping[str, Any], payload: Mapping[str, Any], flags: set[str]) -> None:
    """Names and times of the metadata, which speak of a row only where both say something."""
    metadata = payload.get("metadata")
    for field, given in rows_say.items():
        said = metadata.get(field) if isinstance(metadata, dict) else None
        if missing(said) or missing(given) or said == given or (field == "timestamp" and moment(said) == moment(given)):
            continue
        flags.add("SOURCE_CONFLICT")
