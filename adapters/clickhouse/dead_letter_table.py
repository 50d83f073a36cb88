"""Dead letters in ClickHouse."""

from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.table import ClickHouseTable, Layout
from domain.bronze.dead_letter import DeadLetters

LAYOUT = Layout("dead_letters", ("stage", "topic", "partition", "offset", "row_index"))


class ClickHouseDeadLetterTable(ClickHouseTable[DeadLetters]):
    """Refused records; of two refusals of one record the one after more tries stays."""

    def __init__(self, client: ClickHouse) -> None:
        super().__init__(client, LAYOUT, DeadLetters)
