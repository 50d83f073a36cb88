"""The least version of what is known of any instrument, as each load left it."""  # noqa: INP001 (Alembic finds it by its path)

import sqlalchemy as sa
from alembic import op

revision = "0004_metadata_floor"
down_revision = "0003_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """This will add the column."""
    op.add_column("reference_loads", sa.Column("metadata_floor", sa.BigInteger(), server_default="0", nullable=False))
