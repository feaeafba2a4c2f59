"""Documents: the keys of the vault's bytes, and what of them lies at the homeserver."""

import sqlalchemy as sa
from alembic import op

from appservice.storage.migrations.versions.v0001 import big, blob, index, maybe, ordinal, text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vault_blobs",
        text("blob"),
        text("case_id"),
        sa.Column("whole", sa.Boolean, nullable=False),
        blob("sealed"),
        big("at"),
        sa.PrimaryKeyConstraint("blob"),
    )
    op.create_table(
        "vault_media",
        ordinal("ordinal"),
        text("item"),
        text("case_id"),
        text("kind"),
        maybe(text("side")),
        big("at"),
        maybe(text("uri")),
        maybe(text("event")),
        maybe(text("document")),
        sa.Column("version", sa.Integer),
        maybe(big("gone")),
        sqlite_autoincrement=True,
    )
    index("uq_vault_media_item", "vault_media", "item", unique=True)
    index("ix_vault_media_case_id_document", "vault_media", "case_id", "document")
