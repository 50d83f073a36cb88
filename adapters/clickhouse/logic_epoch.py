"""The logic epoch in ClickHouse."""

import attrs
import polars as pl

from adapters.clickhouse.client import ClickHouse, quoted

TABLE = "logic_epochs"


@attrs.frozen
class ClickHouseLogicEpoch:
    """The highest epoch any process has marked in these tables."""

    client: ClickHouse

    def highest(self) -> int:
        """Return the highest epoch marked, 0 where none is."""
        sql = f"SELECT toInt64(max(epoch)) AS highest FROM {quoted(self.client.database)}.{quoted(TABLE)}"  # noqa: S608
        return int(self.client.rows(sql, {"highest": pl.Int64})["highest"].item())

    def mark(self, epoch: int) -> None:
        """Mark an epoch durably."""
        self.client.insert(TABLE, pl.DataFrame({"epoch": [epoch]}, schema={"epoch": pl.UInt32}))
