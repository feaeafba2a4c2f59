"""Mails that come, each committed before it is acknowledged; those that come at once, in one unit of work."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from appservice.mail.stored import StoredMail
from appservice.reading import MAIL, REPORT, STRANGERS
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.receiving import ReceivingDatabase, ReceivingWork, item_identity, now
from appservice.storage.together import Together
from bridges.email.convert_in import likeness, read_head
from bridges.email.ids import EmailAddress, IntakeAddress, MalformedAddress, parse_address, token_hash
from bridges.email.proof import Proven, Trust, is_its_senders, prove
from bridges.email.reception import InboxVerdict, ReceivedMail
from policies.case import CaseId
from policies.frozen import frozen
from rooms.lanes import case_lane
from rooms.mails import SentMail
from rooms.queue import Item, Lane

OWNERS_KEPT = 1_000
REPORTS_FOR = timedelta(days=30)
"""So long after the last that was known of a mail, reports about it are taken; mail servers give up after days."""


@frozen
class _About:
    """What comes to an address: the kind of its item, and the case, which strangers have none of."""

    kind: str
    case: CaseId | None


class MailInbox:
    """Stores mails: `bridges.email.reception.MailInbox`."""

    def __init__(
        self,
        database: ReceivingDatabase,
        trust: Trust,
        *,
        takes_strangers: bool = False,
        shares: bool = False,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`shares`: other processes take mail for the same database, so that what each counts by itself is not all."""
        self._shares = shares
        self._database, self._trust, self._clock = database, trust, clock
        self._strangers = token_hash(IntakeAddress()) if takes_strangers else None
        self._together = Together(self._store)
        self._owners: dict[str, EmailAddress | MalformedAddress | None] = {}
        """Who has the addresses that were asked for last."""

    async def knows(self, token_hash: str) -> bool:
        """Whether that is the address of somebody, or of a mail that was sent. Raises DatabaseUnavailable."""
        if token_hash == self._strangers:
            return True
        async with self._database.read() as work:
            address = await work.addresses.by_hash(token_hash)
            if address is None:
                return await self._reported(work, token_hash) is not None
            case = await work.cases.load(address.case)
        person = case.person(address.person) if case else None
        self._owners[token_hash] = parse_address(person.endpoint.address) if person else None
        if len(self._owners) > OWNERS_KEPT:
            del self._owners[next(iter(self._owners))]
        return True

    async def vouches(self, mail: ReceivedMail) -> bool:
        """Whether its header proves that whoever had the address, when it was asked for just before, wrote it: enough
        to count the mail; what it says is believed on a proof of its own."""
        if mail.token_hash == self._strangers:
            return is_its_senders(read_head(mail.raw, null_sender=not mail.envelope_from), self._trust) == Proven()
        if mail.token_hash not in self._owners:
            await self.knows(mail.token_hash)
        enrolled = self._owners.get(mail.token_hash)
        if not isinstance(enrolled, EmailAddress):
            return False
        return prove(read_head(mail.raw, null_sender=not mail.envelope_from), enrolled, self._trust) == Proven()

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        """Store one mail, behind whatever else its case has to deal with."""
        try:
            return await self._together.keep(mail)
        except DatabaseUnavailable:
            return InboxVerdict.BUSY

    async def _store(self, mails: Sequence[ReceivedMail]) -> list[InboxVerdict]:
        likes = [likeness(mail.raw) for mail in mails]
        async with self._database.begin() as work:
            tokens = dict.fromkeys(mail.token_hash for mail in mails)
            about = {token: await self._about(work, token) for token in tokens}
            known = [
                (mail, like, found)
                for mail, like in zip(mails, likes, strict=True)
                if (found := about[mail.token_hash])
            ]
            within = await self._within(work, [mail for mail, _, _ in known])
            taken = [one for one in known if one[0].identity in within]
            await work.mails.arrived({(mail.token_hash, like) for mail, like, found in taken if found.kind == MAIL})
            await work.inbox.put_all(_item(mail, found, self._clock()) for mail, _, found in taken)
        return [_verdict(about[mail.token_hash], is_within=mail.identity in within) for mail in mails]

    async def _within(self, work: ReceivingWork, mails: Sequence[ReceivedMail]) -> frozenset[str]:
        """Which of them all processes together may take, by what makes a mail the same."""
        once = list({mail.identity: mail for mail in mails}.values())
        verdicts = (
            await work.mails.counted([mail.counted for mail in once], self._clock())
            if self._shares
            else [True] * len(once)
        )
        return frozenset(mail.identity for mail, is_within in zip(once, verdicts, strict=True) if is_within)

    async def _about(self, work: ReceivingWork, token_hash: str) -> _About | None:
        """What an address is for; None if it was revoked."""
        if token_hash == self._strangers:
            return _About(STRANGERS, None)
        address = await work.addresses.by_hash(token_hash)
        if address:
            return _About(MAIL, address.case)
        sent = await self._reported(work, token_hash)
        return _About(REPORT, sent.case) if sent else None

    async def _reported(self, work: ReceivingWork, token_hash: str) -> SentMail | None:
        """The mail that a report to that address would be about, if any may still come."""
        sent = await work.mails.by_bounce(token_hash)
        return sent if sent and sent.at > self._clock() - REPORTS_FOR else None


def _verdict(about: _About | None, *, is_within: bool) -> InboxVerdict:
    if about is None:
        return InboxVerdict.UNKNOWN
    return InboxVerdict.STORED if is_within else InboxVerdict.OVER_CAP


def _item(mail: ReceivedMail, about: _About, at: datetime) -> Item:
    stored = StoredMail(mail.token_hash, mail.envelope_from, mail.same_message, mail.recipients, mail.raw)
    identity = item_identity(about.kind, mail.identity)
    # Strangers have a lane of their own: however many they are, no case waits for them.
    lane = case_lane(about.case) if about.case else Lane(STRANGERS)
    return Item(identity, lane, about.kind, about.case, stored.dump(), at)
