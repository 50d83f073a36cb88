"""Definitions of curves and spreads, and the calendars they live on."""  # noqa: INP001 (Alembic finds it by its path)

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_curves"
down_revision = "0001_reference"
branch_labels = None
depends_on = None


def _instant() -> sa.types.TypeEngine[Any]:
    return sa.Text().with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """This will make the tables."""
    op.create_table(
        "calendars",
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("calendar_id", "version", "day", name=op.f("pk_calendars")),
    )
    op.create_table(
        "curve_metadata",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("curve_id", sa.Text(), nullable=False),
        sa.Column("definition_version", sa.Integer(), nullable=False),
        sa.Column("instrument_id", sa.Text(), server_default="", nullable=False),
        sa.Column("commodity", sa.Text(), server_default="", nullable=False),
        sa.Column("region_id", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("weighting", sa.Text(), server_default="hours", nullable=False),
        sa.Column("interpolation_method", sa.Text(), nullable=False),
        sa.Column("calendar_id", sa.Text(), server_default="", nullable=False),
        sa.Column("definition", _json(), nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_curve_metadata_dated")),
        sa.PrimaryKeyConstraint("tenant_id", "curve_id", "valid_from", name=op.f("pk_curve_metadata")),
    )
    op.create_table(
        "curve_legs",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("curve_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), server_default="", nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_curve_legs_dated")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "curve_id", "instrument_id", "period", "valid_from", name=op.f("pk_curve_legs")
        ),
    )
    op.create_table(
        "spread_definitions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("spread_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("definition", _json(), nullable=False),
        sa.Column("valid_from", _instant(), nullable=False),
        sa.Column("valid_until", _instant(), nullable=False),
        sa.CheckConstraint("valid_from < valid_until", name=op.f("ck_spread_definitions_dated")),
        sa.PrimaryKeyConstraint("tenant_id", "spread_id", "valid_from", name=op.f("pk_spread_definitions")),
    )
