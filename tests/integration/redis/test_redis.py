"""What goes wrong with a Redis, and what it costs: speed, never a price."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import polars as pl
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from adapters.memory.price_cache import MemoryPriceCache
from adapters.redis import price_cache
from adapters.redis.connection import RedisConnection
from adapters.redis.instrument_cache import Kept, RedisInstrumentCache
from adapters.redis.patient_price_cache import PatientPriceCache
from adapters.redis.price_cache import KEYS_AT_ONCE, RedisPriceCache
from application.ports.errors import Denied, Fatal, StoreUnavailable
from domain.gold.taxonomy import Classification, History, InstrumentKey
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.tick import Tick
from entrypoints.services.process import free_port
from tests.builders import TEN, tick
from tests.performing import StandingClock
from tests.steps.enriching import enriched_batch
from tests.support.kafka import silent
from tests.support.redis import PASSWORD, Told, acl_file, connected, empty_redis, redis_of_its_own
from tests.support.services import installed

USERS = Path(__file__).parents[3] / "migrations" / "redis" / "users.acl"
KNOWN: History = (Classification(commodity="natural_gas", metadata_version=3),)
NG, OIL = InstrumentKey("default", "NG_HH"), InstrumentKey("default", "CL")


def latest(*facts: Tick) -> LatestPrices:
    return latest_of(enriched_batch(facts), TEN)


@attrs.define
class Catalog:
    """A catalog that knows natural gas, counts what it is asked, and may be away."""

    asked: list[InstrumentKey] = attrs.field(factory=list)
    away: bool = False
    meanwhile: Callable[[], object] = lambda: None
    loads: int = 0

    def version(self) -> int:
        return self.loads

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        self.asked.extend(instruments)
        self.meanwhile()
        if self.away:
            raise StoreUnavailable("the database is away")
        return {key: KNOWN if key == NG else (Classification(),) for key in instruments}


@pytest.mark.services
class TestPrices:
    def test_a_batch_of_many_calls_sets_every_row(self) -> None:
        rows = latest(*(tick(instrument_id=f"I{number}") for number in range(3 * KEYS_AT_ONCE + 7)))
        with empty_redis() as redis:
            RedisPriceCache(redis).upsert(rows)
            assert len(list(redis.client.scan_iter("tenant:default:latest:*"))) == len(rows)

    def test_a_record_is_readable_and_its_version_is_the_rank(self) -> None:
        rows = latest(tick(price="3.30", volume=None))
        with empty_redis() as redis:
            RedisPriceCache(redis).upsert(rows)
            held: Any = redis.client.hgetall("tenant:default:latest:NG_HH")
        assert held[b"version"].decode() == rows.frame["rank"].item()
        assert b'"ts":"2026-10-05T10:00:00.000000Z","price":"3.30000000","volume":null' in held[b"record"]

    @pytest.mark.parametrize("harm", ["flushall", "script_flush"])
    def test_a_flush_costs_one_more_call(self, harm: str) -> None:
        with empty_redis() as redis:
            cache = RedisPriceCache(redis)
            cache.upsert(latest(tick(price="1")))
            getattr(redis.client, harm)()
            redis.client.script_flush()
            newer = latest(tick("10:01", price="2"))
            cache.upsert(newer)
            assert cache.of("default", "NG_HH") == newer

    @pytest.mark.parametrize("record", [b"{", b"[]", b'{"price": "1"}', b"\xff", None])
    def test_a_record_of_another_release_counts_as_none(self, record: bytes | None) -> None:
        with empty_redis() as redis:
            if record is not None:
                redis.client.hset("tenant:default:latest:NG_HH", mapping={"version": "0", "record": record})
            assert len(RedisPriceCache(redis).of("default", "NG_HH")) == 0

    def test_a_key_of_another_kind_is_told_at_once(self) -> None:
        with empty_redis() as redis:
            redis.client.set("tenant:default:latest:NG_HH", "x")
            with pytest.raises(Fatal, match="WRONGTYPE"):
                RedisPriceCache(redis).upsert(latest(tick()))


BEYOND_ITS_WORK = (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("SET", "other", "x"), ("ACL", "LIST"))


def sent(command: Sequence[str], client: Redis) -> object:
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


def again_and_again(call: Callable[[], object]) -> None:
    while True:
        call()


@pytest.mark.services
class TestTrouble:
    def test_a_server_that_is_away_and_comes_back_empty(self, tmp_path: Path) -> None:
        with redis_of_its_own() as server, connected(server.url) as redis:
            cache = RedisPriceCache(redis)
            cache.upsert(latest(tick(price="1")))
            server.stop()
            with pytest.raises(StoreUnavailable):
                cache.upsert(latest(tick("10:01", price="2")))
            with pytest.raises(StoreUnavailable):
                cache.of("default", "NG_HH")
            server.start(tmp_path)
            assert len(cache.of("default", "NG_HH")) == 0
            cache.upsert(latest(tick("10:01", price="2")))
            assert cache.of("default", "NG_HH").frame["price"].item() == 2

    def test_a_script_that_is_gone_as_soon_as_it_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with redis_of_its_own() as server, connected(server.url) as redis:
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(price_cache, "COMPARE_AND_SET", "return 'of another release'")
                with pytest.raises(StoreUnavailable, match=r"(?i)script"):
                    RedisPriceCache(redis).upsert(latest(tick()))
            RedisPriceCache(redis).upsert(latest(tick()))
            assert len(RedisPriceCache(redis).of("default", "NG_HH")) == 1

    def test_a_full_server(self) -> None:
        with redis_of_its_own() as server, connected(server.url) as redis:
            redis.client.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable, match="memory"):
                RedisPriceCache(redis).upsert(latest(tick()))

    def test_a_replica_that_takes_no_writes(self) -> None:
        with redis_of_its_own() as server, connected(server.url) as redis:
            redis.client.config_set("replica-serve-stale-data", "yes")
            redis.client.replicaof("127.0.0.1", free_port())
            with pytest.raises(StoreUnavailable, match=r"(?i)read.only"):
                RedisPriceCache(redis).upsert(latest(tick()))

    def test_a_server_that_runs_a_script_without_end(self) -> None:
        with (
            redis_of_its_own("--busy-reply-threshold", "1") as server,
            connected(server.url) as redis,
            connected(server.url, answer_within_s=10) as other,
            ThreadPoolExecutor() as aside,
        ):
            endless = aside.submit(other.client.eval, "while true do end", 0)
            with pytest.raises(StoreUnavailable):
                again_and_again(lambda: RedisPriceCache(redis).upsert(latest(tick())))
            redis.client.script_kill()
            assert isinstance(endless.exception(10), ResponseError)

    def test_a_wrong_password_is_told_without_it(self, tmp_path: Path) -> None:
        acl = acl_file(USERS, tmp_path)
        with redis_of_its_own("--aclfile", str(acl)) as server:
            url = server.url.replace("//", "//dataproc:secret@")
            with connected(url) as redis, pytest.raises(Denied, match="check DATA_PROC_REDIS_URL") as denied:
                RedisPriceCache(redis).upsert(latest(tick()))
            assert "secret" not in str(denied.value)

    def test_the_shipped_users_may_do_their_work_and_no_more(self, tmp_path: Path) -> None:
        acl = acl_file(USERS, tmp_path)
        secret = PASSWORD.replace(" ", "%20")
        with redis_of_its_own("--aclfile", str(acl)) as server:
            with connected(server.url.replace("//", f"//dataproc:{secret}@")) as redis:
                rows = latest(tick())
                RedisPriceCache(redis).upsert(rows)
                assert RedisPriceCache(redis).of("default", "NG_HH") == rows
                catalog = Catalog()
                cache = RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5)
                assert [cache.lookup([NG]) for _ in range(2)] == [{NG: KNOWN}] * 2
                assert catalog.asked == [NG]
                for command in BEYOND_ITS_WORK:
                    with pytest.raises(Denied):
                        redis.asking("trying", partial(sent, command))
            with connected(server.url) as stranger, pytest.raises(Denied):
                RedisPriceCache(stranger).of("default", "NG_HH")

    def test_the_users_as_shipped_let_nobody_in(self) -> None:
        with (
            redis_of_its_own("--aclfile", str(USERS)) as server,
            connected(server.url.replace("//", "//dataproc:0@")) as redis,
            pytest.raises(Denied),
        ):
            RedisPriceCache(redis).of("default", "NG_HH")


@pytest.mark.services
def test_a_server_behind_tls_is_believed_only_with_a_certificate_we_trust(tmp_path: Path) -> None:
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    self_signed = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    command = [installed("openssl"), *self_signed.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no")
    with redis_of_its_own("--tls-port", str(port), *tls):
        with connected(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}") as redis:
            assert len(RedisPriceCache(redis).of("default", "NG_HH")) == 0
        with connected(f"rediss://127.0.0.1:{port}/0") as redis, pytest.raises(StoreUnavailable, match="certificate"):
            RedisPriceCache(redis).of("default", "NG_HH")


def test_a_server_that_never_answers_is_given_up() -> None:
    with (
        silent() as address,
        connected(f"redis://{address}/0", answer_within_s=0.1) as redis,
        pytest.raises(StoreUnavailable, match="reading a latest price"),
    ):
        RedisPriceCache(redis).of("default", "NG_HH")


@pytest.mark.parametrize("url", ["http://h", "redis://h:port/0"])
def test_an_address_nobody_understands(url: str) -> None:
    with pytest.raises(Fatal, match="no address of a Redis"):
        RedisConnection.at(url)


class TestPatience:
    def test_what_can_not_be_set_now_is_set_with_what_comes_after(self) -> None:
        held, clock, told = Away(), StandingClock(), Told()
        cache = PatientPriceCache(held, clock, told, again_after_s=1)
        held.away = True
        cache.upsert(latest(tick("10:01", price="2"), tick(price="5", instrument_id="B")))
        clock.seconds = 0.5
        held.away = False
        cache.upsert(latest(tick("10:00", price="1")))
        assert (held.tries, cache.waiting, len(told.warnings)) == (1, 2, 1)
        clock.seconds = 1.5
        cache.upsert(latest(tick(price="7", instrument_id="C")))
        assert (held.tries, cache.waiting) == (2, 0)
        found = [cache.of("default", name).frame["price"].item() for name in ("NG_HH", "B", "C")]
        assert found == [2, 5, 7]

    def test_a_cache_that_stays_away_is_told_of_now_and_then(self) -> None:
        held, clock, told = Away(away=True), StandingClock(), Told()
        cache = PatientPriceCache(held, clock, told, again_after_s=1, told_every_s=30)
        for clock.seconds in (0, 10, 20, 31):
            cache.upsert(latest(tick()))
        assert (held.tries, cache.waiting, len(told.warnings)) == (4, 1, 2)

    def test_a_cache_that_hangs_before_it_fails_is_told_of_as_seldom(self) -> None:
        clock, told_at = StandingClock(), list[float]()

        class Hangs(Away):
            def upsert(self, rows: LatestPrices) -> None:
                clock.sleep(next(hanging_s))
                super().upsert(rows)

        class At(Told):
            def warning(self, message: str, **extra: object) -> None:
                told_at.append(clock.seconds)

        hanging_s = iter([5.0, 0.0, 0.0])
        cache = PatientPriceCache(Hangs(away=True), clock, At(), again_after_s=1, told_every_s=30)
        for seconds in (0, 31, 35):
            clock.seconds = seconds
            cache.upsert(latest(tick()))
        assert told_at == [5, 35]

    def test_what_a_process_kept_that_ended_is_set_from_the_table_by_the_next(self) -> None:
        held = Away()
        cache = PatientPriceCache(held, StandingClock(), Told(), everything=lambda: [latest(tick(price="5"))])
        cache.catch_up()
        cache.catch_up()
        assert held.tries == 1
        assert cache.of("default", "NG_HH").frame["price"].item() == 5

    def test_a_cache_that_was_away_is_filled_from_the_table_once_it_is_back(self) -> None:
        held, clock = Away(away=True), StandingClock()
        cache = PatientPriceCache(
            held, clock, Told(), again_after_s=1, everything=lambda: [latest(tick(price="5", instrument_id="B"))]
        )
        cache.upsert(latest(tick(price="2")))
        cache.catch_up()
        assert (cache.away, held.tries) == (True, 1)
        clock.seconds, held.away = 2, False
        cache.catch_up()
        assert (cache.away, cache.waiting) == (False, 0)
        assert [len(cache.of("default", name)) for name in ("NG_HH", "B")] == [1, 1]

    def test_a_cache_that_began_anew_is_filled_from_the_table(self) -> None:
        restarts = [0]
        held = Away()
        cache = PatientPriceCache(
            held, StandingClock(), Told(), everything=lambda: [latest(tick(price="5"))], restarts=lambda: restarts[0]
        )
        cache.catch_up()
        restarts[0], held.held = 1, MemoryPriceCache()
        cache.upsert(latest(tick(price="7", instrument_id="B")))
        cache.catch_up()
        assert len(cache.of("default", "NG_HH")) == 1

    def test_a_table_that_can_not_be_read_is_read_again(self) -> None:
        answers: Iterator[StoreUnavailable | list[LatestPrices]] = iter(
            [StoreUnavailable("no table"), [latest(tick())]]
        )

        def everything() -> list[LatestPrices]:
            answer = next(answers)
            if isinstance(answer, StoreUnavailable):
                raise answer
            return answer

        cache = PatientPriceCache(Away(), StandingClock(), Told(), everything=everything)
        with pytest.raises(StoreUnavailable, match="no table"):
            cache.catch_up()
        cache.catch_up()
        assert len(cache.of("default", "NG_HH")) == 1


@attrs.define
class Away:
    """A price cache that may be away."""

    away: bool = False
    tries: int = 0
    held: MemoryPriceCache = attrs.field(factory=MemoryPriceCache)

    def upsert(self, rows: LatestPrices) -> None:
        self.tries += 1
        if self.away:
            raise StoreUnavailable("away")
        self.held.upsert(rows)

    def ranks(self, keys: pl.DataFrame) -> pl.DataFrame:
        return self.held.ranks(keys)

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        return self.held.of(tenant_id, instrument_id)


@pytest.mark.services
class TestInstruments:
    def test_what_was_looked_up_is_not_looked_up_again(self) -> None:
        catalog = Catalog()
        with empty_redis() as redis:
            one, other = (RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.0) for _ in range(2))
            assert one.lookup([NG, NG]) == other.lookup([NG]) == {NG: KNOWN}
        assert catalog.asked == [NG]

    def test_entries_expire_each_after_a_while_of_its_own(self) -> None:
        chances = iter([0.0, 0.5])
        kept = Kept(shortest_s=100, longest_s=200, unknown_s=50)
        with empty_redis() as redis:
            cache = RedisInstrumentCache(Catalog(), redis, StandingClock(), lambda: next(chances), kept=kept)
            cache.lookup([NG])
            assert redis.client.ttl("tenant:default:instrument:NG_HH") == pytest.approx(100, abs=1)
            redis.client.flushall()
            cache.lookup([NG])
            assert redis.client.ttl("tenant:default:instrument:NG_HH") == pytest.approx(150, abs=1)
            cache.lookup([OIL])
            assert redis.client.ttl("tenant:default:instrument:CL") == pytest.approx(50, abs=1)

    def test_that_nobody_knows_an_instrument_is_kept_too(self) -> None:
        catalog = Catalog()
        with empty_redis() as redis:
            cache = RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5)
            assert [cache.lookup([OIL]) for _ in range(2)] == [{OIL: (Classification(),)}] * 2
        assert catalog.asked == [OIL]

    def test_an_entry_of_an_older_load_counts_for_nothing_once_the_newer_is_known(self) -> None:
        catalog = Catalog(loads=1)
        with empty_redis() as redis:
            one, other = (RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5) for _ in range(2))
            assert [one.version(), other.version()] == [1, 1]
            one.lookup([NG])
            catalog.loads = 2
            other.lookup([NG])
            assert catalog.asked == [NG]
            assert other.version() == 2
            assert other.lookup([NG]) == one.lookup([NG]) == {NG: KNOWN}
            assert catalog.asked == [NG, NG]

    def test_an_entry_that_a_slow_process_fills_in_late_counts_for_nothing(self) -> None:
        catalog = Catalog(loads=1)
        with empty_redis() as redis:
            slow, other = (RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5) for _ in range(2))
            slow.version()
            catalog.loads = 2
            other.version()
            other.lookup([NG])
            redis.client.flushall()
            slow.lookup([NG])
            other.lookup([NG])
        assert catalog.asked == [NG, NG, NG]

    @pytest.mark.parametrize(
        "value",
        [
            "{",
            "[]",
            '{"catalog": 0}',
            '{"catalog": "1", "history": []}',
            '{"catalog": 0, "history": [{"since": "soon"}]}',
            '{"catalog": 0, "history": [{"colour": "red", "since": "2020-01-01"}]}',
        ],
    )
    def test_an_entry_of_another_release_counts_as_none(self, value: str) -> None:
        with empty_redis() as redis:
            redis.client.set("tenant:default:instrument:NG_HH", value)
            assert RedisInstrumentCache(Catalog(), redis, StandingClock(), lambda: 0.5).lookup([NG]) == {NG: KNOWN}

    def test_however_many_ask_at_once_the_catalog_is_asked_once(self) -> None:
        everybody, asked = threading.Barrier(8, timeout=10), threading.Event()
        catalog = Catalog(meanwhile=lambda: asked.wait(10))
        with empty_redis() as redis:
            cache = RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5)

            def ask() -> Mapping[InstrumentKey, History]:
                everybody.wait()
                return cache.lookup([NG])

            with ThreadPoolExecutor(8) as askers:
                answers = [askers.submit(ask) for _ in range(8)]
                until_all_wait(cache)
                asked.set()
                assert [answer.result(10) for answer in answers] == [{NG: KNOWN}] * 8
        assert catalog.asked == [NG]


def until_all_wait(cache: RedisInstrumentCache) -> None:
    while NG not in cache._asking:
        threading.Event().wait(0.01)
    threading.Event().wait(0.3)


class TestInstrumentsWithoutRedis:
    def test_the_catalog_answers(self) -> None:
        with connected(f"redis://127.0.0.1:{free_port()}/0") as redis:
            assert RedisInstrumentCache(Catalog(), redis, StandingClock(), lambda: 0.5).lookup([NG]) == {NG: KNOWN}

    def test_without_the_catalog_too_what_was_answered_last_counts_for_an_hour(self) -> None:
        catalog, clock = Catalog(), StandingClock()
        with connected(f"redis://127.0.0.1:{free_port()}/0") as redis:
            cache = RedisInstrumentCache(catalog, redis, clock, lambda: 0.5)
            cache.lookup([NG])
            catalog.away = True
            clock.seconds = 3_599
            assert cache.lookup([NG]) == {NG: KNOWN}
            with pytest.raises(StoreUnavailable):
                cache.lookup([NG, OIL])
            clock.seconds = 3_601
            with pytest.raises(StoreUnavailable):
                cache.lookup([NG])

    def test_what_is_remembered_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("adapters.redis.instrument_cache.REMEMBERED", 2)
        catalog = Catalog()
        with connected(f"redis://127.0.0.1:{free_port()}/0") as redis:
            cache = RedisInstrumentCache(catalog, redis, StandingClock(), lambda: 0.5)
            cache.lookup([NG])
            cache.lookup([OIL, InstrumentKey("b", "CL")])
            catalog.away = True
            assert len(cache.lookup([OIL, InstrumentKey("b", "CL")])) == 2
            with pytest.raises(StoreUnavailable):
                cache.lookup([NG])
