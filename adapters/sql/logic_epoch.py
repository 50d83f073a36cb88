"""The logic epoch in the database."""

import attrs
import sqlalchemy as sa

from adapters.sql import schema
from adapters.sql.database import Database

_HIGHEST = sa.select(sa.func.max(schema.logic_epochs.c.epoch))
_MARK = sa.text("INSERT INTO logic_epochs (epoch) VALUES (:epoch) ON CONFLICT DO NOTHING")


@attrs.frozen
class SqlLogicEpoch:
    """The highest epoch any process has marked in this database."""

    database: Database

    def highest(self) -> int:
        """Return the highest epoch marked, 0 where none is."""
        found = self.database.reading(
            "reading the logic epoch", lambda connection: connection.execute(_HIGHEST).scalar()
        )
        return int(found or 0)

    def mark(self, epoch: int) -> None:
        """Mark an epoch durably."""
        self.database.changing(
            "marking the logic epoch", lambda connection: connection.execute(_MARK, {"epoch": epoch})
        )
