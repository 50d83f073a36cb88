"""
Reference data as YAML files, read and checked at start.

`reference/` holds what the project ships; another folder with the same four files may stand in its place.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from application.ports.errors import Fatal

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")

SHIPPED = Path(__file__).parent / "reference"


class BadReference(Fatal):
    """A reference file says something that can't be used."""


def read(folder: Path, name: str) -> dict[str, Any]:
    """
    Read one file.

    Raises:
        BadReference: It is absent, no YAML, or no mapping.
    """
    path = folder / name
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadReference(f"{path} can't be read: {error}; restore it, or name another folder") from error
    if not isinstance(said, dict):
        raise BadReference(f"{path} is no mapping; begin it with its top-level names")
    return said


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
