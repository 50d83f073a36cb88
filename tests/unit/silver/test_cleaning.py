"""From stated prices to clean ticks: what becomes of each oddity, and that it harms no neighbour."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from adapters.memory.policies import MemoryPolicies
from domain.bronze.raw_event import RawEvents, RawPrice, RawPrices, Refusal
from domain.errors import Reason
from domain.identity import coordinate_bits, topic_hash
from domain.silver.cleaning import clean
from domain.silver.feed import FeedPolicies
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from tests.builders import TEN, at, micros, raw_events, raw_price, raw_prices

FEEDS = MemoryPolicies.from_files().feeds()
TOPIC = "ingestion.miso.raw.v1"
DAY = timedelta(days=1)


def events(count: int, recorded_us: int = micros(TEN)) -> RawEvents:
    return attrs.evolve(raw_events(*[b"{}"] * count), timestamps_us=[recorded_us] * count)


def cleaned(*prices: RawPrice, feeds: FeedPolicies = FEEDS, **more: Any) -> tuple[list[Tick], list[Refusal]]:
    numbered = [attrs.evolve(price, event=event) for event, price in enumerate(prices)]
    ticks, refusals = clean(raw_prices(*numbered), events(len(prices), **more), feeds, TEN)
    return ticks.facts(), refusals.facts()


def tick_of(price: RawPrice, **more: Any) -> Tick:
    ticks, refusals = cleaned(price, **more)
    assert refusals == []
    return ticks[0]


def flags_of(price: RawPrice, **more: Any) -> Flag:
    return Flag(tick_of(price, **more).quality_flags)


def refusal_of(price: RawPrice) -> tuple[str, str]:
    ticks, refusals = cleaned(price)
    assert ticks == []
    return refusals[0].reason, refusals[0].field


def trade(**fields: Any) -> RawPrice:
    believable = {"market": "BINANCE", "data_type": "tick", "market_run": "", "name": "BTCUSDT", "symbol": "BTCUSDT"}
    return raw_price(**{**believable, "source_id": "binance-spot", "time": "2026-10-05T09:59:59Z", **fields})


def caiso(**fields: Any) -> RawPrice:
    stated = {"time": "2026-10-05T09:00:00-00:00", "end_time": "2026-10-05T10:00:00-00:00", "price": "45.67"}
    components = {"energy_price": "44", "congestion_price": "1.2", "loss_price": "0.47"}
    return raw_price(**{"market": "CAISO", "market_run": "DAM", **stated, **components, **fields})


def test_a_stated_price_becomes_a_tick() -> None:
    bits = coordinate_bits(topic_hash(TOPIC), 0, 0, 0)
    assert tick_of(raw_price(congestion_price="1.5", source_seq="12", metadata='{"a": "b"}', trace_id="t")) == Tick(
        tenant_id="default",
        market="MISO",
        symbol="INDIANA.HUB",
        instrument_id="MISO.LMP.RT.INDIANA.HUB",
        source_id="miso.lmp.rt",
        ts=TEN,
        ingested_at=TEN,
        normalized_at=TEN,
        interval_end=TEN + timedelta(minutes=5),
        source_seq=12,
        version=micros(TEN) * 4096 + bits,
        price=Decimal("31.25"),
        volume=None,
        bid_price=None,
        ask_price=None,
        energy_price=None,
        congestion_price=Decimal("1.5"),
        loss_price=None,
        currency="USD",
        unit="MWh",
        data_type="lmp",
        market_run="RT",
        quality_flags=0,
        metadata='{"a": "b"}',
        raw_topic=TOPIC,
        raw_partition=0,
        raw_offset=0,
        raw_index=0,
        series="default|MISO.LMP.RT.INDIANA.HUB",
        source_event_id="",
        source_system="ingestion-miso",
        trace_id="t",
    )


def test_nothing_becomes_nothing() -> None:
    assert clean(RawPrices.empty(), raw_events(b"{}"), FEEDS, TEN)[0].facts() == []


def test_a_bad_row_never_harms_its_neighbours() -> None:
    prices = [trade(source_seq=str(number)) for number in range(7)]
    broken = [trade(price="x"), trade(time="x"), trade(symbol=" "), trade(volume="x"), trade(price=None)]
    ticks, refusals = cleaned(prices[0], broken[0], broken[1], *prices[1:6], broken[2], broken[3], broken[4], prices[6])
    assert [tick.source_seq for tick in ticks] == list(range(7))
    assert [(refusal.event, refusal.reason) for refusal in refusals] == [
        (1, "BAD_PRICE"),
        (2, "BAD_TIMESTAMP"),
        (8, "BAD_NAME"),
        (9, "BAD_VOLUME"),
        (10, "MISSING_PRICE"),
    ]


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"price": None}, Reason.MISSING_PRICE, "price"),
        ({"price": " "}, Reason.MISSING_PRICE, "price"),
        ({"price": "NaN"}, Reason.BAD_PRICE, "price"),
        ({"price": "10000000000"}, Reason.BAD_PRICE, "price"),
        ({"volume": "many"}, Reason.BAD_VOLUME, "volume"),
        ({"volume": "1e11"}, Reason.BAD_VOLUME, "volume"),
        ({"time": None}, Reason.BAD_TIMESTAMP, "time"),
        ({"time": "2026-10-05T24:00:00"}, Reason.BAD_TIMESTAMP, "time"),
        ({"end_time": "2026-10-05T05:00:00"}, Reason.BAD_TIMESTAMP, "end_time"),
        ({"name": ""}, Reason.BAD_NAME, "name"),
        ({"name": "INDIANA\0.HUB"}, Reason.BAD_NAME, "name"),
        ({"symbol": "INDIANA\n.HUB"}, Reason.BAD_NAME, "name"),
        ({"symbol": "INDIANA\u0085.HUB"}, Reason.BAD_NAME, "name"),
        ({"name": "", "price": None, "time": None}, Reason.BAD_NAME, "name"),
    ],
)
def test_refuses_what_it_can_not_use(fields: dict[str, Any], reason: Reason, field: str) -> None:
    assert refusal_of(raw_price(**fields)) == (reason, field)


def test_a_refusal_quotes_what_it_read_but_not_all_of_it() -> None:
    _, refusals = cleaned(raw_price(price="x" * 1_000), raw_price(time=None))
    assert refusals[0].message == f"price {'x' * 64} is no number with up to ten digits before the point"
    assert refusals[1].message == "time (nothing) is no instant of 1970 to 2099 on its feed's clock"


def test_missing_volume_is_null_and_zero_is_zero() -> None:
    ticks, _ = cleaned(trade(volume=None), trade(volume=""), trade(volume="0"))
    assert [tick.volume for tick in ticks] == [None, None, Decimal(0)]


@pytest.mark.parametrize(
    ("price", "flags"),
    [
        (trade(), Flag(0)),
        (trade(price="-15.74"), Flag.PRICE_NEGATIVE),
        (trade(price="0"), Flag(0)),
        (trade(volume="-1"), Flag.VOLUME_NEGATIVE),
        (trade(price="2.765000104904175"), Flag.PRECISION_LOSS),
        (trade(volume="0.123456789"), Flag.PRECISION_LOSS),
        (trade(bid_price="0.123456789"), Flag.PRECISION_LOSS),
        (trade(greenhouse_gas_price="0.123456789"), Flag(0)),
        (trade(time="2026-10-05T10:05:00Z"), Flag(0)),
        (trade(time="2026-10-05T10:05:00.000001Z"), Flag.TS_FUTURE),
        (trade(time="2025-10-05T10:00:00Z"), Flag(0)),
        (trade(time="2025-10-05T09:59:59Z"), Flag.TS_ANCIENT),
        (trade(time="1791194399"), Flag.TS_UNIT_GUESSED),
        (trade(flags=int(Flag.SOURCE_CONFLICT)), Flag.SOURCE_CONFLICT),
        (trade(source_seq="-1"), Flag.BAD_SEQUENCE),
        (trade(source_seq="--0"), Flag.BAD_SEQUENCE),
        (trade(source_seq="1.0"), Flag.BAD_SEQUENCE),
        (trade(source_seq="+5"), Flag.BAD_SEQUENCE),
        (trade(source_seq="9223372036854775808"), Flag.BAD_SEQUENCE),
        (trade(source_seq="99999999999999999999999"), Flag.BAD_SEQUENCE),
        (trade(source_seq=" "), Flag(0)),
        (trade(ask_price="x"), Flag.BAD_COMPONENT),
        (raw_price(market_run="EXANTE"), Flag.FEED_POLICY_ASSUMED),
        (raw_price(market="NYISO", data_type="lbmp", time="2025-11-02T01:15:00"), Flag.TS_AMBIGUOUS),
        (caiso(greenhouse_gas_price="0"), Flag(0)),
        (caiso(price="45.6701", greenhouse_gas_price="0"), Flag(0)),
        (caiso(price="45.67011", greenhouse_gas_price="0"), Flag.COMPONENT_MISMATCH),
        (caiso(price="46.67", greenhouse_gas_price="1"), Flag(0)),
        (caiso(price="46.67"), Flag.COMPONENT_INCOMPLETE),
        (caiso(price="46.67", energy_price=None), Flag(0)),
        (caiso(energy_price="x", price="46.67"), Flag.BAD_COMPONENT),
        (raw_price(energy_price="1", congestion_price="1", loss_price="1"), Flag.COMPONENT_MISMATCH),
    ],
)
def test_flags_what_is_odd(price: RawPrice, flags: Flag) -> None:
    assert flags_of(price) == flags


def test_a_day_ahead_feed_speaks_of_the_days_to_come() -> None:
    day_ahead = {"market_run": "DA", "source_id": "miso.lmp.da"}
    assert flags_of(raw_price(**day_ahead, time="2026-10-13T05:00:00")) == Flag(0)
    assert flags_of(raw_price(**day_ahead, time="2026-10-13T05:00:01")) == Flag.TS_FUTURE


def test_a_trade_under_a_feed_s_name_is_bound_to_that_feed_s_horizon() -> None:
    tomorrow = "2026-10-06T09:00:00Z"
    assert flags_of(trade(source_id="miso.lmp.da", time=tomorrow)) == Flag(0)
    assert flags_of(trade(source_id="miso.lmp.rt", time=tomorrow)) == Flag.TS_FUTURE
    assert flags_of(trade(time=tomorrow)) == Flag.TS_FUTURE


def test_a_component_that_is_no_number_is_null() -> None:
    assert tick_of(caiso(energy_price="x", loss_price="")).energy_price is None


@pytest.mark.parametrize("sequence", [None, "", "x", "-1"])
def test_a_sequence_that_is_none_is_zero(sequence: str | None) -> None:
    assert tick_of(trade(source_seq=sequence)).source_seq == 0


@pytest.mark.parametrize("sequence", ["0", "-0", "00"])
def test_a_sequence_of_zero_is_one_however_it_is_spelled(sequence: str) -> None:
    price = trade(source_seq=sequence)

    assert (tick_of(price).source_seq, flags_of(price)) == (0, Flag(0))


def test_the_largest_sequence_is_kept() -> None:
    assert tick_of(trade(source_seq="9223372036854775807")).source_seq == 2**63 - 1


@pytest.mark.parametrize(
    ("stated", "known"),
    [
        (str(micros(at("09:00:00"))), at("09:00:00")),
        ("2026-10-05T09:00:00Z", at("09:00:00")),
        ("2026-10-05T09:00:00.5", at("09:00:00.5")),
        ("2026-10-05 05:00:00-04:00", at("09:00:00")),
        (str(micros(TEN + DAY)), TEN + DAY),
    ],
)
def test_the_connector_says_when_it_knew(stated: str, known: Any) -> None:
    tick = tick_of(trade(ingested_at=stated))
    assert (tick.ingested_at, Flag(tick.quality_flags) & Flag.INGESTED_AT_ASSUMED) == (known, Flag(0))


@pytest.mark.parametrize(
    "stated",
    [
        None,
        "",
        "soon",
        "1.5",
        "1791194400",
        "631151999999999",
        "1989-12-31T23:59:59Z",
        f"+{micros(TEN)}",
        str(micros(TEN + DAY) + 1),
        "99999999999999999999",
    ],
)
def test_where_it_does_not_the_log_does(stated: str | None) -> None:
    tick = tick_of(trade(ingested_at=stated))
    assert (tick.ingested_at, Flag(tick.quality_flags)) == (TEN, Flag.INGESTED_AT_ASSUMED)


@pytest.mark.parametrize(("recorded_us", "version"), [(-1, 0), (2**60, 4_102_444_799_999_999)])
def test_a_log_without_plausible_times_still_gives_versions(recorded_us: int, version: int) -> None:
    assert tick_of(trade(ingested_at=None), recorded_us=recorded_us).version >> 12 == version


def test_a_blank_source_is_unknown() -> None:
    assert tick_of(trade(source_id=" ")).source_id == "unknown"


def test_rows_of_one_message_have_versions_of_their_own() -> None:
    prices = raw_prices(trade(index=0), trade(index=1))
    versions = clean(prices, events(1), FEEDS, TEN)[0].frame["version"]
    assert versions.n_unique() == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "A B", "symbol": "A B"}, ("A-B", "A-B", "A B")),
        ({"name": "btcusdt", "symbol": "btcusdt"}, ("BTCUSDT", "btcusdt", None)),
        ({"name": "MISO.AS.SPIN.ZONE 1", "symbol": "SPIN"}, ("MISO.AS.SPIN.ZONE-1", "SPIN", "MISO.AS.SPIN.ZONE 1")),
    ],
)
def test_a_name_that_is_respelled_stays_in_the_metadata(
    fields: dict[str, str], expected: tuple[str, str, str | None]
) -> None:
    tick = tick_of(trade(**fields, metadata='{"z": "1"}'))
    assert (tick.instrument_id, tick.symbol, json.loads(tick.metadata).get("raw_symbol")) == expected


def test_metadata_keeps_its_order_beside_the_raw_symbol() -> None:
    tick = tick_of(trade(name="Aé", symbol="Aé", metadata='{"a": "1", "z": "2"}'))
    assert tick.metadata == '{"a": "1", "raw_symbol": "Aé", "z": "2"}'


def test_a_feed_without_a_policy_is_read_as_utc_and_says_so() -> None:
    tick = tick_of(raw_price(time="2026-10-05T10:00:00"), feeds=FeedPolicies.of([]))
    assert (tick.ts, tick.interval_end, Flag(tick.quality_flags)) == (TEN, None, Flag.FEED_POLICY_ASSUMED)
