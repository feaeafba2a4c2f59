"""The statements of a queue, each built once: to build one anew costs more than to run it."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnElement,
    Dialect,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)

from appservice.storage.schema import MESSAGES, PASSING, QueueTables, turn_of
from appservice.storage.statements import insert_new, insert_or_lock
from rooms.queue import State
from rooms.turns import TURN_BYTES

# Literals, not parameters: only then do the partial indexes apply.
_READY: Final[ColumnClause[str]] = literal_column(f"'{State.READY}'")
_PARKED: Final[ColumnClause[str]] = literal_column(f"'{State.PARKED}'")
_ALL: Final[ColumnElement[bool]] = true()
DONE: Final[ColumnClause[str]] = literal_column(f"'{State.DONE}'")

_AT_ONCE: Final = 32
"""Lanes that may be in the middle of being claimed by others, when one more is looked for."""


class LaneStatements:
    """About the lanes of one queue on one kind of database. Parameters are named in the words after each."""

    def __init__(self, tables: QueueTables, dialect: Dialect) -> None:
        items, lanes = tables.items, tables.lanes
        lane: BindParameter[str] = bindparam("wanted_lane")
        mine = and_(lanes.c.lane == lane, lanes.c.owner == bindparam("mine"))

        line = lanes.alias()
        last = select(func.max(turn_of(line))).where(line.c.head_seq.is_not(None)).scalar_subquery()
        # Of two at one place, one has just come.
        next_ones = select(lanes.c.lane, (last + 1).label("behind")).where(_is_free(lanes))
        next_ones = next_ones.order_by(turn_of(lanes), lanes.c.head_seq.desc())
        self.claimable = next_ones.limit(1) if dialect.name == "sqlite" else _first_to_be_had(next_ones, tables)
        """at, beyond. The lane, and the place behind all that wait."""
        ready = and_(items.c.lane == lanes.c.lane, items.c.state == _READY, lanes.c.lane == lane, _is_free(lanes))
        self.ready = _no_more_than_fits(items, ready)
        """wanted_lane, at, beyond, most. Nothing if another has claimed the lane in the meantime."""
        self.renew = update(lanes).where(mine)
        """wanted_lane, mine, and the column leased_until"""
        self.free = update(lanes).where(mine).values(owner=None, leased_until=None)
        """wanted_lane, mine"""

        self.lock = insert_or_lock(dialect, lanes, "lane")
        """lane"""
        of_lane = select(items.c.seq, items.c.due_at).where(items.c.lane == lanes.c.lane, items.c.state == _READY)
        head = of_lane.order_by(items.c.seq).limit(1)
        self.settle = (
            update(lanes)
            .where(lanes.c.lane == lane)
            .values(
                head_seq=head.with_only_columns(items.c.seq).scalar_subquery(),
                ready_at=head.with_only_columns(items.c.due_at).scalar_subquery(),
            )
        )
        """wanted_lane"""
        lease: dict[str, BindParameter[Any]] = {name: bindparam(name) for name in ("owner", "leased_until", "served")}
        self.settle_and_lease = self.settle.values(**lease)
        """wanted_lane, owner, leased_until, served"""


class QueueStatements(LaneStatements):
    """All of one queue on one kind of database."""

    def __init__(self, tables: QueueTables, dialect: Dialect) -> None:
        super().__init__(tables, dialect)
        items = tables.items
        wanted = items.c.id == bindparam("wanted")
        lane: BindParameter[str] = bindparam("wanted_lane")

        self.put = insert_new(dialect, items, "id").returning(items.c.lane)
        """Columns of items."""
        self.get = select(items).where(wanted)
        """wanted"""
        self.locked = self.get.with_for_update()
        """wanted"""
        self.ahead = _waiting(
            items,
            items.c.lane == lane,
            ready=items.c.seq < bindparam("first"),
            parked=items.c.seq < bindparam("before"),
        )
        """wanted_lane, first, before, most"""
        self.behind = _waiting(items, and_(items.c.lane == lane, items.c.seq > bindparam("after")))
        """wanted_lane, after, most"""
        self.in_lane = _waiting(items, items.c.lane == lane, newest=True)
        """wanted_lane, most"""
        self.forget, self.forget_messages = (
            delete(items).where(text(kinds), items.c.received_at < bindparam("before"), items.c.state == DONE)
            for kinds in (PASSING, MESSAGES)
        )
        """before"""
        key = items.c.wait_key == bindparam("key")
        before = select(items.c.seq).where(items.c.lane == lane, items.c.seq < bindparam("before"))
        waiting = (before.where(key, items.c.state == _PARKED), before.where(items.c.state == _READY))
        self.waiting = select(union_all(*waiting).subquery()).limit(1)
        """key, wanted_lane, before"""
        self.change = update(items).where(wanted).returning(items.c.lane)
        """wanted, and the columns to be changed"""
        self.count_and_change = self.change.values(attempts=items.c.attempts + 1)
        """The same."""
        self.revive = self.change.where(items.c.state.in_((State.DEAD, State.UNKNOWN)))
        """The same."""

        # In the order of the index, or SQLite walks through all items in the order of the result.
        due = select(items.c.seq).where(items.c.due_at <= bindparam("at"), items.c.state == _PARKED)
        self.due = due.order_by(items.c.due_at).with_for_update(skip_locked=True)
        """at. What another unit of work is changing at this moment is left to the next time."""
        parked = select(items.c.seq).where(items.c.wait_key == bindparam("key"), items.c.state == _PARKED)
        self.parked = parked.order_by(items.c.seq).with_for_update()
        """key"""
        unpark = update(items).where(items.c.seq.in_(bindparam("seqs", expanding=True)))
        self.unpark = unpark.values(state=State.READY, wait_key=None, due_at=None).returning(items.c.lane)
        """seqs"""
        self.next_due = select(func.min(items.c.due_at)).where(items.c.due_at > bindparam("at"))
        """at"""

        awaits = and_(items.c.state == _PARKED, items.c.wait_key.is_not(None))
        self.oldest = {
            state: select(items.c.received_at).where(waiting, items.c.state != DONE).order_by(items.c.seq).limit(1)
            for state, waiting in ((State.READY, items.c.state == _READY), (State.PARKED, awaits))
        }
        """By state."""
        begins = items.c.wait_key.between(bindparam("prefix"), bindparam("behind"))
        self.awaiting = select(func.count()).where(awaits, begins)
        """prefix, behind: the last text that begins so"""
        self.counts = select(items.c.state, func.count()).where(items.c.state != DONE).group_by(items.c.state)
        """No parameters."""
        self.leased = select(func.count()).where(tables.lanes.c.leased_until > bindparam("at"))
        """at"""


def _no_more_than_fits(items: Table, wanted: ColumnElement[bool]) -> Select[Any]:
    """The first of these items, as many as are asked for, while what lies before each stays below TURN_BYTES."""
    size = func.length(items.c.body).label("size")
    first = select(items.c.seq, size).where(wanted).order_by(items.c.seq).limit(bindparam("most")).subquery()
    before = func.sum(first.c.size).over(order_by=first.c.seq, rows=(None, -1)).label("before")
    each = select(first.c.seq, before).subquery()
    fits = func.coalesce(each.c.before, 0) < TURN_BYTES
    return select(items).where(items.c.seq == each.c.seq, fits).order_by(items.c.seq)


def _waiting(
    items: Table,
    wanted: ColumnElement[bool],
    *,
    ready: ColumnElement[bool] = _ALL,
    parked: ColumnElement[bool] = _ALL,
    newest: bool = False,
) -> Select[Any]:
    """The first (or last) of those that are READY or PARKED: of each state on its own, for each has its own index, and
    may have more that is wanted of it."""
    states = ((_READY, ready), (_PARKED, parked))
    both = union_all(*(select(items).where(wanted, more, items.c.state == state) for state, more in states)).subquery()
    return select(both).order_by(both.c.seq.desc() if newest else both.c.seq).limit(bindparam("most"))


def _first_to_be_had(next_ones: Select[Any], tables: QueueTables) -> Select[Any]:
    """The first of these lanes that nobody else is claiming at this moment; nobody else can, until this unit of work
    ends. No row is locked: whoever only stores something in that lane must not wait, for it may be waited for.

    The inner limit keeps PostgreSQL from asking for more locks than it needs.
    """
    some = next_ones.limit(_AT_ONCE).subquery()
    had = func.pg_try_advisory_xact_lock(func.hashtext(tables.lanes.name), func.hashtext(some.c.lane))
    return select(some).where(had).limit(1)


def _is_free(lanes: Table) -> ColumnElement[bool]:
    """Whether a lane has an item whose time has come, and nobody works on it. Parameters: at, beyond."""
    is_leased = and_(lanes.c.leased_until > bindparam("at"), lanes.c.leased_until <= bindparam("beyond"))
    is_due = or_(lanes.c.ready_at.is_(None), lanes.c.ready_at <= bindparam("at"))
    return and_(lanes.c.head_seq.is_not(None), is_due, or_(lanes.c.leased_until.is_(None), not_(is_leased)))


queue_statements: Final[Callable[[QueueTables, Dialect], QueueStatements]] = cache(QueueStatements)
"""Those of that queue and database, always the same ones."""
