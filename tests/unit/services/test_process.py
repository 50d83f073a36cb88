"""A server as a local process: waited for, told apart from a stranger, and missed with a clear message."""

import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from entrypoints.services import clickhouse, installing, kafka, local, process
from entrypoints.services.process import Running, ServiceMissing, start, stop, wait_until

ENDS = [sys.executable, "-c", "print('no space left'); raise SystemExit(3)"]
LASTS = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def running(command: list[str], folder: Path) -> Running:
    log = folder / "log"
    return Running("Testing", start(command, log, folder), {}, str(log))


def test_a_server_that_ends_while_starting_is_told_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ServiceMissing, match=r"Testing ended while starting(.|\n)*no space left"):
        wait_until(lambda: False, running(ENDS, tmp_path))


def test_a_server_that_never_answers_is_stopped_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "READY_WITHIN_S", 0.2)
    server = running(LASTS, tmp_path)

    with pytest.raises(ServiceMissing, match="does not answer"):
        wait_until(lambda: False, server)
    assert not server.alive


def test_a_server_that_ignores_the_signal_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOPPED_WITHIN_S", 0.2)
    server = wait_until(lambda: "up" in (tmp_path / "log").read_text(), running(STUBBORN, tmp_path))

    assert stop(server)
    process._CHILDREN[server.pid].wait(10)
    assert not server.alive


def test_a_number_that_another_process_has_by_now_is_not_our_server(tmp_path: Path) -> None:
    server = running(LASTS, tmp_path)
    stranger = attrs.evolve(server, born="1")

    assert (server.alive, stranger.alive, stop(stranger), server.alive) == (True, False, False, True)
    stop(server)


def test_a_log_that_is_not_there_is_told_instead_of_its_lines() -> None:
    assert "No such file" in process.tail("/nonexistent/log")


def test_a_program_that_is_not_installed_is_told_with_the_command_that_adds_it() -> None:
    with pytest.raises(ServiceMissing, match="no-such-program is not installed; run make services-install"):
        process.needed("no-such-program")


def test_nothing_is_remembered_where_nothing_was_started(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("DATA_PROC_ENV=local\n")

    assert local.LocalServices.remembered(tmp_path / "env") is None
    assert local.LocalServices.remembered(tmp_path / "absent") is None


def test_a_broker_without_its_jars_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "needed", lambda program: program)

    with pytest.raises(ServiceMissing, match="make services-install"):
        kafka.run(tmp_path / "data", tmp_path / "cache")


def maven(folder: Path, *copied: str, ends: int = 0) -> str:
    """A program that copies these jars where it is told to."""
    program = folder / "mvn"
    jars = " ".join(f'"$to/{jar}"' for jar in copied)
    program.write_text(f'#!/bin/sh\nfor last; do to="${{last#-DoutputDirectory=}}"; done\ntouch {jars}\nexit {ends}\n')
    program.chmod(0o755)
    return str(program)


JARS = (f"kafka_2.13-{kafka.VERSION}.jar", "slf4j-simple-1.7.36.jar", "snappy.jar")


def test_jars_that_are_there_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = maven(tmp_path, *JARS)
    monkeypatch.setattr(kafka, "needed", lambda _: program)
    kafka.install(tmp_path)
    monkeypatch.setattr(kafka, "needed", lambda program: pytest.fail(f"{program} was asked for"))

    kafka.install(tmp_path)
    assert {jar.name for jar in kafka.jars(tmp_path).glob("*.jar")} == set(JARS)


def test_jars_of_a_copy_that_was_interrupted_are_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted, whole = maven(tmp_path, *JARS[:2], ends=1), kafka.jars(tmp_path)
    monkeypatch.setattr(kafka, "needed", lambda _: interrupted)
    with pytest.raises(ServiceMissing):
        kafka.install(tmp_path)
    assert not whole.exists()

    maven(tmp_path, *JARS)
    kafka.install(tmp_path)
    (whole / JARS[2]).unlink()
    kafka.install(tmp_path)

    assert (whole / JARS[2]).exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_jars_that_can_not_be_fetched_are_told_with_mavens_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "needed", lambda _: "false")

    with pytest.raises(ServiceMissing, match="could not fetch Kafka"):
        kafka.install(tmp_path)


def test_a_tool_of_kafka_that_fails_is_told_by_its_name() -> None:
    with pytest.raises(ServiceMissing, match="storage tool failed"):
        kafka._format(["false"], Path("server.properties"), ())


def test_clickhouse_without_binary_and_gateway_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServiceMissing, match="chDB gateway"):
        clickhouse.run(tmp_path)


def installed_as(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    monkeypatch.setattr("shutil.which", lambda program, **_: program if program in programs else None)


def test_only_what_is_missing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_as(monkeypatch, "postgres", "java", "mvn", "apt-get")
    monkeypatch.setattr(kafka, "install", lambda _: None)
    commands: list[list[str]] = []

    def noted(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        commands.append(command[command.index("-y") + 1 :])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", noted)

    installing.install()

    assert commands == [["update"], ["install", "--no-install-recommends", "redis-server"]]


def test_nothing_is_installed_where_everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_as(monkeypatch, *installing.PACKAGES)
    monkeypatch.setattr(kafka, "install", lambda _: None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was run"))

    installing.install()


def test_a_system_without_apt_is_told_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_as(monkeypatch, "java", "mvn")

    with pytest.raises(ServiceMissing, match="postgresql-15, redis-server"):
        installing.install()


def test_an_installation_that_fails_is_told_with_the_command_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_as(monkeypatch, "java", "mvn", "postgres", "apt-get")
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 100, "", "could not get lock")
    )

    with pytest.raises(ServiceMissing, match=r"apt-get install redis-server(.|\n)*could not get lock"):
        installing.install()


def test_jars_stay_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")

    assert installing.cache() == Path("/caches/dataproc")
