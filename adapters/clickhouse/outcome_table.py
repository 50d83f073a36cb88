"""What became of each raw message, in ClickHouse."""

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from domain.bronze.dead_letter import MessageOutcomes

LAYOUT = Layout("outcomes", ("topic", "partition", "offset"))


class ClickHouseOutcomeTable(ClickHouseTable[MessageOutcomes]):
    """What became of raw messages, one row each."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, MessageOutcomes)
