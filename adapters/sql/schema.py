"""
The reference schema, the same in PostgreSQL and SQLite.

What is said of a thing is dated: a row holds from `valid_from` until just before `valid_until`. Tenant `*` is every
tenant. The migrations in migrations/postgres make these tables; a test holds the two together.
"""

from typing import Any

import sqlalchemy as sa

from adapters.sql.types import Exact, Instant, Json

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s",
    }
)


def _text(name: str, *, default: str | None = None, **options: Any) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False, server_default=default, **options)


def _dated() -> "tuple[sa.Column[Any], sa.Column[Any], sa.CheckConstraint]":
    return (
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("valid_until", Instant, nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name="dated"),
    )


regions = sa.Table(
    "taxonomy_regions",
    metadata,
    _text("tenant_id"),
    _text("region_id"),
    _text("name"),
    _text("within", default=""),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "region_id", "valid_from"),
)

markets = sa.Table(
    "taxonomy_markets",
    metadata,
    _text("market"),
    _text("region_id", default=""),
    sa.Column("metadata_version", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("market"),
)

instruments = sa.Table(
    "taxonomy_instruments",
    metadata,
    _text("tenant_id"),
    sa.Column("is_pattern", sa.Boolean, nullable=False),
    _text("name"),
    sa.Column("pattern_order", sa.Integer, nullable=False, server_default="0"),
    _text("commodity"),
    _text("region_id", default=""),
    _text("product_tier", default=""),
    sa.Column("tags", Json, nullable=False),
    sa.Column("metadata_version", sa.BigInteger, nullable=False),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "is_pattern", "name", "valid_from"),
)

aliases = sa.Table(
    "instrument_aliases",
    metadata,
    _text("tenant_id"),
    _text("market", default=""),
    _text("alias"),
    _text("stands_for"),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "market", "alias", "valid_from"),
)

feed_policies = sa.Table(
    "feed_policies",
    metadata,
    _text("market"),
    _text("data_type"),
    _text("market_run"),
    _text("clock"),
    _text("label"),
    sa.Column("interval_s", sa.Integer),
    sa.Column("naive_by_policy", sa.Boolean, nullable=False),
    sa.Column("horizon_s", sa.Integer, nullable=False),
    sa.Column("lateness_s", sa.Integer, nullable=False),
    sa.Column("idle_s", sa.Integer, nullable=False),
    sa.Column("assumed", sa.Boolean, nullable=False),
    sa.PrimaryKeyConstraint("market", "data_type", "market_run"),
)

quality_policies = sa.Table(
    "quality_policies",
    metadata,
    _text("instrument_id"),
    _text("location"),
    _text("market"),
    _text("kind"),
    _text("commodity"),
    _text("bound"),
    sa.Column("price", Exact, nullable=False),
    *_dated(),
    sa.PrimaryKeyConstraint("instrument_id", "location", "market", "kind", "commodity", "bound", "valid_from"),
    sa.CheckConstraint("bound IN ('floor', 'cap')", name="bound"),
)

calendars = sa.Table(
    "calendars",
    metadata,
    _text("calendar_id"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    _text("name", default=""),
    sa.PrimaryKeyConstraint("calendar_id", "version", "day"),
)

curve_metadata = sa.Table(
    "curve_metadata",
    metadata,
    _text("tenant_id"),
    _text("curve_id"),
    sa.Column("definition_version", sa.Integer, nullable=False),
    _text("instrument_id", default=""),
    _text("commodity", default=""),
    _text("region_id", default=""),
    _text("currency"),
    _text("unit"),
    _text("clock"),
    _text("weighting", default="hours"),
    _text("interpolation_method"),
    _text("calendar_id", default=""),
    sa.Column("definition", Json, nullable=False),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "curve_id", "valid_from"),
)

curve_legs = sa.Table(
    "curve_legs",
    metadata,
    _text("tenant_id"),
    _text("curve_id"),
    _text("instrument_id"),
    _text("period"),
    _text("block", default=""),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "curve_id", "instrument_id", "period", "valid_from"),
)

spread_definitions = sa.Table(
    "spread_definitions",
    metadata,
    _text("tenant_id"),
    _text("spread_id"),
    _text("kind"),
    sa.Column("definition", Json, nullable=False),
    *_dated(),
    sa.PrimaryKeyConstraint("tenant_id", "spread_id", "valid_from"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _text("job_id"),
    _text("tenant_id"),
    _text("kind"),
    _text("state"),
    sa.Column("request", Json, nullable=False),
    _text("request_hash"),
    _text("requested_by"),
    sa.Column("total", sa.BigInteger),
    sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    _text("error", default=""),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("job_id"),
    sa.Index("ix_jobs_request_hash", "request_hash"),
)

job_chunks = sa.Table(
    "job_chunks",
    metadata,
    _text("job_id"),
    sa.Column("chunk", sa.Integer, nullable=False),
    _text("state"),
    sa.Column("range_from", Instant, nullable=False),
    sa.Column("range_until", Instant, nullable=False),
    _text("cursor", default=""),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _text("lease_owner", default=""),
    sa.Column("lease_until", Instant),
    _text("error", default=""),
    sa.PrimaryKeyConstraint("job_id", "chunk"),
    sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE"),
)

logic_epochs = sa.Table(
    "logic_epochs",
    metadata,
    sa.Column("epoch", sa.Integer, autoincrement=False, nullable=False),
    sa.Column(
        "marked_at",
        sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql"),
        server_default=sa.func.current_timestamp(),
    ),
    sa.PrimaryKeyConstraint("epoch"),
)

reference_loads = sa.Table(
    "reference_loads",
    metadata,
    sa.Column("load", sa.Integer, autoincrement=False, nullable=False),
    sa.Column("changes", sa.Integer, nullable=False),
    sa.Column(
        "loaded_at",
        sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql"),
        server_default=sa.func.current_timestamp(),
    ),
    sa.Column("metadata_floor", sa.BigInteger, nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("load"),
)
