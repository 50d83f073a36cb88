"""Instruments, regions, aliases, feeds and price limits, who loaded them, and which formulas own the tables."""  # noqa: INP001 (Alembic finds it by its path)

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_reference"
down_revision = None
branch_labels = None
depends_on = None


def _instant() -> sa.types.TypeEngine[Any]:
    return sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _exact() -> sa.types.TypeEngine[Any]:
    return sa.Text().with_variant(sa.Numeric(), "postgresql")


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """This will make the tables."""
    op.create_table(
        "taxonomy_regions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("within", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_taxonomy_regions_dated")),
        sa.PrimaryKeyConstraint("tenant_id", "region_id", "valid_from", name=op.f("pk_taxonomy_regions")),
    )
    op.create_table(
        "taxonomy_markets",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("market", name=op.f("pk_taxonomy_markets")),
    )
    op.create_table(
        "taxonomy_instruments",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("is_pattern", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pattern_order", sa.Integer(), server_default="0", nullable=False),
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("region_id", sa.Text(), server_default="", nullable=False),
        sa.Column("product_tier", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", _json(), nullable=False),
        sa.Column("metadata_version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_taxonomy_instruments_dated")),
        sa.PrimaryKeyConstraint("tenant_id", "is_pattern", "name", "valid_from", name=op.f("pk_taxonomy_instruments")),
    )
    op.create_table(
        "instrument_aliases",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), server_default="", nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("stands_for", sa.Text(), nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_instrument_aliases_dated")),
        sa.PrimaryKeyConstraint("tenant_id", "market", "alias", "valid_from", name=op.f("pk_instrument_aliases")),
    )
    op.create_table(
        "feed_policies",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("data_type", sa.Text(), nullable=False),
        sa.Column("market_run", sa.Text(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("naive_by_policy", sa.Boolean(), nullable=False),
        sa.Column("horizon_s", sa.Integer(), nullable=False),
        sa.Column("lateness_s", sa.Integer(), nullable=False),
        sa.Column("idle_s", sa.Integer(), nullable=False),
        sa.Column("assumed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("market", "data_type", "market_run", name=op.f("pk_feed_policies")),
    )
    op.create_table(
        "quality_policies",
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("bound", sa.Text(), nullable=False),
        sa.Column("price", _exact(), nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("bound IN ('floor', 'cap')", name=op.f("ck_quality_policies_bound")),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_quality_policies_dated")),
        sa.PrimaryKeyConstraint(
            "instrument_id",
            "location",
            "market",
            "kind",
            "commodity",
            "bound",
            "valid_from",
            name=op.f("pk_quality_policies"),
        ),
    )
    op.create_table(
        "reference_loads",
        sa.Column("load", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("loaded_at", _instant(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=True),
        sa.PrimaryKeyConstraint("load", name=op.f("pk_reference_loads")),
    )
    op.create_table(
        "logic_epochs",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("marked_at", _instant(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=True),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_logic_epochs")),
    )
