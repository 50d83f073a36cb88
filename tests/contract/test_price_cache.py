"""What every price cache promises."""

from collections.abc import Iterator
from threading import Thread

import pytest

from adapters.memory import price_cache
from adapters.memory.price_cache import MemoryPriceCache
from adapters.redis.patient_price_cache import PatientPriceCache
from adapters.redis.price_cache import RedisPriceCache
from application.ports.price_cache import PriceCache
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.tick import Tick
from tests.builders import TEN, tick
from tests.performing import StandingClock
from tests.steps.enriching import enriched_batch
from tests.support.redis import Told, empty_redis


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


class PriceCacheContract:
    """Inherited by the suite of each adapter, which says how to make an empty cache."""

    @pytest.fixture
    def cache(self) -> PriceCache:
        raise NotImplementedError

    def test_an_instrument_without_a_price_has_none(self, cache: PriceCache) -> None:
        assert cache.of("default", "NG_HH") == LatestPrices.empty()

    def test_a_row_comes_back_as_it_was_set(self, cache: PriceCache) -> None:
        rows = latest(tick(price="3.12345678", volume="2", metadata='{"a":"b"}'))
        cache.upsert(rows)
        assert cache.of("default", "NG_HH") == rows

    def test_a_missing_volume_stays_missing(self, cache: PriceCache) -> None:
        cache.upsert(latest(tick(volume=None)))
        assert cache.of("default", "NG_HH").frame["volume"].to_list() == [None]

    def test_a_higher_rank_replaces(self, cache: PriceCache) -> None:
        newer = latest(tick("10:01", price="2"))
        cache.upsert(latest(tick("10:00", price="1")))
        cache.upsert(newer)
        assert cache.of("default", "NG_HH") == newer

    def test_a_lower_rank_changes_nothing(self, cache: PriceCache) -> None:
        newer = latest(tick("10:01", price="2"))
        cache.upsert(newer)
        cache.upsert(latest(tick("10:00", price="1")))
        assert cache.of("default", "NG_HH") == newer

    def test_an_equal_rank_changes_nothing(self, cache: PriceCache) -> None:
        first = latest_of(enriched_batch([tick()]), TEN)
        cache.upsert(first)
        cache.upsert(latest_of(enriched_batch([tick()]), TEN.replace(hour=11)))
        assert cache.of("default", "NG_HH") == first

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_equally_new_prices_the_greater_content_stays(
        self, cache: PriceCache, order: tuple[int, int]
    ) -> None:
        said = [latest(tick(price=price)) for price in ("5", "6")]
        for position in order:
            cache.upsert(said[position])
        assert cache.of("default", "NG_HH") == max(said, key=lambda rows: rows.frame["rank"].item())

    def test_instruments_and_tenants_are_apart(self, cache: PriceCache) -> None:
        cache.upsert(latest(tick(price="1"), tick(price="2", instrument_id="B"), tick(price="3", tenant_id="b")))
        told = [
            cache.of(*key).frame["price"].item() for key in (("default", "NG_HH"), ("default", "B"), ("b", "NG_HH"))
        ]
        assert told == [1, 2, 3]
        assert len(cache.of("b", "B")) == 0

    def test_ranks_are_told_of_what_is_there(self, cache: PriceCache) -> None:
        newer = latest(tick("10:01"))
        cache.upsert(latest(tick(), tick(instrument_id="B"), tick(instrument_id="C")))
        cache.upsert(newer)
        asked = latest(tick(), tick(instrument_id="B"), tick(instrument_id="D"), tick(tenant_id="b"))
        told = cache.ranks(asked.frame.select("tenant_id", "instrument_id", "series"))
        assert dict(told.with_columns(told["series"].cast(str)).select("series", "rank").rows()) == {
            "default|NG_HH": newer.frame["rank"].item(),
            "default|B": latest(tick(instrument_id="B")).frame["rank"].item(),
        }

    def test_an_empty_cache_has_no_ranks(self, cache: PriceCache) -> None:
        told = cache.ranks(latest(tick()).frame.select("tenant_id", "instrument_id", "series"))
        assert (told.columns, told.height) == (["series", "rank"], 0)

    def test_nothing_may_be_set(self, cache: PriceCache) -> None:
        cache.upsert(LatestPrices.empty())
        assert cache.of("default", "NG_HH") == LatestPrices.empty()

    def test_of_writers_at_once_the_highest_stays(self, cache: PriceCache) -> None:
        rows = [latest(tick(version=version, price=str(version))) for version in range(1, 21)]
        writers = [Thread(target=cache.upsert, args=(row,)) for row in rows]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert cache.of("default", "NG_HH") == rows[-1]


class TestMemoryPriceCache(PriceCacheContract):
    @pytest.fixture(params=[price_cache.UNMERGED_ROWS, 0], ids=["unmerged", "merged at every write"])
    def cache(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PriceCache:
        monkeypatch.setattr(price_cache, "UNMERGED_ROWS", request.param)
        return MemoryPriceCache()


@pytest.mark.services
class TestRedisPriceCache(PriceCacheContract):
    @pytest.fixture
    def cache(self) -> Iterator[PriceCache]:
        with empty_redis() as redis:
            yield RedisPriceCache(redis)


class TestPatientPriceCache(PriceCacheContract):
    @pytest.fixture
    def cache(self) -> PriceCache:
        return PatientPriceCache(MemoryPriceCache(), StandingClock(), Told())

    # It is for one writer.
    test_of_writers_at_once_the_highest_stays = None  # type: ignore[assignment]
