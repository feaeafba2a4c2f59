"""Which message a reaction is on, so that one that is taken back leaves the one before it."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index; of what was said before, it stays empty."""
    op.add_column("journal", sa.Column("about", sa.Text()))
    condition = sa.text("about IS NOT NULL")
    op.create_index(
        "ix_journal_about", "journal", ["case_id", "about"], sqlite_where=condition, postgresql_where=condition
    )
