"""How many people of each case were invited, and how far they came; of those whose case changes from then on."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counts."""
    for step in ("invited", "reminded", "telephone", "came"):
        op.add_column("cases", sa.Column(step, sa.Integer(), nullable=False, server_default="0"))
