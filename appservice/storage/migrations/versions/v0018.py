"""What a WhatsApp message of ours is called there, so that what answers it can quote it."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what left before, it stays unknown."""
    op.add_column("whatsapp_sent", sa.Column("wamid", sa.LargeBinary()))
