"""What comes with nearly every transaction is found among everything else that was ever done with."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    passing = sa.text("kind IN ('matrix.beside', 'matrix.key_counts')")
    op.create_index("ix_inbox_passing", "inbox", ["received_at"], sqlite_where=passing, postgresql_where=passing)
