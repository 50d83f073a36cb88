"""Two statements about one key that are equally new: everywhere the one of the greater content, whichever came first."""

import base64
import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.e2e.conftest import LoadFiles
from tests.oracle.comparison import read_table
from tests.oracle.feeds import TICKS_TOPIC
from tests.oracle.messages import NOW, csv_row, enveloped, micros, sealed, stamped, text

SAID = {"5": (0, 977), "6": (1, 0)}
"""Partition and offset of a message by its price: their coordinates come to the same twelve bits."""
PRICES = {
    "silver_ticks": "price",
    "enriched_ticks": "price",
    "served_latest": "price",
    "bars_5m": "close_price",
    "bars_1d": "open_price",
}


def line(price: str, timestamp_ms: int) -> str:
    partition, offset = SAID[price]
    payload = csv_row(Random(1))
    payload["inside"] |= {"price": price}
    message = text(sealed(stamped(enveloped(payload | {"metadata": {}}), micros(NOW))))
    head: dict[str, Any] = {"topic": TICKS_TOPIC, "partition": partition, "offset": offset, "key": price}
    return json.dumps({**head, "timestamp_ms": timestamp_ms, "value_b64": base64.b64encode(message).decode()}) + "\n"


@pytest.mark.parametrize("at_once", ["1000", "1"])
@pytest.mark.parametrize("embedded", [False, True], ids=["memory", "embedded"])
def test_which_of_two_equally_new_statements_counts_does_not_hang_on_their_order(
    embedded: bool, at_once: str, tmp_path: Path, load: LoadFiles
) -> None:
    ends = []
    for order in ("56", "65"):
        file = tmp_path / f"{order}.jsonl"
        now_ms = micros(NOW) // 1000
        file.write_text("".join(line(price, now_ms + at * 60_000) for at, price in enumerate(order)))
        options = ("--data-dir", str(tmp_path / order)) if embedded else ()
        settings = {"DATA_PROC_MAX_BATCH_SIZE": at_once, "DATA_PROC_PROVISIONAL_EVERY_S": "0"}
        export = load([file], *options, settings=settings).export
        ends.append({table: [row[price] for row in read_table(export, table)] for table, price in PRICES.items()})
        assert len({row["version"] for row in read_table(export, "silver_ticks")}) == 1

    assert ends[0] == ends[1]
    (kept,) = ends[0]["silver_ticks"]
    assert kept in {Decimal(5), Decimal(6)}
    assert all(found == [kept] for found in ends[0].values())
