"""What was said, what is held, and what was decided."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update

from appservice.crypto.sealing import Sealer
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.documents import Document
from appservice.storage.seals import Seals, case_seal, make_case_seal, open_text, row, seal_text
from appservice.storage.statements import insert_new
from policies.case import CaseId, PersonId
from policies.message import Edit, Message, MessageId, Reaction, Removal, Unproven
from policies.moderation.hold import HoldEnd
from rooms.ids import EventId
from rooms.ports import Entry, Held

_MESSAGE: Final[Document[Message]] = Document(Message)
_entries, _mails = schema.journal, schema.journal_mails

# Built once: to build a statement anew costs more than to run it.
_FIRST_MAIL: Final = (
    select(_mails.c.sealed)
    .where(_mails.c.case_id == _entries.c.case_id, _mails.c.message == _entries.c.message)
    .order_by(_mails.c.ordinal)
    .limit(1)
    .scalar_subquery()
)
_CARRIED: Final = select(_mails.c.message).where(
    _mails.c.case_id == bindparam("case"), _mails.c.lookup == bindparam("lookup")
)
_ENTRY: Final = (
    select(_entries, _FIRST_MAIL.label("mail"))
    .where(_entries.c.case_id == bindparam("case"))
    .order_by(_entries.c.ordinal)
    .limit(1)
)
_OF_MESSAGE: Final = _ENTRY.where(_entries.c.message == bindparam("wanted"))
_OF_EVENT: Final = _ENTRY.where(_entries.c.event == bindparam("wanted"))
_OF_MAIL: Final = _ENTRY.where(_entries.c.message == _CARRIED.scalar_subquery())
_there, _taken = _entries.alias(), _entries.alias()
_BACK: Final = select(_taken.c.message).where(_taken.c.case_id == _there.c.case_id, _taken.c.about == _there.c.message)
_REACTIONS: Final = (
    select(_there.c.message, _there.c.sealed)
    .where(_there.c.case_id == bindparam("case"), _there.c.about == bindparam("wanted"), ~_BACK.exists())
    .order_by(_there.c.ordinal)
)
_LINK: Final = (
    update(_entries)
    .where(_entries.c.case_id == bindparam("case"), _entries.c.message == bindparam("wanted"))
    .values(event=bindparam("found"))
)


class SqlJournal:
    """`rooms.ports.Journal` within one database transaction. All of it is sealed under the case's own key."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection = connection
        self._seals = seals
        self._made: dict[CaseId, Sealer] = {}

    async def append(self, entry: Entry) -> None:
        seal = await self._seal(entry.case)
        values = {
            "case_id": entry.case,
            "message": entry.message.id,
            "event": entry.event,
            "edits": _changes(entry.message),
            "about": _about(entry.message),
            "sealed": seal.seal("journal.sealed", row(entry.case, entry.message.id), _MESSAGE.dump(entry.message)),
        }
        statement = insert_new(self._connection.dialect, _entries, "case_id", "message")
        new = (await self._connection.execute(statement, values)).rowcount == 1
        if new and entry.mail_id is not None:
            await self._link_mail(seal, entry.case, entry.message.id, entry.mail_id)

    async def get(self, case: CaseId, message: MessageId) -> Entry | None:
        return await self._one(_OF_MESSAGE, case, wanted=message)

    async def newest(self, case: CaseId, message: MessageId) -> Entry | None:
        last = (
            select(_entries.c.message)
            .where(_entries.c.case_id == case, _entries.c.edits == message)
            .order_by(_entries.c.ordinal.desc())
            .limit(1)
        )
        edit = (await self._connection.execute(last)).scalar_one_or_none()
        return await self.get(case, message if edit is None else edit)

    async def changes(self, case: CaseId, message: MessageId) -> tuple[MessageId, ...]:
        columns = _entries.c
        edits = select(columns.message).where(columns.case_id == case, columns.edits == message)
        return tuple((await self._connection.execute(edits.order_by(columns.ordinal))).scalars())

    async def reactions(self, case: CaseId, message: MessageId) -> tuple[Message, ...]:
        found = (await self._connection.execute(_REACTIONS, {"case": case, "wanted": message})).all()
        seal = await case_seal(self._connection, self._seals.sealer, case) if found else None
        said = [_said(seal, case, one.message, one.sealed) for one in found] if seal else []
        return tuple(one for one in said if isinstance(one.content, Reaction))

    async def by_event(self, case: CaseId, event: EventId) -> Entry | None:
        # An event may claim to answer anything; what is no identifier, PostgreSQL would refuse to look for.
        return await self._one(_OF_EVENT, case, wanted=event) if event.isprintable() else None

    async def by_mail_id(self, case: CaseId, mail_id: str) -> Entry | None:
        return await self._one(_OF_MAIL, case, lookup=self._lookup(mail_id))

    async def link_event(self, case: CaseId, message: MessageId, event: EventId) -> None:
        await self._connection.execute(_LINK, {"case": case, "wanted": message, "found": event})

    async def link_mail(self, case: CaseId, message: MessageId, mail_id: str) -> None:
        seal = await self._seal(case)
        await self._link_mail(seal, case, message, mail_id)

    async def _link_mail(self, seal: Sealer, case: CaseId, message: MessageId, mail_id: str) -> None:
        values = {
            "case_id": case,
            "lookup": self._lookup(mail_id),
            "message": message,
            "sealed": seal_text(seal, "journal_mails.sealed", row(case, message), mail_id),
        }
        await self._connection.execute(insert_new(self._connection.dialect, _mails, "case_id", "lookup"), values)

    async def _one(self, statement: Select[*tuple[Any, ...]], case: CaseId, **values: str | bytes) -> Entry | None:
        found = (await self._connection.execute(statement, {"case": case, **values})).one_or_none()
        seal = None if found is None else await case_seal(self._connection, self._seals.sealer, case)
        if found is None or seal is None:
            return None
        place = row(case, found.message)
        return Entry(
            case=case,
            message=_said(seal, case, found.message, found.sealed),
            event=found.event,
            mail_id=None if found.mail is None else open_text(seal, "journal_mails.sealed", place, found.mail),
        )

    async def _seal(self, case: CaseId) -> Sealer:
        """What the case's messages are sealed with; asked for once a transaction."""
        if case not in self._made:
            self._made[case] = await make_case_seal(self._connection, self._seals.sealer, case)
        return self._made[case]

    def _lookup(self, mail_id: str) -> bytes:
        return self._seals.lookup("mail id", mail_id)


class SqlHolds:
    """`rooms.ports.Holds` within one database transaction."""

    def __init__(self, connection: Connection, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer

    async def put(self, held: Held) -> None:
        values = {
            "case_id": held.case,
            "message": held.message,
            "why": seal_text(self._sealer, "holds.why", row(held.case, held.message), held.why),
            "at": held.at,
            "audience": json.dumps(sorted(held.audience)),
            "ended": held.end,
            "ended_at": held.ended_at,
        }
        await self._connection.execute(insert_new(self._connection.dialect, schema.holds, "case_id", "message"), values)

    async def counts(self) -> Mapping[CaseId, tuple[int, datetime]]:
        held = schema.holds.c
        counted = select(held.case_id, func.count(), func.min(held.at)).where(held.ended.is_(None))
        counted = counted.group_by(held.case_id)
        return {case: (number, since) for case, number, since in await self._connection.execute(counted)}

    async def of_case(self, case: CaseId) -> tuple[Held, ...]:
        statement = select(schema.holds).where(schema.holds.c.case_id == case).order_by(schema.holds.c.ordinal)
        return tuple(
            Held(
                case=case,
                message=found.message,
                why=open_text(self._sealer, "holds.why", row(case, found.message), found.why),
                at=found.at,
                audience=frozenset(map(PersonId, json.loads(found.audience or "[]"))),
                end=None if found.ended is None else HoldEnd(found.ended),
                ended_at=found.ended_at,
            )
            for found in await self._connection.execute(statement)
        )

    async def end(self, case: CaseId, message: MessageId, end: HoldEnd, at: datetime) -> bool:
        waits = schema.holds.c.ended.is_(None)
        return await self._change(case, message, waits, ended=end, ended_at=at)

    async def resume(self, case: CaseId, message: MessageId) -> bool:
        discarded = schema.holds.c.ended == HoldEnd.DISCARDED
        return await self._change(case, message, discarded, ended=None, ended_at=None)

    async def _change(
        self, case: CaseId, message: MessageId, only: ColumnElement[bool], **values: datetime | str | None
    ) -> bool:
        held = schema.holds.c
        statement = update(schema.holds).where(held.case_id == case, held.message == message, only).values(**values)
        return (await self._connection.execute(statement)).rowcount == 1


def _said(seal: Sealer, case: CaseId, message: MessageId, sealed: bytes) -> Message:
    return _MESSAGE.load(seal.open("journal.sealed", row(case, message), sealed))


def _about(message: Message) -> MessageId | None:
    """Which message this one reacts to, or takes back."""
    return message.content.target if isinstance(message.content, Reaction | Removal) else None


def _changes(message: Message) -> MessageId | None:
    """Which message has new words by this one: not by what nobody knows its author wrote."""
    content = message.content
    return content.target if isinstance(content, Edit) and not isinstance(message.proof, Unproven) else None
