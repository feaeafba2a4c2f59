"""The tables of what is known of documents' bytes."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text

from appservice.storage.schema import Moment, metadata, ordinal

BLOBS = Table(
    "vault_blobs",
    metadata,
    Column("blob", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
)
"""What the vault keeps, or begins to keep; `sealed`, under the case's key, is the key of those bytes."""

MEDIA = Table(
    "vault_media",
    metadata,
    ordinal(),
    Column("item", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("side", Text),
    Column("at", Moment, nullable=False),
    Column("uri", Text),
    Column("event", Text),
    Column("document", Text),
    Column("version", Integer),
    Column("gone", Moment),
    sqlite_autoincrement=True,
)
"""What of them lies at the homeserver: its opaque ids, and the conversation's `kind` and `side`."""
Index("uq_vault_media_item", MEDIA.c.item, unique=True)
Index("ix_vault_media_case_id_document", MEDIA.c.case_id, MEDIA.c.document)
