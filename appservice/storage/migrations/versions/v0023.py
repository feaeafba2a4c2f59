"""What was accepted for each address within the hour is counted for all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "mail_tallies",
        sa.Column("key_lookup", sa.LargeBinary, primary_key=True),
        sa.Column("times", sa.Text, nullable=False),
    )
