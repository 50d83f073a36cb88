"""What every table promises, tried on those that have no port of their own; and what a marked logic epoch does."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import attrs
import polars as pl
import pytest

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.dead_letter_table import ClickHouseDeadLetterTable
from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
from adapters.clickhouse.logic_epoch import ClickHouseLogicEpoch
from adapters.clickhouse.outcome_table import ClickHouseOutcomeTable
from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.memory.tables import MemoryDeadLetterTable, MemoryEnrichedTable, MemoryOutcomeTable
from application.ports.logic_epoch import LogicEpoch
from application.ports.tables import Table
from domain.batch import Batch, stored_columns
from domain.bronze.dead_letter import DeadLetters, MessageOutcome, MessageOutcomes
from domain.gold.taxonomy import EnrichedTicks
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.wire_events.facts import dead_letter, enriched_tick, full_tick_fields


def outcome(**fields: Any) -> MessageOutcome:
    """A message that became one tick."""
    believable: dict[str, Any] = {
        "topic": "ingestion.miso.raw.v1",
        "partition": 1,
        "offset": 2**40,
        "outcome": "accepted",
        "reason": "",
        "ticks": 1,
        "rejected_rows": 0,
    }
    return MessageOutcome(**(believable | fields))


class Exported(Table, Protocol):
    """A table that exports read."""

    def final(self) -> pl.DataFrame:
        """All rows at their highest version."""

    def final_portions(self, most: int) -> Iterator[pl.DataFrame]:
        """The same in portions."""


@attrs.frozen
class Kind:
    """A kind of rows, and facts that show its laws."""

    name: str
    batch: type[Batch[Any]]
    facts: tuple[Any, ...]
    """With different keys, in the order of their keys."""
    older: Any
    newer: Any
    """Of one key."""
    memory: Callable[[], Exported]
    clickhouse: Callable[[ClickHouse], Exported]


KINDS = [
    Kind(
        "dead_letters",
        DeadLetters,
        (
            dead_letter(row_index=-1),
            dead_letter(row_index=3, raw=b"", field="price", message="ü ☃ \n"),
            dead_letter(topic="z", raw=b"\xff\x00" * 4096),
        ),
        dead_letter(retry_count=0, reason="OLD"),
        dead_letter(retry_count=1, reason="NEW"),
        MemoryDeadLetterTable,
        ClickHouseDeadLetterTable,
    ),
    Kind(
        "outcomes",
        MessageOutcomes,
        (outcome(), outcome(offset=2**40 + 1, outcome="dead_letter", reason="NOT_JSON", ticks=0), outcome(topic="z")),
        outcome(ticks=0),
        outcome(ticks=4),
        MemoryOutcomeTable,
        ClickHouseOutcomeTable,
    ),
    Kind(
        "enriched_ticks",
        EnrichedTicks,
        (
            enriched_tick(instrument_id="A", **(full_tick_fields() | {"source_event_id": "", "trace_id": ""})),
            enriched_tick(instrument_id="B", tags="[]", taxonomy="{}", commodity="", metadata_version=0),
            enriched_tick(instrument_id="C", metadata_version=2**64 - 1),
        ),
        enriched_tick(metadata_version=1, region="Old"),
        enriched_tick(metadata_version=2, region="New"),
        MemoryEnrichedTable,
        ClickHouseEnrichedTable,
    ),
]


class TableContract:
    """Inherited by the suite of each technology, which says how to make an empty table of a kind."""

    @pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
    def kind(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def table(self, kind: Kind) -> Exported:
        raise NotImplementedError

    def test_rows_come_back_as_they_were_stored(self, kind: Kind, table: Exported) -> None:
        assert len(table.final()) == 0
        table.upsert(kind.batch.of(reversed(kind.facts)))
        kept = kind.batch.of(kind.facts).frame.select(stored_columns(kind.batch.fact))
        assert table.final().equals(kept)

    @pytest.mark.parametrize("most", [1, 2, 100])
    def test_portions_are_all_rows_once_in_the_same_order(self, kind: Kind, table: Exported, most: int) -> None:
        assert [portion.height for portion in table.final_portions(most)] == [0]
        for facts in (kind.facts[:2], kind.facts[1:], kind.facts):
            table.upsert(kind.batch.of(facts))

        portions = list(table.final_portions(most))
        assert pl.concat(portions).equals(table.final())
        assert max(portion.height for portion in portions) <= most

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_higher_version_stays(self, kind: Kind, table: Exported, order: tuple[int, int]) -> None:
        facts = (kind.older, kind.newer)
        for position in order:
            table.upsert(kind.batch.of([facts[position]]))
        kept = kind.batch.of([kind.newer]).frame.select(stored_columns(kind.batch.fact))
        assert table.final().equals(kept)


class TestMemoryTables(TableContract):
    @pytest.fixture
    def table(self, kind: Kind) -> Exported:
        return kind.memory()


class TestClickHouseTables(TableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, kind: Kind, request: pytest.FixtureRequest) -> Exported:
        return kind.clickhouse(emptied(database(request.param), kind.name))


def test_a_newer_tick_wins_over_newer_metadata() -> None:
    table = ClickHouseEnrichedTable(emptied(database("chdb"), "enriched_ticks"))
    for version, metadata_version in ((2, 1), (1, 9), (2, 0)):
        table.upsert(EnrichedTicks.of([enriched_tick(version=version, metadata_version=metadata_version)]))
    assert table.final().select(pl.col("version", "metadata_version")).rows() == [(2, 1)]


class LogicEpochContract:
    """Inherited by the suite of each adapter, which says where none is marked."""

    @pytest.fixture
    def epoch(self) -> LogicEpoch:
        raise NotImplementedError

    def test_none_is_marked_at_first(self, epoch: LogicEpoch) -> None:
        assert epoch.highest() == 0

    def test_it_only_rises(self, epoch: LogicEpoch) -> None:
        told = []
        for marked in (2, 1, 3, 3):
            epoch.mark(marked)
            told.append(epoch.highest())
        assert told == [2, 2, 3, 3]


class TestMemoryLogicEpoch(LogicEpochContract):
    @pytest.fixture
    def epoch(self) -> LogicEpoch:
        return MemoryLogicEpoch()


class TestClickHouseLogicEpoch(LogicEpochContract):
    @pytest.fixture(params=TRANSPORTS)
    def epoch(self, request: pytest.FixtureRequest) -> LogicEpoch:
        return ClickHouseLogicEpoch(emptied(database(request.param), "logic_epochs"))
