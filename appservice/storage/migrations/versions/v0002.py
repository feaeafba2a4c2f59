"""Trust: verifications that are under way, and the master keys that people have had."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "crypto_verifications",
        sa.Column("peer_user", sa.Text(), primary_key=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "crypto_master_keys",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("verified_at_ms", sa.BigInteger(), nullable=True),
    )
