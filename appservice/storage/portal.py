"""What the page behind the links keeps."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select, update

from appservice.portal.store import CODE_DIGITS, PIN_DIGITS, PIN_LOCK, PIN_TRIES, Laid, Link, Tried, Whose
from appservice.storage.connections import Connection
from appservice.storage.portal_schema import LINKS, PINS, SESSIONS, SHELF
from appservice.storage.seals import Seals, case_seal, make_case_seal, row
from appservice.storage.statements import insert_new, upsert
from policies.case import CaseId, EndpointId, PersonId
from rooms.queue import ItemId


class SqlPortalStore:
    """`appservice.portal.store.PortalStore` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals

    async def put(self, case: CaseId, person: PersonId, item: ItemId, body: bytes, at: datetime) -> None:
        seal = await make_case_seal(self._connection, self._seals.sealer, case)
        values = {
            "case_id": case,
            "person": person,
            "item": item,
            "sealed": seal.seal("shelf.sealed", row(case, person, item), body),
            "at": at,
        }
        statement = insert_new(self._connection.dialect, SHELF, "case_id", "person", "item")
        await self._connection.execute(statement, values)

    async def laid_for(self, case: CaseId, person: PersonId, most: int, before: ItemId | None = None) -> Sequence[Laid]:
        theirs = SHELF.c.case_id == case, SHELF.c.person == person
        statement = select(SHELF).where(*theirs).order_by(SHELF.c.ordinal.desc()).limit(most)
        if before is not None:
            limit = select(SHELF.c.ordinal).where(*theirs, SHELF.c.item == before).scalar_subquery()
            statement = statement.where(SHELF.c.ordinal < limit)
        found = (await self._connection.execute(statement)).all()
        seal = await case_seal(self._connection, self._seals.sealer, case) if found else None
        if seal is None:
            return ()
        return tuple(
            Laid(one.item, seal.open("shelf.sealed", row(case, person, one.item), one.sealed), one.at)
            for one in reversed(found)
        )

    async def new_pin(self, case: CaseId, person: PersonId) -> str:
        pin = _digits(PIN_DIGITS)
        values = self._pinned(Whose(case, person), pin)
        await self._connection.execute(upsert(self._connection.dialect, PINS, "case_id", "person"), values)
        await self.end_sessions(case, person)
        return pin

    async def new_link(
        self, case: CaseId, person: PersonId, endpoint: EndpointId, at: datetime, until: datetime
    ) -> str:
        token = secrets.token_urlsafe(24)
        await self.add_link(token, Whose(case, person), endpoint, at, until)
        return token

    async def add_link(self, token: str, whose: Whose, endpoint: EndpointId, at: datetime, until: datetime) -> None:
        values = {
            "lookup": self._seals.lookup("link", token),
            "case_id": whose.case,
            "person": whose.person,
            "endpoint": endpoint,
            "sent_at": at,
            "until": until,
            "opened": False,
        }
        await self._connection.execute(LINKS.insert(), values)

    async def drop_link(self, token: str) -> None:
        await self._connection.execute(delete(LINKS).where(LINKS.c.lookup == self._seals.lookup("link", token)))

    async def link(self, token: str) -> Link | None:
        same = LINKS.c.lookup == self._seals.lookup("link", token)
        found = (await self._connection.execute(select(LINKS).where(same))).one_or_none()
        return None if found is None else Link(Whose(found.case_id, found.person), found.endpoint, found.until)

    async def new_code(self, link: str, until: datetime) -> str:
        code = _digits(CODE_DIGITS)
        values = {"code": self._seals.lookup("code", link, code), "code_until": until}
        same = LINKS.c.lookup == self._seals.lookup("link", link)
        await self._connection.execute(update(LINKS).where(same).values(values))
        return code

    async def forget_links(self, before: datetime) -> None:
        await self._connection.execute(delete(LINKS).where(LINKS.c.until < before))

    async def use_link(self, token: str, at: datetime) -> bool:
        live = LINKS.c.lookup == self._seals.lookup("link", token), LINKS.c.until > at
        used = update(LINKS).where(*live).values(until=at, code=None)
        return (await self._connection.execute(used)).rowcount == 1

    async def waiting_link(self, whose: Whose, endpoint: EndpointId, since: datetime) -> bool:
        theirs = LINKS.c.case_id == whose.case, LINKS.c.person == whose.person, LINKS.c.endpoint == endpoint
        statement = select(LINKS.c.ordinal).where(*theirs, ~LINKS.c.opened, LINKS.c.sent_at > since).limit(1)
        return (await self._connection.execute(statement)).one_or_none() is not None

    async def lose_links(self, whose: Whose, endpoint: EndpointId) -> None:
        theirs = LINKS.c.case_id == whose.case, LINKS.c.person == whose.person, LINKS.c.endpoint == endpoint
        await self._connection.execute(update(LINKS).where(*theirs, ~LINKS.c.opened).values(opened=True))

    async def try_key(self, token: str, whose: Whose, key: str, at: datetime) -> Tried:
        # Who never had a PIN has one that nobody knows, so that what is tried is counted for them, too.
        await self._connection.execute(
            insert_new(self._connection.dialect, PINS, "case_id", "person"),
            self._pinned(whose, secrets.token_urlsafe(24)),
        )
        theirs = PINS.c.case_id == whose.case, PINS.c.person == whose.person
        found = (await self._connection.execute(select(PINS).where(*theirs).with_for_update())).one()
        if found.locked_until is not None and found.locked_until > at:
            return Tried.LOCKED
        is_code = await self._is_code(token, key, at)
        if hmac.compare_digest(found.lookup, self._pin(whose, key)) or is_code:
            await self._connection.execute(update(PINS).where(*theirs).values(wrong=0, locked_until=None))
            return Tried.RIGHT
        locks = found.wrong + 1 >= PIN_TRIES
        values = {"wrong": 0, "locked_until": at + PIN_LOCK} if locks else {"wrong": found.wrong + 1}
        await self._connection.execute(update(PINS).where(*theirs).values(**values))
        return Tried.LOCKED_NOW if locks else Tried.WRONG

    async def _is_code(self, token: str, key: str, at: datetime) -> bool:
        live = LINKS.c.lookup == self._seals.lookup("link", token), LINKS.c.until > at, LINKS.c.code_until > at
        code = (await self._connection.execute(select(LINKS.c.code).where(*live))).scalar()
        return code is not None and hmac.compare_digest(code, self._seals.lookup("code", token, key))

    async def begin_session(self, token: str, whose: Whose, until: datetime) -> None:
        theirs = LINKS.c.case_id == whose.case, LINKS.c.person == whose.person
        await self._connection.execute(update(LINKS).where(*theirs).values(opened=True))
        await self._connection.execute(delete(SESSIONS).where(SESSIONS.c.until <= datetime.now(UTC)))
        values = {
            "lookup": self._seals.lookup("session", token),
            "case_id": whose.case,
            "person": whose.person,
            "until": until,
        }
        await self._connection.execute(SESSIONS.insert(), values)

    async def session(self, token: str, at: datetime) -> Whose | None:
        same = SESSIONS.c.lookup == self._seals.lookup("session", token)
        found = (await self._connection.execute(select(SESSIONS).where(same, SESSIONS.c.until > at))).one_or_none()
        return None if found is None else Whose(found.case_id, found.person)

    async def end_sessions(self, case: CaseId, person: PersonId) -> None:
        theirs = SESSIONS.c.case_id == case, SESSIONS.c.person == person
        await self._connection.execute(delete(SESSIONS).where(*theirs))

    def _pinned(self, whose: Whose, pin: str) -> dict[str, object]:
        lookup = self._pin(whose, pin)
        return {"case_id": whose.case, "person": whose.person, "lookup": lookup, "wrong": 0, "locked_until": None}

    def _pin(self, whose: Whose, pin: str) -> bytes:
        return self._seals.lookup("pin", whose.case, whose.person, pin)


def _digits(number: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(number))
