"""The page behind the links."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import big, blob, flag, index, maybe, ordinal, small, text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "shelf",
        ordinal("ordinal"),
        text("case_id"),
        text("person"),
        text("item"),
        blob("sealed"),
        big("at"),
        sqlite_autoincrement=True,
    )
    index("uq_shelf_item", "shelf", "case_id", "person", "item", unique=True)
    op.create_table(
        "pins",
        text("case_id"),
        text("person"),
        blob("lookup"),
        small("wrong"),
        maybe(big("locked_until")),
        sa.PrimaryKeyConstraint("case_id", "person"),
    )
    op.create_table(
        "links",
        ordinal("ordinal"),
        blob("lookup"),
        text("case_id"),
        text("person"),
        text("endpoint"),
        big("sent_at"),
        big("until"),
        flag("opened"),
        sa.UniqueConstraint("lookup", name="uq_links_lookup"),
        sqlite_autoincrement=True,
    )
    index("ix_links_case_id_person", "links", "case_id", "person")
    op.create_table(
        "portal_sessions",
        blob("lookup"),
        text("case_id"),
        text("person"),
        big("until"),
        sa.PrimaryKeyConstraint("lookup"),
    )
