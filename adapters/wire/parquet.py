"""A parquet file written portion by portion, each a group of rows, so that memory does not grow with the file."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
from pyarrow.parquet import ParquetWriter

COMPRESSION = "zstd"


def write_portions(path: Path, portions: Iterable[pl.DataFrame]) -> None:
    """
    This will write one file.

    Args:
        path: Where to.
        portions: Rows of one schema; at least one portion, which may be empty.

    Raises:
        OSError: The file can't be written.
    """
    tables = (portion.to_arrow() for portion in portions)
    first = next(tables)
    with ParquetWriter(path, first.schema, compression=COMPRESSION) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table.cast(first.schema))
