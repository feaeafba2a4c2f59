"""The inbox and the outbox: a durable, ordered queue whose lanes are leased.

A unit of work changes items as it goes, and remembers the lanes it touched. At its end (`settle`) it locks those
lanes' rows, in order, and writes down each lane's head anew. So units of work wait for each other only in that last
moment, always in the same order (inbox before outbox, then by name), and a head is never wrong once committed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import ColumnClause, Row, Update, and_, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.crypto.sealing import Sealer
from appservice.storage.schema import QueueTables
from appservice.storage.seals import open_optional, seal_optional
from appservice.storage.statements import insert_new, insert_or_lock
from policies.case import CaseId
from rooms.ports import Item, ItemId, Lane, State

AT_MOST: Final = 500

# Literals, not parameters: only then do the partial indexes apply.
_READY: Final[ColumnClause[str]] = literal_column("'ready'")
_PARKED: Final[ColumnClause[str]] = literal_column("'parked'")
_DONE: Final[ColumnClause[str]] = literal_column("'done'")


class SqlQueue:
    """`rooms.ports.Queue` within one database transaction."""

    def __init__(self, connection: AsyncConnection, tables: QueueTables, sealer: Sealer) -> None:
        """The unit of work calls `settle` before it commits."""
        self._connection = connection
        self._items, self._lanes = tables.items, tables.lanes
        self._sealer = sealer
        self._touched: set[Lane] = set()
        self._freed: dict[Lane, str] = {}
        self.news = False
        """Whether an item was put, woken or revived."""

    async def put(self, item: Item) -> bool:
        return await self.put_all((item,)) == 1

    async def put_all(self, items: Iterable[Item]) -> int:
        """Store many, in this order, in one statement; how many were new."""
        rows = [self._written(item) for item in items]
        if not rows:
            return 0
        statement = insert_new(self._connection, self._items, "id").returning(self._items.c.lane)
        lanes = (await self._connection.execute(statement, rows)).scalars().all()
        self._touched.update(lanes)
        self.news = self.news or bool(lanes)
        return len(lanes)

    async def claim(self, owner: str, at: datetime, lease: timedelta, limit: int = 1) -> tuple[Item, ...]:
        await self._unpark(at)
        await self.settle()
        lane = await self._lease(owner, at, at + lease)
        if lane is None:
            return ()
        items = self._items
        ready = and_(items.c.lane == lane, items.c.state == _READY)
        found = await self._select(select(items).where(ready).order_by(items.c.seq).limit(limit))
        return tuple(takewhile(lambda item: item.due_at is None or item.due_at <= at, found))

    async def _unpark(self, at: datetime) -> None:
        items = self._items
        # An item that another unit of work is changing at this moment is left to the next claim.
        due = select(items.c.seq).where(items.c.due_at <= at, items.c.state == _PARKED).order_by(items.c.due_at)
        seqs = (await self._connection.execute(due.with_for_update(skip_locked=True))).scalars().all()
        if seqs:
            changes = {"state": State.READY, "wait_key": None, "due_at": None}
            await self._update(update(items).where(items.c.seq.in_(seqs)).values(changes))

    async def _lease(self, owner: str, at: datetime, until: datetime) -> Lane | None:
        lanes = self._lanes.alias()
        oldest = (
            select(lanes.c.lane)
            .where(
                lanes.c.head_seq.is_not(None),
                or_(lanes.c.ready_at.is_(None), lanes.c.ready_at <= at),
                or_(lanes.c.leased_until.is_(None), lanes.c.leased_until <= at),
            )
            .order_by(lanes.c.head_seq)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        statement = update(self._lanes).where(self._lanes.c.lane == oldest).values(owner=owner, leased_until=until)
        leased: Lane | None = (await self._connection.execute(statement.returning(self._lanes.c.lane))).scalar()
        return leased

    async def renew(self, owner: str, lane: Lane, until: datetime) -> bool:
        statement = update(self._lanes).where(self._lanes.c.lane == lane, self._lanes.c.owner == owner)
        return (await self._connection.execute(statement.values(leased_until=until))).rowcount == 1

    async def free(self, owner: str, lane: Lane) -> None:
        self._freed[lane] = owner

    async def next_due(self, at: datetime) -> datetime | None:
        statement = select(func.min(self._items.c.due_at)).where(self._items.c.due_at > at)
        due: datetime | None = (await self._connection.execute(statement)).scalar()
        return due

    async def get(self, item: ItemId) -> Item | None:
        found = await self._select(select(self._items).where(self._items.c.id == item))
        return found[0] if found else None

    async def ahead_of(self, item: Item) -> tuple[Item, ...]:
        items = self._items
        ahead = and_(
            items.c.lane == item.lane, items.c.seq < item.seq, or_(items.c.state == _READY, items.c.state == _PARKED)
        )
        return tuple(await self._select(select(items).where(ahead).order_by(items.c.seq).limit(AT_MOST)))

    async def done(self, item: ItemId, result: str | None = None) -> None:
        sealed = seal_optional(self._sealer, self._column("result"), item, result)
        await self._change(item, state=State.DONE, result=sealed, body=None, progress=None)

    async def retry(self, item: ItemId, due_at: datetime, note: str) -> None:
        attempts = self._items.c.attempts + 1
        await self._change(item, note, state=State.READY, due_at=due_at, attempts=attempts)

    async def park(self, item: ItemId, wait_key: str, due_at: datetime | None, note: str) -> None:
        attempts = self._items.c.attempts + 1
        await self._change(item, note, state=State.PARKED, wait_key=wait_key, due_at=due_at, attempts=attempts)

    async def wake(self, wait_key: str) -> int:
        items = self._items
        waiting = select(items.c.seq).where(items.c.wait_key == wait_key, items.c.state == _PARKED)
        seqs = (await self._connection.execute(waiting.order_by(items.c.seq).with_for_update())).scalars().all()
        if not seqs:
            return 0
        changes = {"state": State.READY, "wait_key": None, "due_at": None}
        self.news = True
        return await self._update(update(items).where(items.c.seq.in_(seqs)).values(changes))

    async def stop(self, item: ItemId, state: State, note: str) -> None:
        await self._change(item, note, state=state)

    async def mark_sending(self, item: ItemId, progress: bytes | None) -> None:
        sealed = self._sealed("progress", item, progress)
        statement = update(self._items).where(self._items.c.id == item).values(sending=True, progress=sealed)
        await self._connection.execute(statement)

    async def revive(self, item: ItemId) -> bool:
        items = self._items
        stopped = and_(items.c.id == item, items.c.state.in_((State.DEAD, State.UNKNOWN)))
        revived = await self._update(update(items).where(stopped).values(state=State.READY, attempts=0))
        self.news = self.news or revived > 0
        return revived > 0

    async def in_state(self, states: Collection[State], case: CaseId | None = None) -> tuple[Item, ...]:
        items = self._items
        statement = select(items).where(items.c.state.in_(states)).order_by(items.c.seq).limit(AT_MOST)
        if State.DONE not in states:
            statement = statement.where(items.c.state != _DONE)
        if case is not None:
            statement = statement.where(items.c.case_id == case)
        return tuple(await self._select(statement))

    async def counts(self) -> Mapping[State, int]:
        state = self._items.c.state
        rows = await self._connection.execute(select(state, func.count()).group_by(state))
        return {State(name): count for name, count in rows}

    async def oldest(self) -> datetime | None:
        items = self._items
        first = [
            select(items.c.seq).where(items.c.state == state, items.c.state != _DONE).order_by(items.c.seq).limit(1)
            for state in (_READY, _PARKED)
        ]
        found = [(await self._connection.execute(one)).scalar() for one in first]
        seq = min((one for one in found if one is not None), default=None)
        statement = select(items.c.received_at).where(items.c.seq == seq)
        stored: datetime | None = (await self._connection.execute(statement)).scalar()
        return stored

    async def settle(self) -> None:
        """Bring the rows of the touched lanes up to date."""
        lanes, items, touched = self._lanes, self._items, sorted(self._touched | self._freed.keys())
        if not touched:
            return
        # Inserts or locks each, in order. The heads are read by the next statement, which sees all that the former
        # holders of the locks committed.
        statement = insert_or_lock(self._connection, lanes, "lane")
        await self._connection.execute(statement, [{"lane": lane} for lane in touched])
        ready = select(items.c.seq, items.c.due_at).where(items.c.lane == lanes.c.lane, items.c.state == _READY)
        head = ready.order_by(items.c.seq).limit(1)
        await self._connection.execute(
            update(lanes)
            .where(lanes.c.lane.in_(touched))
            .values(
                head_seq=head.with_only_columns(items.c.seq).scalar_subquery(),
                ready_at=head.with_only_columns(items.c.due_at).scalar_subquery(),
            )
        )
        for lane, owner in self._freed.items():
            mine = and_(lanes.c.lane == lane, lanes.c.owner == owner)
            await self._connection.execute(update(lanes).where(mine).values(owner=None, leased_until=None))
        self._touched.clear()
        self._freed.clear()

    async def _change(self, item: ItemId, note: str | None = None, **values: Any) -> None:
        """Whatever an item waited for or was in the middle of is over, unless the new values say otherwise."""
        changes = {"due_at": None, "wait_key": None, "sending": False} | values
        if note is not None:
            changes["note"] = self._sealer.seal(self._column("note"), item, note.encode())
        await self._update(update(self._items).where(self._items.c.id == item).values(changes))

    async def _update(self, statement: Update) -> int:
        lanes = (await self._connection.execute(statement.returning(self._items.c.lane))).scalars().all()
        self._touched.update(lanes)
        return len(lanes)

    async def _select(self, statement: Any) -> Sequence[Item]:
        return [self._read(found) for found in await self._connection.execute(statement)]

    def _written(self, item: Item) -> dict[str, Any]:
        return {
            "id": item.id,
            "lane": item.lane,
            "kind": item.kind,
            "case_id": item.case,
            "state": item.state,
            "attempts": item.attempts,
            "received_at": item.received_at,
            "due_at": item.due_at,
            "wait_key": item.wait_key,
            "sending": item.sending,
            "body": self._sealer.seal(self._column("body"), item.id, item.body),
            "progress": self._sealed("progress", item.id, item.progress),
            "note": seal_optional(self._sealer, self._column("note"), item.id, item.note),
            "result": seal_optional(self._sealer, self._column("result"), item.id, item.result),
        }

    def _read(self, found: Row[Any]) -> Item:
        return Item(
            id=found.id,
            lane=found.lane,
            kind=found.kind,
            case=found.case_id,
            body=self._opened("body", found.id, found.body) or b"",
            received_at=found.received_at,
            seq=found.seq,
            state=State(found.state),
            attempts=found.attempts,
            due_at=found.due_at,
            wait_key=found.wait_key,
            note=open_optional(self._sealer, self._column("note"), found.id, found.note),
            progress=self._opened("progress", found.id, found.progress),
            sending=found.sending,
            result=open_optional(self._sealer, self._column("result"), found.id, found.result),
        )

    def _sealed(self, column: str, item: ItemId, value: bytes | None) -> bytes | None:
        return None if value is None else self._sealer.seal(self._column(column), item, value)

    def _opened(self, column: str, item: ItemId, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._sealer.open(self._column(column), item, sealed)

    def _column(self, name: str) -> str:
        return f"{self._items.name}.{name}"
