"""Write sample messages to a file: `python -m entrypoints.samples --count N --out FILE`."""

import gzip
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, cast

from cyclopts import App, Parameter

from entrypoints.samples.messages import line
from entrypoints.samples.stream import sample_messages

app = App(
    help="Write raw messages of the sample markets, as lines that all_in_one --input reads.",
    result_action="return_value",
)


@app.default
def write(
    out: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    count: int = 10_000,
    seed: int = 254,
    start: datetime | None = None,
) -> None:
    """
    Write the first COUNT messages of a sample run.

    Args:
        out: The file; gzip where its name ends in .gz; `-` is standard output.
        count: How many messages.
        seed: Names the run; the same seed and start write the same file.
        start: UTC instant the run begins at; three hours ago by default.
    """
    begin = start.replace(tzinfo=UTC) if start else datetime.now(UTC) - timedelta(hours=3)
    offsets: Counter[tuple[str, int]] = Counter()
    with _opened(out) as file:
        for sample in islice(sample_messages(seed, begin), count):
            place = sample.topic, sample.partition
            file.write(line(sample, offsets[place]))
            offsets[place] += 1


def _opened(out: Path) -> BinaryIO:
    if str(out) == "-":
        return sys.stdout.buffer
    return cast("BinaryIO", gzip.open(out, "wb") if out.suffix == ".gz" else out.open("wb"))


if __name__ == "__main__":
    app()
