from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event

import attrs
import polars as pl
import pytest

from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryLatestTable
from application.ports.errors import StoreUnavailable
from application.queries.bars import FindBars
from application.queries.latest_price import FindLatestPrice
from application.queries.readiness import CheckReadiness
from domain.errors import BadInterval
from domain.gold.bar import BarBatch
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.tick import Tick
from tests.builders import TEN, tick
from tests.steps.enriching import enriched_batch

KEY = InstrumentKey("default", "NG_HH")


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


@attrs.define
class CountedTable:
    """A table that counts reads, and answers when it may."""

    rows: LatestPrices
    reads: int = 0
    may_answer: Event = attrs.field(factory=Event)
    error: Exception | None = None

    def upsert(self, rows: LatestPrices) -> None:
        self.rows = rows

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        self.reads += 1
        assert self.may_answer.wait(10)
        if self.error:
            raise self.error
        return LatestPrices(self.rows.frame.filter(tenant_id=tenant_id, instrument_id=instrument_id))

    def stored(self, keys: pl.DataFrame) -> LatestPrices:
        return LatestPrices(self.rows.frame.join(keys, on="series", how="semi"))

    def listed(self, tenant_id: str, market: str | None, limit: int) -> LatestPrices:
        return LatestPrices(self.rows.frame.filter(tenant_id=tenant_id).head(limit))

    def final(self) -> pl.DataFrame:
        return self.rows.frame


@pytest.fixture
def table() -> CountedTable:
    found = CountedTable(latest(tick(price="3.30")))
    found.may_answer.set()
    return found


class LostCache:
    """A cache that can't be reached."""

    def upsert(self, rows: LatestPrices) -> None:
        raise StoreUnavailable("cache")

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        raise StoreUnavailable("cache")

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        raise StoreUnavailable("cache")


def test_a_price_the_cache_has_costs_no_read(table: CountedTable) -> None:
    cache = MemoryPriceCache()
    cache.upsert(latest(tick(price="3.31")))
    found = FindLatestPrice(table, cache)(KEY)
    assert found
    assert (f"{found.price:.2f}", table.reads) == ("3.31", 0)


def test_a_price_the_cache_lacks_is_read_once_and_kept(table: CountedTable) -> None:
    find = FindLatestPrice(table, MemoryPriceCache())
    assert find(KEY) == find(KEY) == table.rows.facts()[0]
    assert table.reads == 1


def test_a_strong_read_asks_the_table(table: CountedTable) -> None:
    cache = MemoryPriceCache()
    cache.upsert(latest(tick("09:00", price="1")))
    found = FindLatestPrice(table, cache)(KEY, strong=True)
    assert found == table.rows.facts()[0]


def test_what_never_had_a_price_is_none(table: CountedTable) -> None:
    assert FindLatestPrice(table, MemoryPriceCache())(InstrumentKey("default", "NEVER")) is None


def test_a_lost_cache_costs_no_answer(table: CountedTable) -> None:
    assert FindLatestPrice(table, LostCache())(KEY) == table.rows.facts()[0]


def test_however_many_ask_at_once_the_table_is_read_once(table: CountedTable) -> None:
    table.may_answer.clear()
    find, together = FindLatestPrice(table, MemoryPriceCache()), Barrier(8)

    def ask() -> object:
        together.wait(10)
        return find(KEY)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask) for _ in range(7)]
        together.wait(10)
        table.may_answer.set()
    assert {answer.result() for answer in answers} == {table.rows.facts()[0]}
    assert table.reads == 1


def test_a_table_that_is_down_is_told_to_all_who_wait_and_asked_again_later(table: CountedTable) -> None:
    table.error = StoreUnavailable("table")
    find = FindLatestPrice(table, MemoryPriceCache())
    with pytest.raises(StoreUnavailable):
        find(KEY)
    table.error = None
    assert find(KEY) == table.rows.facts()[0]


def test_prices_are_listed_from_the_table() -> None:
    table = MemoryLatestTable()
    table.upsert(latest(tick(instrument_id="B"), tick(instrument_id="A")))
    find = FindLatestPrice(table, LostCache())
    assert [price.instrument_id for price in find.listed("default", None, 5)] == ["A", "B"]


class NoBars:
    def history(self, *asked: object) -> BarBatch:
        return BarBatch.empty()


def test_bars_are_found_by_interval() -> None:
    find = FindBars({"5m": NoBars(), "1h": NoBars()})  # type: ignore[dict-item]
    assert find.intervals == ("5m", "1h")
    assert find(KEY, "1h", None, None, 10) == []


def test_bars_of_an_interval_nobody_enabled_are_refused() -> None:
    with pytest.raises(BadInterval, match="no bars of '7m'; there are of 5m"):
        FindBars({"5m": NoBars()})(KEY, "7m", None, None, 10)  # type: ignore[dict-item]


def test_readiness_is_each_checks_answer() -> None:
    assert CheckReadiness({"a": lambda: True, "b": lambda: False})() == {"a": True, "b": False}


def test_what_can_be_spared_is_told_and_keeps_nobody_from_work() -> None:
    check = CheckReadiness({"a": lambda: True}, {"cache": lambda: False})
    assert check() == {"a": True, "cache": False}
    assert check.ready(check())
    assert not check.ready({"a": False, "cache": True})


def test_who_asks_while_another_reads_gets_the_others_answer(table: CountedTable) -> None:
    find = FindLatestPrice(table, MemoryPriceCache())
    others: Future[LatestPrices] = Future()
    others.set_result(table.rows)
    find._asking[KEY, False] = others
    assert find(KEY) == table.rows.facts()[0]
    assert table.reads == 0
