"""A link to the page may be opened by a code that was told to one person alone."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the code, as a keyed hash, and until when it opens the link."""
    op.add_column("links", sa.Column("code", sa.LargeBinary))
    op.add_column("links", sa.Column("code_until", sa.BigInteger))
