"""Mails from the inbox: read, proven, and handled in one unit of work."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import assert_never

from appservice.mail.lines import known_lines
from appservice.mail.stored import StoredMail
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.reading import message_id
from appservice.worker import End, Fate, Finished, Park, is_still_due
from bridges.email import ids
from bridges.email.convert_in import Likeness, likeness, read_mail
from bridges.email.incoming import Attachment, Clean, IncomingMail, Unsafe
from bridges.email.proof import NotAReply, Proven, Trust, Unproven, prove
from bridges.email.reply import read_reply
from policies import message as said
from policies.case import Case, Person
from policies.frozen import frozen
from policies.message import AuthenticatedMail, Content, File, FileRef, Message, Proof, Text, Unreadable
from policies.networks.mail import decide_automatic
from policies.people.membership import caucuses_of
from policies.plan import label
from rooms.addresses import ReplyAddress
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item, ItemId, State, item_id

_NOBODYS = End(State.DEAD, "a mail came from somebody who takes part no more")
"""It was accepted while its writer still took part, so a person must learn of it (I5)."""
_SEVERAL = "it was sent to several of our addresses at once"


@frozen
class _Addressed:
    """Whom an address belongs to."""

    case: Case
    person: Person
    address: ReplyAddress


@frozen
class _Said:
    """What a mail says, and what proves who wrote it; no proof: a machine did. `like` tells it from other mails."""

    content: Content
    proof: Proof | None
    files: tuple[File, ...]
    like: Likeness


_NEXT = timedelta(seconds=1)
"""So soon a mail is looked at again that would have overtaken another."""


class MailReader:
    """Reads mails from the inbox."""

    def __init__(
        self,
        database: ServiceDatabase,
        codec: Codec,
        house: House,
        trust: Trust,
        *,
        settle: timedelta,
        fetched_every: timedelta | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`settle`: how long a mail waits that could reach more than its author's own side, for the same mail may be
        on its way to another address of ours: one mail to two addresses comes as two. `fetched_every`: how often mail
        is fetched from a mailbox, where it is: whichever process does that, and however long nobody did."""
        self._fetched_every = fetched_every
        self._database, self._codec, self._house = database, codec, house
        self._trust, self._settle, self._clock = trust, settle, clock

    async def read(self, item: Item) -> Fate:
        """Read one mail, and have it handled in one unit of work. It is parsed before that, beside the event loop:
        a hostile mail may take seconds."""
        stored = StoredMail.load(item.body)
        async with self._database.begin() as work:
            addressed = await self._addressed(work, stored)
            settling = f"mail.settling:{stored.token_hash}"
            is_behind = await work.inbox.waits_ahead(item, settling)
            left = await self._left(work, item)
        if addressed is None:
            return _NOBODYS
        if left > timedelta() and not _is_own_caucus(addressed):
            return Park(settling, "whether the same mail comes to another address, too", left)
        if is_behind:
            # What waited its time is about to be ready again: nobody overtakes themselves.
            return Park(settling, "an earlier mail of the same person waits", _NEXT)
        said = await asyncio.to_thread(self._read, stored, addressed)
        if isinstance(said.content, Unreadable) and said.content.own is not None:
            case, person, where = addressed.case.id, addressed.person.id, addressed.address.conversation
            async with self._database.begin() as work:
                sent = await known_lines(work.echoes, case, person, where, said.content.words)
            if sent:
                said = await asyncio.to_thread(self._read, stored, addressed, sent)
        async with self._database.begin() as work:
            return await self._handle(work, item, stored, said)

    async def _left(self, work: ServiceWork, item: Item) -> timedelta:
        """How long a mail to all is still kept waiting for its other copy. A service that was down, or could not reach
        the mailbox, has not looked for that one, however late it is; a round of looking is a part of the time."""
        settled = item.received_at + self._settle
        if settled > self._clock():
            return settled - self._clock()
        looked = await work.mails.looked() if self._fetched_every is not None else None
        has_looked = self._fetched_every is None or (looked is not None and looked >= settled - self._fetched_every)
        return timedelta() if has_looked else _NEXT

    async def _handle(self, work: ServiceWork, item: Item, stored: StoredMail, said: _Said) -> Fate:
        if not await is_still_due(work.inbox, item):
            return Finished()
        addressed = await self._addressed(work, stored)
        if addressed is None:
            return _NOBODYS
        case, person, where = addressed.case, addressed.person, addressed.address.conversation
        if said.proof is None:
            # Once a day: a storm of them is one.
            today = f"automatic/{case.id}/{person.id}/{where.id}/{self._clock():%Y-%m-%d}"
            await self._handler(work, item_id(today)).follow(case, decide_automatic(case, person, where))
            await _keep(work, case, message_id(item), stored.raw)
            await work.inbox.done(item.id, "automatic")
            return Finished()
        content = said.content
        if await work.journal.by_mail_id(case.id, stored.same_message):
            content = _unreadable("another mail came under the same Message-ID", content)
        if await work.mails.came_elsewhere(stored.token_hash, said.like):
            content = _unreadable(_SEVERAL, content)
        message = Message(
            message_id(item), person.id, where, content, said.proof, item.received_at, native=False, files=said.files
        )
        await _keep(work, case, message.id, stored.raw)
        await self._handler(work, item.id).message(case.id, message, None, stored.same_message)
        await work.inbox.done(item.id, "handled")
        return Finished()

    def _handler(self, work: ServiceWork, item: ItemId) -> Handler:
        return Handler(work, self._codec, self._house, item, datetime.now(UTC))

    async def _addressed(self, work: ServiceWork, stored: StoredMail) -> _Addressed | None:
        """Whose address it was sent to; None if it was revoked meanwhile."""
        address = await work.addresses.by_hash(stored.token_hash)
        case = await work.cases.load(address.case, lock=True) if address else None
        person = case.person(address.person) if case and address else None
        return _Addressed(case, person, address) if case and person and address else None

    def _read(self, stored: StoredMail, addressed: _Addressed, sent: Collection[str] = ()) -> _Said:
        """What the mail says, and what proves it; `sent`: those of its lines that are known to be ours. Pure, and slow
        where somebody wants it to be."""
        mail = read_mail(stored.raw, null_sender=not stored.envelope_from)
        like = likeness(stored.raw)
        proof = self._proof(mail, addressed.person)
        if proof is None:
            return _Said(Unreadable("a machine wrote it"), None, (), like)
        content = self._content(mail, addressed, sent)
        if stored.recipients > 1:
            content = _unreadable(_SEVERAL, content)
        # Files are kept only where a mail server vouches for the sender: else anybody could fill the journal. From a
        # mailbox that nobody confirmed they are, till it is; so many mails an hour come through as from any other.
        files = () if isinstance(proof, said.Unproven) else tuple(_file(a) for a in mail.body.attachments)
        return _Said(content, proof, files, like)

    def _content(self, mail: IncomingMail, addressed: _Addressed, sent: Collection[str]) -> Content:
        address = addressed.address
        reply_address = ids.token_address(ids.ReplyToken(address.token), self._trust.own_domain)
        reading = read_reply(mail, reply_address, label(address.conversation, addressed.case), sent)
        match reading:
            case Clean(text):
                return Text(text)
            case Unsafe(reason, text, own):
                return Unreadable(reason.in_words, text, own)
            case _:
                assert_never(reading)

    def _proof(self, mail: IncomingMail, person: Person) -> Proof | None:
        """What proves who wrote it; None where no person did."""
        enrolled = ids.parse_address(person.endpoint.address)
        if isinstance(enrolled, ids.MalformedAddress):
            return said.Unproven("the address on record is not one", "")
        verdict = prove(mail, enrolled, self._trust)
        match verdict:
            case Proven():
                return AuthenticatedMail()
            case Unproven(reason):
                return said.Unproven(reason.in_words, "")
            case NotAReply():
                return None
            case _:
                assert_never(verdict)


async def _keep(work: ServiceWork, case: Case, message: said.MessageId, raw: bytes) -> None:
    """As it came, unless the time for that is over."""
    if not (case.closing and case.closing.destroyed):
        await work.mails.keep(case.id, message, raw)


def _unreadable(why: str, content: Content) -> Unreadable:
    """With the words that were made out before, for a mediator may have to see them."""
    match content:
        case Text(words) | Unreadable(words=words):
            return Unreadable(why, words)
        case _:
            return Unreadable(why)


def _file(attachment: Attachment) -> File:
    ref = json.dumps({"data": base64.b64encode(attachment.content).decode()})
    return File(attachment.name or "file", attachment.mime_type, attachment.size, FileRef(ref))


def _is_own_caucus(addressed: _Addressed) -> bool:
    """Whether it can reach nobody but its author's own side, whatever else it says."""
    return caucuses_of(addressed.case, addressed.person.id) == (addressed.address.conversation,)
