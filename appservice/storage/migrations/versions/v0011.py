"""WhatsApp: what left, and when somebody last wrote."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import big, blob, index, maybe, ordinal, text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "whatsapp_sent",
        ordinal("ordinal"),
        text("item"),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False),
        text("case_id"),
        text("person"),
        text("endpoint"),
        maybe(text("message")),
        text("state"),
        blob("detail"),
        big("at"),
        sqlite_autoincrement=True,
    )
    index("uq_whatsapp_sent_item", "whatsapp_sent", "item", "part", unique=True)
    index("ix_whatsapp_sent_case_id_person", "whatsapp_sent", "case_id", "person")
    op.create_table(
        "whatsapp_threads",
        text("case_id"),
        text("endpoint"),
        text("number"),
        maybe(big("heard_at")),
        maybe(big("nudged_at")),
        sa.PrimaryKeyConstraint("case_id", "endpoint", "number"),
    )
