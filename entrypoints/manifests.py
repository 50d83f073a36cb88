"""
What each service is to the platform: its name, what it depends on, which events it reads and writes.

Everything but a few fixed words comes from the map of stages (application.pipeline). A service answers it at
`/manifest`; `python -m entrypoints.cli.manifests` writes one file a service. Source: contracts.md §7.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from application.pipeline import STAGES, StageMap

REPOSITORY = "https://github.com/254carbon/254carbon-data-processing"
DOMAIN = "data-processing"
MATURITY = "beta"
RUNTIME = "python"
CONTRACTS: Mapping[str, Sequence[str]] = {"projection": ("projections",)}
"""What each service answers over HTTP that others rely on."""

PRODUCTS: Mapping[str, str] = {"postgres": "postgresql"}
"""Servers that the platform calls otherwise than we do."""


def name_of(service: str) -> str:
    """The name by which the platform knows a service."""
    return f"{DOMAIN}-{service}"


def manifest(
    service: str, stages: Sequence[StageMap], intervals: Sequence[str], version: str, servers: Sequence[str]
) -> dict[str, Any]:
    """
    What a service is to the platform, in the order and under the names of its index.

    Args:
        service: Of a stage, or all-in-one.
        stages: Those it runs.
        intervals: Names of the enabled bar intervals.
        version: Of this program.
        servers: It uses, e.g. kafka.
    """
    names = [stage.name for stage in stages]
    told = [topic for stage in stages for topic in stage.produces(intervals)]
    read = [topic for stage in stages for topic in stage.consumes]
    within = told if len(stages) > 1 else []
    return {
        "name": name_of(service),
        "repo": REPOSITORY,
        "path": f"entrypoints/{service.replace('-', '_')}.py",
        "domain": DOMAIN,
        "version": version,
        "maturity": MATURITY,
        "runtime": RUNTIME,
        "dependencies": {
            "internal": [name_of(other.name) for other in STAGES if other.name not in names and _tells(other, read)],
            "external": sorted(PRODUCTS.get(server, server) for server in servers),
        },
        "api_contracts": [f"{contract}@{version}" for name in names for contract in CONTRACTS.get(name, ())],
        "events_in": [_event(topic) for topic in dict.fromkeys(read) if topic not in within],
        "events_out": [_event(topic) for topic in dict.fromkeys(told)],
    }


def as_yaml(told: Mapping[str, Any], indent: str = "") -> str:
    """A manifest as YAML, line by line; all its texts are plain words."""
    return "".join(line for name, value in told.items() for line in _lines(name, value, indent))


def _lines(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{indent}{name}:\n{as_yaml(value, indent + '  ')}"
    elif isinstance(value, str):
        yield f"{indent}{name}: {value}\n"
    elif value:
        yield f"{indent}{name}:\n"
        yield from (f"{indent}  - {one}\n" for one in value)
    else:
        yield f"{indent}{name}: []\n"


def _tells(stage: StageMap, read: Sequence[str]) -> bool:
    return not set(stage.produces(())).isdisjoint(read)


def _event(topic: str) -> str:
    """A topic as the index spells it: it knows no underscore."""
    return topic.replace("_", "-")
