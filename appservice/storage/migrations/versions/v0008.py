"""The record: a chain for each audience of each case, in place of the plain list of decisions."""

from alembic import op

from appservice.storage.migrations.versions.v0001 import big, blob, index, ordinal, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what was decided until now was not chained, and goes."""
    op.create_table(
        "record",
        ordinal("ordinal"),
        text("case_id"),
        text("audience"),
        big("seq"),
        big("at"),
        text("public"),
        text("hash"),
        blob("sealed"),
        sqlite_autoincrement=True,
    )
    index("uq_record_seq", "record", "case_id", "audience", "seq", unique=True)
    index("ix_record_case_id", "record", "case_id", "ordinal")
    op.drop_table("decisions")
