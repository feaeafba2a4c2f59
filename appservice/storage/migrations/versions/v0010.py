"""Which message an edit changes, and what was said where, as keyed hashes."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import blob, text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("journal", sa.Column("edits", sa.Text(), nullable=True))
    condition = sa.text("edits IS NOT NULL")
    op.create_index(
        "ix_journal_edits", "journal", ["case_id", "edits"], sqlite_where=condition, postgresql_where=condition
    )
    op.create_table(
        "echoes",
        text("case_id"),
        blob("lookup"),
        text("conversation"),
        sa.PrimaryKeyConstraint("case_id", "lookup", "conversation"),
    )
