"""Silence over HTTP: feeds, seals and gaps."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from application.queries.feeds import ReadFeeds
from application.queries.readiness import CheckReadiness
from application.queries.seals import FindSeal
from entrypoints.admin.app import build_service_app
from entrypoints.admin.quiet import feed_routes, quiet_routes
from tests.aggregating import Aggregation
from tests.builders import tick
from tests.integration.test_http import ABOUT
from tests.unit.application.test_quiet import finding

Client = TestClient[Any]
ASKED = "instrument_id=ng_hh&interval=5m&from=2026-10-05T10:00:00Z"


@pytest.fixture
def client() -> Iterator[Client]:
    world = Aggregation()
    world.take(tick("10:01"), tick("10:06", instrument_id="X"), tick("12:00"))
    stage: Any = world.loop.stage
    further = [
        quiet_routes(finding(world), FindSeal(world.seals)),
        feed_routes(ReadFeeds(stage, world.clock, world.meter)),
    ]
    app = build_service_app(CheckReadiness({}), lambda: b"", ABOUT, further)
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


def test_gaps_are_told_with_their_reasons(client: Client) -> None:
    assert client.get(f"/v1/gaps?{ASKED}&to=2026-10-05T10:15:00Z").json() == {
        "tenant_id": "default",
        "instrument_id": "NG_HH",
        "interval": "5m",
        "gaps": [
            {"start": "2026-10-05T10:05:00Z", "end": "2026-10-05T10:10:00Z", "bars": 1, "reason": "NO_TRADES"},
            {"start": "2026-10-05T10:10:00Z", "end": "2026-10-05T10:15:00Z", "bars": 1, "reason": "FEED_GAP"},
        ],
    }


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("instrument_id=NG_HH&interval=5m", 400, "from is needed: gaps have no beginning of their own"),
        (f"{ASKED}&interval=2m", 400, "interval: given more than once"),
        (f"{ASKED}&tenant_id=acme", 404, "tenant acme has no tick of NG_HH; check the name"),
        (
            "instrument_id=NG_HH&interval=5m&from=2020-01-01",
            400,
            "from and to: 2020-01-01 to 2026-10-05 holds more than 100,000 steps of 5 minutes; ask for less",
        ),
    ],
)
def test_what_can_not_be_answered_is_refused(client: Client, query: str, status: int, told: str) -> None:
    answer = client.get(f"/v1/gaps?{query}")
    assert (answer.status_code, answer.json()) == (status, {"error": told})


def test_a_seal_is_told_and_none_is_null(client: Client) -> None:
    about = {"tenant_id": "default", "instrument_id": "NG_HH"}
    told = client.get("/v1/seals?instrument_id=NG_HH").json()
    assert told == {**about, "sealed_until": "2026-10-05T10:05:00Z", "partition": told["partition"]}
    none = client.get("/v1/seals?instrument_id=NG_HH&tenant_id=acme").json()
    assert none == {**about, "tenant_id": "acme", "sealed_until": None, "partition": None}


def test_feeds_are_told_by_tenant(client: Client) -> None:
    feeds = client.get("/v1/feeds").json()["feeds"]
    assert {"2026-10-05T11:50:00Z", "2026-10-05T09:56:00Z"} == {feed["watermark"] for feed in feeds}
    assert {(feed["source_id"], feed["state"], feed["lateness_s"]) for feed in feeds} == {("trades", "live", 600)}
    assert client.get("/v1/feeds?tenant_id=acme").json() == {"tenant_id": "acme", "feeds": []}
