"""Price limits in the database."""

import attrs
import sqlalchemy as sa

from adapters.sql import schema
from adapters.sql.database import Database
from adapters.sql.reference_rows import limits_of
from domain.gold.limits import PriceLimits


@attrs.frozen
class SqlPriceLimits:
    """Price limits held in PostgreSQL or SQLite."""

    database: Database

    def limits(self) -> PriceLimits:
        """The limits in force at any instant, for any instrument, as loaded now."""
        rows = self.database.reading(
            "reading price limits",
            lambda connection: connection.execute(sa.select(schema.quality_policies)).mappings().all(),
        )
        return PriceLimits.of(limits_of(rows))
