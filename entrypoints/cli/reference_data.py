"""
Load reference data: `dataproc reference load FILE…`.

Shows what would change, asks, and changes it. The same files again change nothing.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from application.commands.load_reference import LoadReference
from application.ports.reference_store import BadReference, Change, Reference
from domain.errors import DataprocError
from entrypoints.exits import BAD_USAGE, DONE, status_of

DECLINED = 1
SHOWN = 20
"""Changes of one part that are told one by one."""

_NAMES = {
    "regions": "regions",
    "markets": "markets",
    "entries": "instruments",
    "patterns": "patterns of instruments",
    "instrument_aliases": "aliases of instruments",
    "location_aliases": "aliases of locations",
    "limits": "price limits",
    "feeds": "feeds",
}


def load(
    files: Sequence[Path],
    *,
    read: Callable[[Sequence[Path]], Reference],
    command: LoadReference,
    yes: bool = False,
    prune: bool = False,
    ask: Callable[[str], str] = input,
) -> int:
    """
    Bring the reference database up to date with files.

    Args:
        files: instruments, regions, aliases, price_limits and feeds, as .yaml or, but for feeds, .csv.
        read: Reads them.
        command: Loads what they say.
        yes: Change without asking.
        prune: Also take away what is held in the same parts and not named in the files.
        ask: Puts a question to the person at the terminal.

    Returns:
        0 done or nothing to do, 1 declined or failed, 2 the files can't be used.
    """
    try:
        plan = command.plan(read(files), prune=prune)
        print(*described(plan.changes), sep="\n")
        if not plan.changes:
            return DONE
        if not yes and not _agreed(ask):
            print("nothing was changed")
            return DECLINED
        command.apply(plan)
    except BadReference as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    except DataprocError as error:
        print(f"failed: {error}", file=sys.stderr)
        return status_of(error)
    print(f"{len(plan.changes)} changes loaded")
    return DONE


def described(changes: Iterable[Change]) -> Iterator[str]:
    """What would change, for a person: + new, ~ other than before, - gone."""
    empty = True
    for part, own in groupby(changes, key=attrgetter("part")):
        empty, some = False, list(own)
        yield f"{_NAMES[part]}: {len(some)} {'change' if len(some) == 1 else 'changes'}"
        yield from (f"  {_sign(change)} {_name(change.key)}" for change in some[:SHOWN])
        if len(some) > SHOWN:
            yield f"  … and {len(some) - SHOWN} more"
    if empty:
        yield "nothing would change"


def _sign(change: Change) -> str:
    if change.before is None:
        return "+"
    return "-" if change.after is None else "~"


def _name(key: object) -> str:
    """A unit's key; parts that say `any` or `every` are left out."""
    if not isinstance(key, tuple):
        return str(key)
    return " ".join(str(part) for part in key if part not in {"*", ""}) or "everything"


def _agreed(ask: Callable[[str], str]) -> bool:
    try:
        return ask("load these changes? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
