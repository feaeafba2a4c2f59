"""Messages to devices that were read long ago are found by an index, and forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    condition = sa.text("kind = 'matrix.to_device'")
    op.create_index("ix_inbox_messages", "inbox", ["received_at"], sqlite_where=condition, postgresql_where=condition)
