"""Lanes stand in line: whoever was served goes behind all that wait."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the place in line; for a start, that of what waits in each lane."""
    waits = sa.text("head_seq IS NOT NULL")
    turn = sa.text("(CASE WHEN (served > head_seq) THEN served ELSE head_seq END)")
    for queue in ("inbox", "outbox"):
        lanes = f"{queue}_lanes"
        op.add_column(lanes, sa.Column("served", sa.BigInteger()))
        op.drop_index(f"ix_{lanes}_head_seq", lanes)
        op.create_index(f"ix_{lanes}_turn", lanes, [turn], sqlite_where=waits, postgresql_where=waits)
