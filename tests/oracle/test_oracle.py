"""The oracle agrees with the published expectations before it judges anything."""

import base64
import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.oracle.comparison import COUNTED_BY_TOPIC
from tests.oracle.meaning import Tick, judge
from tests.oracle.raw import RawMessage, read
from tests.oracle.results import Results, micros, results

INSTANTS = {"ts", "interval_start", "interval_end"}
NUMBERS = ("price", "volume", "energy_price", "congestion_price", "loss_price")
BAR_NUMBERS = (
    "open_price", "high_price", "low_price", "close_price", "mean_price", "volume", "notional", "vwap", "price_sum",
)  # fmt: skip


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def instant(text: str) -> int | None:
    return micros(datetime.fromisoformat(text)) if text else None


def decimals(row: Mapping[str, str], names: Iterable[str]) -> list[Decimal | None]:
    return [Decimal(row[name]) if row[name] else None for name in names]


def agree(found: Results, expected: Path) -> None:
    silver = {
        (row["tenant_id"], row["instrument_id"], instant(row["ts"]), row["source_id"], int(row["source_seq"])): (
            decimals(row, NUMBERS),
            int(row["ingested_at"]),
            row["precision_loss"] == "1",
            instant(row["interval_end"]),
        )
        for row in table(expected / "silver.csv.gz")
    }
    assert {key: stated(tick) for key, tick in found.silver.items()} == silver
    for interval in ("5m", "1h", "1d"):
        wanted = {
            (row["tenant_id"], row["instrument_id"], instant(row["interval_start"])): (
                decimals(row, BAR_NUMBERS),
                int(row["trade_count"]),
            )
            for row in table(expected / f"bars_{interval}.csv.gz")
        }
        made = found.bars(interval)
        assert {key: ([bar[name] for name in BAR_NUMBERS], bar["trade_count"]) for key, bar in made.items()} == wanted
    last = {
        (row["tenant_id"], row["instrument_id"]): (
            instant(row["ts"]),
            row["source_id"],
            *decimals(row, ("price", "volume")),
        )
        for row in table(expected / "latest.csv.gz")
    }
    assert {key: (tick.ts, tick.source_id, tick.price, tick.volume) for key, tick in found.latest().items()} == last
    counts = json.loads((expected / "manifest.json").read_text())["counts"]
    told = {name: sum(counted[name] for counted in found.counts.values()) for name in COUNTED_BY_TOPIC}
    assert told == {name: counts[name] for name in COUNTED_BY_TOPIC if name in counts} | {
        "ticks": counts["silver_distinct"] + counts["duplicates"]
    }


def stated(tick: Tick) -> tuple[list[Decimal | None], int, bool, int | None]:
    numbers = [getattr(tick, name) for name in NUMBERS]
    end = tick.interval_end
    return numbers, tick.ingested_at, "PRECISION_LOSS" in tick.flags, end


def test_the_main_set(shared_data: Path) -> None:
    agree(results(read(*sorted((shared_data / "raw/main").glob("*.jsonl.gz")))), shared_data / "expected/main")


def test_the_hostile_set(shared_data: Path) -> None:
    with gzip.open(shared_data / "hostile/hostile.jsonl.gz", "rt") as file:
        cases = [json.loads(line) for line in file]
    verdicts = {case["id"]: judge(as_message(case)) for case in cases}

    assert {name: verdict.outcome for name, verdict in verdicts.items()} == {
        case["id"]: case["expect"] for case in cases
    }
    for case in cases:
        for tick in verdicts[case["id"]].ticks:
            wanted = dict(case.get("tick", {}))
            flags = set(wanted.pop("flags", ()))
            assert {name: shown(tick, name) for name in wanted} == {
                name: read_as(name, value) for name, value in wanted.items()
            }
            assert tick.flags >= flags


def as_message(case: Mapping[str, Any]) -> RawMessage:
    value = case["value_b64"]
    return RawMessage(
        topic=case["topic"],
        partition=case["partition"],
        offset=case["offset"],
        timestamp_ms=case["timestamp_ms"],
        value=None if value is None else base64.b64decode(value),
        id=case["id"],
    )


def shown(tick: Tick, name: str) -> Any:
    return getattr(tick, name)


def read_as(name: str, value: Any) -> Any:
    if name in INSTANTS:
        return instant(value)
    return Decimal(value) if name in NUMBERS and value is not None else value
