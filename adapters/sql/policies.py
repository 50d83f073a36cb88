"""Feed policies in the database."""

import attrs
import sqlalchemy as sa

from adapters.sql import schema
from adapters.sql.database import Database
from adapters.sql.reference_rows import feeds_of
from domain.silver.feed import FeedPolicies


@attrs.frozen
class SqlPolicies:
    """Policies held in PostgreSQL or SQLite. Keeps to application.ports.policies.Policies."""

    database: Database

    def feeds(self) -> FeedPolicies:
        """How each feed's labels are read and how patient its windows are, as loaded now."""
        rows = self.database.reading(
            "reading feed policies",
            lambda connection: connection.execute(sa.select(schema.feed_policies)).mappings().all(),
        )
        return FeedPolicies.of(feeds_of(rows))
