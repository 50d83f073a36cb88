"""
The reference pages, written from the declarations they describe.

    python -m entrypoints.cli.reference

Tables come from the facts' columns, events from their Avro schemas, flags and reasons from their enumerations,
settings from theirs.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from domain.bronze.dead_letter import DeadLetter, MessageOutcome
from domain.bronze.ledger import LedgerRow
from domain.errors import Declared, Reason
from domain.gold.bar import Bar, BarRevision
from domain.gold.taxonomy import EnrichedTick
from domain.gold.watermark import Seal
from domain.served.latest_price import LatestPrice
from domain.silver.quality import BAR_FLAGS, RECORD_FLAGS, Flag
from domain.silver.tick import Tick
from entrypoints.cli.specs import ROOT, SCHEMAS, schemas_by_topic
from entrypoints.settings import Settings, variable

PAGES = "docs/reference"
GENERATED = "Written by `python -m entrypoints.cli.reference`; change the declarations, not this page."

TABLES: Mapping[str, type] = {
    "silver_ticks": Tick,
    "enriched_ticks": EnrichedTick,
    "bars_5m, bars_1h, bars_1d": Bar,
    "bar_revisions": BarRevision,
    "bar_seals": Seal,
    "served_latest": LatestPrice,
    "dead_letters": DeadLetter,
    "outcomes": MessageOutcome,
    "ledger": LedgerRow,
}


def pages(root: Path = ROOT) -> dict[str, str]:
    """The text of each reference page, by its file name."""
    return {
        "tables.md": _page("Tables", _tables()),
        "events.md": _page("Events", _events(root)),
        "flags.md": _page("Quality flags", _flags()),
        "reasons.md": _page("Why records end as dead letters, or are filtered", _reasons()),
        "settings.md": _page("Settings", _settings()),
    }


def write_pages(root: Path = ROOT) -> None:
    """This will write every reference page."""
    folder = root / PAGES
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(root).items():
        (folder / name).write_text(text, encoding="utf-8")


def member_docs(members: type[Enum]) -> dict[str, str]:
    """The text that stands under each member of an enumeration, by the member's name."""
    body = ast.parse(textwrap.dedent(inspect.getsource(members))).body[0]
    docs = {}
    for statement, following in pairwise(ast.iter_child_nodes(body)):
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            docs[ast.unparse(statement.targets[0])] = str(ast.literal_eval(following.value))
    return docs


def _page(title: str, sections: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", GENERATED, *sections]) + "\n"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _tables() -> Iterator[str]:
    yield (
        "The types are those of columns inside; where a column leaves in another form, its meaning says so.\n"
        "Enriched ticks leave with `row_version` besides: version · 2^64 + metadata_version, 39 digits."
    )
    for name, fact in TABLES.items():
        yield f"## {name}"
        yield (inspect.getdoc(fact) or "").splitlines()[0]
        yield _grid(("column", "type", "null", "meaning"), (_column(field) for field in _stored(fact)))


def _stored(fact: type) -> list[Any]:
    return [field for field in attrs.fields(fact) if field.metadata["stored"]]


def _column(field: Any) -> tuple[str, str, str, str]:
    told = field.metadata
    return field.name, f"`{told['dtype']}`", "yes" if told["null"] else "", told["doc"]


def _events(root: Path) -> Iterator[str]:
    yield (
        "Every event has the same shape as JSON and as Avro, but for what the meaning says in brackets.\n"
        "A field that may be null is written as null."
    )
    topics: dict[str, list[str]] = {}
    for topic, schema in sorted(schemas_by_topic().items()):
        topics.setdefault(schema, []).append(f"`{topic}`")
    for schema, names in topics.items():
        declared = json.loads((root / SCHEMAS / schema).read_text(encoding="utf-8"))
        yield f"## {declared['name']}"
        yield f"Topics: {', '.join(names)}."
        yield _grid(("field", "Avro type", "meaning"), _fields(declared, ""))


def _fields(record: Mapping[str, Any], above: str) -> Iterator[tuple[str, str, str]]:
    for field in record["fields"]:
        path, kind = f"{above}{field['name']}", field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            yield from _fields(kind, f"{path}.")
        else:
            yield f"`{path}`", _avro_type(kind), field["doc"]


def _avro_type(kind: Any) -> str:
    if isinstance(kind, list):
        return " or ".join(_avro_type(one) for one in kind)
    if isinstance(kind, dict):
        return f"array of {kind['items']}" if kind["type"] == "array" else f"{kind['type']} ({kind['logicalType']})"
    return str(kind)


def _flags() -> Iterator[str]:
    yield (
        "A flag tells what is odd about a tick that is kept.\n"
        "Record flags follow from the raw record and its feed's policy alone; the others are set at enrichment."
    )
    docs = member_docs(Flag)
    yield _grid(
        ("flag", "bit", "record flag", "in bars", "meaning"),
        (
            (flag.name or "", str(flag.bit_length() - 1), _yes(flag in RECORD_FLAGS), _yes(flag in BAR_FLAGS), told)
            for flag, told in ((flag, docs[flag.name or ""]) for flag in Flag)
        ),
    )


def _yes(holds: bool) -> str:
    return "yes" if holds else ""


def _reasons() -> Iterator[str]:
    yield "## Dead letters"
    yield _grid(("reason", "meaning"), member_docs(Reason).items())
    yield "## Filtered on purpose"
    yield _grid(("reason", "meaning"), member_docs(Declared).items())


def _settings() -> Iterator[str]:
    yield (
        "Every setting is a variable of the environment.\n"
        "All problems are told at once, at start, and the process then exits with 2; secrets are never shown.\n"
        "So it does where a connection would be open to others; where a server does not let it in, it exits with 78, and "
        "where it can't go on for another reason, with 1."
    )
    yield _grid(("variable", "default", "secret", "meaning"), (_setting(field) for field in attrs.fields(Settings)))


def _setting(field: Any) -> tuple[str, str, str, str]:
    told = field.metadata
    return f"`{variable(field)}`", _default(getattr(Settings(), field.name)), _yes(told["secret"]), told["doc"]


def _default(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(str(one) for one in value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    write_pages()
