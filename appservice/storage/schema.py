"""The tables, the same on SQLite and PostgreSQL.

Columns called `sealed` or listed as such hold ciphertext (`seals`); columns called `lookup` hold a keyed hash of what
must be found and not be read. What is in clear are our own ids, opaque Matrix ids, states and times.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    case,
    text,
)
from sqlalchemy.sql.elements import Grouping

from policies.frozen import frozen

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

metadata = MetaData(
    naming_convention={"ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s"},
)


class Moment(TypeDecorator[datetime]):
    """An aware time as microseconds since the epoch: orders and compares the same everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Aware time to number."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Number to time in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def ordinal(name: str = "ordinal") -> Column[int]:
    """The primary key of rows that are read in the order in which they were stored; never given twice."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


@frozen
class QueueTables:
    """The two tables of one queue.

    A lane's row says who leases it, and which READY item is its head; it is brought up to date, under its row lock,
    at the end of each unit of work that touched an item of the lane. So a claim looks at lanes, never through items.
    `served` is the place in line to which it was sent when it was leased last (`turn_of`).
    """

    items: Table
    lanes: Table


def turn_of(lanes: FromClause) -> ColumnElement[int]:
    """A lane's place in line: that of its head, or the one to which it was sent, whichever is further behind."""
    # In parentheses, or PostgreSQL takes no index of it.
    return Grouping(case((lanes.c.served > lanes.c.head_seq, lanes.c.served), else_=lanes.c.head_seq))


def _queue(name: str) -> QueueTables:
    items = Table(
        name,
        metadata,
        ordinal("seq"),
        Column("id", Text, nullable=False, unique=True),
        Column("lane", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("case_id", Text),
        Column("state", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("received_at", Moment, nullable=False),
        Column("due_at", Moment),
        Column("wait_key", Text),
        Column("sending", Boolean, nullable=False),
        Column("body", LargeBinary),
        Column("progress", LargeBinary),
        Column("note", LargeBinary),
        Column("result", LargeBinary),
        Column("failing_since", Moment),
        sqlite_autoincrement=True,
    )
    # Of each, only the rows that still matter, so that finished ones cost nothing.
    _partial(f"ix_{name}_ready", "state = 'ready'", items.c.lane, items.c.seq)
    _partial(f"ix_{name}_parked", "state = 'parked'", items.c.lane, items.c.seq)
    _partial(f"ix_{name}_unfinished", "state <> 'done'", items.c.state, items.c.seq)
    _partial(f"ix_{name}_due_at", "due_at IS NOT NULL", items.c.due_at)
    _partial(f"ix_{name}_wait_key", "wait_key IS NOT NULL", items.c.wait_key)
    lanes = Table(
        f"{name}_lanes",
        metadata,
        Column("lane", Text, primary_key=True),
        Column("head_seq", BigInteger),
        Column("ready_at", Moment),
        Column("owner", Text),
        Column("leased_until", Moment),
        Column("served", BigInteger),
    )
    _partial(f"ix_{name}_lanes_turn", "head_seq IS NOT NULL", turn_of(lanes))
    return QueueTables(items, lanes)


def _partial(name: str, where: str, *columns: ColumnElement[Any], unique: bool = False) -> None:
    """The same on both databases; only of SQLite it is said, for PostgreSQL's dialect would be loaded to say it (3 MB).
    The migrations make both, and what compares them with this adds the other."""
    Index(name, *columns, unique=unique, sqlite_where=text(where))


INBOX = _queue("inbox")
OUTBOX = _queue("outbox")

PASSING = "kind IN ('matrix.beside', 'matrix.key_counts')"
"""The items that come with nearly every transaction and are soon old news: found by their own index."""
_partial("ix_inbox_passing", PASSING, INBOX.items.c.received_at)
MESSAGES = "kind = 'matrix.to_device'"
"""Messages to devices of ours, which nobody names again once they are read."""
_partial("ix_inbox_messages", MESSAGES, INBOX.items.c.received_at)

keys = Table(
    "keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""Random keys, sealed by the master key: `lookup`, and one a case. Deleting a case's key erases its journal."""

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

FUNNEL: Final = ("invited", "reminded", "telephone", "came")

cases = Table(
    "cases",
    metadata,
    ordinal(),
    Column("id", Text, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("urgent_at", Moment),
    Column("board", LargeBinary),
    *(Column(step, Integer, nullable=False, server_default="0") for step in FUNNEL),
    sqlite_autoincrement=True,
)
"""`urgent_at`: since when somebody is waited for, or what is due next, whichever is earlier. `board`: a keyed hash of
what the board was last seen to show. `FUNNEL`: how many of its people were invited, and how far they came."""

case_addresses = Table(
    "case_addresses",
    metadata,
    Column("case_id", Text, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
    Column("lookup", LargeBinary, primary_key=True),
)
Index("ix_case_addresses_lookup", case_addresses.c.lookup)

rooms = Table(
    "rooms",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("marker", Text, nullable=False),
    Column("room_id", Text, unique=True),
    Column("reason", LargeBinary),
    Column("changes", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
"""`case_id` is empty for rooms of no case; `reason` is sealed; `changes` counts changes of the room's state."""
Index("uq_rooms_case_id_key", rooms.c.case_id, rooms.c.key, unique=True)

room_levels = Table(
    "room_levels",
    metadata,
    Column("room_id", Text, primary_key=True),
    Column("digests", Text, nullable=False),
)
"""Digests of the power levels that we wrote into a room last, or were about to write, separated by spaces."""

ghosts = Table(
    "ghosts",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("user_id", Text, nullable=False, unique=True),
)

reply_addresses = Table(
    "reply_addresses",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
"""`kind` and `side` are the conversation's; `sealed` is the token. Revoked rows stay, so that no hash is used again."""
_partial(
    "uq_reply_addresses_endpoint",
    "NOT revoked",
    reply_addresses.c.case_id,
    reply_addresses.c.endpoint,
    reply_addresses.c.kind,
    reply_addresses.c.side,
    unique=True,
)

journal = Table(
    "journal",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("event", Text),
    Column("sealed", LargeBinary, nullable=False),
    Column("edits", Text),
    Column("about", Text),
    sqlite_autoincrement=True,
)
"""Sealed under the case's key. `edits`: the message that this one changes; `about`: the one that it reacts to, or
takes back."""
_partial("ix_journal_about", "about IS NOT NULL", journal.c.case_id, journal.c.about)
_partial("ix_journal_edits", "edits IS NOT NULL", journal.c.case_id, journal.c.edits)
Index("uq_journal_message", journal.c.case_id, journal.c.message, unique=True)
_partial("ix_journal_event", "event IS NOT NULL", journal.c.case_id, journal.c.event)

journal_mails = Table(
    "journal_mails",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("lookup", LargeBinary, nullable=False),
    Column("message", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""The mails that brought or carried a message, in order; `sealed`, under the case's key, is the mail's own id."""
Index("uq_journal_mails_lookup", journal_mails.c.case_id, journal_mails.c.lookup, unique=True)
Index("ix_journal_mails_message", journal_mails.c.case_id, journal_mails.c.message)

echoes = Table(
    "echoes",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("lookup", LargeBinary, primary_key=True),
    Column("conversation", Text, primary_key=True),
)
"""Which pieces of words were said in which conversation, as keyed hashes (`rooms.ports.Echoes`)."""

holds = Table(
    "holds",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("why", LargeBinary, nullable=False),
    Column("at", Moment, nullable=False),
    Column("audience", Text, nullable=True),
    Column("ended", Text, nullable=True),
    Column("ended_at", Moment, nullable=True),
    sqlite_autoincrement=True,
)
"""`why` is sealed. `audience` is a JSON list of person ids; none in what was held before it was written down."""
Index("uq_holds_message", holds.c.case_id, holds.c.message, unique=True)

record = Table(
    "record",
    metadata,
    ordinal(),
    Column("case_id", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("public", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""A chain for each audience of each case. `public` is what is hashed; `sealed`, under the case's key, is private."""
Index("uq_record_seq", record.c.case_id, record.c.audience, record.c.seq, unique=True)
Index("ix_record_case_id", record.c.case_id, record.c.ordinal)
