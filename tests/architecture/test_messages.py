"""What a message tells a person to read or to run is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from entrypoints.cli.__main__ import dataproc

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"\b(?:docs|migrations|manifests|adapters|entrypoints)/[\w./-]*\.\w+")
COMMAND = re.compile(r"\bdataproc ([a-z]+)(?: ([a-z]+))?")
TARGET = re.compile(r"\bmake ([a-z]+(?:-[a-z]+)+)")
HOW_TO = re.compile(r"how-to", re.IGNORECASE)


def texts(source: str) -> Iterator[str]:
    """Every text in a source but its docstrings; of those with values in them, the parts around."""
    tree = ast.parse(source)
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


SAID = [
    (path.relative_to(ROOT).as_posix(), text)
    for package in ("domain", "application", "adapters", "entrypoints")
    for path in sorted((ROOT / package).rglob("*.py"))
    for text in texts(path.read_text(encoding="utf-8"))
]


def named(pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    """What messages name, each once."""
    return sorted({found.groups(default="") or (found[0],) for _, text in SAID for found in pattern.finditer(text)})


@pytest.mark.parametrize("path", [path for (path,) in named(PATH)])
def test_a_file_that_a_message_names_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_whoever_speaks_of_a_how_to_says_which() -> None:
    vague = [(where, text) for where, text in SAID if HOW_TO.search(text) and not PATH.search(text)]
    assert vague == []


@pytest.fixture(scope="module")
def program() -> App:
    return dataproc()


@pytest.mark.parametrize(("command", "further"), named(COMMAND))
def test_a_command_that_a_message_names_is_there(program: App, command: str, further: str) -> None:
    assert command in program
    own = [name for name in program[command] if not name.startswith("-")]
    assert not own or not further or further in own


@pytest.mark.parametrize("target", [target for (target,) in named(TARGET)])
def test_a_target_that_a_message_names_is_there(target: str) -> None:
    assert f"\n{target}: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_what_is_named_is_found() -> None:
    assert ("docs/how-to/lost-offset.md",) in named(PATH)
    assert ("migrate", "up") in named(COMMAND)
    assert ("services-install",) in named(TARGET)
    assert list(texts('"""Read docs/x.md."""\nsay(f"see docs/{name}.md or docs/y.md")')) == [
        "see docs/",
        ".md or docs/y.md",
    ]
