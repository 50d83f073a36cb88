"""Trades and settlements from CSV rows, and the shape of load generators."""

from typing import Any

import pytest

from domain.silver.quality import Flag
from tests.builders import raw_events
from tests.unit.markets.messages import (
    DECODER,
    MISO,
    TICKS,
    csv,
    csv_row,
    decode,
    generated,
    price_of,
    told,
    without,
    wrapper,
)

CONFLICT = int(Flag.SOURCE_CONFLICT)


def tick_of(payload: Any, **around: Any) -> dict[str, Any]:
    return price_of(payload, topic=TICKS, **around)


def test_the_row_alone_says_what_was_traded() -> None:
    price = tick_of(csv(symbol="NOT_THIS", source_system="connector"))
    told_of = {
        name: price[name] for name in ("name", "symbol", "market", "source_id", "source_seq", "time", "price", "volume")
    }
    assert told_of == {
        "name": "NG_TEST",
        "symbol": "NG_TEST",
        "market": "NYMEX",
        "source_id": "sim-feed",
        "source_seq": "98",
        "time": "2026-10-05T08:00:00Z",
        "price": "2.45",
        "volume": "1200",
    }
    assert (price["data_type"], price["market_run"], price["currency"], price["unit"]) == ("tick", "", "", "")
    assert (price["flags"], price["metadata"], price["source_system"]) == (0, "{}", "connector")


@pytest.mark.parametrize(
    ("wrapped", "stated", "expected"),
    [
        (5, "6", "5"),
        (None, "6", "6"),
        (None, None, None),
        (None, "", None),
        ("7", None, "7"),
        (-1, None, "-1"),
        (2**63, None, str(2**63)),
        ("x", None, "x"),
    ],
)
def test_the_sequence_is_the_wrapper_s_else_the_row_s(wrapped: Any, stated: Any, expected: str | None) -> None:
    assert tick_of(csv(csv_row(sequence=stated), sequence=wrapped))["source_seq"] == expected


@pytest.mark.parametrize(
    ("stated", "expected"), [("", "unknown"), ("  ", "unknown"), (None, "unknown"), ("Feed-1", "Feed-1")]
)
def test_a_blank_source_is_unknown(stated: Any, expected: str) -> None:
    assert tick_of(csv(csv_row(source_id=stated)))["source_id"] == expected


@pytest.mark.parametrize(
    ("row_says", "wrapper_says", "expected"),
    [
        ("nymex", "X", "NYMEX"),
        (None, "ice", "ICE"),
        ("", "ice", "ICE"),
        (" ", "ice", "ICE"),
        (" ", "\t", ""),
        (None, None, ""),
    ],
)
def test_the_venue_is_the_row_s_else_the_wrapper_s(row_says: Any, wrapper_says: Any, expected: str) -> None:
    assert tick_of(csv(csv_row(market=row_says), market=wrapper_says))["market"] == expected


def test_labels_bid_and_ask_of_a_row_that_has_them() -> None:
    price = tick_of(csv(csv_row(currency="EUR", unit=" MWh", bid_price="2.4", ask_price=2.5)))
    assert (price["currency"], price["unit"], price["bid_price"], price["ask_price"]) == ("EUR", "MWh", "2.4", "2.5")


def test_labels_that_are_none_are_unknown() -> None:
    price = tick_of(csv(csv_row(currency=5, unit="M\n")))
    assert (price["currency"], price["unit"]) == ("", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", None),
        ("symbol", ""),
        ("symbol", 5),
        ("symbol", "A\u0007"),
        ("source_id", 5),
        ("source_id", "a\u0000"),
    ],
)
def test_names_that_are_none(field: str, value: Any) -> None:
    assert told(decode(csv(csv_row(**{field: value})), topic=TICKS)) == [(0, -1, "BAD_NAME", field)]


@pytest.mark.parametrize("market", [5, "N\n"])
def test_venues_that_are_none(market: Any) -> None:
    assert told(decode(csv(csv_row(market=market)), topic=TICKS)) == [(0, -1, "UNKNOWN_MARKET", "market")]


@pytest.mark.parametrize("missing", ["price", "volume", "timestamp"])
def test_what_a_row_does_not_say_is_null(missing: str) -> None:
    column = {"timestamp": "time"}.get(missing, missing)
    assert tick_of(csv(without(csv_row(), missing)))[column] is None


def test_an_epoch_in_a_row_is_a_number() -> None:
    price = tick_of(csv(csv_row(timestamp=1791176700)))
    assert (price["time"], price["time_is_number"]) == ("1791176700", True)


@pytest.mark.parametrize(
    ("metadata", "flags"),
    [
        ({"price": "2.450"}, 0),
        ({"price": "2.46"}, CONFLICT),
        ({"volume": "1200.0"}, 0),
        ({"volume": "1"}, CONFLICT),
        ({"symbol": "NG_TEST"}, 0),
        ({"symbol": "NG"}, CONFLICT),
        ({"timestamp": "yesterday"}, CONFLICT),
        ({"timestamp": "2026-10-05T10:00:00.000+02:00"}, 0),
        ({"timestamp": "2026-10-05T08:00:01Z"}, CONFLICT),
        ({"market": "nymex"}, 0),
        ({"market": "ICE"}, CONFLICT),
        ({"source_id": "sim-feed"}, 0),
        ({"source_id": "other"}, CONFLICT),
        ({"sequence": 98}, 0),
        ({"sequence": "97"}, CONFLICT),
        ({"currency": "EUR"}, 0),
        ({"price": ""}, 0),
        ({"anything": "else"}, 0),
        ({}, 0),
        (7, 0),
    ],
)
def test_metadata_that_contradicts_the_row(metadata: Any, flags: int) -> None:
    assert tick_of(csv(metadata=metadata))["flags"] == flags


def test_metadata_of_another_currency_than_the_row_s() -> None:
    assert tick_of(csv(csv_row(currency="USD"), metadata={"currency": "EUR"}))["flags"] == CONFLICT


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (csv(checksum="wrong"), ("CHECKSUM_MISMATCH", "checksum")),
        (csv(checksum=""), ("CHECKSUM_MISMATCH", "checksum")),
        (wrapper("[1]", {}), ("BAD_SHAPE", "raw_payload")),
        (wrapper("{", {}), ("NOT_JSON", "")),
        (wrapper('{"symbol": "\\ud800"}', {}), ("ENCODING", "")),
        ({}, ("BAD_SHAPE", "raw_payload")),
    ],
)
def test_messages_refused_whole(payload: Any, reason: tuple[str, str]) -> None:
    assert told(decode(payload, topic=TICKS)) == [(0, -1, *reason)]


def test_names_beyond_ascii_are_handed_on() -> None:
    assert tick_of(csv(csv_row(symbol="Strömung 电")))["symbol"] == "Strömung 电"


def generated_price(message: dict[str, Any], topic: str = MISO) -> dict[str, Any]:
    (price,) = DECODER.decode(raw_events(message, topic=topic)).prices.frame.to_dicts()
    return price


@pytest.mark.parametrize("topic", [MISO, TICKS])
def test_a_load_generator_names_its_instrument_itself(topic: str) -> None:
    price = generated_price(generated(), topic)
    told_of = {
        name: price[name]
        for name in (
            "name",
            "symbol",
            "market",
            "source_id",
            "time",
            "price",
            "volume",
            "ingested_at",
            "source_event_id",
        )
    }
    assert told_of == {
        "name": "GEN_A",
        "symbol": "GEN_A",
        "market": "MISO",
        "source_id": "load",
        "time": "2026-10-05T12:00:00Z",
        "price": "31.5",
        "volume": "10",
        "ingested_at": "2026-10-05T12:00:05Z",
        "source_event_id": "g1",
    }
    assert (price["data_type"], price["currency"], price["unit"]) == ("tick", "", "")


def test_a_load_generator_may_name_no_market_source_or_tenant() -> None:
    message = generated()
    message["payload"]["market"] = None
    message["envelope"] |= {"source": None, "tenant_id": None}
    price = generated_price(message)
    assert (price["market"], price["source_id"], price["tenant_id"]) == ("", "unknown", "default")


@pytest.mark.parametrize(
    ("place", "fields", "reason"),
    [
        ("payload", {"market": "PJM"}, ("MARKET_MISMATCH", "market")),
        ("payload", {"instrument_id": ""}, ("BAD_NAME", "instrument_id")),
        ("payload", {"raw_data": None}, ("BAD_SHAPE", "raw_data")),
        ("envelope", {"tenant_id": "No"}, ("BAD_TENANT", "tenant_id")),
        ("envelope", {"source": 5}, ("BAD_NAME", "source")),
    ],
)
def test_odd_messages_of_load_generators(place: str, fields: dict[str, Any], reason: tuple[str, str]) -> None:
    message = generated()
    message[place] |= fields
    assert told(DECODER.decode(raw_events(message))) == [(0, -1, *reason)]


@pytest.mark.parametrize(("place", "value"), [("envelope", None), ("payload", None), ("payload", [])])
def test_half_a_message_of_a_load_generator(place: str, value: Any) -> None:
    message = generated() | {place: value}
    assert told(DECODER.decode(raw_events(message))) == [(0, -1, "BAD_SHAPE", place)]
