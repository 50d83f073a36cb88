"""The four servers come up as local processes, are remembered, and go without a trace."""

import signal
from pathlib import Path

import pytest

from entrypoints.services import __main__ as door
from entrypoints.services import local, redis
from entrypoints.services.process import Running, ServiceMissing, answers, stop
from tests.support.kafka import signalled, until
from tests.support.services import service

pytestmark = [pytest.mark.services, pytest.mark.slow]

SETTINGS = {
    "DATA_PROC_ENV",
    "DATA_PROC_KAFKA_BOOTSTRAP",
    "DATA_PROC_CLICKHOUSE_URL",
    "DATA_PROC_POSTGRES_DSN",
    "DATA_PROC_REDIS_URL",
}


def said(environment_file: Path) -> dict[str, str]:
    lines = environment_file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_all_four_come_up_stay_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in local.STARTERS:
        service(name)  # where one can't be started here, this is skipped by its name
    monkeypatch.chdir(tmp_path)
    file = Path(local.ENVIRONMENT_FILE)

    assert door.app(["status"]) == door.NOT_RUNNING
    assert door.main(["up"]) == door.DONE
    services = local.LocalServices.remembered(file)
    assert services is not None
    try:
        assert set(said(file)) == SETTINGS
        assert door.app(["status"]) == door.DONE
        assert "runs" in capsys.readouterr().out
        assert local.up(file) == services
        killed = services.running[-1]
        signalled(killed, signal.SIGKILL)
        until(lambda: not killed.alive)
        assert door.app(["status"]) == door.NOT_RUNNING
        with pytest.raises(ServiceMissing, match="Redis ended"):
            local.up(file)
    finally:
        assert door.app(["down"]) == door.DONE

    assert not any(server.alive for server in services.running)
    assert (file.exists(), services.data.exists()) == (False, False)
    assert door.app(["down"]) == door.DONE
    assert capsys.readouterr().out.splitlines()[-1] == "nothing was running"


def test_what_was_started_is_stopped_again_where_another_can_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service("redis")
    started = []

    def redis_too(data: Path) -> Running:
        started.append(redis.run(data))
        return started[0]

    def absent(_: Path) -> Running:
        raise ServiceMissing("postgres is not installed")

    monkeypatch.setattr(local, "STARTERS", {"redis": redis_too, "postgres": absent})

    with pytest.raises(ServiceMissing, match="postgres"):
        local.up(tmp_path / "env")

    assert [server.alive for server in started] == [False]
    assert not (tmp_path / "env").exists()


def test_a_stopped_server_answers_no_more(tmp_path: Path) -> None:
    service("redis")
    server = redis.run(tmp_path)
    port = int(server.settings["DATA_PROC_REDIS_URL"].split(":")[2].split("/")[0])

    assert answers(port, b"PING\r\n", b"+PONG")
    assert stop(server)
    assert not answers(port)
    assert not stop(server)
