"""Each import contract is kept by the code, and is seen red where it is broken on purpose."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "application", "adapters", "entrypoints")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

BREACHES = (
    ("inwards", "application/outcome.py", "import entrypoints.container"),
    ("inwards", "domain/errors.py", "import application.topics"),
    ("pure-domain", "domain/errors.py", "import random"),
    ("pure-domain", "domain/silver/tick.py", "import msgspec"),
    ("still-application", "application/outcome.py", "import time"),
    ("still-application", "application/topics.py", "import structlog"),
    ("refinement", "domain/bronze/raw_event.py", "import domain.silver.tick"),
    ("refinement", "domain/silver/tick.py", "import domain.gold.bar"),
    ("refinement", "domain/gold/bar.py", "import domain.served.latest_price"),
    ("refinement", "domain/identity.py", "import domain.bronze.raw_event"),
    ("stages", "application/stages/project.py", "import application.stages.aggregate"),
    ("ports-only", "adapters/memory/__init__.py", "import application.stages"),
    ("ports-only", "adapters/markets/__init__.py", "import application.outcome"),
    ("adapters-apart", "adapters/memory/__init__.py", "import adapters.telemetry"),
    ("adapters-apart", "adapters/wire/__init__.py", "import adapters.markets"),
    ("one-wiring", "entrypoints/__init__.py", "import adapters.memory"),
    ("one-wiring", "application/topics.py", "import dependency_injector"),
    ("ports-only", "adapters/files/__init__.py", "import application.consume"),
    ("ports-only", "adapters/wire/__init__.py", "import application.pipeline"),
    ("room-of-codecs", "adapters/files/__init__.py", "import pyarrow"),
    ("room-of-codecs", "entrypoints/settings.py", "import fastavro"),
    ("room-of-json", "adapters/memory/tables.py", "import msgspec"),
    ("room-of-reference", "adapters/memory/tables.py", "import yaml"),
    ("room-of-telemetry", "entrypoints/settings.py", "import structlog"),
    ("room-of-telemetry", "adapters/wire/__init__.py", "import prometheus_client"),
    ("room-of-http", "adapters/telemetry/meter.py", "import litestar"),
    ("room-of-kafka", "adapters/memory/event_log.py", "import confluent_kafka"),
    ("room-of-clickhouse", "entrypoints/services/clickhouse.py", "import clickhouse_connect"),
    ("room-of-sql", "adapters/redis/__init__.py", "import sqlalchemy"),
    ("room-of-redis", "entrypoints/services/redis.py", "import redis"),
    ("room-of-the-terminal", "adapters/telemetry/logs.py", "import cyclopts"),
)


def lint_imports(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache", *chosen], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def pristine_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def test_the_code_keeps_every_contract() -> None:
    answer = lint_imports(ROOT)

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES)
def test_a_breach_turns_its_contract_red(pristine_copy: Path, contract: str, file: str, line: str) -> None:
    broken = pristine_copy / file
    text = broken.read_text()
    broken.write_text(f"{text}\n{line}\n")
    try:
        answer = lint_imports(pristine_copy, contract)
    finally:
        broken.write_text(text)

    assert (answer.returncode, "1 broken" in answer.stdout) == (1, True), answer.stdout


def test_every_contract_has_been_seen_red() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {contract for contract, _, _ in BREACHES} == {contract["id"] for contract in declared}
