"""One conversation over three transports: what it refuses, what it survives, and what it says."""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import polars as pl
import pytest

from adapters.clickhouse.client import Address, BadAddress, ClickHouse, quoted
from adapters.clickhouse.connect_client import ConnectClient
from adapters.clickhouse.connecting import connect
from adapters.clickhouse.errors import DirectoryInUse, QueryFailed, RowRefused, code_of, translated, translated_insert
from adapters.clickhouse.latest_table import ClickHouseLatestTable
from adapters.clickhouse.native_client import NativeClient
from adapters.clickhouse.tick_table import ClickHouseTickTable
from application.ports.errors import Denied, RowsRefused, SchemaBehind, StoreUnavailable
from domain.identity import SERIES
from domain.silver.tick import RAW_ROW, TickBatch
from tests.builders import TEN, tick, ticks
from tests.contract.test_latest_table import latest
from tests.support.clickhouse import ROOT, TRANSPORTS, database, emptied, folder, gateway, url_of

WHOLE = {"x": pl.Int64}


@pytest.fixture(params=TRANSPORTS)
def client(request: pytest.FixtureRequest) -> ClickHouse:
    return emptied(database(request.param), "silver_ticks", "served_latest")


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("chdb:///var/lib/data", "dataproc"),
            ("chdb:///var/lib/data?database=mine", "mine"),
            ("http://host:8123", "dataproc"),
            ("https://u:p@host/mine", "mine"),
            ("clickhouse://host:9000/mine", "mine"),
            ("clickhouses://host?database=other", "other"),
        ],
    )
    def test_a_url_names_its_database(self, url: str, name: str) -> None:
        assert Address.parse(url).database == name

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://host",
            "chdb://relative/path",
            "chdb:///",
            "chdb:///a%3Fb",
            "http:///db",
            "clickhouse://",
            "http://h:x/",
        ],
    )
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(BadAddress):
            Address.parse(url)

    def test_a_directory_may_hold_what_addresses_write_otherwise(self) -> None:
        assert Address.parse("chdb:///data/100%25%20%231").directory == "/data/100% #1"

    def test_passwords_are_not_shown(self) -> None:
        assert "secret" not in repr(connect("http://me:secret@127.0.0.1:1/db"))
        assert "secret" not in repr(connect("clickhouse://me:secret@127.0.0.1:1/db"))

    @pytest.mark.parametrize("name", ["a b", "a`b", "a;b", "", "é"])
    def test_odd_names_never_become_sql(self, name: str) -> None:
        with pytest.raises(BadAddress):
            quoted(name)


class TestConversation:
    def test_parameters_are_values(self, client: ClickHouse) -> None:
        odd = "a'); DROP TABLE x; -- \\ \n\t\" {y:String} %(z)s ☃"
        sql = "SELECT {text:String} AS text, {number:Int64} AS x, arrayJoin({list:Array(String)}) AS item"
        schema = {"text": pl.String, "x": pl.Int64, "item": pl.String}
        found = client.rows(sql, schema, {"text": odd, "number": -(2**63), "list": [odd, "b"]})
        assert found.rows() == [(odd, -(2**63), odd), (odd, -(2**63), "b")]

    def test_keys_are_a_table_beside_the_query(self, client: ClickHouse) -> None:
        keys = pl.DataFrame({"name": ["a'b", "ü"], "at": pl.Series([TEN, TEN], dtype=pl.Datetime("us", "UTC"))})
        found = client.rows("SELECT name, at FROM @keys ORDER BY name", dict(keys.schema), keys=keys)
        assert found.equals(keys)

    def test_an_insert_leaves_replacing_to_merges(self, client: ClickHouse) -> None:
        ClickHouseTickTable(client).upsert(ticks(tick("10:00", "3.1", version=1), tick("10:00", "3.2", version=2)))
        assert client.rows("SELECT toInt64(count()) AS x FROM silver_ticks", WHOLE)["x"].item() == 2
        assert len(ClickHouseTickTable(client).final()) == 1

    def test_an_empty_answer_has_its_columns(self, client: ClickHouse) -> None:
        assert client.rows("SELECT toInt64(1) AS x WHERE 0", WHOLE).equals(pl.DataFrame(schema=WHOLE))

    def test_threads_may_share_it(self, client: ClickHouse) -> None:
        answers: list[int] = []
        threads = [
            Thread(target=lambda n=n: answers.append(client.rows("SELECT {n:Int64} AS x", WHOLE, {"n": n})["x"].item()))
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == list(range(16))

    def test_it_can_be_closed_and_used_again(self, client: ClickHouse) -> None:
        client.close()
        assert client.rows("SELECT toInt64(1) AS x", WHOLE)["x"].item() == 1


class TestRefusals:
    def test_only_the_bad_rows_of_a_batch_are_refused(self, client: ClickHouse) -> None:
        table = ClickHouseTickTable(client)
        good = [tick(TEN + timedelta(minutes=n)) for n in range(20)]
        bad = [
            tick(TEN + timedelta(minutes=n, seconds=1), raw_offset=n, interval_end=TEN - timedelta(1)) for n in (3, 17)
        ]
        batch = TickBatch.of([*good[:5], bad[0], *good[5:], bad[1]])
        with pytest.raises(RowsRefused, match="silver_ticks can't store 2 of the rows") as refused:
            table.upsert(batch)
        assert refused.value.rows["raw_offset"].to_list() == [3, 17]
        assert refused.value.rows.select(RAW_ROW).schema == batch.frame.select(RAW_ROW).schema
        assert all("interval_ends_after_its_start" in reason for reason in refused.value.reasons)
        assert len(table.final()) == len(good)

    def test_a_missing_table_names_the_command(self, client: ClickHouse) -> None:
        with pytest.raises(SchemaBehind, match="dataproc migrate up"):
            client.rows("SELECT x FROM no_such_table", WHOLE)
        with pytest.raises(SchemaBehind, match="dataproc migrate up"):
            client.insert("silver_ticks", pl.DataFrame({"no_such_column": [1]}))

    def test_nonsense_is_fatal(self, client: ClickHouse) -> None:
        with pytest.raises(QueryFailed):
            client.command("SELEKT 1")

    def test_a_value_that_can_not_be_read_is_no_row_where_nothing_is_inserted(self, client: ClickHouse) -> None:
        with pytest.raises(QueryFailed, match="Code: 6"):
            client.rows("SELECT toInt64('no number') AS x", WHOLE)
        with pytest.raises(QueryFailed, match="Code: 6"):
            client.command("SELECT toInt64('no number')")

    def test_a_connection_is_closed_whatever_ended_its_call(self) -> None:
        client = NativeClient(Address.parse(url_of("native")))
        lent: list[Any] = []

        def interrupted(connection: Any) -> None:
            lent.append(connection)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            client._calling(interrupted, "asking")

        assert not lent[0].connection.connected
        assert client.rows("SELECT toInt64(1) AS x", WHOLE)["x"].item() == 1
        client.close()

    @pytest.mark.parametrize("scheme", ["http", "clickhouse"])
    def test_a_server_that_is_away_can_be_asked_again(self, scheme: str) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
        with pytest.raises(StoreUnavailable):
            connect(f"{scheme}://127.0.0.1:{port}/db").rows("SELECT toInt64(1) AS x", WHOLE)

    def test_a_wrong_password_is_told_without_showing_it(self) -> None:
        port = gateway("native", ["me:right"])
        with pytest.raises(Denied) as refused:
            connect(f"clickhouse://me:wrong@127.0.0.1:{port}/default").command("SELECT 1")
        assert "wrong" not in str(refused.value)

    def test_a_directory_has_one_process(self) -> None:
        path = folder("taken")
        holding = "import chdb, sys; held = chdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
        opening = (
            "import sys; from adapters.clickhouse.connecting import connect; connect(sys.argv[1]).command('SELECT 1')"
        )
        with subprocess.Popen(
            [sys.executable, "-c", holding, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "open\n"
            second = subprocess.run(
                [sys.executable, "-c", opening, f"chdb://{path}"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            holder.communicate("")
        assert second.returncode == 1
        last = second.stderr.splitlines()[-1]
        assert last.startswith(f"adapters.clickhouse.errors.{DirectoryInUse.__name__}")
        assert "it can have one owner only" in last

    def test_a_fault_ends_the_process_at_once(self) -> None:
        failing = (
            "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
            "from adapters.clickhouse.connecting import connect; connect(sys.argv[1]).create_database(); os.abort()"
        )
        ended = subprocess.run(
            [sys.executable, "-c", failing, f"chdb://{folder('fault')}"],
            cwd=ROOT, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert ended.returncode == -signal.SIGABRT


class TestCodes:
    @pytest.mark.parametrize("code", [75, 159, 164, 173, 202, 203, 209, 210, 241, 242, 243, 252, 319, 439])
    def test_some_pass(self, code: int) -> None:
        assert isinstance(translated(_error(code), "x"), StoreUnavailable)

    @pytest.mark.parametrize("told", ["std::bad_alloc", "filesystem error: No space left on device"])
    def test_what_the_engine_s_own_process_lacks_is_no_fault_of_a_row(self, told: str) -> None:
        error = RuntimeError(f"std::exception. Code: 1001, type: std::exception, e.what() = {told}")
        assert isinstance(translated_insert(error, "x"), StoreUnavailable)

    @pytest.mark.parametrize("code", [16, 47, 60, 81])
    def test_some_are_cured_by_a_migration(self, code: int) -> None:
        assert isinstance(translated(_error(code), "x"), SchemaBehind)

    @pytest.mark.parametrize("code", [469, 407, 69, 27])
    def test_some_are_the_fault_of_a_row_where_rows_were_inserted(self, code: int) -> None:
        assert isinstance(translated_insert(_error(code), "x"), RowRefused)
        assert isinstance(translated(_error(code), "x"), QueryFailed)

    @pytest.mark.parametrize("code", [497, 516, 192])
    def test_some_are_about_rights(self, code: int) -> None:
        assert isinstance(translated(_error(code), "x"), Denied)

    def test_others_are_fatal(self) -> None:
        assert isinstance(translated(_error(49), "x"), QueryFailed)

    def test_a_broken_connection_passes(self) -> None:
        assert isinstance(translated(ConnectionResetError("reset"), "x"), StoreUnavailable)

    def test_a_code_is_read_from_either_place(self) -> None:
        assert [code_of(_error(60)), code_of(ValueError("no code"))] == [60, None]

    def test_credentials_are_masked(self) -> None:
        assert "pw" not in str(translated(RuntimeError("Code: 49. http://me:pw@host/ failed"), "x"))


def _error(code: int) -> RuntimeError:
    return RuntimeError(f"Code: {code}. DB::Exception: told by the engine")


GATEWAY_LATEST = """
    SELECT tenant_id, market, symbol, instrument_id, tick_timestamp, price, volume, quality_flags, source_id, metadata,
        updated_at
    FROM served_market_ticks_latest WHERE tenant_id = {tenant:String} AND symbol = {symbol:String}
"""
GATEWAY_HISTORY = """
    SELECT symbol, tick_timestamp, price FROM served_market_ticks
    WHERE tenant_id = {tenant:String} AND symbol = {symbol:String} AND market = {market:String}
      AND tick_timestamp >= {since:String} AND tick_timestamp < {until:String}
    ORDER BY tick_timestamp
"""


class TestViews:
    def test_the_latest_price_of_a_symbol(self, client: ClickHouse) -> None:
        facts = [tick("10:00", "3.1"), tick("10:01", "3.25", volume="2", quality_flags=1, metadata='{"a":"b"}')]
        for fact in facts:
            ClickHouseLatestTable(client).upsert(latest(fact))
        ClickHouseLatestTable(client).upsert(latest(tick(tenant_id="acme"), tick(instrument_id="OTHER")))
        asked = f"SELECT price, volume, arrayStringConcat(quality_flags, ',') AS flags, metadata['a'] AS a FROM ({GATEWAY_LATEST})"
        schema = {"price": pl.Float64, "volume": pl.Float64, "flags": pl.String, "a": pl.String}
        found = client.rows(asked, schema, {"tenant": "default", "symbol": "NG_HH"})
        assert found.rows() == [(3.25, 2.0, "PRICE_NEGATIVE", "b")]

    def test_the_ticks_of_a_symbol_in_a_range(self, client: ClickHouse) -> None:
        table = ClickHouseTickTable(client)
        table.upsert(ticks(*(tick(f"10:0{n}", f"{n}") for n in range(5)), tick(symbol="OTHER", instrument_id="OTHER")))
        table.upsert(ticks(tick("10:02", "-7.5", version=2**63), tick("10:03", market="MISO", version=2**63)))
        asked = {"tenant": "default", "symbol": "NG_HH", "market": "NYMEX"}
        span = {"since": "2026-10-05 10:01:00", "until": "2026-10-05 10:04:00"}
        sql = f"SELECT price FROM ({GATEWAY_HISTORY})"
        found = client.rows(sql, {"price": pl.Float64}, {**asked, **span})
        assert found["price"].to_list() == [1.0, -7.5]


def test_a_batch_that_meets_many_days_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    client = emptied(database("chdb"), "silver_ticks")
    sizes: list[int] = []
    insert = ConnectClient.insert

    def measured(self: ConnectClient, table: str, rows: pl.DataFrame) -> None:
        sizes.append(rows.height)
        insert(self, table, rows)

    monkeypatch.setattr(ConnectClient, "insert", measured)
    ClickHouseTickTable(client).upsert(ticks(*(tick(TEN - timedelta(days=n)) for n in range(250))))
    assert sizes == [100, 100, 50]


def test_decimals_cross_every_transport_exactly(client: ClickHouse) -> None:
    numbers: Sequence[str] = ["0.00000001", "-0.00000001", "9999999999.99999999", "45000000.12345678", "0.1"]
    facts = [tick(TEN + timedelta(seconds=n), price, volume=price) for n, price in enumerate(numbers)]
    ClickHouseTickTable(client).upsert(ticks(*facts))
    assert ClickHouseTickTable(client).final()["price"].to_list() == [Decimal(number) for number in numbers]


def test_the_series_column_is_told_apart_by_tenant_and_name() -> None:
    client = emptied(database("chdb"), "silver_ticks")
    ClickHouseTickTable(client).upsert(ticks(tick(tenant_id="a", instrument_id="B|C")))
    span = pl.DataFrame({"series": pl.Series(["a|B|C"]).cast(SERIES), "start": [TEN], "end": [TEN + timedelta(1)]})
    assert len(ClickHouseTickTable(client).within(span)) == 1
