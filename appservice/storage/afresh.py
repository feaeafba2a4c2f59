"""A database that begins a new life: what its last one was in the middle of is not gone on with."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from appservice.crypto.ids import UserId
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.crypto_schema import IDENTITIES
from appservice.storage.epoch_schema import EPOCHS
from appservice.storage.portal_schema import LINKS, SESSIONS
from appservice.storage.schema import INBOX, OUTBOX, QueueTables, metadata
from appservice.storage.seals import Seals
from appservice.storage.statements import insert_new
from appservice.storage.work import SqlWork
from rooms.queue import State

CASE_NUMBERS_SKIPPED: Final = 1000
"""Numbers of cases that were opened after the backup stand in people's clients: they are not given again."""

_OVER: Final = (State.DONE, State.CANCELLED)


class AfreshWork(SqlWork):
    """The stores of a database that nobody else uses, with what only a new life needs."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        super().__init__(connection, seals)
        self._connection = connection
        self._seals = seals

    async def all_identities(self) -> tuple[UserId, ...]:
        """Every identity of ours, ready or not."""
        found = await self._connection.execute(select(IDENTITIES.table.c.user_id).order_by(IDENTITIES.table.c.user_id))
        return tuple(found.scalars())

    async def last_search(self) -> datetime | None:
        """How far back the last life had to search; None if it came from no backup."""
        search_from: datetime | None = (await self._connection.execute(select(EPOCHS.c.search_from))).scalar()
        return search_from

    async def oldest_unfinished(self) -> datetime | None:
        """When the oldest thing was stored that is still to be done, or to be repeated by a person."""
        found = [
            (await self._connection.execute(select(func.min(items.c.received_at)).where(items.c.state.not_in(_OVER))))
            for items in (INBOX.items, OUTBOX.items)
        ]
        return min((at for one in found if (at := one.scalar()) is not None), default=None)

    async def newest(self) -> datetime | None:
        """When the newest thing was stored: so old is a copy of unknown age."""
        found = [
            await self._connection.execute(select(func.max(items.c.received_at)))
            for items in (INBOX.items, OUTBOX.items)
        ]
        return max((at for one in found if (at := one.scalar()) is not None), default=None)

    async def forget_sendings(self) -> None:
        """What was on its way out is looked at anew, as if for the first time. Ciphertexts go: so do their ratchets.

        What boards show now is not known.
        """
        items = OUTBOX.items
        over, waits = items.c.state.in_(_OVER), items.c.state.in_((State.READY, State.PARKED))
        await self._connection.execute(update(items).where(~over).values(progress=None, sending=False))
        # Another life may have changed them since.
        await self._connection.execute(update(schema.cases).values(board=None))
        anew = {"state": State.READY, "attempts": 0, "due_at": None, "wait_key": None, "note": None}
        await self._connection.execute(update(items).where(waits).values(anew))

    async def close_pages(self, at: datetime) -> None:
        """A link that was used since is not new again, and no code of one opens anything: whoever has the PIN to a link
        is sent another."""
        await self._connection.execute(update(LINKS).where(LINKS.c.until > at).values(until=at))
        await self._connection.execute(update(LINKS).values(code=None))
        await self._connection.execute(delete(SESSIONS))

    async def make_ready(self) -> None:
        """What a database in use has besides rows: the queues' lanes, and numbers that are never given twice."""
        for queue in (INBOX, OUTBOX):
            await self._make_lanes(queue)
        counters = schema.counters
        none_yet = insert_new(self._connection.dialect, counters, "name")
        await self._connection.execute(none_yet, {"name": "case", "value": CASE_NUMBERS_SKIPPED})
        later = {"value": counters.c.value + CASE_NUMBERS_SKIPPED}
        await self._connection.execute(update(counters).where(counters.c.name == "case").values(later))

    async def _make_lanes(self, queue: QueueTables) -> None:
        items, lanes = queue.items, queue.lanes
        ready = items.c.state == State.READY
        heads = select(func.min(items.c.seq)).where(ready).group_by(items.c.lane).scalar_subquery()
        found = select(items.c.lane, items.c.seq, items.c.due_at).where(items.c.seq.in_(heads))
        await self._connection.execute(delete(lanes))
        await self._connection.execute(insert(lanes).from_select(["lane", "head_seq", "ready_at"], found))

    async def advance_sequences(self) -> None:
        """What is put in next is numbered behind what was put in as it was. SQLite sees to it itself."""
        if self._connection.dialect.name != "postgresql":
            return
        for table in metadata.sorted_tables:
            number = table.autoincrement_column
            if number is None or not number.autoincrement:
                continue
            last = (await self._connection.execute(select(func.max(number)))).scalar()
            sequence = func.pg_get_serial_sequence(table.name, number.name)
            if last is not None:
                await self._connection.execute(select(func.setval(sequence, last)))
