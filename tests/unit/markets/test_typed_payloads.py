"""Typed payloads: what the fields of each market's data types become."""

from typing import Any

import pytest

from domain.errors import Declared
from tests.builders import TEN, micros
from tests.unit.markets.messages import decode, miso_lmp, price_of, refusal_of, told, topic_of, without

AUCTION = {"auction": "2026-A", "auction_date": "2026-10-01", "path": "A-B", "source": "A", "sink": "B"}


def test_a_price_keeps_the_market_s_texts() -> None:
    expected = {
        "event": 0,
        "index": 0,
        "tenant_id": "default",
        "market": "MISO",
        "data_type": "lmp",
        "market_run": "RT",
        "name": "MISO.LMP.RT.INDIANA.HUB",
        "symbol": "INDIANA.HUB",
        "source_id": "miso.lmp.rt",
        "source_seq": None,
        "time": "2026-10-05T00:05:00",
        "time_is_number": False,
        "end_time": None,
        "price": "31.25",
        "volume": None,
        "bid_price": None,
        "ask_price": None,
        "energy_price": None,
        "congestion_price": "1.5",
        "loss_price": "-0.25",
        "greenhouse_gas_price": None,
        "currency": "USD",
        "unit": "MWh",
        "ingested_at": str(micros(TEN)),
        "flags": 0,
        "metadata": "{}",
        "source_event_id": "e-1",
        "source_system": "connector@1.0.0",
        "trace_id": "",
    }
    assert price_of(miso_lmp()) == expected


@pytest.mark.parametrize(
    ("market", "payload", "name", "symbol", "source_id", "unit"),
    [
        ("pjm", {"data_type": "lmp", "node": "W HUB", "market_run": "da", "lmp_usd_per_mwh": 1}, "PJM.LMP.DA.W HUB", "W HUB", "pjm.lmp.da", "MWh"),
        ("pjm", {"data_type": "lmp", "node": "W", "lmp_usd_per_mwh": 1}, "PJM.LMP.DA.W", "W", "pjm.lmp", "MWh"),
        ("pjm", {"data_type": "rtm_lmp", "node": "W", "lmp_usd_per_mwh": 1}, "PJM.LMP.RT.W", "W", "pjm.rtm_lmp", "MWh"),
        ("nyiso", {"data_type": "rt_lbmp", "node": "N", "market_run": "RT", "lbmp_usd_per_mwh": 1}, "NYISO.LBMP.RT.N", "N", "nyiso.rt_lbmp.rt", "MWh"),
        ("isone", {"data_type": "rt_lmp", "node": "H", "lmp_usd_per_mwh": 1}, "ISONE.LMP.RT.H", "H", "isone.rt_lmp", "MWh"),
        ("ercot", {"data_type": "dam", "node": "HB", "lmp_usd_per_mwh": 1}, "ERCOT.LMP.DAM.HB", "HB", "ercot.dam", "MWh"),
        ("ercot", {"data_type": "rtm", "node": "HB", "lmp_usd_per_mwh": 1}, "ERCOT.LMP.RTM.HB", "HB", "ercot.rtm", "MWh"),
        ("ercot", {"data_type": "ordc", "reserve_zone": "Z", "ordc_price_usd_per_mwh": 1}, "ERCOT.ORDC.Z", "Z", "ercot.ordc", "MWh"),
        ("ercot", {"data_type": "as", "as_type": "RRS", "zone": "Z1", "cleared_price_usd_per_mwh": 1}, "ERCOT.AS.RRS.Z1", "RRS", "ercot.as", "MWh"),
        ("ercot", {"data_type": "crr", "auction_type": "M", "clearing_price_usd_per_mw": 1, **AUCTION}, "ERCOT.CRR.M.A-B", "A-B", "ercot.crr", "MW"),
        ("miso", {"data_type": "as", "product": "REG", "zone": "Z1", "cleared_price_usd_per_mwh": 1}, "MISO.AS.REG.Z1", "REG", "miso.as", "MWh"),
        ("miso", {"data_type": "as", "zone": "Z1", "cleared_price_usd_per_mwh": 1}, "MISO.AS.Z1", "Z1", "miso.as", "MWh"),
        (
            "miso",
            {"data_type": "pra", "planning_year": 2026, "planning_zone": "Z7", "clearing_price_usd_per_mw_day": 1, "auction_date": "2026-04-01"},
            "MISO.PRA.2026.Z7", "Z7", "miso.pra", "MW-day",
        ),
        ("miso", {"data_type": "tcr", "class_type": "ON", "clearing_price_usd_per_mw": 1, **AUCTION}, "MISO.TCR.2026-A.ON.A-B", "A-B", "miso.tcr", "MW"),
        ("pjm", {"data_type": "rpm", "auction": "BRA", "lda": "RTO", "clearing_price_usd_per_mw_day": 1}, "PJM.RPM.BRA.RTO", "RTO", "pjm.rpm", "MW-day"),
        ("nyiso", {"data_type": "icap", "capacity_zone": "J", "month": "2026-10", "icap_demand_curve_price_usd_per_kw_month": 1}, "NYISO.ICAP.J", "J", "nyiso.icap", "kW-month"),
        ("nyiso", {"data_type": "tcc", "clearing_price_usd_per_mw": 1, **AUCTION}, "NYISO.TCC.2026-A.A-B", "A-B", "nyiso.tcc", "MW"),
        ("isone", {"data_type": "fcm", "auction": "FCA19", "capacity_zone": "NE", "clearing_price_usd_per_kw_month": 1}, "ISONE.FCM.FCA19.NE", "NE", "isone.fcm", "kW-month"),
    ],
)  # fmt: skip
def test_ids_symbols_sources_and_units(
    market: str, payload: dict[str, Any], name: str, symbol: str, source_id: str, unit: str
) -> None:
    price = price_of({"market": market, **payload}, topic=topic_of(market))
    assert (price["name"], price["symbol"], price["source_id"], price["unit"]) == (name, symbol, source_id, unit)
    assert (price["price"], price["currency"], price["market"]) == ("1", "USD", market.upper())


def test_canadian_pool_price_with_its_forecast_beside_it() -> None:
    payload = {
        "market": "aeso",
        "data_type": "pool_price",
        "begin_datetime_utc": "2026-10-05 00:00",
        "begin_datetime_mpt": "2026-10-04 18:00",
        "pool_price_cad_per_mwh": 75.12,
        "forecast_pool_price_cad_per_mwh": 80.0,
        "rolling_30day_avg_cad_per_mwh": None,
    }
    price = price_of(payload, topic=topic_of("aeso"), ingested_at="2026-10-05T01:02:03.000004+00:00")
    assert price["metadata"] == '{"forecast_pool_price_cad_per_mwh": "80.0"}'
    assert (price["name"], price["symbol"], price["currency"]) == ("AESO.POOL_PRICE", "POOL", "CAD")
    assert (price["time"], price["end_time"]) == ("2026-10-05 00:00", None)
    assert price["ingested_at"] == "2026-10-05T01:02:03.000004+00:00"


def test_system_marginal_price_states_its_end_and_volume() -> None:
    payload = {
        "market": "AESO",
        "data_type": "system_marginal_price",
        "begin_datetime_utc": "2026-10-05 00:00",
        "end_datetime_utc": "2026-10-05 00:13",
        "system_marginal_price_cad_per_mwh": "41.5",
        "volume_mwh": 120,
    }
    price = price_of(payload, topic=topic_of("aeso"))
    assert (price["end_time"], price["price"], price["volume"]) == ("2026-10-05 00:13", "41.5", "120")


def test_ercot_names_its_components_otherwise() -> None:
    payload = {
        "market": "ercot",
        "data_type": "dam",
        "node": "HB",
        "lmp_usd_per_mwh": 9,
        "mcc_usd_per_mwh": 2,
        "mlc_usd_per_mwh": 1,
    }
    price = price_of(payload, topic=topic_of("ercot"))
    assert (price["congestion_price"], price["loss_price"], price["energy_price"]) == ("2", "1", None)


@pytest.mark.parametrize(
    ("round_id", "sequence", "metadata"),
    [(3, "3", {}), ("4", "4", {}), ("R1", None, {"round_id": "R1"}), (None, None, {}), (-1, "-1", {})],
)
def test_a_round_is_the_sequence_where_it_is_an_integer(
    round_id: Any, sequence: str | None, metadata: dict[str, str]
) -> None:
    payload = {
        "market": "pjm",
        "data_type": "tcr",
        "round_id": round_id,
        "clearing_price_usd_per_mw": 1,
        **without(AUCTION, "source", "sink"),
    }
    price = price_of(payload, topic=topic_of("pjm"))
    assert price["source_seq"] == sequence
    assert price["metadata"] == ('{"round_id": "R1"}' if metadata else "{}")


def test_of_two_price_fields_the_first_that_is_not_null_counts() -> None:
    payload = {
        "market": "miso",
        "data_type": "arr",
        "clearing_price_usd_per_mw": None,
        "clearing_price_usd_per_mw_day": 7,
        **AUCTION,
    }
    assert price_of(payload)["price"] == "7"


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        (31.123456789012345678, "31.123456789012344"),
        ("31.123456789012345678", "31.123456789012345678"),
        (True, "true"),
        ([31.5], '["31.5"]'),
        ({"value": 31.5}, '{"value": "31.5"}'),
        ("null", "null"),
        ("", ""),
        (None, None),
        ('"', '"'),
        ("3\n1", "3\n1"),
        (10**400, str(10**400)),
    ],
)
def test_what_stands_for_a_number_is_handed_on_as_text(stated: Any, text: str | None) -> None:
    assert price_of(miso_lmp(lmp_usd_per_mwh=stated))["price"] == text


def test_an_absent_price_is_null() -> None:
    assert price_of(without(miso_lmp(), "lmp_usd_per_mwh"))["price"] is None


@pytest.mark.parametrize(
    ("stated", "text", "is_number"),
    [
        (1791176700, "1791176700", True),
        ("1791176700", "1791176700", False),
        (1.5, "1.5", False),
        (None, None, False),
        ([], "[]", False),
    ],
)
def test_labels(stated: Any, text: str | None, is_number: bool) -> None:
    price = price_of(miso_lmp(timestamp=stated))
    assert (price["time"], price["time_is_number"]) == (text, is_number)


@pytest.mark.parametrize("node", [None, "", "  ", 123, True, ["X"], "IND\u0000", "IND\u0085", "IND\x7f", "\n"])
def test_a_node_that_is_no_name_is_refused(node: Any) -> None:
    assert refusal_of(miso_lmp(node=node)) == ("BAD_NAME", "node")


def test_a_missing_node_is_refused() -> None:
    assert refusal_of(without(miso_lmp(), "node")) == ("BAD_NAME", "node")


@pytest.mark.parametrize("zone", [{}, {"zone": None}, {"zone": ""}, {"zone": 5}, {"zone": "Z\t"}])
@pytest.mark.parametrize(("market", "kind"), [("miso", "product"), ("ercot", "as_type")])
def test_a_zone_must_be_there_and_be_a_name(market: str, kind: str, zone: dict[str, Any]) -> None:
    payload = {"market": market, "data_type": "as", kind: "REG", "cleared_price_usd_per_mwh": 1, **zone}
    assert refusal_of(payload, topic=f"ingestion.{market}.raw.v1") == ("BAD_NAME", "zone")


@pytest.mark.parametrize("product", ["", 5, "P\t"])
def test_a_part_that_may_be_absent_must_be_a_name_where_it_is_there(product: Any) -> None:
    payload = {"market": "miso", "data_type": "as", "product": product, "zone": "Z1", "cleared_price_usd_per_mwh": 1}
    assert refusal_of(payload) == ("BAD_NAME", "product")


@pytest.mark.parametrize("run", [5, " ", "R\u0000"])
def test_a_run_that_is_there_must_be_a_name(run: Any) -> None:
    assert refusal_of(miso_lmp(market_run=run)) == ("BAD_NAME", "market_run")


@pytest.mark.parametrize("run", [None, ""])
def test_an_absent_run_is_day_ahead_and_no_part_of_the_source(run: Any) -> None:
    price = price_of(miso_lmp(market_run=run))
    assert (price["market_run"], price["name"], price["source_id"]) == ("DA", "MISO.LMP.DA.INDIANA.HUB", "miso.lmp")


@pytest.mark.parametrize(
    "node", ["X'; DROP TABLE silver_ticks; --", "INDI\u0410NA.HUB", "\u0131nd\u0131ana.hub", "naïve 节点", "\U0001f50c"]
)
def test_odd_names_are_handed_on_unchanged(node: str) -> None:
    assert price_of(miso_lmp(node=node))["symbol"] == node


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"market": "mars"}, ("UNKNOWN_MARKET", "market")),
        ({"market": "m\u0131so"}, ("UNKNOWN_MARKET", "market")),
        ({"market": None}, ("UNKNOWN_MARKET", "market")),
        ({"market": 3}, ("UNKNOWN_MARKET", "market")),
        ({"market": "pjm"}, ("MARKET_MISMATCH", "market")),
        ({"data_type": "weather"}, ("UNKNOWN_DATA_TYPE", "data_type")),
        ({"data_type": None}, ("UNKNOWN_DATA_TYPE", "data_type")),
        ({"data_type": 5}, ("UNKNOWN_DATA_TYPE", "data_type")),
    ],
)
def test_markets_and_types_nobody_knows(fields: dict[str, Any], reason: tuple[str, str]) -> None:
    assert refusal_of(miso_lmp(**fields)) == reason


@pytest.mark.parametrize("tenant", ["Tenant A!", "../etc", "DEFAULT", "", 7, "a" * 65, "-a", "a\n"])
def test_bad_tenants(tenant: Any) -> None:
    assert refusal_of(miso_lmp(), tenant_id=tenant) == ("BAD_TENANT", "tenant_id")


@pytest.mark.parametrize(("tenant", "expected"), [("tenant-1", "tenant-1"), (None, "default"), ("a" * 64, "a" * 64)])
def test_tenants(tenant: Any, expected: str) -> None:
    assert price_of(miso_lmp(), tenant_id=tenant)["tenant_id"] == expected


@pytest.mark.parametrize("payload", [None, [1, 2], "{}", 5])
def test_a_payload_that_is_no_object(payload: Any) -> None:
    assert refusal_of(payload) == ("BAD_SHAPE", "payload")


@pytest.mark.parametrize("data_type", ["outages", "alberta_internal_load", "current_supply_demand_summary"])
def test_types_without_a_price_are_filtered(data_type: str) -> None:
    decoded = decode({"market": "aeso", "data_type": data_type}, topic=topic_of("aeso"))
    assert decoded.filtered == [(0, Declared.NOT_A_PRICE)]
    assert (len(decoded.prices), told(decoded)) == (0, [])


def test_bad_neighbours_cost_nothing() -> None:
    decoded = decode(
        miso_lmp(), miso_lmp(node=""), miso_lmp(market="pjm"), miso_lmp(lmp_usd_per_mwh=[1]), miso_lmp(node="LAST")
    )
    assert sorted(decoded.prices.frame["event"].to_list()) == [0, 3, 4]
    assert told(decoded) == [(1, -1, "BAD_NAME", "node"), (2, -1, "MARKET_MISMATCH", "market")]


def test_unknown_fields_change_nothing() -> None:
    extra = price_of(miso_lmp(new_field=[1, None], other={"a": 1}), future={"a": 1})
    assert extra == price_of(miso_lmp())


def test_envelope_texts_may_be_absent_or_odd() -> None:
    price = price_of(miso_lmp(), event_id=None, trace_id=5, producer=None, ingested_at=None)
    told_of = {name: price[name] for name in ("source_event_id", "trace_id", "source_system", "ingested_at")}
    assert told_of == {"source_event_id": "", "trace_id": "5", "source_system": "", "ingested_at": None}
