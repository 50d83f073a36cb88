"""What bars were before, in ClickHouse."""

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from domain.gold.bar import BarRevisions

NAME = "bar_revisions"
KEY = ("tenant_id", "instrument_id", "interval", "interval_start", "revision", "lineage_digest")
LAYOUT = Layout(NAME, KEY, "interval_start", "1mo")


class ClickHouseBarRevisionTable(ClickHouseTable[BarRevisions]):
    """Every content a bar has had, by its revision."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, BarRevisions)
