"""The page of faults: every row says which tests prove it, and they are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "faults.md"
ROWS = range(1, 80)
OPEN = {28, 58, 72, 73, 74, 75}
VOID = {33}

TEST = re.compile(r"`([a-z0-9_/]+\.py)::((?:[A-Za-z0-9]+::)?test_[a-z0-9_]+)`")


def rows() -> dict[int, list[str]]:
    """The cells of each row, by its number."""
    lines = [line.strip("|").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return {int(cells[0]): [cell.strip() for cell in cells[1:]] for cells in lines if cells[0].strip().isdigit()}


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the tests of a file, those of classes after their class."""
    module = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    return frozenset(
        [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
        + [f"{one.name}::{node.name}" for one in classes for node in one.body if isinstance(node, ast.FunctionDef)]
    )


def test_every_fault_has_its_row() -> None:
    assert list(rows()) == list(ROWS)
    assert {number for number, cells in rows().items() if cells[-1].startswith("open: ")} == OPEN
    assert {number for number, cells in rows().items() if cells[-1].startswith("void: ")} == VOID


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_of_a_row_are_there(number: int) -> None:
    fault, happens, proof = rows()[number]
    named = TEST.findall(proof)
    assert fault
    assert happens or number in VOID
    assert named or number in OPEN | VOID
    assert len(named) == proof.count("::test_")
    assert [name for path, name in named if name not in names_in(path)] == []


def test_no_table_is_filled_by_another() -> None:
    migrations = sorted((ROOT / "migrations" / "clickhouse").glob("*.sql"))
    assert migrations
    assert [path.name for path in migrations if "MATERIALIZED" in path.read_text(encoding="utf-8").upper()] == []
