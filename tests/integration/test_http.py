"""The HTTP application over tables in memory, as a client sees it."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import polars as pl
import pytest
from litestar.testing import TestClient

from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryBarTable, MemoryLatestTable
from application.ports.errors import StoreUnavailable
from application.queries.bars import FindBars
from application.queries.latest_price import FindLatestPrice
from application.queries.readiness import CheckReadiness
from domain.gold.bar import Bar, BarBatch
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from entrypoints.admin.answers import plain
from entrypoints.admin.app import build_app
from tests.builders import TEN, tick
from tests.steps.enriching import enriched_batch

ABOUT = {"name": "data-processing-projection", "version": "1.2.3", "dependencies": {"internal": [], "external": []}}
HUB = "MISO.LMP.RT.INDIANA.HUB"
LATEST = "/projections/latest_price"
CURVE = "/projections/curve_snapshot"
CUSTOM = "/projections/custom"


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


def bar(minute: int, **fields: Any) -> Bar:
    start = TEN + timedelta(minutes=minute)
    price = Decimal("3.30000000")
    believable: dict[str, Any] = {
        "tenant_id": "default",
        "instrument_id": "NG_HH",
        "market": "NYMEX",
        "interval_start": start,
        "interval_end": start + timedelta(minutes=5),
        "open_ts": start,
        "close_ts": start + timedelta(minutes=4),
        **dict.fromkeys(("open_price", "high_price", "low_price", "close_price", "mean_price", "vwap"), price),
        "price_sum": Decimal("123456789012345678901234567890.12345678"),
        "volume": Decimal("2.00000000"),
        "notional": Decimal("1234567890123456789012.1234567890123456"),
        "trade_count": 2,
        "quality_flags": int(Flag.PRICE_NEGATIVE | Flag.BAD_SEQUENCE),
        "currency": "USD",
        "unit": "MMBtu",
        "state": "final",
        "reason": "live",
        "revision": 12345,
        "interval": "5m",
        "series": "default|NG_HH",
    }
    told = believable | fields
    others: dict[str, Any] = {
        field.name: EMPTY.get(field.name) for field in attrs.fields(Bar) if field.name not in told
    }
    return Bar(**(others | told))


EMPTY: Mapping[str, Any] = {"lineage_partitions": [], "lineage_digest": 0, "known_at": TEN}


@attrs.define
class Served:
    """The application and what it stands on."""

    table: MemoryLatestTable = attrs.field(factory=MemoryLatestTable)
    cache: MemoryPriceCache = attrs.field(factory=MemoryPriceCache)
    bars: MemoryBarTable = attrs.field(factory=lambda: MemoryBarTable("5m"))
    ready: dict[str, bool] = attrs.field(factory=lambda: {"consuming": True})

    def app(self) -> Any:
        """The application over these."""
        checks = CheckReadiness({name: lambda name=name: self.ready[name] for name in self.ready})  # type: ignore[misc]
        prices = FindLatestPrice(self.table, self.cache)
        return build_app(prices, FindBars({"5m": self.bars}), checks, lambda: b"figures 1\n", ABOUT)


@pytest.fixture
def served() -> Served:
    found = Served()
    found.table.upsert(
        latest(
            tick(price="3.30000000", volume="5", quality_flags=int(Flag.PRICE_NEGATIVE), metadata='{"note":"x"}'),
            tick(price="9876543210.12345678", instrument_id="BIG"),
            tick(price="31.25", instrument_id=HUB, market="MISO"),
            tick(price="4", tenant_id="tenant-1"),
        )
    )
    found.bars.upsert(BarBatch.of([bar(0), bar(5, volume=None, notional=None, vwap=None), bar(10)]))
    return found


@pytest.fixture
def client(served: Served) -> Iterator[TestClient[Any]]:
    with TestClient(served.app(), raise_server_exceptions=False) as client:
        yield client


def test_the_latest_price_has_the_shape_the_gateway_reads(client: TestClient[Any]) -> None:
    answer = client.get(LATEST, params={"tenant_id": "default", "instrument_id": "NG_HH"})
    assert answer.status_code == 200
    assert answer.json() == {
        "projection_type": "latest_price",
        "instrument_id": "NG_HH",
        "tenant_id": "default",
        "data": {
            "price": 3.3,
            "volume": 5,
            "timestamp": "2026-10-05T10:00:00Z",
            "source": "trades",
            "quality_flags": ["PRICE_NEGATIVE"],
        },
        "last_updated": "2026-10-05T10:00:00Z",
        "metadata": {"market": "NYMEX", "symbol": "NG_HH", "currency": "USD", "unit": "MMBtu", "note": "x"},
    }


def test_prices_are_exact_numbers(client: TestClient[Any]) -> None:
    answer = client.get(LATEST, params={"instrument_id": "BIG"})
    assert '"price":9876543210.12345678,' in answer.text
    assert '"volume":null' in answer.text


def test_an_instrument_is_upper_cased_and_a_tenant_its_own(client: TestClient[Any]) -> None:
    answer = client.get(LATEST, params={"tenant_id": "tenant-1", "instrument_id": "ng_hh"})
    assert (answer.json()["tenant_id"], answer.json()["data"]["price"]) == ("tenant-1", 4)


def test_custom_serves_the_latest_price_by_name(client: TestClient[Any]) -> None:
    asked = {"instrument_id": "NG_HH"}
    named = client.get(CUSTOM, params=asked | {"projection_type": "latest_price"})
    assert named.json() == client.get(LATEST, params=asked).json()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"{LATEST}?instrument_id=NEVER", "tenant default has no price of NEVER"),
        (f"{LATEST}?instrument_id={HUB}&tenant_id=tenant-1", f"tenant tenant-1 has no price of {HUB}"),
        (f"{CURVE}?instrument_id=NG&horizon=1m", "there is no curve NG with horizon 1M: no curves are built yet"),
        (f"{CURVE}?instrument_id=NG", "there is no curve NG with horizon ALL: no curves are built yet"),
        (f"{CUSTOM}?instrument_id=NG_HH&projection_type=heat", "there is no projection heat; there is latest_price"),
        (f"{CUSTOM}?instrument_id=NEVER&projection_type=latest_price", "tenant default has no price of NEVER"),
        ("/v1/latest?instrument_id=NEVER", "tenant default has no price of NEVER"),
        ("/nowhere", "Not Found"),
        ("/schema-assets/app.py", "there is no such file"),
    ],
)
def test_what_is_not_there_is_a_404_that_says_so(client: TestClient[Any], path: str, told: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": told})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (LATEST, "instrument_id"),
        (f"{LATEST}?instrument_id=", "instrument_id"),
        (f"{LATEST}?instrument_id={'A' * 65}", "instrument_id"),
        (f"{LATEST}?instrument_id=NG%0AHH", "instrument_id"),
        (f"{LATEST}?instrument_id=N%C4%B0G", "instrument_id"),
        (f"{LATEST}?instrument_id=A&tenant_id=../x", "tenant_id"),
        (f"{LATEST}?instrument_id=A&tenant_id=", "tenant_id"),
        (f"{LATEST}?instrument_id=A&depth=3", "depth"),
        (f"{LATEST}?instrument_id=A&instrument_id=B", "instrument_id"),
        (f"{CURVE}?instrument_id=A&horizon=soon", "horizon"),
        (CUSTOM + "?instrument_id=A", "projection_type"),
        (CUSTOM + "?instrument_id=A&projection_type=..", "projection_type"),
        ("/v1/latest?limit=0", "limit"),
        ("/v1/latest?limit=1001", "limit"),
        ("/v1/latest?limit=ten", "limit"),
        ("/v1/latest?limit=%D9%A3", "limit"),
        ("/v1/latest?market=a%20b", "market"),
        ("/v1/latest?consistency=maybe", "consistency"),
        ("/v1/latest?instrument_id=NG_HH&market=NYMEX", "market"),
        ("/v1/bars?interval=5m", "instrument_id"),
        ("/v1/bars?instrument_id=A", "interval"),
        ("/v1/bars?instrument_id=A&interval=7m", "interval"),
        ("/v1/bars?instrument_id=A&interval=5m&from=yesterday", "from"),
        ("/v1/bars?instrument_id=A&interval=5m&from=2026-10-01T10:00:00", "from"),
        ("/v1/bars?instrument_id=A&interval=5m&from=2026-02-30", "from"),
        ("/v1/bars?instrument_id=A&interval=5m&to=0001-01-01T00:00:00%2B23:00", "to"),
        ("/v1/bars?instrument_id=A&interval=5m&to=2026-W01-1", "to"),
        ("/v1/bars?instrument_id=A&interval=5m&from=2026-10-02&to=2026-10-02", "to"),
        ("/v1/bars?instrument_id=A&interval=5m&consistency=weak", "consistency"),
        ("/health/live?x=1", "x"),
    ],
)
def test_a_bad_parameter_is_a_400_that_names_it(client: TestClient[Any], path: str, name: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert name in answer.json()["error"].replace("'", "").replace(":", "").split()


def test_a_query_that_is_too_long_is_refused(client: TestClient[Any]) -> None:
    answer = client.get(f"{LATEST}?instrument_id={'A' * 8192}")
    assert (answer.status_code, answer.json()) == (414, {"error": "the query is longer than 8192 bytes"})


def test_another_method_is_refused(client: TestClient[Any]) -> None:
    answer = client.post("/v1/latest", content=b"{}")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["BIG", HUB, "NG_HH"]),
        ("?limit=1", ["BIG"]),
        ("?market=miso", [HUB]),
        ("?tenant_id=tenant-1", ["NG_HH"]),
        ("?tenant_id=nobody", []),
        ("?instrument_id=NG_HH", ["NG_HH"]),
        ("?instrument_id=NG_HH&consistency=strong", ["NG_HH"]),
    ],
)
def test_latest_prices_of_one_or_many(client: TestClient[Any], query: str, names: list[str]) -> None:
    answer = client.get("/v1/latest" + query)
    assert [price["instrument_id"] for price in answer.json()["prices"]] == names


def test_a_latest_price_tells_all_that_is_known_of_it(client: TestClient[Any]) -> None:
    (found,) = client.get("/v1/latest?instrument_id=NG_HH").json()["prices"]
    assert found == {
        "tenant_id": "default",
        "instrument_id": "NG_HH",
        "market": "NYMEX",
        "symbol": "NG_HH",
        "timestamp": "2026-10-05T10:00:00Z",
        "price": 3.3,
        "volume": 5,
        "currency": "USD",
        "unit": "MMBtu",
        "quality_flags": ["PRICE_NEGATIVE"],
        "source_id": "trades",
        "source_seq": 0,
        "version": str(tick().version),
        "metadata": {"note": "x"},
        "updated_at": "2026-10-05T10:00:00Z",
    }


def test_a_bar_is_told_exactly(client: TestClient[Any]) -> None:
    answer = client.get("/v1/bars", params={"instrument_id": "NG_HH", "interval": "5m", "limit": "3"})
    told = json.loads(answer.text, parse_float=Decimal)
    assert (told["tenant_id"], told["instrument_id"], told["interval"]) == ("default", "NG_HH", "5m")
    assert told["bars"][0] == {
        "interval_start": "2026-10-05T10:00:00Z",
        "interval_end": "2026-10-05T10:05:00Z",
        "market": "NYMEX",
        **dict.fromkeys(("open_price", "high_price", "low_price", "close_price", "mean_price", "vwap"), Decimal("3.3")),
        "price_sum": Decimal("123456789012345678901234567890.12345678"),
        "volume": 2,
        "notional": Decimal("1234567890123456789012.1234567890123456"),
        "trade_count": 2,
        "open_ts": "2026-10-05T10:00:00Z",
        "close_ts": "2026-10-05T10:04:00Z",
        "currency": "USD",
        "unit": "MMBtu",
        "quality_flags": ["BAD_SEQUENCE", "PRICE_NEGATIVE"],
        "state": "final",
        "reason": "live",
        "revision": "12345".zfill(39),
    }
    assert [told["bars"][1][name] for name in ("volume", "notional", "vwap")] == [None, None, None]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ("", [0, 5, 10]),
        ("&limit=2", [5, 10]),
        ("&from=2026-10-05T10:05:00Z", [5, 10]),
        ("&to=2026-10-05T10:05:00Z", [0]),
        ("&from=2026-10-05T12:05:00+02:00&to=2026-10-05T10:10:00.000001Z", [5, 10]),
        ("&from=2026-10-05&to=2026-10-06", [0, 5, 10]),
        ("&from=2026-10-06", []),
        ("&tenant_id=tenant-1", []),
    ],
)
def test_bars_are_the_newest_within_the_period_ascending(
    client: TestClient[Any], query: str, minutes: list[int]
) -> None:
    told = client.get(f"/v1/bars?instrument_id=NG_HH&interval=5m{query}").json()["bars"]
    assert [bar["interval_start"] for bar in told] == [f"2026-10-05T10:{minute:02}:00Z" for minute in minutes]


def test_a_service_that_answers_lives(client: TestClient[Any]) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_a_service_is_ready_when_all_it_needs_is_there(client: TestClient[Any], served: Served) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": {"consuming": True}})
    served.ready["consuming"] = False
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "checks": {"consuming": False}})


def test_metrics_are_given_as_text(client: TestClient[Any]) -> None:
    answer = client.get("/metrics")
    assert (answer.text, answer.headers["content-type"]) == ("figures 1\n", "text/plain; version=0.0.4; charset=utf-8")


def test_the_description_is_served_from_here_alone(client: TestClient[Any]) -> None:
    page = client.get("/schema")
    assert page.status_code == 200
    assert "://" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    script = client.get("/schema-assets/rapidoc-min.js")
    assert (script.status_code, script.headers["cache-control"]) == (200, "public, max-age=86400")
    assert "MIT" in client.get("/schema-assets/rapidoc-min.js.LICENSE.txt").text


def test_the_description_names_every_path_and_parameter(client: TestClient[Any]) -> None:
    paths = client.get("/schema/openapi.json").json()["paths"]
    about = {"/health/live", "/health/ready", "/metrics", "/manifest"}
    assert set(paths) == {LATEST, CURVE, CUSTOM, "/v1/latest", "/v1/bars", *about}
    names = [parameter["name"] for parameter in paths["/v1/bars"]["get"]["parameters"]]
    assert sorted(names) == ["consistency", "from", "instrument_id", "interval", "limit", "tenant_id", "to"]


def test_answers_are_not_kept_nor_guessed_at(client: TestClient[Any]) -> None:
    headers = client.get("/health/live").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


class LostTable(MemoryLatestTable):
    """A table that can't be reached, or worse."""

    error: Exception = StoreUnavailable("secret-host:9000 refused")

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        raise self.error

    def listed(self, tenant_id: str, market: str | None, limit: int) -> LatestPrices:
        raise self.error

    def final(self) -> pl.DataFrame:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (StoreUnavailable("secret-host:9000 refused"), 503, "a store can't be reached; ask again"),
        (ZeroDivisionError("secret"), 500, "something went wrong here; it was logged"),
    ],
)
def test_what_goes_wrong_inside_tells_nothing_secret(
    error: Exception, status: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = LostTable()
    table.error = error
    with TestClient(Served(table=table).app(), raise_server_exceptions=False) as client:
        answer = client.get(f"{LATEST}?instrument_id=NG_HH")
    ours = [record for record in caplog.records if record.name == "entrypoints.admin.app"]
    assert (answer.status_code, answer.json()) == (status, {"error": told})
    assert len(ours) == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0E-8", "0"),
        ("3.30000000", "3.3"),
        ("100.00000000", "100"),
        ("100", "100"),
        ("-0.50", "-0.5"),
        ("1E+3", "1000"),
    ],
)
def test_plain(number: str, text: str) -> None:
    assert str(plain(Decimal(number))) == text


def test_the_manifest_tells_what_the_service_is(served: Served) -> None:
    with TestClient(served.app()) as client:
        assert client.get("/manifest").json() == ABOUT
        assert client.get("/schema/openapi.json").json()["info"]["version"] == "1.2.3"
