"""The status a process ends with says who must do something: whoever set it up, or whoever keeps its accounts."""

from pathlib import Path

import pytest

from application.ports.errors import Denied, Insecure, NewerLogic
from entrypoints.exits import status_of
from entrypoints.settings import BadSettings
from tests.e2e.programs import done
from tests.support.clickhouse import gateway
from tests.support.kafka import nobody

SERVICE, MIGRATE = ("entrypoints.normalization",), ("entrypoints.cli", "migrate", "status")
LAG = ("entrypoints.cli", "lag")


def test_only_what_may_be_set_otherwise_is_told_apart() -> None:
    ends = [BadSettings(["x"]), Insecure("x"), Denied("x"), NewerLogic("x")]
    assert [status_of(end) for end in ends] == [2, 2, 78, 1]


@pytest.mark.parametrize("program", [SERVICE, MIGRATE])
def test_addresses_that_can_not_be_used_are_told_together(program: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"
    bad = {"DATA_PROC_CLICKHOUSE_URL": "http://h:notaport/x", "DATA_PROC_REDIS_URL": "http://h", "DATA_PROC_PORT": "x"}

    assert done(*program, log=log, settings=bad) == 2
    assert [line.split(":")[0].strip() for line in log.read_text().splitlines()[1:]] == sorted(bad)


@pytest.mark.parametrize("program", [SERVICE, LAG])
def test_plain_kafka_outside_a_local_environment_is_refused(program: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"

    assert done(*program, log=log, settings={"DATA_PROC_ENV": "production", "DATA_PROC_PORT": "0"}) == 2
    (line,) = log.read_text().splitlines()
    assert "DATA_PROC_KAFKA_SECURITY_PROTOCOL=SASL_SSL" in line


@pytest.mark.parametrize("program", [SERVICE, MIGRATE])
def test_who_is_not_let_in_ends_with_a_status_of_its_own(program: tuple[str, ...], tmp_path: Path) -> None:
    log, port = tmp_path / "log", gateway("native", ["me:right"])
    settings = {
        "DATA_PROC_CLICKHOUSE_URL": f"clickhouse://me:hunter2@127.0.0.1:{port}",
        "DATA_PROC_KAFKA_BOOTSTRAP": nobody(),
        "DATA_PROC_PORT": "0",
    }

    assert done(*program, log=log, settings=settings) == 78
    told = log.read_text()
    assert "check DATA_PROC_CLICKHOUSE_URL" in told
    assert "hunter2" not in told
    assert "Traceback" not in told
