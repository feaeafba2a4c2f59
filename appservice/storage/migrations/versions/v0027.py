"""What waits for an identity is looked at again; of what was set aside before that was so, at once."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """It is due: whatever its author waits for may have come in the moment in which it was set aside."""
    op.execute("UPDATE inbox SET due_at = 0 WHERE state = 'parked' AND wait_key LIKE 'identity:%' AND due_at IS NULL")
