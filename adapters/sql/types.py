"""Column types that hold the same values in PostgreSQL and SQLite."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

POSTGRESQL = "postgresql"

Json = sa.JSON().with_variant(JSONB(), POSTGRESQL)
"""Lists and objects."""


class Instant(TypeDecorator[datetime]):
    """An instant, UTC, µs. SQLite has no such type: there it is a text of fixed width, which sorts as time does."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type in this database."""
        native = TIMESTAMP(timezone=True) if dialect.name == POSTGRESQL else sa.Text()
        return dialect.type_descriptor(native)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What the database is given."""
        if value is None or dialect.name == POSTGRESQL:
            return value
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """What the database gave."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) else None


class Exact(TypeDecorator[Decimal]):
    """An exact number. SQLite would make it a binary fraction: there it is a text."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type in this database."""
        return dialect.type_descriptor(sa.Numeric() if dialect.name == POSTGRESQL else sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """What the database is given."""
        return value if value is None or dialect.name == POSTGRESQL else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """What the database gave."""
        return None if value is None else Decimal(value)
