"""All tables of a profile, by the names that stages and exports use."""

from collections.abc import Mapping
from typing import Any

import attrs

from adapters.memory.tables import (
    MemoryBarRevisionTable,
    MemoryBarTable,
    MemoryDeadLetterTable,
    MemoryEnrichedTable,
    MemoryLatestTable,
    MemoryLedgerTable,
    MemoryOutcomeTable,
    MemorySealTable,
    MemoryTickTable,
)
from application.consume import DEAD_LETTERS
from application.ports.bar_table import BarTable
from application.stages.aggregate import BAR_REVISIONS, SEALS, bar_table
from application.stages.enrich import TABLE as ENRICHED_TICKS
from application.stages.normalize import LEDGER, OUTCOMES
from application.stages.normalize import TICKS as SILVER_TICKS
from application.stages.project import CACHE
from application.stages.project import TABLE as SERVED_LATEST
from domain.gold.interval import BarIntervals


@attrs.frozen
class Tables:
    """All tables, by the names that stages and exports use."""

    by_name: Mapping[str, Any]
    bars: Mapping[str, BarTable]
    """By interval name."""

    @classmethod
    def of(cls, tables: Mapping[str, Any], bars: Mapping[str, Any], cache: Any) -> "Tables":
        """These tables, the bars of each interval, and the cache, whose upsert is the compare-and-set."""
        named = {bar_table(interval): table for interval, table in bars.items()}
        return cls({**tables, **named, CACHE: cache}, bars)


def memory_tables(intervals: BarIntervals, cache: Any) -> Tables:
    tables = {
        SILVER_TICKS: MemoryTickTable(),
        ENRICHED_TICKS: MemoryEnrichedTable(),
        BAR_REVISIONS: MemoryBarRevisionTable(),
        SEALS: MemorySealTable(),
        SERVED_LATEST: MemoryLatestTable(),
        DEAD_LETTERS: MemoryDeadLetterTable(),
        OUTCOMES: MemoryOutcomeTable(),
        LEDGER: MemoryLedgerTable(),
    }
    return Tables.of(tables, {interval.name: MemoryBarTable(interval.name) for interval in intervals.all}, cache)


def clickhouse_tables(intervals: BarIntervals, client: Any, cache: Any) -> Tables:
    # Imported here and below where they are used: the memory profile needs no server's client, and they cost a second.
    from adapters.clickhouse.bar_revision_table import ClickHouseBarRevisionTable
    from adapters.clickhouse.bar_table import ClickHouseBarTable
    from adapters.clickhouse.dead_letter_table import ClickHouseDeadLetterTable
    from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
    from adapters.clickhouse.latest_table import ClickHouseLatestTable
    from adapters.clickhouse.ledger_table import ClickHouseLedgerTable
    from adapters.clickhouse.outcome_table import ClickHouseOutcomeTable
    from adapters.clickhouse.seal_table import ClickHouseSealTable
    from adapters.clickhouse.tick_table import ClickHouseTickTable

    tables = {
        SILVER_TICKS: ClickHouseTickTable(client),
        ENRICHED_TICKS: ClickHouseEnrichedTable(client),
        BAR_REVISIONS: ClickHouseBarRevisionTable(client),
        SEALS: ClickHouseSealTable(client),
        SERVED_LATEST: ClickHouseLatestTable(client),
        DEAD_LETTERS: ClickHouseDeadLetterTable(client),
        OUTCOMES: ClickHouseOutcomeTable(client),
        LEDGER: ClickHouseLedgerTable(client),
    }
    bars = {interval.name: ClickHouseBarTable(client, interval.name) for interval in intervals.all}
    return Tables.of(tables, bars, cache)
