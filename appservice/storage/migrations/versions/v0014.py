"""What a case's board shows, so that every process knows it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a board is posted once more when something next changes."""
    op.add_column("cases", sa.Column("board", sa.LargeBinary(), nullable=True))
