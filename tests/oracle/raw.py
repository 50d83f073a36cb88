"""Raw messages from files of JSON lines."""

import gzip
import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class RawMessage:
    """One message with its coordinates."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None
    id: str = ""

    @property
    def coordinates(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


def read(*paths: Path) -> Iterator[RawMessage]:
    """All messages of these files, file by file."""
    for path in paths:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from map(message, file)


def message(line: bytes) -> RawMessage:
    head = json.loads(line)
    return RawMessage(
        topic=head["topic"],
        partition=head["partition"],
        offset=head["offset"],
        timestamp_ms=head["timestamp_ms"],
        value=exact_value(line) if "value" in head else decoded(head["value_b64"]),
        id=head.get("id", ""),
    )


def exact_value(line: bytes) -> bytes:
    """The value as its own text, so that digits and repeated keys survive."""
    return line[line.index(b'"value":') + len(b'"value":') : line.rindex(b"}")].strip()


def decoded(value: str | None) -> bytes | None:
    return None if value is None else b64decode(value)
