"""Mails that come, each committed before it is acknowledged; those that come at once, in one unit of work."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from appservice.mail.stored import StoredMail
from appservice.reading import MAIL, REPORT
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.receiving import ReceivingDatabase, ReceivingWork, item_identity, now
from bridges.email.convert_in import Likeness, likeness, read_head
from bridges.email.ids import EmailAddress, MalformedAddress, parse_address
from bridges.email.proof import Proven, Trust, prove
from bridges.email.reception import InboxVerdict, ReceivedMail
from policies.case import CaseId
from rooms.ports import Item, case_lane

MOST_AT_ONCE = 50
"""So many mails at most are one unit of work: the answer to the first waits for the last."""
OWNERS_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class _Offered:
    """A mail that waits to be stored, and whoever waits for the answer."""

    mail: ReceivedMail
    like: Likeness
    verdict: asyncio.Future[InboxVerdict] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _About:
    """What comes to an address: the kind of its item, and the case."""

    kind: str
    case: CaseId


class MailInbox:
    """Stores mails: `bridges.email.reception.MailInbox`."""

    def __init__(self, database: ReceivingDatabase, trust: Trust, *, clock: Callable[[], datetime] = now) -> None:
        self._database, self._trust, self._clock = database, trust, clock
        self._offered: list[_Offered] = []
        self._storing: asyncio.Task[None] | None = None
        self._owners: dict[str, EmailAddress | MalformedAddress | None] = {}
        """Who has the addresses that were asked for last."""

    async def knows(self, token_hash: str) -> bool:
        """Whether that is the address of somebody, or of a mail that was sent. Raises DatabaseUnavailable."""
        async with self._database.read() as work:
            address = await work.addresses.by_hash(token_hash)
            if address is None:
                return await work.mails.by_bounce(token_hash) is not None
            case = await work.cases.load(address.case)
        person = case.person(address.person) if case else None
        self._owners[token_hash] = parse_address(person.endpoint.address) if person else None
        if len(self._owners) > OWNERS_KEPT:
            del self._owners[next(iter(self._owners))]
        return True

    async def vouches(self, mail: ReceivedMail) -> bool:
        """Whether its header proves that whoever had the address, when it was asked for just before, wrote it: enough
        to count the mail; what it says is believed on a proof of its own."""
        if mail.token_hash not in self._owners:
            await self.knows(mail.token_hash)
        enrolled = self._owners.get(mail.token_hash)
        if not isinstance(enrolled, EmailAddress):
            return False
        return prove(read_head(mail.raw, null_sender=not mail.envelope_from), enrolled, self._trust) == Proven()

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        """Store one mail, behind whatever else its case has to deal with: together with those that came while others
        were being stored. What fails them together is tried with each alone."""
        offered = _Offered(mail, likeness(mail.raw), asyncio.get_running_loop().create_future())
        self._offered.append(offered)
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        return await offered.verdict

    async def _store_all(self) -> None:
        some: Sequence[_Offered] = ()
        try:
            while self._offered:
                some = self._offered[:MOST_AT_ONCE]
                del self._offered[: len(some)]
                await self._answer(some)
        except BaseException as error:
            # Whatever ends this, nobody waits for an answer that will not come.
            for one in (*some, *self._offered):
                if not one.verdict.done():
                    one.verdict.set_exception(error)
            self._offered.clear()
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._storing = None

    async def _answer(self, some: Sequence[_Offered]) -> None:
        try:
            verdicts = await self._store(some)
        except DatabaseUnavailable:
            verdicts = [InboxVerdict.BUSY] * len(some)
        except Exception as error:  # noqa: BLE001 - whoever offered it hears of it
            # One mail that can't be stored is no reason to refuse the others.
            for one in some:
                if len(some) > 1:
                    await self._answer([one])
                elif not one.verdict.done():
                    one.verdict.set_exception(error)
            return
        for one, verdict in zip(some, verdicts, strict=True):
            if not one.verdict.done():
                one.verdict.set_result(verdict)

    async def _store(self, some: Sequence[_Offered]) -> list[InboxVerdict]:
        async with self._database.begin() as work:
            about = {token: await _about(work, token) for token in dict.fromkeys(one.mail.token_hash for one in some)}
            known = [(one, found) for one in some if (found := about[one.mail.token_hash])]
            await work.mails.arrived({(one.mail.token_hash, one.like) for one, found in known if found.kind == MAIL})
            await work.inbox.put_all(_item(one.mail, found, self._clock()) for one, found in known)
        return [InboxVerdict.STORED if about[one.mail.token_hash] else InboxVerdict.UNKNOWN for one in some]


async def _about(work: ReceivingWork, token_hash: str) -> _About | None:
    """What an address is for; None if it was revoked."""
    address = await work.addresses.by_hash(token_hash)
    if address:
        return _About(MAIL, address.case)
    sent = await work.mails.by_bounce(token_hash)
    return _About(REPORT, sent.case) if sent else None


def _item(mail: ReceivedMail, about: _About, at: datetime) -> Item:
    stored = StoredMail(mail.token_hash, mail.envelope_from, mail.same_message, mail.recipients, mail.raw)
    identity = item_identity(about.kind, mail.identity)
    return Item(identity, case_lane(about.case), about.kind, about.case, stored.dump(), at)
