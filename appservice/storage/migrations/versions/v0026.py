"""What else left in one mail with an item, so that a report is about all of it."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column, empty for what is there."""
    op.add_column("sent_mails", sa.Column("more", sa.Text()))
