"""Rules of the house that no linter knows: what the core may name, and whose packages these are."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOUNDATIONS = {"identity.py", "time.py", "batch.py", "errors.py"}
BEYOND_REFINEMENT = {"reprocessing.py", "lineage.py", "__init__.py"}
FORBIDDEN_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "dt.datetime.now", "datetime.datetime.now",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.sleep",
    "os.environ", "os.getenv", "os.urandom", "uuid.uuid1", "uuid.uuid4", "random", "secrets",
}  # fmt: skip
FORBIDDEN_BUILTINS = {"open", "print", "input", "breakpoint", "eval", "exec"}
BANNED_NAMES = ("Manager", "Helper", "Util", "Processor", "Handler")


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def impurities(source: str) -> list[str]:
    """What this source names of clock, chance, environment and console, in order of appearance."""
    tree = ast.parse(source)
    used = [dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    called = [dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [*imported(tree), *used]
    return [name for name in named if name in FORBIDDEN_CALLS or name.split(".")[0] in {"random", "secrets"}] + [
        name for name in called if name in FORBIDDEN_BUILTINS
    ]


@pytest.mark.parametrize("path", sources("domain", "application"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_takes_time_chance_and_surroundings_as_arguments(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from datetime import datetime\ndatetime.now()", ["datetime.now"]),
        ("import time\ntime.time()", ["time.time"]),
        ("import random\nrandom.random()", ["random", "random.random"]),
        ("from random import choice", ["random.choice"]),
        ("from uuid import uuid4", ["uuid.uuid4"]),
        ("import os\nos.environ['X']", ["os.environ"]),
        ("open('x')", ["open"]),
        ("clock.now()", []),
    ],
)
def test_an_impurity_is_seen(source: str, found: list[str]) -> None:
    assert impurities(source) == found


@pytest.mark.parametrize("path", sources("domain"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_domain_imports_nothing_but_the_standard_library_attrs_and_polars(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"attrs", "polars", "domain"}

    assert {name.split(".")[0] for name in imported(ast.parse(path.read_text()))} - allowed == set()


def test_the_foundations_of_the_domain_are_a_closed_list() -> None:
    assert {path.name for path in (ROOT / "domain").glob("*.py")} - FOUNDATIONS - BEYOND_REFINEMENT == set()


@pytest.mark.parametrize(
    "path",
    sources("domain", "application", "adapters", "entrypoints"),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_names_say_what_a_thing_is(path: Path) -> None:
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]

    assert [name for name in classes if any(name.endswith(banned) for banned in BANNED_NAMES)] == []


@pytest.mark.parametrize("package", ["domain", "application", "adapters", "entrypoints"])
def test_the_package_imported_is_ours_and_not_a_distribution_of_that_name(package: str) -> None:
    found = importlib.util.find_spec(package)

    assert found is not None
    assert found.origin == str(ROOT / package / "__init__.py")
