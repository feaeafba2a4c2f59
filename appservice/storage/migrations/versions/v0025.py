"""A number of ours and a name on WhatsApp are one conversation. Cases are sealed, so `lines` fills the table."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, empty."""
    op.create_table(
        "whatsapp_lines",
        sa.Column("ours", sa.Text(), primary_key=True),
        sa.Column("lookup", sa.LargeBinary(), primary_key=True),
        sa.Column("case_id", sa.Text(), sa.ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
    )
    op.create_index("ix_whatsapp_lines_case_id", "whatsapp_lines", ["case_id"])
