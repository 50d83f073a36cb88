"""What compose.yaml starts is what the program needs, and nobody but this machine reaches it."""

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from application.pipeline import STAGES
from entrypoints.settings import Settings

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
STAGED = {stage.name: stage for stage in STAGES}


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def test_every_stage_is_a_service_behind_its_own_port() -> None:
    assert SERVICES.keys() >= STAGED.keys()
    for name, stage in STAGED.items():
        assert SERVICES[name]["command"] == [f"entrypoints.{name}"]
        assert environment(name)["DATA_PROC_PORT"] == str(stage.port)
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{stage.port}:{stage.port}"]


def test_ports_are_published_on_the_loopback_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []


@pytest.mark.parametrize("name", [*STAGED, "prepare"])
def test_its_variables_are_settings_of_the_program(name: str) -> None:
    given = environment(name)
    assert [variable for variable in given if not variable.startswith("DATA_PROC_")] == []
    Settings.from_environment(given)


@pytest.mark.parametrize("name", STAGED)
def test_a_service_starts_once_everything_is_prepared(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}


def test_preparing_waits_for_servers_that_are_healthy_and_is_tried_again() -> None:
    servers = SERVICES.keys() - STAGED.keys() - {"prepare"}
    assert SERVICES["prepare"]["depends_on"] == {name: {"condition": "service_healthy"} for name in servers}
    assert all("healthcheck" in SERVICES[name] for name in servers)
    assert SERVICES["prepare"]["restart"] == "on-failure"


def test_only_the_server_that_stays_counts_as_healthy() -> None:
    """Images initialise behind a server that answers on a socket, or that a database to create calls for."""
    assert "-h 127.0.0.1" in " ".join(SERVICES["postgres"]["healthcheck"]["test"])
    assert "CLICKHOUSE_DB" not in environment("clickhouse")


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
@pytest.mark.parametrize("name", STAGED)
def test_a_service_is_healthy_where_it_says_that_it_is_ready(name: str, status: int, healthy: bool) -> None:
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({}).encode())

        def log_message(self, *_: object) -> None:
            pass

    python, *command = SERVICES[name]["healthcheck"]["test"][1:]
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.handle_request).start()
        port = {"DATA_PROC_PORT": str(server.server_port)}
        ended = subprocess.run([sys.executable, *command], env=port, capture_output=True, check=False)

    assert (python, asked) == ("python", ["/health/ready"])
    assert (ended.returncode == 0) is healthy
