"""${message}."""  # noqa: INP001 (Alembic finds it by its path)

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """This will …"""
    ${upgrades if upgrades else "pass"}
