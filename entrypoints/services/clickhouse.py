"""ClickHouse: the server where its binary is installed, else the same engine in a process behind HTTP."""

import shutil
import sys
from pathlib import Path

from entrypoints.services.process import Running, ServiceMissing, answers, free_port, start, wait_until

ROOT = Path(__file__).parents[2]
GATEWAY = "tests.support.http_gateway"
DATABASE = "dataproc"
CONFIG = """\
<clickhouse>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{http}</http_port>
  <tcp_port>{native}</tcp_port>
  <path>{data}/data/</path>
  <tmp_path>{data}/tmp/</tmp_path>
  <user_files_path>{data}/files/</user_files_path>
  <mark_cache_size>268435456</mark_cache_size>
  <users><default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    <access_management>1</access_management></default></users>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
</clickhouse>
"""


def run(data: Path) -> Running:
    """This will start whichever of the two is there, and wait until it answers."""
    data.mkdir(parents=True, exist_ok=True)
    binary = shutil.which("clickhouse") or shutil.which("clickhouse-server")
    return _server(binary, data) if binary else _gateway(data)


def _server(binary: str, data: Path) -> Running:
    http, native = free_port(), free_port()
    config, log = data / "config.xml", data / "clickhouse.log"
    config.write_text(CONFIG.format(http=http, native=native, data=data), encoding="utf-8")
    command = [binary, *(["server"] if binary.endswith("clickhouse") else []), f"--config-file={config}"]
    pid = start(command, log, data)
    note = f"the server {binary}; native protocol on 127.0.0.1:{native}"
    server = Running("ClickHouse", pid, _settings(http), str(log), note)
    return wait_until(lambda: _pings(http), server)


def _gateway(data: Path) -> Running:
    if not (ROOT / (GATEWAY.replace(".", "/") + ".py")).exists():
        raise ServiceMissing(
            "neither a clickhouse binary nor the chDB gateway of tests/support is here; install ClickHouse"
        )
    port, log = free_port(), data / "gateway.log"
    pid = start([sys.executable, "-m", GATEWAY, str(data / "data"), str(port)], log, ROOT)
    note = (
        "no clickhouse binary is installed: this is chDB, the same engine, behind HTTP (no users, no native protocol)"
    )
    server = Running("ClickHouse", pid, _settings(port), str(log), note)
    return wait_until(lambda: _pings(port), server)


def _settings(port: int) -> dict[str, str]:
    return {"DATA_PROC_CLICKHOUSE_URL": f"http://127.0.0.1:{port}/{DATABASE}"}


def _pings(port: int) -> bool:
    return answers(port, b"GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n", b"HTTP/1.")
