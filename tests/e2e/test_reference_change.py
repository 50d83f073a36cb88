"""What is loaded after ticks were stored reaches them, and disturbs no bar."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.builders import at, micros
from tests.e2e.programs import done

DONE = 0
TOPIC = "ingestion.market.ticks.raw.v1"


def line(offset: int, symbol: str, time: str) -> str:
    """A trade of a symbol, as load generators send it."""
    said = {"event_type": "tick", "event_id": f"e-{offset}", "tenant_id": "default", "source": "trades", "version": "1"}
    raw = {"timestamp": at(time).isoformat(), "price": 3.5, "volume": 1}
    value = {
        "envelope": said | {"timestamp": at("12:00").isoformat()},
        "payload": {"market": "nymex", "instrument_id": symbol, "raw_data": raw},
    }
    place = {"topic": TOPIC, "partition": 0, "offset": offset, "timestamp_ms": micros(at("12:00")) // 1000}
    return json.dumps(place | {"key": "k", "value": value}) + "\n"


def known(export: Path, symbol: str) -> list[tuple[str, str, list[str]]]:
    """Commodity, region and flags of its ticks."""
    rows = pl.read_parquet(export / "enriched_ticks.parquet").filter(instrument_id=symbol)
    return rows.select("commodity", "region", "quality_flags").rows()


@pytest.mark.slow
def test_reference_data_loaded_after_ticks_is_in_their_rows_at_the_next_start(tmp_path: Path) -> None:
    data, export, log = tmp_path / "data", tmp_path / "export", tmp_path / "log"
    raw, instruments = tmp_path / "raw.jsonl", tmp_path / "instruments.yaml"
    raw.write_text("".join(line(n, symbol, f"10:0{n}") for n, symbol in enumerate(("NEW_HUB", "NEW_HUB", "OTHER_HUB"))))
    instruments.write_text("groups: [{instruments: [NEW_HUB], commodity: power, region: us-miso, tier: hub}]")
    told = ["entrypoints.all_in_one", "--data-dir", str(data), "--input", str(raw), "--once", "--export", str(export)]
    load = ["entrypoints.cli", "reference", "load", str(instruments), "--data-dir", str(data), "--yes"]

    assert done(*told, log=log) == DONE, log.read_text()
    assert known(export, "NEW_HUB") == [("", "", ["MISSING_METADATA"])] * 2
    bars = pl.read_parquet(export / "bars_5m.parquet")

    assert done(*load, log=log) == DONE, log.read_text()
    assert done(*told, log=log) == DONE, log.read_text()
    assert known(export, "NEW_HUB") == [("power", "us-miso", [])] * 2
    assert known(export, "OTHER_HUB") == [("", "", ["MISSING_METADATA"])]
    assert pl.read_parquet(export / "bars_5m.parquet").equals(bars)
