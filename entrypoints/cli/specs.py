"""
The schemas that events are held to, pinned by their SHA-256 in specs.lock.json.

    python -m entrypoints.cli.specs check     say what differs from the lock; exit 1 if anything does
    python -m entrypoints.cli.specs lock      pin the schemas as they are

The schema repository is not public, so this one owns pinned copies. Source: contracts.md §7.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from application import topics

ROOT = Path(__file__).parents[2]
LOCK = "specs.lock.json"
SCHEMAS = "adapters/wire/schemas"
VERSION = "1.0.0"
SPECS_REPO = "254carbon-specs"
COMPATIBILITY = "BACKWARD"
INTERVALS = ("5m", "1h", "1d")
"""Intervals that are enabled by default; every other bar topic has the same schema."""

STAGES = ("normalization", "enrichment", "aggregation", "projection")
BARS_SCHEMA = "aggregated.market.bars.v1.avsc"
DEAD_LETTER_SCHEMA = "processing.deadletter.v1.avsc"


def schemas_by_topic() -> dict[str, str]:
    """The schema file of each topic we write."""
    plain = (topics.NORMALIZED, topics.ENRICHED, topics.LATEST, topics.RECOMPUTE)
    return {
        **{topic: f"{topic}.avsc" for topic in plain},
        **{topics.bars(interval): BARS_SCHEMA for interval in INTERVALS},
        **{topics.dead_letters(stage): DEAD_LETTER_SCHEMA for stage in STAGES},
    }


def pinned(root: Path = ROOT) -> dict[str, Any]:
    """What a lock of the schemas as they are holds, but for the time of locking."""
    raw = sorted((root / SCHEMAS).glob("raw_*.avsc"))
    return {
        "version": VERSION,
        "specs_repo": SPECS_REPO,
        "contracts": {
            "events": {
                topic: {"version": VERSION, "compatibility": COMPATIBILITY, **_pin(root, root / SCHEMAS / schema)}
                for topic, schema in sorted(schemas_by_topic().items())
            }
        },
        "dependencies": {path.stem: _pin(root, path) for path in raw},
    }


def _pin(root: Path, path: Path) -> dict[str, str]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"schema": path.relative_to(root).as_posix(), "sha256": digest}


def differences(root: Path = ROOT) -> list[str]:
    """What differs between the lock and the schemas, one sentence each; none where they agree."""
    locked = json.loads((root / LOCK).read_text(encoding="utf-8"))
    now, then = _entries(pinned(root)), _entries(locked)
    return [
        f"{name} is not what {LOCK} pins; review it, then run `python -m entrypoints.cli.specs lock`."
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]


def _entries(lock: dict[str, Any]) -> dict[str, Any]:
    return {**lock["contracts"]["events"], **lock["dependencies"]}


def lock(now: datetime, root: Path = ROOT) -> None:
    """This will pin the schemas as they are; a lock that agrees with them already keeps its time."""
    path = root / LOCK
    if path.exists() and not differences(root):
        return
    held = pinned(root)
    ordered = {"version": held.pop("version"), "locked_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), **held}
    path.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """This will run one command and return its exit status."""
    if arguments == ["lock"]:
        lock(datetime.now(UTC), root)
        return 0
    if arguments != ["check"]:
        sys.stderr.write("Say `check` or `lock`.\n")
        return 2
    found = differences(root)
    sys.stdout.writelines(f"{sentence}\n" for sentence in found or [f"{LOCK} agrees with every schema."])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
