"""Tables as parquet files, and a summary, in a folder that is written aside and put in place whole."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import polars as pl

from adapters.wire.parquet import write_portions
from adapters.wire.table_rows import to_stored

OUTCOMES = "outcomes.parquet"
SUMMARY = "summary.json"


@attrs.frozen
class Part:
    """One table of an export."""

    name: str
    fact: type
    """The fact its rows declare."""
    portions: Iterable[pl.DataFrame]
    """Its final rows; at least one portion, which may be empty."""


def write_folder(
    folder: Path, tables: Iterable[Part], outcomes: Iterable[pl.DataFrame], summary: Callable[[], Any] | None
) -> None:
    """
    This will write NAME.parquet for each table, outcomes.parquet and summary.json into a folder.

    Everything is written into a folder beside it first and renamed, so a reader finds all of an export or none of it.
    An earlier export in its place is replaced; anything else that is there is not. A portion is asked for once the one
    before is written, and a table once the one before is done.

    Args:
        folder: Where to; its parents are made.
        tables: What there is.
        outcomes: One row a raw message, in portions, at least one.
        summary: Makes what is written as summary.json once all else is written; None where nobody counted.

    Raises:
        OSError: The folder can't be written; what stood there before still stands.
        FileExistsError: It holds something else than an earlier export.
    """
    folder = folder.absolute()
    refuse_to_replace(folder)
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for part in tables:
        stored = (to_stored(rows, part.fact) for rows in part.portions)
        write_portions(aside / f"{part.name}.parquet", stored)
    write_portions(aside / OUTCOMES, outcomes)
    if summary is not None:
        (aside / SUMMARY).write_text(json.dumps(summary(), indent=2) + "\n", encoding="utf-8")
    _put_in_place(aside, folder)


def refuse_to_replace(folder: Path) -> None:
    """
    Make sure that an export may take this place.

    Raises:
        FileExistsError: Something else than an earlier export is there, which would be deleted.
    """
    if folder.exists() and not (folder.is_dir() and _is_export(folder)):
        raise FileExistsError(f"{folder} holds something else than an earlier export; give a new or an empty folder")


def _is_export(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    ours = all(name == SUMMARY or name.endswith(".parquet") for name in names)
    return not names or (ours and OUTCOMES in names)


def _put_in_place(aside: Path, folder: Path) -> None:
    before = folder.with_name(f".{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    try:
        aside.rename(folder)
    except OSError:
        if before.exists():
            before.rename(folder)
        raise
    shutil.rmtree(before, ignore_errors=True)
