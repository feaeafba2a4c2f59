"""The epoch, and what a restore leaves to be looked at."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import big, flag, maybe, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "epochs",
        text("name"),
        big("number"),
        big("mark"),
        text("stage"),
        maybe(big("backup_at")),
        maybe(big("search_from")),
        maybe(big("doubt_until")),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table("unconfirmed_cases", text("case_id"), sa.PrimaryKeyConstraint("case_id"))
    op.create_table("searched_rooms", text("room_id"), flag("gaps"), sa.PrimaryKeyConstraint("room_id"))
    op.create_table("sent_markers", text("marker"), text("event_id"), sa.PrimaryKeyConstraint("marker"))
