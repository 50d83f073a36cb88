"""What every history of feeds promises."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from adapters.clickhouse.feed_history import ClickHouseFeedHistory
from adapters.clickhouse.tick_table import ClickHouseTickTable
from adapters.memory.feed_history import MemoryFeedHistory
from adapters.memory.tables import MemoryTickTable
from application.ports.feed_history import FeedHistory
from domain.gold.taxonomy import InstrumentKey
from domain.silver.quality import Flag
from domain.silver.tick import TickBatch
from tests.builders import TEN, at, tick, ticks
from tests.support.clickhouse import TRANSPORTS, database, emptied

NG = InstrumentKey("default", "NG_HH")
Put = Callable[[TickBatch], None]


def spoken(history: FeedHistory, *sources: str, tenant_id: str = "default") -> list[tuple[datetime, datetime]]:
    found = history.spoken(tenant_id, sources, TEN, at("12:00"), 5)
    return sorted(found.select("first", "last").rows())


class FeedHistoryContract:
    """Inherited by the suite of each adapter, which says how to make an empty history, and how ticks get into it."""

    @pytest.fixture
    def history(self) -> FeedHistory:
        raise NotImplementedError

    @pytest.fixture
    def put(self) -> Put:
        raise NotImplementedError

    def test_nobody_spoke_at_first(self, history: FeedHistory) -> None:
        assert list(history.sources(NG)) == []
        assert spoken(history, "trades") == []

    def test_every_feed_of_an_instrument_is_known(self, history: FeedHistory, put: Put) -> None:
        other = [tick(source_id="c", instrument_id="X"), tick(source_id="d", tenant_id="acme")]
        ahead = tick(source_id="e", quality_flags=int(Flag.TS_FUTURE))
        put(ticks(tick(source_id="b"), tick(source_id="a"), tick("10:01", source_id="a"), ahead, *other))
        assert list(history.sources(NG)) == ["a", "b"]

    def test_a_feed_speaks_by_any_instrument_of_its_tenant(self, history: FeedHistory, put: Put) -> None:
        mine = [tick("10:01"), tick("10:02", instrument_id="X"), tick("11:59:59")]
        others = [tick("10:20", source_id="b"), tick("10:30", tenant_id="acme"), tick("09:59"), tick("12:00")]
        ahead = tick("10:40", quality_flags=int(Flag.TS_FUTURE))
        put(ticks(*mine, *others, ahead))
        assert spoken(history, "trades") == [(TEN, TEN), (at("11:55"), at("11:55"))]
        assert spoken(history, "trades", "b") == [
            (TEN, TEN),
            (at("10:20"), at("10:20")),
            (at("11:55"), at("11:55")),
        ]
        assert spoken(history, "b", tenant_id="acme") == []
        assert spoken(history) == []

    def test_a_price_of_an_interval_speaks_of_all_of_it(self, history: FeedHistory, put: Put) -> None:
        put(ticks(tick("10:00", interval_end=TEN + timedelta(hours=1))))
        assert spoken(history, "trades") == [(TEN, at("10:55"))]


class TestMemoryFeedHistory(FeedHistoryContract):
    @pytest.fixture
    def table(self) -> MemoryTickTable:
        return MemoryTickTable()

    @pytest.fixture
    def history(self, table: MemoryTickTable) -> FeedHistory:
        return MemoryFeedHistory(table)

    @pytest.fixture
    def put(self, table: MemoryTickTable) -> Put:
        return table.upsert


class TestClickHouseFeedHistory(FeedHistoryContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> ClickHouseTickTable:
        return ClickHouseTickTable(emptied(database(request.param), "silver_ticks"))

    @pytest.fixture
    def history(self, table: ClickHouseTickTable) -> FeedHistory:
        return ClickHouseFeedHistory(table.client)

    @pytest.fixture
    def put(self, table: ClickHouseTickTable) -> Put:
        return table.upsert
