"""Tables in process. Each keeps, of two rows with one key, the one with the higher version, like its ClickHouse sister."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs
import polars as pl

from adapters.memory.merge_tree import Layout, MergeTree
from domain.batch import Batch, micros, stored_columns
from domain.bronze.dead_letter import DeadLetters, MessageOutcomes
from domain.bronze.ledger import KEY as LEDGER_KEY
from domain.bronze.ledger import Ledger
from domain.gold.bar import BarBatch, BarRevisions, precedence
from domain.gold.interval import period_code
from domain.gold.taxonomy import EnrichedTicks
from domain.gold.watermark import Seals
from domain.identity import NAME
from domain.served.latest_price import LatestPrices
from domain.silver.tick import TickBatch, content_digests, key_digests

B = TypeVar("B", bound=Batch[Any])

PORTION_ROWS = 250_000
"""Rows of an export that are converted at once."""

_EPOCH = pl.Series([0], dtype=pl.Int64)
_MINUTE_US = 60_000_000


def _columns(*names: str) -> Any:
    return lambda rows: [rows[name] for name in names]


def _of_series(rows: pl.DataFrame) -> pl.Series:
    return period_code(rows["series"], _EPOCH.new_from_index(0, rows.height))


def _of_start(rows: pl.DataFrame) -> pl.Series:
    return period_code(rows["series"], rows["interval_start"])


def _of_coordinates(*names: str) -> Any:
    return lambda rows: rows.select(pl.struct(*names).hash()).to_series()


def _nowhere(rows: pl.DataFrame) -> pl.Series:
    return _EPOCH.new_from_index(0, rows.height)


def _precedence(rows: pl.DataFrame) -> list[pl.Series]:
    return precedence(rows["revision"], rows["lineage_digest"])


def _knowledge(rows: pl.DataFrame) -> list[pl.Series]:
    """Of two statements about one tick the newer stays; at equal versions the one of the greater content."""
    return [rows["version"], content_digests(rows)]


TICKS = Layout(key_digests, _knowledge, lambda rows: period_code(rows["series"], rows["ts"]))
ENRICHED = Layout(key_digests, lambda rows: [*_knowledge(rows), rows["metadata_version"]], TICKS.place)
BARS = Layout(_of_start, _precedence, _of_start)
BAR_REVISIONS = Layout(
    lambda rows: rows.select(
        pl.struct("series", "interval", "interval_start", "revision", "lineage_digest").hash()
    ).to_series(),
    _precedence,
    _of_start,
)
SEALS = Layout(_of_series, _columns("sealed_until"), _of_series)
LATEST = Layout(_of_series, _columns("rank"), _of_series)
DEAD_LETTERS = Layout(
    _of_coordinates("stage", "topic", "partition", "offset", "row_index"), _columns("retry_count"), _nowhere
)
OUTCOMES = Layout(_of_coordinates("topic", "partition", "offset"), _columns("ticks"), _nowhere)

LEDGER = Layout(
    _of_coordinates(*LEDGER_KEY),
    _columns("counted_to"),
    lambda rows: period_code(rows["topic"].cast(NAME), rows["hour"]),
)


@attrs.define
class MemoryTable(Generic[B]):
    """Any table: rows by key, and all of them."""

    batch: type[B]
    layout: Layout
    fill: dict[str, str] = attrs.field(factory=dict)
    """Values of columns that are not stored, for batches read back."""
    _tree: MergeTree = attrs.field(init=False)
    _kept: list[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = stored_columns(self.batch.fact)
        if "series" in self.batch.schema:
            self._kept.append("series")
        self._tree = MergeTree(self.layout, {name: self.batch.schema[name] for name in self._kept})

    def upsert(self, rows: B) -> None:
        """Keep each row unless a higher version of its key is there."""
        self._tree.insert(rows.frame[self._kept])

    def final(self) -> pl.DataFrame:
        """All rows, one a key at its highest version, in the order of their keys, with the columns the table stores."""
        rows = self._tree.all().select(stored_columns(self.batch.fact))
        return rows.sort([name for name in _ORDER if name in rows.columns])

    def final_portions(self, most: int = PORTION_ROWS) -> Iterator[pl.DataFrame]:
        """The same in portions of at most so many rows, at least one."""
        rows = self.final()
        yield rows[:most]
        yield from (rows[at : at + most] for at in range(most, rows.height, most))

    def stored(self, keys: pl.DataFrame) -> B:
        """The rows of these keys: column `series`, and `interval_start` for bars."""
        instant = keys["interval_start"] if "interval_start" in keys.columns else _EPOCH.new_from_index(0, keys.height)
        place = period_code(keys["series"], instant).unique().sort()
        return self._batch(self._tree.spans(place, place + 1))

    def within(self, windows: pl.DataFrame) -> B:
        """The rows whose instant lies in one of these windows: `series`, `start`, `end`, whole minutes, disjoint per series."""
        start = period_code(windows["series"], windows["start"])
        order = start.arg_sort()
        end = start + (micros(windows["end"]) - micros(windows["start"])) // _MINUTE_US
        return self._batch(self._tree.spans(start[order], end[order]))

    def _batch(self, rows: pl.DataFrame) -> B:
        missing = [name for name in self.batch.schema if name not in rows.columns]
        filled = [pl.Series(name, [self.fill.get(name, "")]).new_from_index(0, rows.height) for name in missing]
        return self.batch(rows.hstack(filled))


_ORDER = (
    "stage",
    "topic",
    "partition",
    "offset",
    "hour",
    "row_index",
    "tenant_id",
    "instrument_id",
    "interval",
    "interval_start",
    "ts",
    "source_id",
    "source_seq",
    "revision",
)


def _instrument(tenant_id: str, instrument_id: str) -> pl.Expr:
    """Rows of one instrument, by its texts: asking for a name must not add it to the categories."""
    return (pl.col("instrument_id") == instrument_id) & (pl.col("tenant_id") == tenant_id)


class MemoryTickTable(MemoryTable[TickBatch]):
    """Silver ticks in process."""

    def __init__(self) -> None:
        super().__init__(TickBatch, TICKS)

    def within(self, windows: pl.DataFrame, at_most: int | None = None) -> TickBatch:
        """The ticks whose ts lies in one of these windows; at most one more than `at_most`."""
        minutes = windows.with_columns(pl.col("start").dt.truncate("1m"), pl.col("end").dt.offset_by("59999999us"))
        near = super().within(minutes.with_columns(pl.col("end").dt.truncate("1m")))
        found = near if _are_whole_minutes(windows) else _inside(near, windows)
        return found if at_most is None else TickBatch(found.frame.head(at_most + 1))


def _are_whole_minutes(windows: pl.DataFrame) -> bool:
    return all(bool((micros(windows[name]) % _MINUTE_US == 0).all()) for name in ("start", "end"))


def _inside(ticks: TickBatch, windows: pl.DataFrame) -> TickBatch:
    both = ticks.frame.join(windows.select("series", "start", "end"), on="series", maintain_order="left")
    return TickBatch(both.filter(pl.col("ts").is_between("start", "end", closed="left")).drop("start", "end"))


class MemoryEnrichedTable(MemoryTable[EnrichedTicks]):
    """Enriched ticks in process."""

    def __init__(self) -> None:
        super().__init__(EnrichedTicks, ENRICHED)

    def extents(self) -> pl.DataFrame:
        """Say how much there is of each series."""
        told = self._tree.all().group_by("tenant_id", "instrument_id")
        return told.agg(
            rows=pl.len().cast(pl.UInt64),
            first_ts=pl.col("ts").min(),
            last_ts=pl.col("ts").max(),
            lowest=pl.col("metadata_version").min(),
        ).sort("tenant_id", "instrument_id")

    def behind(self, spans: pl.DataFrame) -> EnrichedTicks:
        """Return the rows in one of these spans of their series, with older metadata than it asks."""
        rows = self._tree.all().join(spans, on="series", maintain_order="left")
        inside = (pl.col("ts") >= pl.col("start")) & (pl.col("ts") < pl.col("end"))
        older = rows.filter(inside & (pl.col("metadata_version") < pl.col("wanted").cast(pl.UInt64)))
        return self._batch(older.drop("start", "end", "wanted"))


class MemoryBarTable(MemoryTable[BarBatch]):
    """Bars of one interval in process."""

    def __init__(self, interval: str) -> None:
        super().__init__(BarBatch, BARS, {"interval": interval})

    def history(
        self, tenant_id: str, instrument_id: str, start: datetime | None, end: datetime | None, limit: int
    ) -> BarBatch:
        """The newest `limit` bars with start <= interval_start < end, ascending."""
        wanted = _instrument(tenant_id, instrument_id)
        if start:
            wanted &= pl.col("interval_start") >= start
        if end:
            wanted &= pl.col("interval_start") < end
        return self._batch(self._tree.where(wanted).sort("interval_start").tail(limit))


class MemoryBarRevisionTable(MemoryTable[BarRevisions]):
    """What bars were before, in process."""

    def __init__(self) -> None:
        super().__init__(BarRevisions, BAR_REVISIONS)


class MemorySealTable(MemoryTable[Seals]):
    """Seals in process."""

    def __init__(self) -> None:
        super().__init__(Seals, SEALS)

    def of_partitions(self, partitions: Sequence[int]) -> Seals:
        """The seals of all instruments that these partitions carry."""
        rows = self._tree.all()
        return Seals(rows.filter(rows["partition"].is_in(list(partitions))).select(Seals.schema.keys()))

    def of(self, tenant_id: str, instrument_id: str) -> Seals:
        """The seal of one instrument; empty where there is none."""
        return self._batch(self._tree.where(_instrument(tenant_id, instrument_id)))


class MemoryLatestTable(MemoryTable[LatestPrices]):
    """Latest prices in process."""

    def __init__(self) -> None:
        super().__init__(LatestPrices, LATEST)

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """The latest price of one instrument; empty where there is none."""
        return self._batch(self._tree.where(_instrument(tenant_id, instrument_id)))

    def listed(self, tenant_id: str, market: str | None, limit: int) -> LatestPrices:
        """The first `limit` rows of a tenant by instrument_id, of one market where one is named."""
        asked = {"tenant_id": tenant_id} | ({} if market is None else {"market": market})
        rows = self._tree.all().filter(**asked)
        return self._batch(rows.sort("instrument_id").head(limit))


class MemoryDeadLetterTable(MemoryTable[DeadLetters]):
    """Dead letters in process."""

    def __init__(self) -> None:
        super().__init__(DeadLetters, DEAD_LETTERS)


class MemoryOutcomeTable(MemoryTable[MessageOutcomes]):
    """What became of each raw message, in process."""

    def __init__(self) -> None:
        super().__init__(MessageOutcomes, OUTCOMES)


class MemoryLedgerTable(MemoryTable[Ledger]):
    """The conservation ledger in process."""

    def __init__(self) -> None:
        super().__init__(Ledger, LEDGER)

    def stored(self, keys: pl.DataFrame) -> Ledger:
        """The rows with these keys (columns `topic`, `partition`, `hour`) that exist."""
        place = LEDGER.place(keys).unique().sort()
        return Ledger(self._tree.spans(place, place + 1).join(keys, on=LEDGER_KEY, how="semi"))
