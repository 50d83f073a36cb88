"""CAISO: rows become points, points become prices."""

import json
from typing import Any

import pytest

from adapters.markets.caiso import MOST_ROWS, CaisoRows
from adapters.markets.reading import FastReading
from domain.silver.quality import Flag
from tests.builders import envelope
from tests.unit.markets.messages import (
    CAISO,
    END,
    NODE,
    ROWS,
    START,
    caiso,
    decode,
    price_of,
    refusal_of,
    row,
    summary,
    told,
    wrapper,
)

CONFLICT = int(Flag.SOURCE_CONFLICT)


def caiso_price(payload: Any) -> dict[str, Any]:
    return price_of(payload, topic=CAISO)


def test_rows_of_one_point_make_one_price() -> None:
    price = caiso_price(caiso(*ROWS, row("MGHG", "0.00")))
    numbers = ("price", "energy_price", "congestion_price", "loss_price", "greenhouse_gas_price")
    assert [price[name] for name in numbers] == ["45.67", "44.00", "1.20", "0.47", "0.00"]
    assert (price["name"], price["symbol"]) == (f"CAISO.LMP.DAM.{NODE}", NODE)
    assert (price["source_id"], price["market_run"], price["data_type"]) == ("caiso.lmp.dam", "DAM", "lmp")
    assert (price["time"], price["end_time"], price["time_is_number"]) == (START, END, False)
    assert (price["currency"], price["unit"], price["flags"], price["source_seq"]) == ("USD", "MWh", 0, None)


def test_without_a_greenhouse_gas_row_it_is_null() -> None:
    assert caiso_price(caiso())["greenhouse_gas_price"] is None


@pytest.mark.parametrize("column", ["VALUE", "PRC"])
def test_other_versions_of_the_report_name_the_value_otherwise(column: str) -> None:
    rows = [{name: value for name, value in row("LMP", "45.67").items() if name != "MW"} | {column: "45.67"}]
    assert caiso_price(caiso(*rows))["price"] == "45.67"


def test_rows_may_hold_numbers() -> None:
    price = caiso_price(caiso(row("LMP", 45.67), row("MCE", 44), row("MCC", "")))
    assert (price["price"], price["energy_price"], price["congestion_price"], price["flags"]) == ("45.67", "44", "", 0)


def read_fast(*payloads: Any) -> FastReading:
    values = [json.dumps(envelope(payload)).encode() for payload in payloads]
    return CaisoRows().read_fast(values, range(len(values)))


def test_messages_of_one_point_are_read_fast_in_whatever_order_their_rows_come() -> None:
    read = read_fast(caiso(), caiso(*reversed(ROWS)), caiso(*ROWS, row("MGHG", "0.00")), caiso(metadata={}))
    (frame,) = read.prices
    assert (read.unsure, frame.select("event", "price", "energy_price", "loss_price").rows()) == (
        [],
        [(event, "45.67", "44.00", "0.47") for event in range(4)],
    )
    assert frame["greenhouse_gas_price"].to_list() == [None, None, "0.00", None]


@pytest.mark.parametrize(
    "odd",
    [
        caiso(*ROWS, row("LMP", "9", NODE="OTHER")),
        caiso(*ROWS[1:]),
        caiso(*ROWS, row("LMP", "45.67")),
        caiso(*ROWS[:3], row("MCL", "")),
        caiso(metadata=summary(price="9")),
        caiso(checksum="0" * 64),
    ],
)
def test_one_odd_message_leaves_its_neighbours_to_the_fast_reader(odd: Any) -> None:
    read = read_fast(caiso(), odd, caiso())
    (frame,) = read.prices
    assert (read.unsure, frame["event"].to_list()) == ([1], [0, 2])


def test_two_points_are_numbered_as_they_first_appear() -> None:
    other = {
        "NODE": "OTHER",
        "INTERVALSTARTTIME_GMT": "2026-10-08T22:00:00-00:00",
        "INTERVALENDTIME_GMT": "2026-10-08T23:00:00-00:00",
    }
    rows = [row("MCE", "44.00"), row("LMP", "9", **other), row("LMP", "45.67"), row("MCE", "8", **other)]
    frame = decode(caiso(*rows), topic=CAISO).prices.frame
    assert frame.select("index", "symbol", "price", "energy_price", "flags").rows() == [
        (0, NODE, "45.67", "44.00", 0),
        (1, "OTHER", "9", "8", 0),
    ]


def test_a_point_without_a_price_row_is_refused_alone() -> None:
    decoded = decode(caiso(row("MCE", "44"), row("LMP", "9", NODE="OTHER")), topic=CAISO)
    assert told(decoded) == [(0, 0, "MISSING_PRICE", "LMP")]
    assert decoded.prices.frame.select("index", "symbol").rows() == [(1, "OTHER")]


@pytest.mark.parametrize("node", [None, "", 5, ["a"], "A\u0000"])
def test_a_row_of_no_node_is_refused_alone(node: Any) -> None:
    decoded = decode(caiso(row("LMP", "9", NODE=node), *ROWS), topic=CAISO)
    assert told(decoded) == [(0, 0, "BAD_NAME", "NODE")]
    assert decoded.prices.frame["index"].to_list() == [1]


def test_a_row_that_is_no_object_is_refused_alone() -> None:
    decoded = decode(caiso("LMP", *ROWS), topic=CAISO)
    assert told(decoded) == [(0, 0, "BAD_SHAPE", "raw_payload")]
    assert decoded.prices.frame.select("index", "flags").rows() == [(1, 0)]


def test_a_row_that_is_no_object_hides_no_contradiction() -> None:
    decoded = decode(caiso("LMP", *ROWS, metadata=summary(price="45.68")), topic=CAISO)
    assert decoded.prices.frame["flags"].to_list() == [CONFLICT]


@pytest.mark.parametrize("kind", [None, 5, ["LMP"], "MCE2"])
def test_a_row_of_no_type_we_know_is_no_component(kind: Any) -> None:
    decoded = decode(caiso(*ROWS, row(kind, "1")), topic=CAISO)
    assert decoded.prices.frame.select("price", "energy_price", "flags").rows() == [("45.67", "44.00", 0)]


def test_an_unknown_run_is_left_out() -> None:
    price = caiso_price(caiso(row("LMP", "45.67", MARKET_RUN_ID=None)))
    assert (price["name"], price["market_run"], price["source_id"]) == (f"CAISO.LMP.{NODE}", "", "caiso.lmp")


@pytest.mark.parametrize(("second", "flags"), [("45.68", CONFLICT), ("45.670", 0), ("45.67", 0), ("n/a", CONFLICT)])
def test_of_two_rows_of_one_type_the_last_counts(second: str, flags: int) -> None:
    price = caiso_price(caiso(*ROWS, row("LMP", second), metadata={}))
    assert (price["price"], price["flags"]) == (second, flags)


SPELLINGS = [
    {"INTERVALSTARTTIME_GMT": START.replace("-00:00", "Z")},
    {"INTERVALSTARTTIME_GMT": START.replace("-00:00", ""), "INTERVALENDTIME_GMT": END.replace("-00:00", "+00:00")},
    {"INTERVALSTARTTIME_GMT": START.replace("T", " ").replace(":00-00:00", "Z")},
    {"INTERVALSTARTTIME_GMT": START.replace("-00:00", ".0000001Z")},
    {"INTERVALENDTIME_GMT": "2026-10-09T00:00:00+02:00"},
    {"MARKET_RUN_ID": "dam"},
    {"NODE": NODE.lower()},
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_rows_that_spell_one_point_otherwise_are_joined(spelling: dict[str, str]) -> None:
    price = caiso_price(caiso(*ROWS[:2], *({**said, **spelling} for said in ROWS[2:])))
    assert [price[name] for name in ("price", "energy_price", "congestion_price", "loss_price")] == [
        "45.67", "44.00", "1.20", "0.47",
    ]  # fmt: skip
    assert (price["market_run"], price["symbol"], price["time"], price["flags"]) == ("DAM", NODE, START, 0)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_of_two_rows_that_spell_one_point_otherwise_the_last_counts(spelling: dict[str, str]) -> None:
    price = caiso_price(caiso(*ROWS, row("LMP", "45.68", **spelling), metadata={}))
    assert (price["price"], price["energy_price"], price["flags"]) == ("45.68", "44.00", CONFLICT)


def test_of_two_ends_of_one_interval_the_last_counts() -> None:
    rows = [row("LMP", "45.67"), row("LMP", "45.67", INTERVALENDTIME_GMT="2026-10-08T21:30:00-00:00")]
    price = caiso_price(caiso(*rows, metadata={}))
    assert (price["end_time"], price["flags"]) == ("2026-10-08T21:30:00-00:00", CONFLICT)


@pytest.mark.parametrize("blank", [None, " "])
def test_a_row_without_an_end_says_nothing_of_it(blank: str | None) -> None:
    price = caiso_price(caiso(*ROWS[:3], row("MCL", "0.47", INTERVALENDTIME_GMT=blank)))
    assert (price["end_time"], price["flags"]) == (END, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("soon", "later"),
        ("2026-10-08T22:00:00-00:00", "2026-10-08T22:00:01Z"),
        ("2026-10-08T22:00:00-00:00", f"2026-10-08T22:00:00.{200 * '0'}?"),
    ],
)
def test_rows_of_other_times_are_other_points(one: str, other: str) -> None:
    rows = [row("LMP", str(number), INTERVALSTARTTIME_GMT=at) for number, at in enumerate((one, other, one))]
    frame = decode(caiso(*rows, metadata={}), topic=CAISO).prices.frame
    assert frame.select("index", "time", "price").rows() == [(0, one, "2"), (1, other, "1")]


@pytest.mark.parametrize(
    "told_otherwise",
    [
        {"price": "45.68"},
        {"price": "abc"},
        {"clearing_price": "44.1"},
        {"congestion_price": "-1.2"},
        {"loss_price": "0"},
        {"delivery_location": "ELSEWHERE"},
        {"timestamp": "2026-10-08T23:00:00-00:00"},
        {"timestamp": "never"},
        {"delivery_date": "2026-10-09"},
        {"delivery_hour": "3"},
    ],
)
def test_metadata_that_contradicts_the_rows_is_flagged_and_does_not_count(told_otherwise: dict[str, str]) -> None:
    price = caiso_price(caiso(metadata=summary(**told_otherwise)))
    assert (price["price"], price["symbol"], price["flags"]) == ("45.67", NODE, CONFLICT)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        summary(price=None),
        summary(price=""),
        summary(price="45.670"),
        summary(price=45.67),
        summary(clearing_price="44"),
        summary(delivery_location=None),
        summary(timestamp="2026-10-08T22:00:00Z"),
        summary(timestamp="2026-10-08T22:00:00"),
        summary(delivery_hour="15.0", delivery_date=""),
        summary(unheard_of="1"),
        ["no object"],
        None,
    ],
)
def test_metadata_that_says_the_same_or_nothing_is_no_conflict(metadata: Any) -> None:
    assert caiso_price(wrapper(ROWS, metadata))["flags"] == 0


def test_metadata_speaks_of_the_one_point_it_names() -> None:
    rows = [row("LMP", "45.67"), row("LMP", "9", NODE="OTHER")]
    named = decode(caiso(*rows, metadata=summary(price="45.68")), topic=CAISO).prices.frame
    assert named.select("symbol", "flags").rows() == [(NODE, CONFLICT), ("OTHER", 0)]
    unnamed = decode(caiso(*rows, metadata={"price": "9"}), topic=CAISO).prices.frame
    assert unnamed["flags"].to_list() == [0, 0]


def test_the_wrapper_s_sequence_is_the_sequence() -> None:
    assert caiso_price(caiso(sequence=12))["source_seq"] == "12"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (caiso(checksum="0" * 64), ("CHECKSUM_MISMATCH", "checksum")),
        (caiso(checksum=5), ("CHECKSUM_MISMATCH", "checksum")),
        (caiso() | {"raw_payload": None}, ("BAD_SHAPE", "raw_payload")),
        (caiso() | {"raw_payload": [1]}, ("BAD_SHAPE", "raw_payload")),
        (caiso() | {"raw_payload": 5}, ("BAD_SHAPE", "raw_payload")),
        (wrapper("", {}), ("BAD_SHAPE", "raw_payload")),
        (wrapper("[]", {}), ("BAD_SHAPE", "raw_payload")),
        (wrapper("{}", {}), ("BAD_SHAPE", "raw_payload")),
        (wrapper('[{"NODE":', {}), ("NOT_JSON", "")),
        (wrapper('[{"MW": NaN}]', {}), ("NOT_JSON", "")),
        (wrapper('[{"NODE": "\\ud800"}]', {}), ("ENCODING", "")),
        (wrapper("[" * 33 + "]" * 33, {}), ("TOO_DEEP", "")),
        (wrapper('[{"a": ' + "[" * 31 + "]" * 31 + "}]", {}), ("TOO_DEEP", "")),
        (caiso(market="MISO"), ("MARKET_MISMATCH", "market")),
        (caiso(market=None), ("UNKNOWN_MARKET", "market")),
        ({"market": "caiso", "data_type": "lmp"}, ("UNKNOWN_DATA_TYPE", "data_type")),
        ({"market": "caiso"}, ("BAD_SHAPE", "raw_payload")),
        (None, ("BAD_SHAPE", "payload")),
    ],
)
def test_messages_refused_whole(payload: Any, reason: tuple[str, str]) -> None:
    decoded = decode(payload, topic=CAISO)
    assert (len(decoded.prices), told(decoded)) == (0, [(0, -1, *reason)])


def test_without_a_checksum_nothing_is_checked() -> None:
    assert caiso_price(caiso(checksum=None))["price"] == "45.67"


def test_a_checksum_may_be_written_in_capitals() -> None:
    message = caiso()
    assert caiso_price(message | {"checksum": message["checksum"].upper()})["price"] == "45.67"
    assert read_fast(message | {"checksum": message["checksum"].upper()}).unsure == []


def test_depth_within_the_limit_is_fine() -> None:
    deepest = '[{"NODE": "N", "LMP_TYPE": "LMP", "MW": "1", "x": ' + "[" * 30 + "]" * 30 + "}]"
    assert caiso_price(wrapper(deepest, {}))["price"] == "1"


def test_more_rows_than_any_report_has_are_refused_together() -> None:
    assert refusal_of(wrapper([1] * (MOST_ROWS + 1), summary()), topic=CAISO) == ("OVERSIZE", "raw_payload")
