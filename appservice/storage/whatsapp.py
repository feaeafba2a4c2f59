"""What is kept of WhatsApp beside what is said."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, null, or_, select, update
from sqlalchemy import case as sql_case

from appservice.storage.connections import Connection
from appservice.storage.seals import Seals, open_text, seal_text
from appservice.storage.statements import upsert
from appservice.storage.whatsapp_schema import SENT_PARTS, THREADS
from appservice.whatsapp.ledger import Thread
from policies.case import CaseId, EndpointId, PersonId
from policies.message import MessageId
from policies.networks.whatsapp import WINDOW, WhatsAppState, Window
from rooms.messages import SentPart
from rooms.queue import ItemId

_DETAIL, _WAMID = "whatsapp_sent.detail", "whatsapp_sent.wamid"
# Built once: to build a statement anew costs more than to run it.
_THREAD = select(THREADS.c.heard_at, THREADS.c.nudged_at).where(
    THREADS.c.case_id == bindparam("case"),
    THREADS.c.endpoint == bindparam("of_endpoint"),
    THREADS.c.number == bindparam("with_number"),
)


class SqlWhatsAppLedger:
    """`appservice.whatsapp.ledger.WhatsAppLedger` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals

    async def thread(self, case: CaseId, endpoint: EndpointId, number: str) -> Thread:
        values = {"case": case, "of_endpoint": endpoint, "with_number": number}
        found = (await self._connection.execute(_THREAD, values)).one_or_none()
        return Thread() if found is None else Thread(found.heard_at, found.nudged_at)

    async def heard(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        known = (await self.thread(case, endpoint, number)).heard_at
        await self._set(case, endpoint, number, "heard_at", max(at, known) if known else at)

    async def nudged(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        await self._set(case, endpoint, number, "nudged_at", at)

    async def shut(self, case: CaseId, endpoint: EndpointId, number: str, sent_at: datetime) -> None:
        columns = THREADS.c
        this = columns.case_id == case, columns.endpoint == endpoint, columns.number == number
        silent = or_(columns.heard_at.is_(None), columns.heard_at <= sent_at)
        asked = (columns.nudged_at > sent_at, columns.nudged_at)
        values = {"heard_at": null(), "nudged_at": sql_case(asked, else_=null())}
        await self._connection.execute(update(THREADS).where(*this, silent).values(values))

    async def _set(self, case: CaseId, endpoint: EndpointId, number: str, column: str, at: datetime) -> None:
        """One column alone: courier and reader may write the two at the same moment."""
        values = {"case_id": case, "endpoint": endpoint, "number": number, column: at}
        others = {"heard_at", "nudged_at"} - {column}
        key = ("case_id", "endpoint", "number")
        await self._connection.execute(upsert(self._connection.dialect, THREADS, *key, keep=others), values)

    async def keep(self, part: SentPart) -> None:
        place = part.item
        values = {
            "item": part.item,
            "part": part.part,
            "parts": part.parts,
            "case_id": part.case,
            "person": part.person,
            "endpoint": part.endpoint,
            "message": part.message,
            "state": part.state,
            "detail": seal_text(self._seals.sealer, _DETAIL, place, part.detail),
            "at": part.at,
            "wamid": seal_text(self._seals.sealer, _WAMID, place, part.wamid) if part.wamid else None,
        }
        await self._connection.execute(upsert(self._connection.dialect, SENT_PARTS, "item", "part"), values)

    async def of_item(self, item: ItemId) -> tuple[SentPart, ...]:
        return await self._found(SENT_PARTS.c.item == item, order=SENT_PARTS.c.part, most=10_000)

    async def begin_anew(self, item: ItemId, channels: Collection[EndpointId]) -> None:
        elsewhere = SENT_PARTS.c.item == item, SENT_PARTS.c.endpoint.not_in(channels)
        await self._connection.execute(delete(SENT_PARTS).where(*elsewhere))

    async def carrying(self, case: CaseId, person: PersonId, message: MessageId) -> frozenset[ItemId]:
        columns = SENT_PARTS.c
        theirs = columns.case_id == case, columns.person == person, columns.message == message
        return frozenset((await self._connection.execute(select(columns.item).where(*theirs))).scalars())

    async def shown_as(self, case: CaseId, endpoint: EndpointId, message: MessageId) -> str | None:
        columns = SENT_PARTS.c
        theirs = columns.case_id == case, columns.endpoint == endpoint, columns.message == message
        found = await self._found(*theirs, columns.wamid.is_not(None), order=columns.ordinal, most=1)
        return found[0].wamid if found else None

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentPart, ...]:
        theirs = SENT_PARTS.c.case_id == case, SENT_PARTS.c.person == person
        return await self._found(*theirs, order=SENT_PARTS.c.ordinal.desc(), most=most)

    async def windows(self, case: CaseId) -> tuple[Window, ...]:
        columns = THREADS.c
        statement = (
            select(columns.endpoint, columns.number, columns.heard_at)
            .where(columns.case_id == case, columns.heard_at.is_not(None))
            .order_by(columns.endpoint, columns.number)
        )
        rows = await self._connection.execute(statement)
        return tuple(Window(row.endpoint, row.number, row.heard_at + WINDOW) for row in rows)

    async def _found(
        self, *conditions: ColumnElement[bool], order: ColumnElement[int], most: int
    ) -> tuple[SentPart, ...]:
        statement = select(SENT_PARTS).where(*conditions).order_by(order).limit(most)
        return tuple(
            SentPart(
                item=found.item,
                part=found.part,
                parts=found.parts,
                case=found.case_id,
                person=found.person,
                endpoint=found.endpoint,
                message=found.message,
                state=WhatsAppState(found.state),
                at=found.at,
                detail=open_text(self._seals.sealer, _DETAIL, found.item, found.detail),
                wamid=open_text(self._seals.sealer, _WAMID, found.item, found.wamid) if found.wamid else "",
            )
            for found in await self._connection.execute(statement)
        )
