"""
From prices as their markets stated them to clean ticks, in one columnar pass.

Each row ends in exactly one of two places: among the ticks, or among the refusals with the first reason that holds.
Whatever is odd but usable becomes a flag. Nothing here depends on another row, on order or on our clock.
Source: contracts.md §1, odd input; §2.
"""

import json
from collections.abc import Mapping
from datetime import datetime

import attrs
import polars as pl

from domain.batch import INSTANT, columnwise, micros
from domain.bronze.raw_event import RawEvents, RawPrices, Refusals
from domain.errors import Reason
from domain.identity import SERIES, coordinate_bits, instrument_id, symbol, topic_hash, version
from domain.silver import quality
from domain.silver.feed import UNKNOWN_FEED, FeedPolicies, FeedPolicy
from domain.silver.labels import place
from domain.silver.numbers import PLACES, is_blank, read_decimals
from domain.silver.quality import Flag
from domain.silver.tick import TickBatch
from domain.time import DAY_US, KNOWLEDGE_SINCE_US, LATEST_US, LOCAL, SECOND_US, read_iso

UNKNOWN_SOURCE = "unknown"
COMPONENTS = ("energy_price", "congestion_price", "loss_price")
OPTIONAL_NUMBERS = ("bid_price", "ask_price", *COMPONENTS, "greenhouse_gas_price")
"""Numbers that become null where they are none, with a flag; the tick is kept."""
STORED_NUMBERS = ("price", "volume", "bid_price", "ask_price", *COMPONENTS)
COMPONENT_TOLERANCE = 10 ** (PLACES - 4)
"""0.0001, in units of the eighth place."""
MARKETS_WITH_GREENHOUSE_GAS = ("CAISO",)
"""Their prices contain a greenhouse-gas component, which older reports leave out."""
LARGEST_SEQUENCE = 2**63 - 1
QUOTED_CHARACTERS = 64
"""How much of a refused text a dead letter's message repeats."""

_FEED = ["market", "data_type", "market_run"]
_SOURCE = [*_FEED, "source_id"]
_WHO = ["tenant_id", *_SOURCE, "name", "symbol"]
_POLICY = {
    "clock": pl.String,
    "label": pl.String,
    "interval_us": pl.Int64,
    "naive_by_policy": pl.Boolean,
    "horizon_us": pl.Int64,
    "assumed": pl.Boolean,
}
_CONTROL = r"\p{Cc}"
_SEQUENCE = r"^(?:[0-9]+|-0)$"


def clean(
    prices: RawPrices, events: RawEvents, feeds: FeedPolicies, normalized_at: datetime
) -> tuple[TickBatch, Refusals]:
    """
    Turn stated prices into ticks.

    Args:
        prices: What a decoder read, one row a price, in any order.
        events: The messages they were read from, for their coordinates and timestamps.
        feeds: How each feed's labels are read.
        normalized_at: Stamped on every tick; no part of its content.

    Returns:
        The ticks, and the rows that can't become one, each in the order of `prices`.
    """
    reading = _read(prices, events, feeds)
    faults = _faults(reading)
    refused = _any([fault.holds for fault in faults])
    ticks = _ticks(reading, normalized_at)
    if not refused.any():
        return TickBatch(ticks), Refusals.empty()
    return TickBatch(ticks.filter(~refused)), Refusals(_refusals(prices.frame, faults).filter(refused))


@attrs.frozen
class _Reading:
    """One batch of prices, read column by column; all frames have its rows in its order."""

    stated: pl.DataFrame
    who: pl.DataFrame
    where: pl.DataFrame
    placed: pl.DataFrame
    known: pl.DataFrame
    sequence: pl.DataFrame
    numbers: Mapping[str, pl.DataFrame]


@attrs.frozen
class _Fault:
    """One reason to refuse a price, and the rows it holds for."""

    holds: pl.Series
    reason: Reason
    field: str
    what: str


def _read(prices: RawPrices, events: RawEvents, feeds: FeedPolicies) -> _Reading:
    stated = prices.frame
    who = _described(stated.select(_WHO), feeds)
    where = _coordinates(stated["event"], events)
    numbers = ("price", "volume", *OPTIONAL_NUMBERS)
    return _Reading(
        stated,
        who,
        where,
        place(who.select(_POLICY.keys()).with_columns(stated["time"], stated["end_time"])),
        _knowledge(stated["ingested_at"], where["recorded_us"]),
        _sequence(stated["source_seq"]),
        dict(zip(numbers, read_decimals([stated[name] for name in numbers]), strict=True)),
    )


def _described(stated: pl.DataFrame, feeds: FeedPolicies) -> pl.DataFrame:
    """Who each price speaks of, and its feed's policy: decided once per distinct combination."""
    distinct = stated.unique()
    names, symbols = distinct["name"].to_list(), distinct["symbol"].to_list()
    ids = pl.Series("instrument_id", [instrument_id(name) for name in names], dtype=pl.String)
    clean_symbol = pl.Series("clean_symbol", [symbol(name) for name in symbols], dtype=pl.String)
    described = distinct.with_columns(
        ids,
        clean_symbol,
        pl.when(is_blank(distinct["source_id"])).then(pl.lit(UNKNOWN_SOURCE)).otherwise("source_id").alias("source"),
        (pl.col("tenant_id") + "|" + ids).cast(SERIES).alias("series"),
        pl.when(clean_symbol != pl.col("symbol"))
        .then("symbol")
        .when(ids != pl.col("name").str.to_uppercase())
        .then("name")
        .alias("raw_symbol"),
        (_usable(distinct["name"]) & _usable(distinct["symbol"])).alias("named"),
    ).join(_policies(distinct.select(_SOURCE).unique(), feeds), on=_SOURCE, how="left")
    return stated.join(described, on=_WHO, how="left", maintain_order="left")


def _usable(names: pl.Series) -> pl.Series:
    return ~(is_blank(names) | names.str.contains(_CONTROL))


def _policies(asked: pl.DataFrame, feeds: FeedPolicies) -> pl.DataFrame:
    rows = [
        _policy_row(feeds.find(*feed) or UNKNOWN_FEED, feeds.of_source(source_id))
        for *feed, source_id in asked.iter_rows()
    ]
    return asked.hstack(pl.DataFrame(rows, schema=_POLICY, orient="row"))


def _policy_row(policy: FeedPolicy, named: FeedPolicy | None) -> tuple[object, ...]:
    """
    What decides how the rows of one feed are read.

    The horizon is that of the feed the source is named after, where it is: ticks of one key are bound to one horizon.
    What is known later is then never further ahead, so a tick that may enter windows is never replaced by one that may not.
    """
    interval_us = None if policy.interval_s is None else policy.interval_s * SECOND_US
    horizon_us = (named or policy).horizon_s * SECOND_US
    return policy.clock, str(policy.label), interval_us, policy.naive_by_policy, horizon_us, policy.assumed


def _coordinates(event: pl.Series, events: RawEvents) -> pl.DataFrame:
    topics = events.topics.alias("raw_topic")
    hashes = {topic: topic_hash(topic) for topic in topics.unique()}
    return pl.DataFrame(
        [
            topics,
            topics.replace_strict(hashes, return_dtype=pl.Int64).alias("topic_hash"),
            events.partitions.alias("raw_partition"),
            events.offsets.alias("raw_offset"),
            events.timestamps_us.alias("recorded_us"),
        ]
    )[event]


def _knowledge(stated: pl.Series, recorded_us: pl.Series) -> pl.DataFrame:
    """When the connector knew each price: as it says, or where that is odd, when the log recorded it."""
    known_us = stated.cast(pl.Int64, strict=False)
    if known_us.null_count() > stated.null_count():
        iso = read_iso(stated)
        iso_us = micros(iso["local"]) - iso["offset_us"].fill_null(0)
        known_us = known_us.zip_with(known_us.is_not_null(), iso_us)
    plausible = (known_us >= KNOWLEDGE_SINCE_US) & (known_us <= recorded_us + DAY_US) & ~stated.str.starts_with("+")
    assumed = ~plausible.fill_null(value=False)
    known_us = recorded_us.zip_with(assumed, known_us).clip(0, LATEST_US - 1)
    return pl.DataFrame({"ingested_at_us": known_us, "assumed": assumed})


def _sequence(stated: pl.Series) -> pl.DataFrame:
    number = stated.str.strip_prefix("-").cast(pl.UInt64, strict=False)
    whole = (stated.str.contains(_SEQUENCE) & (number <= LARGEST_SEQUENCE)).fill_null(value=False)
    nothing = pl.Series([0], dtype=pl.UInt64)
    return pl.DataFrame({"source_seq": number.zip_with(whole, nothing), "bad": ~(whole | is_blank(stated))})


def _flags(reading: _Reading) -> pl.Series:
    """All record flags of each price as one bitmask."""
    who, placed, known, numbers = reading.who, reading.placed, reading.known, reading.numbers
    values = columnwise([read["value"] for read in numbers.values()], pl.all().to_physical().cast(pl.Int64))
    units = dict(zip(numbers, values, strict=True))
    ts_us, ingested_at_us = micros(placed["ts"]), known["ingested_at_us"]
    gap = quality.component_gap(
        units["price"],
        units["energy_price"],
        units["congestion_price"],
        units["loss_price"],
        units["greenhouse_gas_price"].fill_null(0),
        COMPONENT_TOLERANCE,
    )
    incomplete = who["market"].is_in(MARKETS_WITH_GREENHOUSE_GAS) & units["greenhouse_gas_price"].is_null()
    rules = {
        Flag.PRICE_NEGATIVE: quality.price_negative(units["price"]),
        Flag.VOLUME_NEGATIVE: quality.volume_negative(units["volume"]),
        Flag.PRECISION_LOSS: _any([numbers[name]["lost"] for name in STORED_NUMBERS]),
        Flag.TS_FUTURE: quality.ts_future(ts_us, ingested_at_us, who["horizon_us"]),
        Flag.TS_ANCIENT: quality.ts_ancient(ts_us, ingested_at_us),
        Flag.TS_AMBIGUOUS: placed["ambiguous"],
        Flag.TS_UNIT_GUESSED: placed["guessed"],
        Flag.INGESTED_AT_ASSUMED: known["assumed"],
        Flag.FEED_POLICY_ASSUMED: who["assumed"],
        Flag.BAD_SEQUENCE: reading.sequence["bad"],
        Flag.BAD_COMPONENT: _any([numbers[name]["refused"] for name in OPTIONAL_NUMBERS]),
        Flag.COMPONENT_MISMATCH: quality.component_mismatch(gap, incomplete),
        Flag.COMPONENT_INCOMPLETE: quality.component_incomplete(gap, incomplete),
    }
    return quality.flagged(reading.stated["flags"], rules)


def _any(columns: list[pl.Series]) -> pl.Series:
    held, *others = columns
    for column in others:
        held = held | column
    return held


def _faults(reading: _Reading) -> list[_Fault]:
    """Why prices are refused, the reason that counts first coming first."""
    price, volume = reading.numbers["price"], reading.numbers["volume"]
    missing = price["value"].is_null() & ~price["refused"]
    bad_time, bad_end = reading.placed["bad_time"], reading.placed["bad_end"]
    return [
        _Fault(~reading.who["named"], Reason.BAD_NAME, "name", "is blank or holds control characters"),
        _Fault(missing, Reason.MISSING_PRICE, "price", "states nothing"),
        _Fault(price["refused"], Reason.BAD_PRICE, "price", "is no number with up to ten digits before the point"),
        _Fault(volume["refused"], Reason.BAD_VOLUME, "volume", "is no number with up to ten digits before the point"),
        _Fault(bad_time, Reason.BAD_TIMESTAMP, "time", "is no instant of 1970 to 2099 on its feed's clock"),
        _Fault(bad_end, Reason.BAD_TIMESTAMP, "end_time", "is no instant after the start of the interval"),
    ]


def _refusals(stated: pl.DataFrame, faults: list[_Fault]) -> pl.DataFrame:
    """The first fault of each row as a refusal; null where it has none."""
    quoted = {
        fault.field: pl.col(fault.field).str.slice(0, QUOTED_CHARACTERS).fill_null("(nothing)") for fault in faults
    }
    return stated.select(
        "event",
        "index",
        reason=pl.coalesce(pl.when(fault.holds).then(pl.lit(str(fault.reason))) for fault in faults),
        field=pl.coalesce(pl.when(fault.holds).then(pl.lit(fault.field)) for fault in faults),
        message=pl.coalesce(
            pl.when(fault.holds).then(
                pl.format("{} {} {}", pl.lit(fault.field), quoted[fault.field], pl.lit(fault.what))
            )
            for fault in faults
        ),
    )


def _ticks(reading: _Reading, normalized_at: datetime) -> pl.DataFrame:
    """The rows as ticks, also those that will be refused."""
    stated, who, where, placed = reading.stated, reading.who, reading.where, reading.placed
    ingested_at_us = reading.known["ingested_at_us"]
    bits = coordinate_bits(
        where["topic_hash"], where["raw_partition"].cast(pl.Int64), where["raw_offset"], stated["index"]
    )
    rows = len(stated)
    columns = {
        **{name: stated[name] for name in ("tenant_id", "market", "data_type", "market_run", "currency", "unit")},
        **{name: stated[name] for name in ("source_event_id", "source_system", "trace_id")},
        **{name: read["value"] for name, read in reading.numbers.items()},
        "symbol": who["clean_symbol"],
        "instrument_id": who["instrument_id"],
        "source_id": who["source"],
        "series": who["series"],
        "ts": placed["ts"],
        "interval_end": placed["interval_end"],
        "ingested_at": ingested_at_us.cast(LOCAL).dt.replace_time_zone("UTC"),
        "normalized_at": pl.Series([normalized_at], dtype=INSTANT).new_from_index(0, rows),
        "source_seq": reading.sequence["source_seq"],
        "version": version(ingested_at_us.cast(pl.UInt64), bits.cast(pl.UInt64)),
        "quality_flags": _flags(reading),
        "metadata": _with_raw_symbol(stated["metadata"], who["raw_symbol"]),
        "raw_topic": where["raw_topic"],
        "raw_partition": where["raw_partition"],
        "raw_offset": where["raw_offset"],
        "raw_index": stated["index"],
    }
    return pl.DataFrame({name: columns[name] for name in TickBatch.schema})


def _with_raw_symbol(metadata: pl.Series, raw_symbol: pl.Series) -> pl.Series:
    """A name that had to be respelled stays readable in the metadata."""
    respelled = raw_symbol.is_not_null()
    if not respelled.any():
        return metadata
    texts = [
        json.dumps({**json.loads(text), "raw_symbol": raw}, sort_keys=True, ensure_ascii=False)
        for text, raw in zip(metadata.filter(respelled), raw_symbol.filter(respelled), strict=True)
    ]
    return metadata.clone().scatter(respelled.arg_true(), texts)
