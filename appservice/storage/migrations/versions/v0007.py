"""Since when a queued item is tried in vain."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column to both queues."""
    for queue in ("inbox", "outbox"):
        op.add_column(queue, sa.Column("failing_since", sa.BigInteger(), nullable=True))
