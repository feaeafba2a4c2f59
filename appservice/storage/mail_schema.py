"""The tables of what is kept of mails beside what they say."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from appservice.storage.schema import Moment, metadata, ordinal

MAIL_ARRIVALS = Table(
    "mail_arrivals",
    metadata,
    ordinal(),
    Column("token_hash", Text, nullable=False),
    Column("name_lookup", LargeBinary, nullable=False),
    Column("sheet_lookup", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Which mails came to which reply address, by keyed hashes of what makes two of them the same."""
Index(
    "uq_mail_arrivals_all",
    MAIL_ARRIVALS.c.token_hash,
    MAIL_ARRIVALS.c.name_lookup,
    MAIL_ARRIVALS.c.sheet_lookup,
    unique=True,
)
Index("ix_mail_arrivals_name_lookup", MAIL_ARRIVALS.c.name_lookup)
Index("ix_mail_arrivals_sheet_lookup", MAIL_ARRIVALS.c.sheet_lookup)

SENT_MAILS = Table(
    "sent_mails",
    metadata,
    ordinal(),
    Column("bounce_hash", Text, nullable=False, unique=True),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    Column("about", LargeBinary),
    Column("more", Text),
    sqlite_autoincrement=True,
)
"""What is known of each mail that left; `detail` and `about` are sealed; `more` is the ids of what
left in it besides, as a list in JSON."""
Index("ix_sent_mails_case_id_person", SENT_MAILS.c.case_id, SENT_MAILS.c.person)

RAW_MAILS = Table(
    "raw_mails",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""The mails that brought messages, as they came, sealed under the case's key."""

MAIL_TALLIES = Table(
    "mail_tallies",
    metadata,
    Column("key_lookup", LargeBinary, primary_key=True),
    Column("times", Text, nullable=False),
)
"""When mails were accepted under each key within the hour, in milliseconds, where several processes accept them."""
