"""Cases whose answers others published or computed, through the whole refinery."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.feather
import pytest

from domain.gold.watermark import Mark, Timeline
from tests.e2e.conftest import LoadFiles
from tests.e2e.golden import Trade, caiso_rows, csv_trades, freqtrade_trades, kraken_trades, miso_five_minutes, write
from tests.oracle.comparison import read_table

MINUTES = {"DATA_PROC_BAR_INTERVALS": "1m,5m,1h,1d"}
CENT = Decimal("0.01")
WAIT_S = 5
EXACT_MEAN = Decimal("0.0000000051")
SCALE_S = 30
"""Windows of ten units there are windows of five minutes here: a unit is thirty seconds."""


def case(shared_data: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / "golden" / f"{name}.json").read_text(), parse_float=Decimal)
    return found


def bars(export: Path, interval: str) -> dict[tuple[str, datetime], dict[str, Any]]:
    return {(bar["instrument_id"], bar["interval_start"]): bar for bar in read_table(export, f"bars_{interval}")}


def ohlc(bar: dict[str, Any]) -> list[Decimal]:
    return [bar["open_price"], bar["high_price"], bar["low_price"], bar["close_price"]]


def half_up(numbers: list[Decimal]) -> Decimal:
    return (sum(numbers, Decimal(0)) / len(numbers)).quantize(CENT, ROUND_HALF_UP)


def test_01_twelve_miso_intervals_make_the_hour_miso_publishes(
    shared_data: Path, tmp_path: Path, load: LoadFiles
) -> None:
    published = case(shared_data, "01_miso_5min_to_hourly_integrated")["expected"]
    original = shared_data / "original/miso/GetRealTimeFiveMinExPost_Rolling_20261002_excerpt.json"
    done = load([write(tmp_path / "in.jsonl", miso_five_minutes(original))])
    hour = datetime(2026, 10, 2, 20, tzinfo=UTC)
    members: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for tick in read_table(done.export, "silver_ticks"):
        if hour <= tick["ts"] < hour + timedelta(hours=1):
            members[tick["symbol"]].append(tick)
    means = {node: half_up([bars(done.export, "1h")[f"MISO.LMP.RT.{node}", hour]["mean_price"]]) for node in published}

    assert means == {node: Decimal(figures["LMP"]) for node, figures in published.items()}
    for node, figures in published.items():
        assert half_up([tick["congestion_price"] for tick in members[node]]) == Decimal(figures["MCC"])
        assert half_up([tick["loss_price"] for tick in members[node]]) == Decimal(figures["MLC"])


def test_05_days_of_23_and_25_hours(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    days = case(shared_data, "05_caiso_dst_days")["expected"]
    folder = shared_data / "original/caiso"
    done = load([write(tmp_path / "in.jsonl", caiso_rows(*folder.glob("*PRC_LMP_DAM*.csv*")))])
    instrument = "CAISO.LMP.DAM.NP15SLAK_5_N001"
    hourly, daily = bars(done.export, "1h"), bars(done.export, "1d")
    present = {day: figures for day, figures in days.items() if day != "2019-11-02"}

    assert len(present) == 3
    for figures in present.values():
        start, end = (datetime.fromisoformat(figures[name]) for name in ("first_start_utc", "last_end_utc"))
        hours = sorted(at for name, at in hourly if name == instrument and start <= at < end)
        bar, wanted = daily[instrument, start], figures["daily_bar_local_day"]
        assert [hourly[instrument, at]["close_price"] for at in hours] == figures["lmp_in_utc_order"]
        assert (len(hours), bar["trade_count"], bar["interval_end"]) == (figures["hours"], wanted["count"], end)
        assert ohlc(bar) == [wanted["open"], wanted["high"], wanted["low"], wanted["close"]]
        assert abs(bar["mean_price"] - wanted["mean"]) <= EXACT_MEAN


def test_07_kraken_trades_make_krakens_own_bars(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    published = case(shared_data, "07_kraken_ticks_vs_exchange_1m_bars")["expected"]["bars"]
    trades = kraken_trades(shared_data / "original/ticks/kraken_XBTUSDT_trades_20251110.json")
    done = load([write(tmp_path / "in.jsonl", csv_trades("XBTUSDT", trades))], settings=MINUTES)
    made = bars(done.export, "1m")

    for start, *prices, vwap, volume, count in published:
        bar = made.get(("XBTUSDT", datetime.fromtimestamp(start, UTC)))
        assert (bar is None) == (count == 0)
        if bar:
            assert (ohlc(bar), bar["volume"], bar["trade_count"]) == (
                [Decimal(price) for price in prices],
                Decimal(volume),
                count,
            )
            assert abs(bar["vwap"] - Decimal(vwap)) <= Decimal("0.1")


def test_08_trades_with_equal_times_make_the_candles_of_a_peer(
    shared_data: Path, tmp_path: Path, load: LoadFiles
) -> None:
    folder = shared_data / "original/ticks"
    trades = freqtrade_trades(folder / "freqtrade_XRP_ETH_trades.json.gz")
    done = load([write(tmp_path / "in.jsonl", csv_trades("XRPETH", trades))], settings=MINUTES)
    made = {
        start: [float(number) for number in (*ohlc(bar), bar["volume"])]
        for (_, start), bar in bars(done.export, "1m").items()
    }
    candles = pyarrow.feather.read_table(folder / "freqtrade_XRP_ETH_1m.feather").to_pylist()

    assert len(made) == case(shared_data, "08_freqtrade_ticks_to_1m_bars")["expected"]["n_bars"]
    assert made == {
        row["date"].astimezone(UTC): [row["open"], row["high"], row["low"], row["close"], row["volume"]]
        for row in candles
    }


def test_09_ties_disorder_a_gap_and_negative_prices(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    golden = case(shared_data, "09_ohlc_ties_out_of_order_gap")
    trades: list[Trade] = [
        (datetime.fromisoformat(ts), str(price), str(volume), sequence)
        for _, sequence, ts, price, volume in golden["inputs"]["ticks"]
    ]
    settings = {"DATA_PROC_BAR_INTERVALS": "5m,15m,1h"}
    done = load([write(tmp_path / "in.jsonl", csv_trades("GOLDEN", trades))], settings=settings)

    for interval, name in (("5m", "5min"), ("15m", "15min"), ("1h", "1h")):
        made = bars(done.export, interval)
        wanted = {datetime.fromisoformat(row[0]): row[1:] for row in golden["expected"][name] if row[1] is not None}
        assert {start for _, start in made} == set(wanted)
        for start, (*prices, volume, count, vwap) in wanted.items():
            bar = made["GOLDEN", start]
            assert (ohlc(bar), bar["volume"], bar["trade_count"]) == (prices, volume, count)
            assert abs(bar["vwap"] - vwap) <= EXACT_MEAN


@pytest.mark.parametrize("wait_s", [0, 60, 300])
def test_11_windows_of_a_peer_without_its_losses(
    shared_data: Path, tmp_path: Path, load: LoadFiles, wait_s: int
) -> None:
    golden = case(shared_data, f"11_watermark_tumbling_5m_wait{wait_s}s")
    start = datetime.fromisoformat(golden["inputs"]["align_to"])
    events = golden["inputs"]["events_in_arrival_order"]
    messages = [
        message
        for seconds, key, arrival, price in events
        for message in csv_trades(key, [(start + timedelta(seconds=seconds), str(price), None, arrival)])
    ]
    made = bars(load([write(tmp_path / "in.jsonl", messages)]).export, "5m")
    lost: dict[tuple[str, int], int] = defaultdict(int)
    for event in golden["expected"]["late_dropped"]:
        lost[event["key"], event["window_id"]] += 1
    windows = {(window["key"], window["window_id"]): window for window in golden["expected"]["windows_in_emit_order"]}

    assert set(made) == {(window["key"], start + timedelta(seconds=window["start_s"])) for window in windows.values()}
    for (key, number), window in windows.items():
        bar = made[key, start + timedelta(seconds=window["start_s"])]
        assert bar["trade_count"] == window["count"] + lost[key, number]
        if not lost[key, number]:
            assert ohlc(bar) == [window["open"], window["high"], window["low"], window["close"]]


def test_12_a_record_dropped_there_is_in_its_window_here(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    golden = case(shared_data, "12_kafka_streams_late_records")
    place = [inputs["name"] for inputs in golden["inputs"]].index("tumbling_size10_grace90")
    inputs, expected = golden["inputs"][place], golden["expected"][place]
    trades = [
        (scaled(ts), str(int(value) + 1), None, number) for number, (_, value, ts) in enumerate(inputs["records"])
    ]
    made = bars(load([write(tmp_path / "in.jsonl", csv_trades("K", trades))]).export, "5m")
    counts: dict[datetime, int] = defaultdict(int)
    for window, *_ in expected["emitted"]:
        counts[scaled(first_of(window))] += 1
    for _, window in expected["dropped"]:
        counts[scaled(first_of(window))] += 1

    assert {start: bar["trade_count"] for (_, start), bar in made.items()} == counts


def test_14_out_of_order_items_within_the_wait(shared_data: Path, tmp_path: Path, load: LoadFiles) -> None:
    golden = case(shared_data, "14_bytewax_window_tests")
    items = golden["inputs"]["tumbling_10s_wait_max"]
    trades = [(scaled(ts), str(value), None, number) for number, (ts, value) in enumerate(items)]
    done = load([write(tmp_path / "in.jsonl", csv_trades("K", trades))])
    windows = {scaled(10 * number): values for number, values in golden["expected"]["tumbling_10s_wait_max"]}
    made = {start: bar for (_, start), bar in bars(done.export, "5m").items()}

    assert {start: ohlc(bar) for start, bar in made.items()} == {
        start: [Decimal(values[0]), Decimal(max(values)), Decimal(min(values)), Decimal(values[-1])]
        for start, values in windows.items()
    }
    assert {start: bar["trade_count"] for start, bar in made.items()} == {
        start: len(values) for start, values in windows.items()
    }


def test_14_the_watermark_is_the_highest_instant_less_the_wait_and_never_falls(shared_data: Path) -> None:
    golden = case(shared_data, "14_bytewax_window_tests")
    marks = {0: Mark(watermark_us=-(10**15), heard_at_s=0, lateness_us=WAIT_S * 10**6, idle_s=1)}
    after = {
        items: Timeline.of(
            pl.Series([0] * len(json.loads(items)), dtype=pl.Int64),
            pl.Series([second * 10**6 for second in json.loads(items)], dtype=pl.Int64),
            marks,
        ).watermarks()
        for items in golden["expected"]["watermark_after"]
    }

    assert after == {items: [second * 10**6] for items, second in golden["expected"]["watermark_after"].items()}


def scaled(units: int) -> datetime:
    return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=SCALE_S * units)


def first_of(window: str) -> int:
    """The start of `[100,110)`."""
    return int(window[1:].partition(",")[0])
