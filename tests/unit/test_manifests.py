"""What the services tell the platform: by the keys of its index, and as the map of stages says."""

import re
from pathlib import Path

import pytest
import yaml

from application.pipeline import STAGES
from entrypoints.cli.manifests import files, write_files
from entrypoints.manifests import as_yaml, manifest

ROOT = Path(__file__).parents[2]
REQUIRED = {"name", "repo", "domain", "version", "maturity", "dependencies"}
OPTIONAL = {
    "path", "runtime", "api_contracts", "events_in", "events_out", "quality", "security", "last_update",
}  # fmt: skip
NAME = re.compile(r"^[a-z][a-z0-9-]*[a-z0-9]$")
EVENT = re.compile(r"^[a-z0-9-]+(\.[a-z0-9-]+){2,}\.v[0-9]+$")
CONTRACT = re.compile(r"^[a-z][a-z0-9-]*@\d+\.\d+\.\d+$")
BY_SERVICE = {path.split("/")[1]: yaml.safe_load(text) for path, text in files().items()}


@pytest.mark.parametrize("service", [stage.name for stage in STAGES])
def test_a_manifest_keeps_to_the_index_of_the_platform(service: str) -> None:
    told = BY_SERVICE[service]
    assert REQUIRED <= told.keys() <= REQUIRED | OPTIONAL
    assert told["repo"].startswith("https://github.com/254carbon/254carbon-")
    assert (told["domain"], told["runtime"]) == ("data-processing", "python")
    assert told["maturity"] in {"experimental", "beta", "stable", "deprecated"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"])
    assert set(told["dependencies"]) == {"internal", "external"}
    assert set(told["dependencies"]["external"]) <= {"redis", "clickhouse", "postgresql", "kafka"}
    assert [name for name in (told["name"], *told["dependencies"]["internal"]) if not NAME.match(name)] == []
    assert [event for event in (*told["events_in"], *told["events_out"]) if not EVENT.match(event)] == []
    assert [contract for contract in told["api_contracts"] if not CONTRACT.match(contract)] == []
    assert (ROOT / told["path"]).is_file()


def test_a_service_depends_on_those_whose_events_it_reads() -> None:
    internal = {service: told["dependencies"]["internal"] for service, told in BY_SERVICE.items()}
    assert internal == {
        "normalization": [],
        "enrichment": ["data-processing-normalization"],
        "aggregation": ["data-processing-enrichment"],
        "projection": ["data-processing-enrichment"],
    }


def test_a_service_names_the_servers_it_uses() -> None:
    external = {service: told["dependencies"]["external"] for service, told in BY_SERVICE.items()}
    assert external == {
        "normalization": ["clickhouse", "kafka", "postgresql"],
        "enrichment": ["clickhouse", "kafka", "postgresql", "redis"],
        "aggregation": ["clickhouse", "kafka", "postgresql"],
        "projection": ["clickhouse", "kafka", "redis"],
    }


def test_events_are_spelled_without_underscores() -> None:
    assert BY_SERVICE["projection"]["events_out"] == [
        "served.market.latest-prices.v1",
        "processing.deadletter.projection.v1",
    ]


def test_bars_of_each_enabled_interval_are_told() -> None:
    (aggregation,) = [stage for stage in STAGES if stage.name == "aggregation"]
    told = manifest("aggregation", [aggregation], ["5m", "15m"], "1.0.0", [])
    assert told["events_out"][:2] == ["aggregated.market.bars.5m.v1", "aggregated.market.bars.15m.v1"]


def test_a_service_may_read_what_it_told_itself() -> None:
    asked = "processing.recompute.request.v1"
    assert asked in BY_SERVICE["aggregation"]["events_in"]
    assert asked in BY_SERVICE["aggregation"]["events_out"]


def test_one_process_of_all_stages_reads_raw_events_alone() -> None:
    told = manifest("all-in-one", STAGES, ["5m"], "1.0.0", [])
    assert [event for event in told["events_in"] if not event.startswith("ingestion.")] == []
    assert told["dependencies"] == {"internal": [], "external": []}
    assert (ROOT / told["path"]).is_file()
    assert yaml.safe_load(as_yaml(told)) == told


@pytest.mark.parametrize("path", files())
def test_the_files_in_the_repository_are_as_the_map_says(path: str) -> None:
    assert (ROOT / path).read_text() == files()[path], "run python -m entrypoints.cli.manifests"


def test_all_files_are_written(tmp_path: Path) -> None:
    write_files(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.yaml")} == set(files())
