"""What each mail of ours was about, beside what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what left before, it stays empty."""
    op.add_column("sent_mails", sa.Column("about", sa.LargeBinary()))
