"""
Reference data as YAML files, read and checked at start; for loading also as CSV.

`reference/` holds what the project ships; another folder with the same files may stand in its place. In CSV a row is
what an entry is in YAML, a column one of its names; several texts in a cell are parted by semicolons.
"""

import csv
import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from application.ports.reference_store import BadReference

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

SHIPPED = Path(__file__).parent / "reference"
LISTS = frozenset({"kinds", "locations", "instruments", "patterns", "tags"})
INSTANTS = frozenset({"since", "until"})


def read(folder: Path, name: str) -> dict[str, Any]:
    """
    Read one file.

    Raises:
        BadReference: It is absent, no YAML, or no mapping.
    """
    return read_yaml(folder / name)


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Read one file.

    Raises:
        BadReference: It is absent, no YAML, or no mapping.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadReference(f"{path} can't be read: {error}; restore it, or name another folder") from error
    if not isinstance(said, dict):
        raise BadReference(f"{path} is no mapping; begin it with its top-level names")
    return said


def read_csv(path: Path) -> list[dict[str, Any]]:
    """
    Read one file as entries, blank cells left out.

    Raises:
        BadReference: It is absent, no UTF-8, or a row has more cells than the heading.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadReference(f"{path} can't be read: {error}") from error
    return [_entry_of(f"{path.name}, row {number}", row) for number, row in enumerate(rows, 1)]


def _entry_of(where: str, row: Mapping[str | None, Any]) -> dict[str, Any]:
    if None in row:
        raise BadReference(f"{where}: has more cells than the heading; quote cells that hold commas")
    filled = {str(name).strip(): cell.strip() for name, cell in row.items() if cell and cell.strip()}
    return {name: _cell(where, name, cell) for name, cell in filled.items()}


def _cell(where: str, name: str, cell: str) -> Any:
    if name in LISTS:
        return [text.strip() for text in cell.split(";") if text.strip()]
    if name in INSTANTS:
        try:
            return datetime.fromisoformat(cell)
        except ValueError as error:
            raise BadReference(f"{where}: {name} must be a date or a time, is {cell!r}") from error
    return cell


def known_names(where: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """
    Refuse names nobody reads, which are misspelt ones.

    Raises:
        BadReference: There is such a name.
    """
    strange = sorted(given.keys() - set(known))
    if strange:
        raise BadReference(f"{where}: nobody reads {', '.join(strange)}; known are {', '.join(sorted(known))}")


def texts(where: str, given: Mapping[str, Any], name: str) -> list[str]:
    """
    The texts under a name; none where it is absent.

    Raises:
        BadReference: They are no list of texts. YAML reads NO and 4000 as other things: quote them.
    """
    found = given.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise BadReference(
            f"{where}: {name} must be a list of texts, is {found!r}; quote what YAML reads as something else"
        )
    return found


def instant(where: str, given: Mapping[str, Any], name: str) -> datetime | None:
    """
    The instant under a name, a date meaning its midnight UTC; None where it is absent.

    Raises:
        BadReference: It is neither a date nor a time.
    """
    found = given.get(name)
    if isinstance(found, datetime):
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    if isinstance(found, date):
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    if found is not None:
        raise BadReference(f"{where}: {name} must be a date or a time, is {found!r}")
    return None


def exact(where: str, given: Mapping[str, Any], name: str) -> Decimal | None:
    """
    The exact number under a name; None where it is absent.

    Raises:
        BadReference: It is no number, or a binary fraction: quote numbers that have a point.
    """
    found = given.get(name)
    if found is None or type(found) is int:
        return None if found is None else Decimal(found)
    if not isinstance(found, str) or not _DECIMAL.fullmatch(found):
        raise BadReference(f"{where}: {name} must be a whole number or a quoted decimal, is {found!r}")
    return Decimal(found)
