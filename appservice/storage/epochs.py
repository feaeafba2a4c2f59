"""The epoch in the database."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update

from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.epoch_schema import EPOCHS, SEARCHED, SENT, UNCONFIRMED
from appservice.storage.seals import Seals
from appservice.storage.statements import insert_new
from appservice.upkeep.epoch import Epoch, Searched, Stage
from policies.case import CaseId
from rooms.ids import EventId, RoomId
from rooms.queue import ItemId

_FIRST: Final = 1
_MARKER_LETTERS: Final = 32
_UNCONFIRMED: Final = select(UNCONFIRMED.c.case_id).where(UNCONFIRMED.c.case_id == bindparam("case"))
"""Built once: to build a statement anew costs more than to run it."""


class SqlEpochs:
    """`appservice.upkeep.epoch.EpochStore` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection = connection
        self._seals = seals

    async def current(self) -> Epoch:
        return await self._current() or await self._first()

    async def save(self, epoch: Epoch) -> None:
        values = {
            "number": epoch.number,
            "mark": epoch.mark,
            "stage": epoch.stage,
            "doubt_until": epoch.doubt_until,
        }
        await self._connection.execute(update(EPOCHS).where(EPOCHS.c.name == epoch.name).values(values))

    async def begin(self, epoch: Epoch) -> None:
        for table in (EPOCHS, UNCONFIRMED, SEARCHED):
            await self._connection.execute(delete(table))
        await self._put(epoch)
        cases = select(schema.cases.c.id)
        await self._connection.execute(insert(UNCONFIRMED).from_select(["case_id"], cases))

    async def unconfirmed(self, case: CaseId) -> bool:
        return (await self._connection.execute(_UNCONFIRMED, {"case": case})).scalar() is not None

    async def confirm(self, case: CaseId) -> None:
        await self._connection.execute(delete(UNCONFIRMED).where(UNCONFIRMED.c.case_id == case))

    async def doubtful(self, received_at: datetime) -> bool:
        until: datetime | None = (await self._connection.execute(select(EPOCHS.c.doubt_until))).scalar()
        return until is not None and received_at <= until

    async def marker(self, item: ItemId) -> str:
        return self._seals.lookup("sent", item).hex()[:_MARKER_LETTERS]

    async def searched(self, room: RoomId) -> Searched | None:
        statement = select(SEARCHED.c.gaps).where(SEARCHED.c.room_id == room)
        gaps: bool | None = (await self._connection.execute(statement)).scalar()
        return None if gaps is None else Searched(gaps)

    async def found(self, room: RoomId, events: Mapping[str, EventId], searched: Searched) -> None:
        dialect = self._connection.dialect
        values = {"room_id": room, "gaps": searched.gaps}
        await self._connection.execute(insert_new(dialect, SEARCHED, "room_id"), values)
        if events:
            rows = [{"marker": marker, "event_id": event} for marker, event in sorted(events.items())]
            await self._connection.execute(insert_new(dialect, SENT, "marker"), rows)

    async def sent(self, marker: str) -> EventId | None:
        found = await self._connection.execute(select(SENT.c.event_id).where(SENT.c.marker == marker))
        event: EventId | None = found.scalar()
        return event

    async def _current(self) -> Epoch | None:
        found = (await self._connection.execute(select(EPOCHS).with_for_update())).one_or_none()
        if found is None:
            return None
        return Epoch(
            found.number,
            found.name,
            found.mark,
            Stage(found.stage),
            found.backup_at,
            found.search_from,
            found.doubt_until,
        )

    async def _first(self) -> Epoch:
        """Of two processes that make it at once, the one that finds a row already there takes that one."""
        # One table lock would do on PostgreSQL only; this row is what both can wait for.
        counters = schema.counters
        first = {"name": "epochs", "value": _FIRST}
        await self._connection.execute(insert_new(self._connection.dialect, counters, "name"), first)
        await self._connection.execute(select(counters).where(counters.c.name == "epochs").with_for_update())
        found = await self._current()
        if found is not None:
            return found
        epoch = Epoch(_FIRST, secrets.token_hex(8), 0, Stage.SETTLED)
        await self._put(epoch)
        return epoch

    async def _put(self, epoch: Epoch) -> None:
        values = {
            "name": epoch.name,
            "number": epoch.number,
            "mark": epoch.mark,
            "stage": epoch.stage,
            "backup_at": epoch.backup_at,
            "search_from": epoch.search_from,
            "doubt_until": epoch.doubt_until,
        }
        await self._connection.execute(insert(EPOCHS), values)
