"""The conservation ledger in ClickHouse."""

import polars as pl

from adapters.clickhouse.client import KEYS, ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from domain.bronze.ledger import KEY, Ledger

LAYOUT = Layout("ledger", KEY)


class ClickHouseLedgerTable(ClickHouseTable[Ledger]):
    """What became of raw messages, by partition and hour; the row that counts further stays."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, Ledger)

    def stored(self, keys: pl.DataFrame) -> Ledger:
        """Return the rows with these keys (columns `topic`, `partition`, `hour`) that exist."""
        if not keys.height:
            return Ledger.empty()
        named = f"WHERE (topic, toInt64(partition), hour) IN (SELECT topic, partition, hour FROM {KEYS})"  # noqa: S608
        return self.found(named, keys=keys.select("topic", pl.col("partition").cast(pl.Int64), "hour"))
