"""Enriched ticks in ClickHouse."""

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from adapters.clickhouse.tick_table import KEY
from domain.gold.taxonomy import EnrichedTicks

LAYOUT = Layout("enriched_ticks", KEY, "ts", "1d")


class ClickHouseEnrichedTable(ClickHouseTable[EnrichedTicks]):
    """Ticks with what is known of their instruments; a newer tick wins, and of one tick the newer metadata."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, EnrichedTicks)
