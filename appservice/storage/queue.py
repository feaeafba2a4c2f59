"""The inbox and the outbox: a durable, ordered queue whose lanes are leased.

A unit of work changes items as it goes, and remembers the lanes it touched. At its end (`settle`) it locks those
lanes' rows, in order, and writes down each lane's head anew, and who leases it. So units of work wait for each other
only in that last moment, always in the same order (inbox before outbox, then by name), and a head is never wrong once
committed. A claim locks no row: what keeps two from claiming the same lane at once is a lock that nobody waits for.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Executable, Row, select, update

from appservice.crypto.sealing import Sealer
from appservice.storage.connections import Connection
from appservice.storage.queue_statements import DONE, queue_statements
from appservice.storage.schema import QueueTables
from appservice.storage.seals import open_optional, seal_optional, seal_text
from policies.case import CaseId
from policies.frozen import frozen
from rooms.queue import Item, ItemId, Lane, State
from rooms.turns import LEASES_AHEAD

AT_MOST: Final = 500
"""Items of a listing."""


@frozen
class _Lease:
    owner: str | None
    until: datetime | None
    served: int
    """The lane's place in line from now on."""


class SqlQueue:
    """`rooms.queue.Queue` within one database transaction."""

    def __init__(self, connection: Connection, tables: QueueTables, sealer: Sealer) -> None:
        """The unit of work calls `settle` before it commits."""
        self._connection = connection
        self._items = tables.items
        self._sql = queue_statements(tables, connection.dialect)
        self._is_shared = connection.dialect.name == "postgresql"
        self._sealer = sealer
        self._touched: set[Lane] = set()
        self._leased: dict[Lane, _Lease] = {}
        """The lanes that were claimed here, and whose they will be when this unit of work is over."""
        self._freed: dict[Lane, str] = {}
        self.news = False
        """Whether an item was put, woken or revived."""

    async def put(self, item: Item) -> bool:
        return await self.put_all((item,)) == 1

    async def put_all(self, items: Iterable[Item]) -> int:
        """Store many, in this order, in one statement; how many were new."""
        all_items = tuple(items)
        rows = [self._written(item) for item in all_items]
        if not rows:
            return 0
        new = (await self._connection.execute(self._sql.put, rows)).scalars().all()
        # What waits is no lane's head.
        self._touched.update({item.lane for item in all_items if item.state is State.READY}.intersection(new))
        self.news = self.news or (bool(new) and any(item.wait_key is None for item in all_items))
        return len(new)

    async def ripen(self, at: datetime) -> int:
        due = (await self._connection.execute(self._sql.due, {"at": at})).scalars().all()
        return self._note_news(await self._touch(self._sql.unpark, {"seqs": due})) if due else 0

    async def hasten(self) -> int:
        items = self._items
        fails = update(items).where(
            items.c.state == State.READY, items.c.state != DONE, items.c.failing_since.is_not(None)
        )
        return self._note_news(await self._touch(fails.values(due_at=None).returning(items.c.lane), {}))

    async def claim(self, owner: str, at: datetime, lease: timedelta, limit: int = 1) -> tuple[Item, ...]:
        await self.settle()
        moment = {"at": at, "beyond": at + LEASES_AHEAD * lease}
        while (next_one := await self._claimable(moment)) is not None:
            lane, behind = next_one
            values = {**moment, "wanted_lane": lane, "most": limit}
            found = (await self._connection.execute(self._sql.ready, values)).all()
            if found:
                self._leased[lane] = _Lease(owner, at + lease, behind)
                return tuple(takewhile(lambda item: item.due_at is None or item.due_at <= at, map(self._read, found)))
        return ()

    async def _claimable(self, moment: Mapping[str, datetime]) -> tuple[Lane, int] | None:
        """The lane that is next, and the place behind all that wait."""
        found = (await self._connection.execute(self._sql.claimable, moment)).one_or_none()
        return None if found is None else (found.lane, found.behind)

    async def renew(self, owner: str, lane: Lane, until: datetime) -> bool:
        await self.settle()
        values = {"wanted_lane": lane, "mine": owner, "leased_until": until}
        return (await self._connection.execute(self._sql.renew, values)).rowcount == 1

    async def free(self, owner: str, lane: Lane) -> None:
        mine = self._leased.get(lane)
        if mine is not None and mine.owner == owner:
            self._leased[lane] = _Lease(None, None, mine.served)
        else:
            self._freed[lane] = owner

    async def next_due(self, at: datetime) -> datetime | None:
        due: datetime | None = (await self._connection.execute(self._sql.next_due, {"at": at})).scalar()
        return due

    async def get(self, item: ItemId, *, lock: bool = False) -> Item | None:
        statement = self._sql.locked if lock else self._sql.get
        found = (await self._connection.execute(statement, {"wanted": item})).one_or_none()
        return None if found is None else self._read(found)

    async def ahead_of(self, item: Item, first: Item | None = None) -> tuple[Item, ...]:
        values = {"wanted_lane": item.lane, "before": item.seq, "first": (first or item).seq, "most": AT_MOST}
        return tuple(map(self._read, await self._connection.execute(self._sql.ahead, values)))

    async def behind(self, item: Item) -> tuple[Item, ...]:
        values = {"wanted_lane": item.lane, "after": item.seq, "most": AT_MOST}
        return tuple(map(self._read, await self._connection.execute(self._sql.behind, values)))

    async def in_lane(self, lane: Lane) -> tuple[Item, ...]:
        values = {"wanted_lane": lane, "most": AT_MOST}
        return tuple(map(self._read, await self._connection.execute(self._sql.in_lane, values)))

    async def waits_ahead(self, item: Item, wait_key: str) -> bool:
        values = {"wanted_lane": item.lane, "before": item.seq, "key": wait_key}
        return (await self._connection.execute(self._sql.waiting, values)).first() is not None

    async def done(self, item: ItemId, result: str | None = None) -> None:
        sealed = seal_optional(self._sealer, self._column("result"), item, result)
        await self._change(item, state=State.DONE, result=sealed, body=None, progress=None)

    async def retry(self, item: ItemId, due_at: datetime, note: str, failing_since: datetime) -> None:
        await self._change(item, note, count=True, state=State.READY, due_at=due_at, failing_since=failing_since)

    async def park(
        self, item: ItemId, wait_key: str, due_at: datetime | None, note: str, *, is_attempt: bool = True
    ) -> None:
        await self._change(item, note, count=is_attempt, state=State.PARKED, wait_key=wait_key, due_at=due_at)

    async def wake(self, wait_key: str) -> int:
        parked = (await self._connection.execute(self._sql.parked, {"key": wait_key})).scalars().all()
        return self._note_news(await self._touch(self._sql.unpark, {"seqs": parked})) if parked else 0

    async def stop(self, item: ItemId, state: State, note: str) -> None:
        await self._change(item, note, state=state)

    async def mark_sending(self, item: ItemId, progress: bytes | None) -> None:
        values = {"wanted": item, "sending": True, "progress": self._sealed("progress", item, progress)}
        await self._connection.execute(self._sql.change, values)

    async def revive(self, item: ItemId) -> bool:
        values = {"wanted": item, "state": State.READY, "attempts": 0}
        return self._note_news(await self._touch(self._sql.revive, values)) > 0

    async def forget(self, before: datetime) -> int:
        return (await self._connection.execute(self._sql.forget, {"before": before})).rowcount

    async def forget_messages(self, before: datetime) -> int:
        return (await self._connection.execute(self._sql.forget_messages, {"before": before})).rowcount

    async def in_state(self, states: Collection[State], case: CaseId | None = None) -> tuple[Item, ...]:
        items = self._items
        statement = select(items).where(items.c.state.in_(states)).order_by(items.c.seq).limit(AT_MOST)
        if State.DONE not in states:
            statement = statement.where(items.c.state != DONE)
        if case is not None:
            statement = statement.where(items.c.case_id == case)
        return tuple(map(self._read, await self._connection.execute(statement)))

    async def counts(self) -> Mapping[State, int]:
        return {State(name): count for name, count in await self._connection.execute(self._sql.counts)}

    async def oldest(self, state: State) -> datetime | None:
        stored: datetime | None = (await self._connection.execute(self._sql.oldest[state])).scalar()
        return stored

    async def awaiting(self, prefix: str) -> int:
        values = {"prefix": prefix, "behind": prefix + chr(0x10FFFF)}
        awaiting: int = (await self._connection.execute(self._sql.awaiting, values)).scalar_one()
        return awaiting

    async def leased(self, at: datetime) -> int:
        await self.settle()
        leased: int = (await self._connection.execute(self._sql.leased, {"at": at})).scalar_one()
        return leased

    async def settle(self) -> None:
        """Bring the rows of the touched lanes up to date."""
        touched = sorted(self._touched | self._leased.keys() | self._freed.keys())
        if not touched:
            return
        # Inserts or locks each, in order. The heads are read by the next statements, which see all that the former
        # holders of the locks committed. SQLite has one writer, and a lane that was claimed is there.
        if lanes := [{"lane": lane} for lane in touched if self._is_shared or lane not in self._leased]:
            await self._connection.execute(self._sql.lock, lanes)
        if heads := [{"wanted_lane": lane} for lane in touched if lane not in self._leased]:
            await self._connection.execute(self._sql.settle, heads)
        for lane, owner in self._freed.items():
            await self._connection.execute(self._sql.free, {"wanted_lane": lane, "mine": owner})
        for lane, lease in self._leased.items():
            values = {
                "wanted_lane": lane,
                "owner": lease.owner,
                "leased_until": lease.until,
                "served": lease.served,
            }
            await self._connection.execute(self._sql.settle_and_lease, values)
        self._touched.clear()
        self._freed.clear()
        self._leased.clear()

    # --- changing

    async def _change(self, item: ItemId, note: str | None = None, *, count: bool = False, **values: Any) -> None:
        """Whatever an item waited for or was in the middle of is over, unless the new values say otherwise."""
        over = {"due_at": None, "wait_key": None, "sending": False, "failing_since": None}
        changes = {"wanted": item, **over, **values}
        if note is not None:
            changes["note"] = seal_text(self._sealer, self._column("note"), item, note)
        await self._touch(self._sql.count_and_change if count else self._sql.change, changes)

    async def _touch(self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> int:
        """Execute a statement that returns the lanes of the items it changed; how many items."""
        lanes = (await self._connection.execute(statement, values)).scalars().all()
        self._touched.update(lanes)
        return len(lanes)

    def _note_news(self, changed: int) -> int:
        self.news = self.news or changed > 0
        return changed

    # --- rows

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
            "failing_since": item.failing_since,
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
            failing_since=found.failing_since,
        )

    def _sealed(self, column: str, item: ItemId, value: bytes | None) -> bytes | None:
        return None if value is None else self._sealer.seal(self._column(column), item, value)

    def _opened(self, column: str, item: ItemId, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._sealer.open(self._column(column), item, sealed)

    def _column(self, name: str) -> str:
        return f"{self._items.name}.{name}"
