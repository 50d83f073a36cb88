"""What goes wrong with a schema registry, and what it costs: a message of an unknown id waits, all others go on."""

import io
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import fastavro
import pytest

from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.clock import SystemClock
from adapters.registry.schema_registry import LONGEST_ANSWER, SchemaRegistry
from adapters.wire.raw_avro import RawAvro
from adapters.wire.raw_schemas import SCHEMAS
from adapters.wire.unreadable import Unreadable
from application.consume import Stopped
from application.ports.errors import Denied, Fatal, Insecure, RegistryUnavailable
from domain.errors import Reason
from entrypoints.container import Container
from entrypoints.service import _readiness
from entrypoints.services.process import free_port
from entrypoints.settings import Settings
from tests.builders import envelope, raw_events
from tests.support.kafka import silent
from tests.support.registry import SHIPPED, Registry, answering
from tests.support.services import installed
from tests.unit.markets.messages import MISO, miso_lmp, mixed, told
from tests.unit.wire.test_raw_avro import TYPED, framed

LMP = framed(TYPED, envelope(miso_lmp()))
SCHEMA = json.loads((SCHEMAS / SHIPPED[TYPED]).read_text())


def numbered(number: int, message: bytes = LMP) -> bytes:
    return b"\x00" + number.to_bytes(4, "big") + message[5:]


@pytest.fixture
def registry() -> Registry:
    held = Registry()
    held.register(70, SCHEMA)
    return held


def asking(url: str, **options: Any) -> SchemaRegistry:
    return SchemaRegistry.at(url, "test", SystemClock(), **options)


def test_an_id_is_asked_about_once(registry: Registry) -> None:
    with answering(registry) as url:
        decoder = MarketDecoder(RawAvro(asking(url)))
        for _ in range(3):
            assert len(decoder.decode(mixed(*[(MISO, numbered(70))] * 3)).prices) == 3
    assert registry.asked == ["/schemas/ids/70"]


def test_known_schemas_go_on_while_the_registry_is_away_and_an_unknown_id_waits(registry: Registry) -> None:
    registry.register(71, SCHEMA)
    port = free_port()
    with answering(registry, port) as url:
        decoder = MarketDecoder(RawAvro(asking(url)))
        decoder.decode(mixed((MISO, numbered(70))))
    assert len(decoder.decode(mixed((MISO, numbered(70)))).prices) == 1
    both = mixed((MISO, numbered(70)), (MISO, numbered(71)))
    with pytest.raises(RegistryUnavailable, match="asking the schema registry what schema 71 is: Connection") as away:
        decoder.decode(both)
    assert away.value.away == "schema_registry"
    with answering(registry, port):
        assert len(decoder.decode(both).prices) == 2


def test_an_id_that_is_registered_late_is_understood_from_then_on(registry: Registry) -> None:
    with answering(registry) as url:
        decoder = MarketDecoder(RawAvro(asking(url)))
        assert told(decoder.decode(mixed(*[(MISO, numbered(72))] * 2))) == [
            (0, -1, "UNKNOWN_SCHEMA", ""),
            (1, -1, "UNKNOWN_SCHEMA", ""),
        ]
        registry.register(72, SCHEMA)
        assert len(decoder.decode(mixed((MISO, numbered(72)))).prices) == 1
    assert registry.asked == ["/schemas/ids/72"] * 2


def test_a_registry_that_hangs_is_given_up(registry: Registry) -> None:
    registry.hangs = True
    with answering(registry) as url, pytest.raises(RegistryUnavailable, match="schema 70 is: TimeoutError"):
        asking(url, answer_within_s=0.1).of(70)


def test_one_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with silent() as address, pytest.raises(RegistryUnavailable):
        asking(f"http://{address}", answer_within_s=0.1).of(70)


def test_one_whose_answer_drips_is_given_up(registry: Registry) -> None:
    registry.drips = True
    with answering(registry) as url, pytest.raises(RegistryUnavailable, match="an answer of more than"):
        asking(url, answer_within_s=0.2).of(70)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>a proxy</html>"),
        (200, b"[]"),
        (200, b'{"schema": 7}'),
        (200, b" " * (LONGEST_ANSWER + 1)),
        (200, b"[" * 100_000),
        (301, b""),
        (404, b"<html>no such page</html>"),
        (404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
        (429, b""),
        (500, b'{"error_code": 50001}'),
        (503, b""),
    ],
)
def test_what_does_not_answer_as_a_registry_does_is_away(registry: Registry, status: int, body: bytes) -> None:
    registry.instead = status, body
    with answering(registry) as url, pytest.raises(RegistryUnavailable):
        asking(url).of(70)


OTHER = {"type": "record", "name": "Trade", "fields": [{"name": "price", "type": "double"}]}
PAYLOAD_OF = {"type": "record", "name": "R", "fields": [{"name": "payload", "type": "string"}]}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"schema": "{}", "schemaType": "PROTOBUF"}, "schema 70 is PROTOBUF, and raw messages are JSON or Avro"),
        ({"schema": "no schema"}, "schema 70 can't be read: JSONDecodeError: "),
        ({"schema": '{"type": "record"}'}, "schema 70 can't be read: "),
        ({"schema": '"of.another.subject"', "references": []}, "schema 70 can't be read: UnknownType: "),
        ({"schema": "[" * 100_000}, "schema 70 can't be read: RecursionError: "),
        ({"schema": "7"}, "schema 70 can't be read: "),
        ({"schema": '"string"'}, "schema 70 is no raw message's: that is a record whose payload is a record or a map"),
        ({"schema": json.dumps(OTHER)}, "schema 70 is no raw message's"),
        ({"schema": json.dumps(PAYLOAD_OF)}, "schema 70 is no raw message's"),
    ],
)
def test_a_schema_that_is_no_raw_message_s_is_refused_with_the_reason(
    registry: Registry, answer: dict[str, Any], why: str
) -> None:
    registry.schemas[70] = answer
    with answering(registry) as url:
        decoder = MarketDecoder(RawAvro(asking(url)))
        for _ in range(2):
            decoded = decoder.decode(mixed((MISO, numbered(70))))
            assert told(decoded) == [(0, -1, "UNKNOWN_SCHEMA", "")]
            assert decoded.refusals.frame["message"].item().startswith(why)
    assert len(registry.asked) == 1


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "record", "name": "Lmp", "fields": [{"name": name, "type": "string"} for name in miso_lmp()]},
        ["null", {"type": "map", "values": "string"}],
    ],
)
def test_a_schema_of_a_producer_s_own_is_read(registry: Registry, payload: Any) -> None:
    around = [field for field in SCHEMA["fields"] if field["name"] != "payload"]
    fields = [*around, {"name": "added", "type": ["null", "string"], "default": None}]
    schema = {"type": "record", "name": "Own", "fields": [*fields, {"name": "payload", "type": payload}]}
    registry.register(73, schema, schemaType="AVRO")
    message = {**envelope({name: str(value) for name, value in miso_lmp().items()}), "added": "x"}
    with answering(registry) as url:
        decoded = MarketDecoder(RawAvro(asking(url))).decode(mixed((MISO, framed_by(schema, 73, message))))
    assert (told(decoded), len(decoded.prices)) == ([], 1)


def framed_by(schema: Any, number: int, message: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, message)
    return b"\x00" + number.to_bytes(4, "big") + body.getvalue()


def test_the_wrong_schema_for_an_id_is_noticed_by_what_it_leaves_unread(registry: Registry) -> None:
    registry.register(70, json.loads((SCHEMAS / "raw_wrapper.avsc").read_text()))
    with answering(registry) as url:
        decoded = MarketDecoder(RawAvro(asking(url))).decode(mixed((MISO, numbered(70))))
    assert [reason for _, _, reason, _ in told(decoded)] == ["BAD_SHAPE"]


def test_who_asks_says_who_it_is(registry: Registry) -> None:
    registry.login = "who:p@ss/word"
    with answering(registry) as url:
        assert asking(url.replace("//", "//who:p%40ss%2Fword@") + "/under/").of(70) == SCHEMA
        for wrong in ("//", "//who@", "//who:other@"):
            with pytest.raises(Denied, match="DATA_PROC_SCHEMA_REGISTRY_URL") as refused:
                asking(url.replace("//", wrong)).of(70)
            assert "other" not in str(refused.value)
    assert registry.asked[0] == "/under/schemas/ids/70"
    assert "word" not in repr(asking("http://who:word@h"))


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told(registry: Registry, status: int) -> None:
    registry.instead = status, b""
    with answering(registry) as url, pytest.raises(Denied, match=f"HTTP {status}"):
        asking(url).of(70)


def test_plain_is_refused_outside_local_and_test() -> None:
    with pytest.raises(Insecure, match="'production'"):
        SchemaRegistry.at("http://registry:8081", "production", SystemClock())
    for url, env in (("http://registry", "local"), ("https://registry", "production")):
        assert SchemaRegistry.at(url, env, SystemClock()).address.hostname == "registry"


@pytest.mark.parametrize("url", ["http://", "http://:8081", "http://h:port", "http://h:99999", "http://h:0"])
def test_an_address_nobody_understands(url: str) -> None:
    with pytest.raises(Fatal, match="no address of a registry"):
        asking(url)


def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    for file in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(Fatal, match="DATA_PROC_SCHEMA_REGISTRY_CA_PATH"):
            asking("https://h", ca_path=str(file))


def test_a_registry_behind_tls_is_believed_only_with_a_certificate_we_trust(registry: Registry, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    self_signed = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    command = [installed("openssl"), *self_signed.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with answering(registry, tls=tls) as url:
        assert asking(url, ca_path=str(certificate)).of(70) == SCHEMA
        with pytest.raises(RegistryUnavailable, match="certificate"):
            asking(url).of(70)


def until(true: Callable[[], bool], within_s: float = 20) -> None:
    end_s = monotonic() + within_s
    while not true():
        assert monotonic() < end_s
        Event().wait(0.02)


@contextmanager
def normalizing(url: str) -> Iterator[tuple[Container, Any]]:
    """The normalization of one process at work in a thread, over a log and tables in memory."""
    settings = Settings(
        env="test", schema_registry_url=url, schema_registry_timeout_s=0.5, linger_s=0, retry_wait_s=0.1
    )
    container, stopping = Container(settings=settings, service="normalization"), Event()
    loop = container.loop(stage=container.normalize(), group="g", stopping=stopping.is_set)
    loop.start()
    loop.step()

    def work() -> None:
        try:
            while not stopping.is_set():
                loop.step()
        except Stopped:
            return

    thread = Thread(target=work)
    thread.start()
    try:
        yield container, loop
    finally:
        stopping.set()
        thread.join()
        loop.close()


def test_the_service_waits_for_the_registry_says_so_and_goes_on(registry: Registry) -> None:
    port = free_port()
    with normalizing(f"http://127.0.0.1:{port}") as (container, loop):
        ready = _readiness("normalization", container, loop)
        table = container.tables().by_name["silver_ticks"]
        assert ready.ready(ready())
        container.log().append(raw_events(numbered(70)))
        until(lambda: not ready()["schema_registry"])
        assert not ready.ready(ready())
        assert len(table.final()) == len(container.tables().by_name["dead_letters"].final()) == 0
        with answering(registry, port):
            until(lambda: len(table.final()) == 1)
            until(lambda: ready.ready(ready()))
    assert ready()["schema_registry"]
    assert len(container.tables().by_name["dead_letters"].final()) == 0


def test_without_a_registry_nobody_waits_for_one() -> None:
    container = Container(settings=Settings(env="test"), service="normalization")
    loop = container.loop(stage=container.normalize(), group="g")
    assert "schema_registry" not in _readiness("normalization", container, loop)()


def test_plain_outside_local_and_test_ends_the_start() -> None:
    settings = Settings(env="production", schema_registry_url="http://registry:8081")
    with pytest.raises(Insecure):
        Container(settings=settings, service="normalization").normalize()


def test_a_refused_schema_is_told_by_its_reason() -> None:
    with pytest.raises(Unreadable) as refused:
        RawAvro(_Refusing()).to_json(LMP)
    assert (refused.value.reason, refused.value.message) == (Reason.UNKNOWN_SCHEMA, "it is none")


class _Refusing:
    """A source all of whose schemas are no raw message's."""

    def of(self, number: int) -> None:
        raise Unreadable(Reason.UNKNOWN_SCHEMA, "", "it is none")
