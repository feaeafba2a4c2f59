"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    for name in ("inbox", "outbox"):
        _queue(name)
    _cases()
    _crypto()


def _queue(name: str) -> None:
    op.create_table(
        name,
        ordinal("seq"),
        text("id"),
        text("lane"),
        text("kind"),
        maybe(text("case_id")),
        text("state"),
        small("attempts"),
        big("received_at"),
        maybe(big("due_at")),
        maybe(text("wait_key")),
        flag("sending"),
        maybe(blob("body")),
        maybe(blob("progress")),
        maybe(blob("note")),
        maybe(blob("result")),
        sa.UniqueConstraint("id", name=f"uq_{name}_id"),
        sqlite_autoincrement=True,
    )
    index(f"ix_{name}_ready", name, "lane", "seq", where="state = 'ready'")
    index(f"ix_{name}_parked", name, "lane", "seq", where="state = 'parked'")
    index(f"ix_{name}_unfinished", name, "state", "seq", where="state <> 'done'")
    index(f"ix_{name}_due_at", name, "due_at", where="due_at IS NOT NULL")
    index(f"ix_{name}_wait_key", name, "wait_key", where="wait_key IS NOT NULL")
    lanes = f"{name}_lanes"
    op.create_table(
        lanes,
        text("lane"),
        maybe(big("head_seq")),
        maybe(big("ready_at")),
        maybe(text("owner")),
        maybe(big("leased_until")),
        sa.PrimaryKeyConstraint("lane"),
    )
    index(f"ix_{lanes}_head_seq", lanes, "head_seq", where="head_seq IS NOT NULL")


def _cases() -> None:
    op.create_table(
        "cases",
        ordinal(),
        text("id"),
        blob("sealed"),
        sa.UniqueConstraint("id", name="uq_cases_id"),
        sqlite_autoincrement=True,
    )
    op.create_table("counters", text("name"), big("value"), sa.PrimaryKeyConstraint("name"))
    op.create_table(
        "decisions",
        ordinal(),
        text("item"),
        text("case_id"),
        text("rule"),
        small("policy_version"),
        text("effects"),
        blob("reason"),
        big("at"),
        sqlite_autoincrement=True,
    )
    index("ix_decisions_case_id", "decisions", "case_id")
    op.create_table(
        "ghosts",
        text("case_id"),
        text("person"),
        text("user_id"),
        sa.PrimaryKeyConstraint("case_id", "person"),
        sa.UniqueConstraint("user_id", name="uq_ghosts_user_id"),
    )
    op.create_table(
        "holds", ordinal(), text("case_id"), text("message"), blob("why"), big("at"), sqlite_autoincrement=True
    )
    index("uq_holds_message", "holds", "case_id", "message", unique=True)
    op.create_table(
        "journal",
        ordinal(),
        text("case_id"),
        text("message"),
        maybe(text("event")),
        blob("sealed"),
        sqlite_autoincrement=True,
    )
    index("ix_journal_event", "journal", "case_id", "event", where="event IS NOT NULL")
    index("uq_journal_message", "journal", "case_id", "message", unique=True)
    op.create_table(
        "journal_mails",
        ordinal(),
        text("case_id"),
        blob("lookup"),
        text("message"),
        blob("sealed"),
        sqlite_autoincrement=True,
    )
    index("ix_journal_mails_message", "journal_mails", "case_id", "message")
    index("uq_journal_mails_lookup", "journal_mails", "case_id", "lookup", unique=True)
    op.create_table("keys", text("name"), blob("sealed"), sa.PrimaryKeyConstraint("name"))
    op.create_table(
        "reply_addresses",
        text("token_hash"),
        text("case_id"),
        text("person"),
        text("endpoint"),
        text("kind"),
        text("side"),
        blob("sealed"),
        flag("revoked"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    index(
        "uq_reply_addresses_endpoint",
        "reply_addresses",
        "case_id",
        "endpoint",
        "kind",
        "side",
        where="NOT revoked",
        unique=True,
    )
    op.create_table(
        "rooms",
        ordinal(),
        text("case_id"),
        text("key"),
        text("standing"),
        text("marker"),
        maybe(text("room_id")),
        maybe(blob("reason")),
        sa.UniqueConstraint("room_id", name="uq_rooms_room_id"),
        sqlite_autoincrement=True,
    )
    index("uq_rooms_case_id_key", "rooms", "case_id", "key", unique=True)
    op.create_table(
        "case_addresses",
        text("case_id"),
        blob("lookup"),
        sa.PrimaryKeyConstraint("case_id", "lookup"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], ondelete="CASCADE"),
    )
    index("ix_case_addresses_lookup", "case_addresses", "lookup")


def _crypto() -> None:
    op.create_table(
        "crypto_device_lists",
        text("user_id"),
        big("changed"),
        big("fetched"),
        text("pin"),
        maybe(text("pinned_key")),
        maybe(text("master_key")),
        text("devices"),
        big("fetched_at_ms"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    index("ix_crypto_device_lists_fetched_at_ms", "crypto_device_lists", "fetched_at_ms")
    index("ix_crypto_device_lists_stale", "crypto_device_lists", "user_id", where="changed <> fetched")
    op.create_table(
        "crypto_identities",
        text("user_id"),
        text("device_id"),
        flag("ready"),
        text("account"),
        text("seeds"),
        text("curve25519"),
        text("ed25519"),
        text("master_key"),
        text("device_keys"),
        big("fallback_at_ms"),
        big("created_at_ms"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    index("ix_crypto_identities_unfinished", "crypto_identities", "created_at_ms", where="NOT ready")
    op.create_table(
        "crypto_inbound",
        text("user_id"),
        text("room_id"),
        text("session_id"),
        text("sender"),
        text("sender_key"),
        text("sender_ed25519"),
        maybe(text("sender_device")),
        maybe(text("vouched_by")),
        text("origin"),
        text("pickle"),
        big("first_known_index"),
        big("received_at_ms"),
        sa.PrimaryKeyConstraint("user_id", "room_id", "session_id", "sender_key"),
    )
    index("ix_crypto_inbound_session_id", "crypto_inbound", "room_id", "session_id")
    op.create_table(
        "crypto_indexes",
        text("session_id"),
        text("sender"),
        big("message_index"),
        text("event_id"),
        text("room_id"),
        sa.PrimaryKeyConstraint("session_id", "sender", "message_index"),
    )
    op.create_table(
        "crypto_key_requests",
        text("user_id"),
        text("room_id"),
        text("session_id"),
        text("sender"),
        text("request_id"),
        big("at_ms"),
        sa.PrimaryKeyConstraint("user_id", "room_id", "session_id"),
    )
    op.create_table(
        "crypto_olm_messages",
        text("user_id"),
        text("digest"),
        big("at_ms"),
        sa.PrimaryKeyConstraint("user_id", "digest"),
    )
    index("ix_crypto_olm_messages_at_ms", "crypto_olm_messages", "at_ms")
    op.create_table(
        "crypto_olm_sessions",
        text("user_id"),
        text("session_id"),
        text("peer_key"),
        text("pickle"),
        big("created_at_ms"),
        big("used_at_ms"),
        sa.PrimaryKeyConstraint("user_id", "session_id"),
    )
    index("ix_crypto_olm_sessions_peer_key", "crypto_olm_sessions", "user_id", "peer_key")
    op.create_table(
        "crypto_outbound",
        text("user_id"),
        text("room_id"),
        text("session_id"),
        text("pickle"),
        big("message_count"),
        big("created_at_ms"),
        flag("retired"),
        sa.PrimaryKeyConstraint("user_id", "room_id"),
    )
    index("ix_crypto_outbound_session_id", "crypto_outbound", "session_id")
    op.create_table(
        "crypto_requests",
        ordinal(),
        text("request_id"),
        text("user_id"),
        text("kind"),
        text("event_type"),
        text("body"),
        big("attempts"),
        big("leased_until_ms"),
        big("created_at_ms"),
        sqlite_autoincrement=True,
    )
    index("ix_crypto_requests_leased_until_ms", "crypto_requests", "leased_until_ms")
    index("ix_crypto_requests_user_id", "crypto_requests", "user_id")
    index("uq_crypto_requests", "crypto_requests", "request_id", unique=True)
    op.create_table(
        "crypto_shares",
        text("user_id"),
        text("session_id"),
        text("peer_user"),
        text("peer_device"),
        text("peer_key"),
        text("state"),
        big("message_index"),
        text("code"),
        maybe(text("request_id")),
        big("at_ms"),
        sa.PrimaryKeyConstraint("user_id", "session_id", "peer_user", "peer_device"),
    )
    index("ix_crypto_shares_at_ms", "crypto_shares", "at_ms")
    index("ix_crypto_shares_pending", "crypto_shares", "request_id", where="state = 'pending'")
    op.create_table(
        "crypto_unwedgings",
        text("user_id"),
        text("peer_user"),
        text("peer_device"),
        flag("pending"),
        big("at_ms"),
        sa.PrimaryKeyConstraint("user_id", "peer_user", "peer_device"),
    )
    op.create_table(
        "crypto_withheld",
        text("user_id"),
        text("room_id"),
        text("session_id"),
        text("sender"),
        text("code"),
        big("at_ms"),
        sa.PrimaryKeyConstraint("user_id", "room_id", "session_id", "sender"),
    )
    index("ix_crypto_withheld_session_id", "crypto_withheld", "room_id", "session_id")


def text(name: str) -> sa.Column[Any]:
    """A text."""
    return sa.Column(name, sa.Text(), nullable=False)


def blob(name: str) -> sa.Column[Any]:
    """Bytes."""
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def big(name: str) -> sa.Column[Any]:
    """A number of 64 bits; times are such."""
    return sa.Column(name, sa.BigInteger(), nullable=False)


def small(name: str) -> sa.Column[Any]:
    """A number of 32 bits."""
    return sa.Column(name, sa.Integer(), nullable=False)


def flag(name: str) -> sa.Column[Any]:
    """Yes or no."""
    return sa.Column(name, sa.Boolean(), nullable=False)


def maybe(column: sa.Column[Any]) -> sa.Column[Any]:
    """The same, or nothing."""
    column.nullable = True
    return column


def ordinal(name: str = "ordinal") -> sa.Column[Any]:
    """The primary key that counts up."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, number, primary_key=True, autoincrement=True)


def index(name: str, table: str, *columns: str, where: str | None = None, unique: bool = False) -> None:
    """An index, perhaps of some rows only."""
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, list(columns), unique=unique, sqlite_where=condition, postgresql_where=condition)
