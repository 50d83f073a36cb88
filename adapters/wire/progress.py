"""What progress says of records that are run apart, as it is kept beside a committed offset; nothing where it says nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from application.ports.event_log import Doubt, Progress


def apart(progress: Progress) -> dict[str, list[int]]:
    """This will say what is in doubt and what was set aside; most progress has neither."""
    doubt = [*attrs.astuple(progress.doubt)] if progress.doubt else []
    said = {"doubt": doubt, "aside": [*progress.aside]}
    return {name: numbers for name, numbers in said.items() if numbers}


def with_apart(progress: Progress, said: Mapping[str, Any]) -> Progress:
    """
    Progress with what `apart` said of it.

    Raises:
        TypeError: It is not what `apart` says.
        ValueError: It is not what `apart` says.
    """
    aside = tuple(map(int, said.get("aside", ())))
    return attrs.evolve(progress, doubt=_doubt(said["doubt"]) if said.get("doubt") else None, aside=aside)


def _doubt(said: Iterable[Any]) -> Doubt:
    # Commits of earlier versions do not say how many survived.
    since, until, tries, *survived = map(int, said)
    return Doubt(since, until, tries, *survived)
