"""Feed policies in the database."""

import attrs
import sqlalchemy as sa

from adapters.sql import schema
from adapters.sql.database import Database
from adapters.sql.errors import LOAD
from adapters.sql.reference_rows import feeds_of
from application.ports.errors import SchemaBehind
from domain.silver.feed import FeedPolicies


@attrs.define
class SqlPolicies:
    """Policies held in PostgreSQL or SQLite. Keeps to application.ports.policies.Policies."""

    database: Database
    _held: FeedPolicies | None = attrs.field(init=False, default=None)

    def feeds(self) -> FeedPolicies:
        """How each feed's labels are read and how patient its windows are, as loaded when first asked."""
        if self._held is None:
            self._held = self._read()
        return self._held

    def _read(self) -> FeedPolicies:
        rows = self.database.reading(
            "reading feed policies",
            lambda connection: connection.execute(sa.select(schema.feed_policies)).mappings().all(),
        )
        if not rows:
            raise SchemaBehind(f"no feed policy is loaded, so labels could only be guessed; run `{LOAD}`")
        return FeedPolicies.of(feeds_of(rows))
