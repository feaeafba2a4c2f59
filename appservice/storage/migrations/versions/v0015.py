"""What became of what was held, and for whom it was meant."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is held already waits, for nobody knows whom."""
    op.add_column("holds", sa.Column("audience", sa.Text(), nullable=True))
    op.add_column("holds", sa.Column("ended", sa.Text(), nullable=True))
    op.add_column("holds", sa.Column("ended_at", sa.BigInteger(), nullable=True))
