"""Four processes on real servers give the tables of one, also when one of them is killed meanwhile."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from application.pipeline import STAGES
from tests.e2e.programs import done, killed_after, running, started
from tests.oracle.comparison import table_differences
from tests.oracle.raw import read
from tests.oracle.results import results
from tests.support.services import settings_of

FEEDS = ("miso_da", "miso_rt_5min", "miso_rt_hourly", "kraken_xbtusdt", "kraken_tenant_1", "caiso_hasp_202401a")
SERVERS = ("kafka", "clickhouse", "postgres", "redis")
DONE = 0


@pytest.fixture
def settings() -> dict[str, str]:
    addresses = {name: value for server in SERVERS for name, value in settings_of(server).items()}
    small = {"DATA_PROC_PORT": "0", "DATA_PROC_MAX_BATCH_SIZE": "500", "DATA_PROC_CONSUMER_GROUP": "e2e"}
    url = addresses["DATA_PROC_CLICKHOUSE_URL"].rsplit("/", 1)[0]
    return {**addresses, **small, "DATA_PROC_ENV": "test", "DATA_PROC_CLICKHOUSE_URL": f"{url}/e2e"}


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_services_end_as_one_process_does(shared_data: Path, settings: dict[str, str], tmp_path: Path) -> None:
    files = [shared_data / f"raw/main/{feed}.jsonl.gz" for feed in FEEDS]
    log, export = tmp_path / "log", tmp_path / "export"

    def dataproc(*arguments: str) -> None:
        assert done("entrypoints.cli", *arguments, log=log, settings=settings) == DONE, log.read_text()

    dataproc("migrate", "up")
    dataproc("topics", "create")
    dataproc("reference", "load", "--yes")
    with ExitStack() as stack:
        for stage in STAGES:
            service = f"entrypoints.{stage.name}"
            stack.enter_context(running(service, log=tmp_path / stage.name, settings=settings))
        unlucky = started("entrypoints.aggregation", log=tmp_path / "unlucky", settings=settings)
        dataproc("ingest", "replay", *map(str, files))
        killed_after(unlucky, 4)
        dataproc("lag", "--wait", "--timeout", "300")
    dataproc("verify")
    dataproc("export", "--out", str(export))

    assert table_differences(export, results(read(*files))) == []
