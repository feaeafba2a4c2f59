"""What power levels we wrote into our rooms."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table("room_levels", text("room_id"), text("digests"), sa.PrimaryKeyConstraint("room_id"))
