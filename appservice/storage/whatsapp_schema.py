"""The tables of what is kept of WhatsApp beside what is said."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from appservice.storage.schema import Moment, metadata, ordinal

SENT_PARTS = Table(
    "whatsapp_sent",
    metadata,
    ordinal(),
    Column("item", Text, nullable=False),
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("message", Text),
    Column("state", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    Column("wamid", LargeBinary),
    sqlite_autoincrement=True,
)
"""What is known of each message that left; `detail` and `wamid` are sealed."""
Index("uq_whatsapp_sent_item", SENT_PARTS.c.item, SENT_PARTS.c.part, unique=True)
Index("ix_whatsapp_sent_case_id_person", SENT_PARTS.c.case_id, SENT_PARTS.c.person)

THREADS = Table(
    "whatsapp_threads",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("heard_at", Moment),
    Column("nudged_at", Moment),
)
"""One person and one number of ours; `number` is Meta's id of ours, which is no telephone number."""

LINES = Table(
    "whatsapp_lines",
    metadata,
    Column("ours", Text, primary_key=True),
    Column("lookup", LargeBinary, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
    Column("conversation", Text, nullable=False),
)
"""What a number of ours is for, and a name on WhatsApp: one conversation of one case. The key is the constraint."""
Index("ix_whatsapp_lines_case_id", LINES.c.case_id)
