"""Reference pages say what the declarations say."""

from enum import Enum
from pathlib import Path

import pytest

from domain.errors import Declared, Reason
from domain.silver.quality import Flag
from entrypoints.cli import reference
from entrypoints.cli.specs import ROOT, SCHEMAS


@pytest.mark.parametrize("name", reference.pages())
def test_a_page_is_current(name: str) -> None:
    written = (ROOT / reference.PAGES / name).read_text(encoding="utf-8")

    assert written == reference.pages()[name], "run `python -m entrypoints.cli.reference`"


@pytest.mark.parametrize("members", [Flag, Reason, Declared])
def test_every_member_says_what_it_means(members: type[Enum]) -> None:
    assert list(reference.member_docs(members)) == [member.name for member in members]


def test_pages_are_written_below_the_root(tmp_path: Path) -> None:
    (tmp_path / SCHEMAS).parent.mkdir(parents=True)
    (tmp_path / SCHEMAS).symlink_to(ROOT / SCHEMAS)

    reference.write_pages(tmp_path)

    assert sorted(path.name for path in (tmp_path / reference.PAGES).iterdir()) == sorted(reference.pages())


def test_a_bar_in_a_cell_is_escaped() -> None:
    page = reference.pages()["tables.md"]

    assert (
        "| revision | `UInt128` |  | logic_epoch:16 \\| sum of versions:104 \\| finality:8; the higher stays. |" in page
    )
