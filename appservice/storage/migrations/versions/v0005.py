"""Mails: which came, which left, and their raw bytes."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import big, blob, index, ordinal, text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mail_arrivals",
        ordinal("ordinal"),
        text("token_hash"),
        blob("name_lookup"),
        blob("sheet_lookup"),
        sqlite_autoincrement=True,
    )
    index("uq_mail_arrivals_all", "mail_arrivals", "token_hash", "name_lookup", "sheet_lookup", unique=True)
    index("ix_mail_arrivals_name_lookup", "mail_arrivals", "name_lookup")
    index("ix_mail_arrivals_sheet_lookup", "mail_arrivals", "sheet_lookup")
    op.create_table(
        "sent_mails",
        ordinal("ordinal"),
        text("bounce_hash"),
        text("case_id"),
        text("person"),
        text("endpoint"),
        text("item"),
        text("state"),
        blob("detail"),
        big("at"),
        sa.UniqueConstraint("bounce_hash", name="uq_sent_mails_bounce_hash"),
        sqlite_autoincrement=True,
    )
    index("ix_sent_mails_case_id_person", "sent_mails", "case_id", "person")
    op.create_table(
        "raw_mails", text("case_id"), text("message"), blob("sealed"), sa.PrimaryKeyConstraint("case_id", "message")
    )
