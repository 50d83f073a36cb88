"""Latest prices in ClickHouse."""

from collections.abc import Iterator

import polars as pl

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from adapters.clickhouse.windows import rows_of_keys
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices

PORTION = 10_000
LAYOUT = Layout("served_latest", ("tenant_id", "instrument_id"))


class ClickHouseLatestTable(ClickHouseTable[LatestPrices]):
    """The last known price of each instrument; the higher rank stays."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, LatestPrices)

    def stored(self, keys: pl.DataFrame) -> LatestPrices:
        """Return the rows of these keys (column `series`, distinct) that exist, at their highest rank."""
        return rows_of_keys(self, keys)

    def of(self, tenant_id: str, instrument_id: str) -> LatestPrices:
        """Return the row of this instrument; nothing where it has none."""
        return self.found(
            "WHERE tenant_id = {tenant:String} AND instrument_id = {instrument:String}",
            {"tenant": tenant_id, "instrument": instrument_id},
        )

    def after(self, key: InstrumentKey | None, limit: int) -> LatestPrices:
        """Return the first `limit` rows that come after this one by tenant_id and instrument_id."""
        from_there = "WHERE (tenant_id, instrument_id) > ({tenant:String}, {instrument:String}) " if key else ""
        named = {"tenant": key.tenant_id, "instrument": key.instrument_id} if key else {}
        condition = f"{from_there}ORDER BY tenant_id, instrument_id LIMIT {{limit:UInt64}}"
        return self.found(condition, {**named, "limit": limit})

    def portions(self, most: int = PORTION) -> Iterator[LatestPrices]:
        """Every row, in portions of at most so many, as each stands when its portion is read."""
        found = self.after(None, most)
        while len(found):
            yield found
            last = found.frame.row(-1, named=True)
            found = self.after(InstrumentKey(last["tenant_id"], last["instrument_id"]), most)

    def listed(self, tenant_id: str, market: str | None, limit: int) -> LatestPrices:
        """Return the first `limit` rows of a tenant by instrument_id, of one market where one is named."""
        of_market = "" if market is None else " AND market = {market:String}"
        named = {} if market is None else {"market": market}
        return self.found(
            f"WHERE tenant_id = {{tenant:String}}{of_market} ORDER BY instrument_id LIMIT {{limit:UInt64}}",
            {"tenant": tenant_id, "limit": limit, **named},
        )
