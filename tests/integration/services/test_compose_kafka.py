"""The broker of compose.yaml is set up by the image's own program from the environment that the file gives it."""

import subprocess
from pathlib import Path

import pytest
import yaml

from entrypoints.services import kafka
from entrypoints.services.installing import cache
from tests.support.services import installed, service

pytestmark = pytest.mark.services

COMPOSE = Path(__file__).parents[3] / "compose.yaml"
WRAPPER = "kafka.docker.KafkaDockerWrapper"
CLUSTER = {"CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}
"""The image's own default."""
SHIPPED = ("server.properties", "log4j2.yaml", "tools-log4j2.yaml")


def test_the_image_formats_a_broker_from_its_environment(tmp_path: Path) -> None:
    service("kafka")  # where its jars can't be had, the test is skipped
    given = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["kafka"]["environment"]
    environment = {name: str(value) for name, value in given.items()} | {"KAFKA_LOG_DIRS": str(tmp_path / "data")}
    folders = {role: tmp_path / role for role in ("default", "mounted", "final")}
    for folder in folders.values():
        folder.mkdir()
    for name in SHIPPED:
        (folders["default"] / name).touch()

    options = [text for role, folder in folders.items() for text in (f"--{role}-configs-dir", str(folder))]
    command = [installed("java"), "-cp", f"{kafka.jars(cache())}/*", WRAPPER, "setup", *options]
    ended = subprocess.run(command, env=environment | CLUSTER, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr[-500:]
    assert (tmp_path / "data" / "meta.properties").is_file()
    assert "controller.quorum.voters=1@kafka:9093" in (folders["final"] / "server.properties").read_text("utf-8")
