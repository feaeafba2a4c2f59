"""Since when, or until when, a case waits for somebody: so that a board looks at those alone."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a case gets its time when it next changes."""
    op.add_column("cases", sa.Column("urgent_at", sa.BigInteger(), nullable=True))
