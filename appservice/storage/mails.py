"""What is kept of mails beside what they say."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, update

from appservice.mail.tally import Tally, times_in
from appservice.reading import MAIL, REPORT
from appservice.storage.connections import Connection
from appservice.storage.mail_schema import MAIL_ARRIVALS, MAIL_TALLIES, RAW_MAILS, SENT_MAILS
from appservice.storage.schema import INBOX, counters
from appservice.storage.seals import Seals, case_seal, make_case_seal, open_optional, open_text, row, seal_text
from appservice.storage.statements import insert_new, upsert
from bridges.email.convert_in import Likeness
from bridges.email.reception import Counted
from policies.case import CaseId, PersonId
from policies.message import MessageId
from policies.networks.mail import MailState
from rooms.mails import SentMail
from rooms.queue import ItemId, State

_ABOUT: Final = "sent_mails.about"
_LOOKED: Final = "mailbox.looked"
"""Among the numbers that no backup has: after a restore nobody has looked yet."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT: Final = timedelta(microseconds=1)
_MOMENT: Final = timedelta(milliseconds=1)


class SqlMailLedger:
    """`appservice.mail.ledger.MailLedger` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals

    async def arrived(self, mails: Collection[tuple[str, Likeness]]) -> None:
        rows = [(token_hash, *self._lookups(likeness)) for token_hash, likeness in mails]
        names = ("token_hash", "name_lookup", "sheet_lookup")
        if rows:
            statement = insert_new(self._connection.dialect, MAIL_ARRIVALS, *names)
            await self._connection.execute(statement, [dict(zip(names, row, strict=True)) for row in sorted(rows)])

    async def counted(self, mails: Sequence[Sequence[Counted]], at: datetime) -> list[bool]:
        lookups = {one.key: self._seals.lookup("mail tally", one.key) for keys in mails for one in keys}
        if not lookups:
            return [True] * len(mails)
        fresh = [{"key_lookup": lookup, "times": ""} for lookup in sorted(lookups.values())]
        await self._connection.execute(insert_new(self._connection.dialect, MAIL_TALLIES, "key_lookup"), fresh)
        # In their order: whoever counts the same at the same time waits, and none for another in a circle.
        theirs = select(MAIL_TALLIES).where(MAIL_TALLIES.c.key_lookup.in_(lookups.values()))
        locked = await self._connection.execute(theirs.order_by(MAIL_TALLIES.c.key_lookup).with_for_update())
        tally = Tally({bytes(row.key_lookup): times_in(row.times) for row in locked}, (at - _EPOCH) // _MOMENT)
        verdicts = [tally.take([(lookups[one.key], one.limit) for one in keys]) for keys in mails]
        rows = [{"key_lookup": key, "times": " ".join(map(str, times))} for key, times in tally.changed()]
        if rows:
            await self._connection.execute(upsert(self._connection.dialect, MAIL_TALLIES, "key_lookup"), rows)
        return verdicts

    async def forget_counts(self, before: datetime) -> None:
        limit = (before - _EPOCH) // _MOMENT
        for one in (await self._connection.execute(select(MAIL_TALLIES).with_for_update(skip_locked=True))).all():
            if max(times_in(one.times), default=0) <= limit:
                await self._connection.execute(delete(MAIL_TALLIES).where(MAIL_TALLIES.c.key_lookup == one.key_lookup))

    async def came_elsewhere(self, token_hash: str, likeness: Likeness) -> bool:
        name, sheet = self._lookups(likeness)
        same = or_(MAIL_ARRIVALS.c.name_lookup == name, MAIL_ARRIVALS.c.sheet_lookup == sheet)
        statement = select(MAIL_ARRIVALS.c.ordinal).where(same, MAIL_ARRIVALS.c.token_hash != token_hash).limit(1)
        return (await self._connection.execute(statement)).one_or_none() is not None

    async def note_look(self, at: datetime) -> None:
        last = await self.looked()
        if last is None or at > last:
            values = {"name": _LOOKED, "value": (at - _EPOCH) // _UNIT}
            await self._connection.execute(upsert(self._connection.dialect, counters, "name"), values)

    async def looked(self) -> datetime | None:
        found = await self._connection.execute(select(counters.c.value).where(counters.c.name == _LOOKED))
        at: int | None = found.scalar_one_or_none()
        return None if at is None else _EPOCH + at * _UNIT

    async def keep(self, case: CaseId, message: MessageId, raw: bytes) -> None:
        seal = await make_case_seal(self._connection, self._seals.sealer, case)
        values = {
            "case_id": case,
            "message": message,
            "sealed": seal.seal("raw_mails.sealed", row(case, message), raw),
        }
        await self._connection.execute(insert_new(self._connection.dialect, RAW_MAILS, "case_id", "message"), values)

    async def destroy(self, case: CaseId) -> None:
        await self._connection.execute(delete(RAW_MAILS).where(RAW_MAILS.c.case_id == case))
        items = INBOX.items
        dead = items.c.case_id == case, items.c.kind.in_((MAIL, REPORT)), items.c.state == State.DEAD
        await self._connection.execute(update(items).where(*dead).values(state=State.DONE, body=None, progress=None))

    async def raw(self, case: CaseId, message: MessageId) -> bytes | None:
        statement = select(RAW_MAILS.c.sealed).where(RAW_MAILS.c.case_id == case, RAW_MAILS.c.message == message)
        sealed = (await self._connection.execute(statement)).scalar_one_or_none()
        seal = None if sealed is None else await case_seal(self._connection, self._seals.sealer, case)
        return None if sealed is None or seal is None else seal.open("raw_mails.sealed", row(case, message), sealed)

    async def leaves(self, mail: SentMail) -> None:
        values = {
            "bounce_hash": mail.bounce_hash,
            "case_id": mail.case,
            "person": mail.person,
            "endpoint": mail.endpoint,
            "item": mail.item,
            "state": mail.state,
            "detail": self._sealed(mail.bounce_hash, mail.detail),
            "about": seal_text(self._seals.sealer, _ABOUT, mail.bounce_hash, mail.about),
            "at": mail.at,
            "more": json.dumps(mail.more),
        }
        await self._connection.execute(upsert(self._connection.dialect, SENT_MAILS, "bounce_hash"), values)

    async def has_begun(self, case: CaseId, person: PersonId, item: ItemId) -> bool:
        columns = SENT_MAILS.c
        theirs = columns.case_id == case, columns.person == person, columns.item == item
        return (await self._connection.execute(select(columns.ordinal).where(*theirs).limit(1))).first() is not None

    async def by_bounce(self, bounce_hash: str) -> SentMail | None:
        return next(iter(await self._found(SENT_MAILS.c.bounce_hash == bounce_hash, most=1)), None)

    async def mark(self, bounce_hash: str, state: MailState, detail: str, at: datetime) -> None:
        values = {"state": state, "detail": self._sealed(bounce_hash, detail), "at": at}
        await self._connection.execute(
            update(SENT_MAILS).where(SENT_MAILS.c.bounce_hash == bounce_hash).values(**values)
        )

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentMail, ...]:
        return await self._found(SENT_MAILS.c.case_id == case, SENT_MAILS.c.person == person, most=most)

    async def _found(self, *conditions: ColumnElement[bool], most: int) -> tuple[SentMail, ...]:
        statement = select(SENT_MAILS).where(*conditions).order_by(SENT_MAILS.c.ordinal.desc()).limit(most)
        return tuple(
            SentMail(
                bounce_hash=found.bounce_hash,
                case=found.case_id,
                person=found.person,
                endpoint=found.endpoint,
                item=found.item,
                state=MailState(found.state),
                at=found.at,
                detail=open_text(self._seals.sealer, "sent_mails.detail", found.bounce_hash, found.detail),
                about=open_optional(self._seals.sealer, _ABOUT, found.bounce_hash, found.about) or "",
                more=tuple(map(ItemId, json.loads(found.more or "[]"))),
            )
            for found in await self._connection.execute(statement)
        )

    def _sealed(self, bounce_hash: str, detail: str) -> bytes:
        return seal_text(self._seals.sealer, "sent_mails.detail", bounce_hash, detail)

    def _lookups(self, likeness: Likeness) -> tuple[bytes, bytes]:
        return self._seals.lookup("mail name", likeness.name), self._seals.lookup("mail sheet", likeness.sheet)
