"""An export held against what the oracle expects, to the last digit."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.oracle.meaning import Tick
from tests.oracle.results import Results, micros

COUNTED_BY_TOPIC = ("raw", "accepted", "filtered", "dead_letter", "ticks")
DIGEST = re.compile(r"-(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{16})$")
"""What tells odd names apart; its spelling is the refinery's own choice."""
NUMBERS = ("price", "volume", "energy_price", "congestion_price", "loss_price")
TICK = ("market", "symbol", "ingested_at", "interval_end", "currency", "unit", *NUMBERS)
BAR = (
    "interval_end", "open_ts", "close_ts", "open_price", "high_price", "low_price", "close_price", "mean_price",
    "price_sum", "volume", "notional", "vwap", "trade_count", "market", "currency", "unit", "quality_flags",
)  # fmt: skip
LATEST = ("market", "symbol", "ts", "price", "volume", "source_id", "source_seq", "currency", "unit")
LAYER_FLAGS = {"MISSING_METADATA", "PRICE_OUT_OF_RANGE"}
"""Flags of enrichment, which no raw record decides."""

Row = dict[str, Any]
Table = Mapping[tuple[Any, ...], Row]


def differences(export: Path, expected: Results, intervals: Iterable[str] = ("5m", "1h", "1d")) -> list[str]:
    """Everything in which an export differs from the oracle's results; empty where it is right."""
    return [
        *table_differences(export, expected, intervals),
        *outcome_differences(export, expected),
        *dead_letter_differences(export, expected),
        *count_differences(export, expected),
    ]


def table_differences(export: Path, expected: Results, intervals: Iterable[str] = ("5m", "1h", "1d")) -> list[str]:
    """Everything in which ticks, bars and latest prices differ, whatever offsets the log gave the messages."""
    silver = {masked(tick.key): tick_row(tick) for tick in expected.silver.values()}
    return [
        *compared("silver_ticks", rows(export, "silver_ticks", silver_row), silver),
        *compared("enriched_ticks", rows(export, "enriched_ticks", silver_row), silver),
        *compared("served_latest", rows(export, "served_latest", latest_row), latest_rows(expected)),
        *(difference for interval in intervals for difference in bar_differences(export, expected, interval)),
    ]


def read_table(export: Path, name: str) -> list[Row]:
    table = pq.read_table(export / f"{name}.parquet")
    return table.to_pylist()  # type: ignore[no-any-return]


def rows(
    export: Path, name: str, reader: Callable[[Row], tuple[tuple[Any, ...], Row]]
) -> list[tuple[tuple[Any, ...], Row]]:
    return [reader(row) for row in read_table(export, name)]


def compared(table: str, stored: list[tuple[tuple[Any, ...], Row]], expected: Table) -> Iterator[str]:
    found = dict(stored)
    if len(found) != len(stored):
        yield f"{table}: {len(stored) - len(found)} keys stand twice"
    yield from (f"{table}: missing {key}" for key in expected.keys() - found.keys())
    yield from (f"{table}: unexpected {key}" for key in found.keys() - expected.keys())
    for key in expected.keys() & found.keys():
        for column, wanted in expected[key].items():
            if found[key][column] != wanted or isinstance(found[key][column], float):
                yield f"{table}: {key} {column} is {found[key][column]!r} instead of {wanted!r}"


def masked(key: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(DIGEST.sub("-#", part) if isinstance(part, str) else part for part in key)


def plain(value: Any) -> Any:
    """A stored value as the oracle speaks of it."""
    if isinstance(value, datetime):
        return micros(value)
    if isinstance(value, list):
        return frozenset(value)
    return value


def silver_row(row: Row) -> tuple[tuple[Any, ...], Row]:
    key = [plain(row[name]) for name in ("tenant_id", "instrument_id", "ts", "source_id", "source_seq")]
    told = {name: plain(row[name]) for name in TICK}
    told["symbol"] = masked([told["symbol"]])[0]
    return masked(key), told | {"quality_flags": frozenset(row["quality_flags"]) - LAYER_FLAGS}


def tick_row(tick: Tick) -> Row:
    told = {name: getattr(tick, name) for name in TICK}
    told["symbol"] = masked([told["symbol"]])[0]
    return told | {"quality_flags": tick.flags}


def latest_row(row: Row) -> tuple[tuple[Any, ...], Row]:
    told = {name: plain(row[name]) for name in LATEST}
    told["symbol"] = masked([told["symbol"]])[0]
    return masked([row["tenant_id"], row["instrument_id"]]), told


def latest_rows(expected: Results) -> Table:
    return {
        masked(key): {name: getattr(tick, name) for name in LATEST} | {"symbol": masked([tick.symbol])[0]}
        for key, tick in expected.latest().items()
    }


def bar_row(row: Row) -> tuple[tuple[Any, ...], Row]:
    key = [plain(row[name]) for name in ("tenant_id", "instrument_id", "interval_start")]
    return masked(key), {name: plain(row[name]) for name in BAR}


def bar_differences(export: Path, expected: Results, interval: str) -> Iterator[str]:
    wanted = {masked(key): {name: bar[name] for name in BAR} for key, bar in expected.bars(interval).items()}
    yield from compared(f"bars_{interval}", rows(export, f"bars_{interval}", bar_row), wanted)


def outcome_differences(export: Path, expected: Results) -> Iterator[str]:
    stored = {(row["topic"], row["partition"], row["offset"]): row for row in read_table(export, "outcomes")}
    yield from (f"outcomes: missing {key}" for key in expected.outcomes.keys() - stored.keys())
    yield from (f"outcomes: unexpected {key}" for key in stored.keys() - expected.outcomes.keys())
    for key in expected.outcomes.keys() & stored.keys():
        message, verdict = expected.outcomes[key]
        told = stored[key]
        if (told["outcome"], told["ticks"]) != (verdict.outcome, len(verdict.ticks)):
            said = f"{told['outcome']} ({told['reason']}, {told['ticks']} ticks)"
            yield f"outcomes: {key} is {said} instead of {verdict.outcome}: {(message.value or b'')[:600]!r}"
        elif not reason_fits(told["reason"], verdict.outcome, verdict.filtered, verdict.refusals):
            yield f"outcomes: {key} reason {told['reason']} instead of {verdict.filtered or verdict.refusals}"


def reason_fits(reason: str, outcome: str, filtered: str, refusals: list[frozenset[str]]) -> bool:
    if outcome == "filtered":
        return reason == filtered
    return any(reason in acceptable for acceptable in refusals) if refusals else not reason


def dead_letter_differences(export: Path, expected: Results) -> Iterator[str]:
    stored: dict[tuple[str, int, int], list[str]] = {}
    for row in read_table(export, "dead_letters"):
        stored.setdefault((row["topic"], row["partition"], row["offset"]), []).append(row["reason"])
    for key in expected.outcomes.keys() | stored.keys():
        refusals = expected.outcomes[key][1].refusals if key in expected.outcomes else []
        reasons = stored.get(key, [])
        if len(reasons) != len(refusals) or not all(any(reason in fit for fit in refusals) for reason in reasons):
            yield f"dead_letters: {key} has {reasons} instead of {[sorted(fit) for fit in refusals]}"


def count_differences(export: Path, expected: Results) -> Iterator[str]:
    topics = json.loads((export / "summary.json").read_text())["topics"]
    for topic, counted in expected.counts.items():
        for name in COUNTED_BY_TOPIC:
            if topics.get(topic, {}).get(name) != counted[name]:
                yield f"summary: {topic} {name} is {topics.get(topic, {}).get(name)} instead of {counted[name]}"
    ticks = sum(counted["ticks"] for counted in expected.counts.values())
    distinct = sum(told["silver_distinct"] for told in topics.values())
    duplicates = sum(told["duplicates"] for told in topics.values())
    if (distinct, duplicates) != (len(expected.silver), ticks - len(expected.silver)):
        yield f"summary: {distinct} distinct and {duplicates} duplicates of {ticks} ticks, {len(expected.silver)} distinct"
