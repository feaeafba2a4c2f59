"""How often a room's state changed, so that no process goes by what it remembers of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count."""
    op.add_column("rooms", sa.Column("changes", sa.BigInteger(), nullable=False, server_default="0"))
