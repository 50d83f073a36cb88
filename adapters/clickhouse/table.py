"""
What every table in ClickHouse does: store by key and version, and read what counts.

Tables are ReplacingMergeTree: of two rows with one key the higher version stays, in whatever order they arrive, once
parts are merged; readers say FINAL and see the same before that. All copies of a key share a partition, so FINAL may
work partition by partition. Conditions on columns outside the key must see rows after replacing, never before (no
PREWHERE): the engine's default, stated here once more.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Generic, TypeVar

import attrs
import polars as pl
import polars.selectors as cs

from adapters.clickhouse.client import ClickHouse, Parameters, Value, quoted
from adapters.clickhouse.errors import RowRefused
from adapters.clickhouse.forms import FORMS, Columns
from application.ports.errors import RowsRefused
from domain.batch import Batch
from domain.identity import SERIES

B = TypeVar("B", bound=Batch[Any])

BLOCK_ROWS = 250_000
"""Rows of one insert: about 100 MB on the way."""

PORTION_ROWS = 250_000
"""Rows of one answer of an export, likewise."""

BLOCK_PARTITIONS = 100
"""The engine refuses an insert that meets more partitions."""

READING = (
    "SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 0,"
    " output_format_json_escape_forward_slashes = 0"
)
"""Ends every query."""

SERIES_SEPARATOR = "|"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class Layout:
    """Where a table's rows lie."""

    name: str
    key: Sequence[str]
    """Its order key."""
    instant: str = ""
    """The column its partitions are made of; empty where it has none."""
    period: str = ""
    """How long a partition is, as polars truncates: 1d or 1mo."""


@attrs.frozen
class ClickHouseTable(Generic[B]):
    """One table: rows by key, of which the highest version counts."""

    client: ClickHouse
    layout: Layout
    batch: type[B]
    fill: dict[str, str] = attrs.field(factory=dict)
    """Values of columns that are not stored, for batches read back."""

    @property
    def columns(self) -> Columns:
        """The stored columns."""
        return Columns(self.batch.fact)

    @property
    def source(self) -> str:
        """The table's whole name, as SQL writes it."""
        return f"{quoted(self.client.database)}.{quoted(self.layout.name)}"

    def upsert(self, rows: B) -> None:
        """
        Keep each row unless a higher version of its key is there.

        Raises:
            StoreUnavailable: Nothing is promised about the batch; write it again.
            RowsRefused: Some rows can never be stored; all others are.
        """
        sent = self._sent(rows)
        refused = [one for block in blocks(sent, self.layout) for one in self._stored_but(block)]
        if refused:
            raise RowsRefused(
                self.layout.name, pl.concat([row for row, _ in refused]), [reason for _, reason in refused]
            )

    def _sent(self, rows: B) -> pl.DataFrame:
        """Rows as an insert takes them."""
        return self.columns.sent(rows.frame)

    def final(self) -> pl.DataFrame:
        """All rows at their highest version, in the order of their keys, with the columns the table stores."""
        order = ", ".join(quoted(name) for name in self.layout.key)
        sql = f"{self._selecting(f'ORDER BY {order}')} {READING}"
        return self.columns.received(self.client.rows(sql, self.columns.answered))

    def final_portions(self, most: int = PORTION_ROWS) -> Iterator[pl.DataFrame]:
        """
        The same in portions of about so many rows, at least one, each as it stands when it is asked for.

        They divide the order key, so that each key comes once whatever is written meanwhile. Rows that share all of the
        key that bounds can name stay together.
        """
        key = [name for name in self.layout.key if name in self._bounding]
        bounds = self._bounds(key, most)
        for low, high in pairwise([None, *bounds, None]):
            yield self._between(key, low, high)

    @property
    def _bounding(self) -> Mapping[str, str]:
        """Columns of the key a bound can name, with how SQL writes one of their values, given its parameter."""
        types = self.columns.answered
        return {name: _bound_as(types[name]) for name in self.layout.key if name not in FORMS}

    def _bounds(self, key: Sequence[str], most: int) -> list[tuple[Value, ...]]:
        """The key of every so manieth row, of rows that are not replaced yet."""
        names = ", ".join(quoted(name) for name in key)
        sql = f"""
            SELECT DISTINCT {names} FROM (SELECT {names}, row_number() OVER (ORDER BY {names}) AS row FROM {self.source})
            WHERE row % {{most:UInt64}} = 0 ORDER BY {names}
        """  # noqa: S608 (names of ours)
        answer = self.client.rows(sql, {name: self.columns.answered[name] for name in key}, {"most": most})
        return answer.with_columns(cs.datetime().to_physical()).rows()

    def _between(
        self, key: Sequence[str], low: tuple[Value, ...] | None, high: tuple[Value, ...] | None
    ) -> pl.DataFrame:
        """The final rows behind one key, up to and with another; without bounds, from the first and to the last."""
        conditions: list[str] = []
        parameters: dict[str, Value] = {}
        for side, bound in (("low", low), ("high", high)):
            if bound is not None:
                conditions.append(self._beyond(key, side) if side == "low" else f"NOT {self._beyond(key, side)}")
                parameters |= {f"{side}_{name}": value for name, value in zip(key, bound, strict=True)}
        order = ", ".join(quoted(name) for name in self.layout.key)
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        sql = f"{self._selecting(f'{where}ORDER BY {order}')} {READING}"
        return self.columns.received(self.client.rows(sql, self.columns.answered, parameters))

    def _beyond(self, key: Sequence[str], side: str) -> str:
        """That a row comes behind a bound, written out, for the engine's index does not read comparisons of tuples."""
        bounds = {name: self._bounding[name].format(f"{side}_{name}") for name in key}
        steps = []
        for at, name in enumerate(key):
            same = [f"{quoted(other)} = {bounds[other]}" for other in key[:at]]
            steps.append(f"({' AND '.join([*same, f'{quoted(name)} > {bounds[name]}'])})")
        return f"({' OR '.join(steps)})"

    def found(self, condition: str, parameters: Parameters | None = None, keys: pl.DataFrame | None = None) -> B:
        """The rows at their highest version that meet a condition: SQL from WHERE or ORDER BY on."""
        return self.asked(self._selecting(condition), parameters, keys)

    def asked(self, sql: str, parameters: Parameters | None = None, keys: pl.DataFrame | None = None) -> B:
        """The rows a query answers that selects `columns`."""
        answer = self.client.rows(f"{sql} {READING}", self.columns.answered, parameters, keys)
        return self.batch(self._with_unstored(self.columns.received(answer)))

    def _selecting(self, condition: str) -> str:
        return f"SELECT {self.columns.selected()} FROM {self.source} FINAL {condition}"  # noqa: S608 (names of ours)

    def _stored_but(self, block: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, str]]:
        """Store a block but for the rows that can't be, found by halving: log2(n) inserts a bad row."""
        try:
            self.client.insert(self.layout.name, block)
        except RowRefused as error:
            if block.height == 1:
                yield block, str(error)
                return
            middle = block.height // 2
            yield from self._stored_but(block[:middle])
            yield from self._stored_but(block[middle:])

    def _with_unstored(self, rows: pl.DataFrame) -> pl.DataFrame:
        missing = [name for name in self.batch.schema if name not in rows.columns and name != "series"]
        filled = rows.with_columns(pl.lit(self.fill.get(name, "")).alias(name) for name in missing)
        if "series" not in self.batch.schema:
            return filled
        series = pl.concat_str("tenant_id", "instrument_id", separator=SERIES_SEPARATOR).cast(SERIES)
        return filled.with_columns(series.alias("series"))


def _bound_as(dtype: Any) -> str:
    if isinstance(dtype, pl.Datetime):
        return "fromUnixTimestamp64Micro({{{}:Int64}}, 'UTC')"
    return "{{{}:String}}" if dtype == pl.String else "{{{}:Int64}}"


def blocks(rows: pl.DataFrame, layout: Layout) -> Iterator[pl.DataFrame]:
    """Rows in inserts of bounded size, none of which meets more partitions than the engine takes."""
    if not layout.period or rows.height < 2 or _periods(rows, layout).n_unique() <= BLOCK_PARTITIONS:
        yield from _slices(rows)
        return
    period = _periods(rows, layout)
    first = period.unique().sort().gather_every(BLOCK_PARTITIONS)
    for start, end in zip(first, [*first[1:], None], strict=True):
        yield from _slices(rows.filter((period >= start) & (period < end if end is not None else True)))


def _periods(rows: pl.DataFrame, layout: Layout) -> pl.Series:
    return rows[layout.instant].dt.truncate(layout.period)


def _slices(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return (rows[at : at + BLOCK_ROWS] for at in range(0, rows.height, BLOCK_ROWS))


def keys_of(rows: pl.DataFrame, *instants: str) -> pl.DataFrame:
    """A frame of keys for a query: `tenant_id` and `instrument_id` of column `series`, and these instants."""
    name = rows["series"].cast(pl.String)
    parts = name.str.splitn(SERIES_SEPARATOR, 2).struct.unnest()
    return pl.DataFrame(
        [parts["field_0"].alias("tenant_id"), parts["field_1"].alias("instrument_id"), *(rows[at] for at in instants)]
    )


def micros(instant: datetime) -> int:
    """An instant as µs since 1970, which every transport binds alike."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def first_us(instants: pl.Series) -> int:
    """The earliest of at least one instant, as `micros`."""
    return int(instants.to_physical().sort()[0])


def last_us(instants: pl.Series) -> int:
    """The latest of at least one instant, as `micros`."""
    return int(instants.to_physical().sort()[-1])
