"""
Avro schemas of our events, written from their declarations.

    python -m adapters.wire.event_schemas
"""

from collections.abc import Mapping
from pathlib import Path

from adapters.wire.event_avro import schema_text
from adapters.wire.event_forms import FORMS

SCHEMAS = Path(__file__).parent / "schemas"


def schema_files() -> Mapping[str, str]:
    """The text of each schema file, by its name."""
    return {form.schema_file: schema_text(form) for form in FORMS}


def write_schemas(folder: Path = SCHEMAS) -> None:
    """This will write every schema file of our events."""
    for name, text in schema_files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
