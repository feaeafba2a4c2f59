"""The tables of the page behind the links."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text

from appservice.storage.schema import Moment, metadata, ordinal

SHELF = Table(
    "shelf",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""What lies ready for whom, sealed under the case's key."""
Index("uq_shelf_item", SHELF.c.case_id, SHELF.c.person, SHELF.c.item, unique=True)

PINS = Table(
    "pins",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("lookup", LargeBinary, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("locked_until", Moment),
)
"""`lookup` is a keyed hash of the PIN."""

LINKS = Table(
    "links",
    metadata,
    ordinal(),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("sent_at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("opened", Boolean, nullable=False),
    Column("code", LargeBinary),
    Column("code_until", Moment),
    sqlite_autoincrement=True,
)
"""`code`: a keyed hash of what opens it beside the PIN, until it is used or that time has come."""
Index("ix_links_case_id_person", LINKS.c.case_id, LINKS.c.person)

SESSIONS = Table(
    "portal_sessions",
    metadata,
    Column("lookup", LargeBinary, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("until", Moment, nullable=False),
)
