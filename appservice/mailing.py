"""Between the use cases and the mail bridge: letters out by SMTP, mails in from the inbox."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from appservice.reading import message_id
from appservice.worker import End, Fate, Finished
from bridges.email import convert_out as mails
from bridges.email import ids
from bridges.email.api import Accepted, MailServer, NotSent, Refused, Unknown, send
from bridges.email.convert_in import read_mail
from bridges.email.incoming import Attachment, Clean, IncomingMail, Unsafe
from bridges.email.proof import NotAReply, Proven, Unproven, prove
from bridges.email.reply import read_reply
from policies import message as said
from policies.case import Case, Endpoint, Person
from policies.message import AuthenticatedMail, Content, File, FileRef, Message, Proof, Text, Unreadable
from policies.plan import label
from rooms.apply import Codec
from rooms.deliver import Letter, Outcome, Sent, Unanswered
from rooms.handle import Handler, House
from rooms.homeserver import Trouble
from rooms.ports import Database, Item, ReplyAddress, State, Work

_NOBODYS = End(State.DEAD, "a mail came from somebody who takes part no more")
"""It was accepted while its writer still took part, so a person must learn of it (I5)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who we are in a mail. `authserv_id`: under what name our mail server states what it verified."""

    organisation: str
    telephone: str
    reply_domain: str
    authserv_id: str


class MailCourier:
    """Carries letters by SMTP."""

    def __init__(self, database: Database, server: MailServer, sender: Sender) -> None:
        self._database, self._server, self._sender = database, server, sender

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        """Send one mail, once: a send that was begun and never answered is not repeated (I5)."""
        if item.sending:
            return Unanswered("the service stopped while the mail was on its way")
        person = letter.case.person(letter.to)
        if person is None:
            raise Trouble("the reader is not in the case", transient=False)
        domain = self._sender.reply_domain
        mail_id = ids.message_id(item.id, domain)
        async with self._database.begin() as work:
            # Written before it is marked as on its way: what can't be written has certainly not left.
            mail = self._mail(letter, person, await _address(work, letter, person.endpoint), mail_id)
            if letter.message:
                await work.journal.link_mail(letter.case.id, letter.message, mail_id)
            await work.outbox.mark_sending(item.id, None)
        result = await send(mail, self._server)
        match result:
            case Accepted(reply):
                return Sent(reply)
            case Unknown(reason):
                return Unanswered(reason)
            case NotSent(reason):
                raise Trouble(reason, transient=True)
            case Refused(code, permanent, why):
                raise Trouble(f"the mail server said no: {code} {why}", transient=not permanent)
            case _:
                assert_never(result)

    def _mail(self, letter: Letter, person: Person, address: ReplyAddress, mail_id: str) -> mails.OutgoingMail:
        domain = self._sender.reply_domain
        reply_address = ids.token_address(ids.ReplyToken(address.token), domain)
        recipient = ids.parse_address(person.endpoint.address)
        if isinstance(recipient, ids.MalformedAddress):
            raise Trouble(f"the address on record can't be written to: {recipient.reason}", transient=False)
        thread = ids.message_id(f"thread/{address.token}", domain)
        return mails.render(
            mails.Letter(
                content=self._content(letter, person),
                room=mails.MailRoom(letter.room_label, letter.conversation.kind),
                reply_address=reply_address,
                recipient=recipient,
                message_id=mail_id,
                at=datetime.now(UTC),
                references=(thread,),
            )
        )

    def _content(self, letter: Letter, person: Person) -> mails.Content:
        author = letter.author or "Somebody"
        match letter.content:
            case None:
                return self._invitation(letter.case, person)
            case Text(body):
                return mails.Post(author, body)
            case said.Edit(body=body):
                return mails.Correction(author, body)
            case File():
                return mails.FileShared(author)
            case said.Removal():
                return mails.Removed()
            case said.Reaction() | Unreadable():
                raise Trouble("this does not travel by mail", transient=False)
            case _:
                assert_never(letter.content)

    def _invitation(self, case: Case, person: Person) -> mails.Invitation:
        mediator = next((p.name for p in case.people if case.is_staff(p.id)), self._sender.organisation)
        return mails.Invitation(self._sender.organisation, mediator, self._sender.telephone, person.name)


async def _address(work: Work, letter: Letter, endpoint: Endpoint) -> ReplyAddress:
    """The one address of that person for that room; made at the first letter."""
    known = await work.addresses.get(letter.case.id, endpoint.id, letter.conversation)
    if known:
        return known
    token = ids.new_reply_token()
    address = ReplyAddress(letter.case.id, letter.to, endpoint.id, letter.conversation, token.value)
    await work.addresses.save(address, ids.token_hash(token))
    return address


@dataclass(frozen=True, slots=True)
class _Addressed:
    """Whom an address belongs to."""

    case: Case
    person: Person
    address: ReplyAddress


@dataclass(frozen=True, slots=True)
class _Said:
    """What a mail says, and what proves who wrote it."""

    content: Content
    proof: Proof
    files: tuple[File, ...]


class MailReader:
    """Reads mails from the inbox."""

    def __init__(self, database: Database, codec: Codec, house: House, sender: Sender) -> None:
        self._database, self._codec, self._house, self._sender = database, codec, house, sender

    async def read(self, item: Item) -> Fate:
        """Read one mail, and have it handled in one unit of work. It is parsed before that, beside the event loop:
        a hostile mail may take seconds."""
        stored = StoredMail.load(item.body)
        async with self._database.begin() as work:
            addressed = await self._addressed(work, stored)
        if addressed is None:
            return _NOBODYS
        said = await asyncio.to_thread(self._read, stored, addressed)
        async with self._database.begin() as work:
            return await self._handle(work, item, stored, said)

    async def _handle(self, work: Work, item: Item, stored: StoredMail, said: _Said) -> Fate:
        addressed = await self._addressed(work, stored)
        if addressed is None:
            return _NOBODYS
        content = said.content
        if await work.journal.by_mail_id(addressed.case.id, stored.same_message):
            content = _unreadable("another mail came under the same Message-ID", content)
        message = Message(
            message_id(item),
            addressed.person.id,
            addressed.address.conversation,
            content,
            said.proof,
            item.received_at,
            native=False,
            files=said.files,
        )
        handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
        await handler.message(addressed.case.id, message, None, stored.same_message)
        await work.inbox.done(item.id, "handled")
        return Finished()

    async def _addressed(self, work: Work, stored: StoredMail) -> _Addressed | None:
        """Whose address it was sent to; None if it was revoked meanwhile."""
        address = await work.addresses.by_hash(stored.token_hash)
        case = await work.cases.load(address.case, lock=True) if address else None
        person = case.person(address.person) if case and address else None
        return _Addressed(case, person, address) if case and person and address else None

    def _read(self, stored: StoredMail, addressed: _Addressed) -> _Said:
        """What the mail says, and what proves it. Pure, and slow where somebody wants it to be."""
        mail = read_mail(stored.raw, null_sender=not stored.envelope_from)
        content, proof = self._said(mail, addressed.case, addressed.person, addressed.address)
        if stored.recipients > 1:
            content = _unreadable("it was sent to several of our addresses at once", content)
        # Files of whoever wrote it are kept only where that is known: else anybody could fill the journal.
        files = () if isinstance(proof, said.Unproven) else tuple(_file(a) for a in mail.body.attachments)
        return _Said(content, proof, files)

    def _said(self, mail: IncomingMail, case: Case, person: Person, address: ReplyAddress) -> tuple[Content, Proof]:
        reply_address = ids.token_address(ids.ReplyToken(address.token), self._sender.reply_domain)
        reading = read_reply(mail, reply_address, label(address.conversation, case))
        match reading:
            case Clean(text):
                content: Content = Text(text)
            case Unsafe(reason, text):
                content = Unreadable(reason.in_words, text)
            case _:
                assert_never(reading)
        return content, self._proof(mail, person)

    def _proof(self, mail: IncomingMail, person: Person) -> Proof:
        enrolled = ids.parse_address(person.endpoint.address)
        if isinstance(enrolled, ids.MalformedAddress):
            return said.Unproven("the address on record is not one", "")
        verdict = prove(mail, enrolled, self._sender.authserv_id, self._sender.reply_domain)
        match verdict:
            case Proven():
                return AuthenticatedMail()
            case Unproven(reason):
                return said.Unproven(reason.in_words, "")
            case NotAReply():
                return said.Unproven("a machine wrote it, not a person (an automatic reply or a report)", "")
            case _:
                assert_never(verdict)


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail as the inbox keeps it: raw, with what the envelope said."""

    token_hash: str
    envelope_from: str
    same_message: str
    recipients: int
    raw: bytes

    def dump(self) -> bytes:
        """The bytes to keep."""
        fields = {"to": self.token_hash, "from": self.envelope_from, "same": self.same_message, "n": self.recipients}
        return json.dumps(fields).encode() + b"\n" + self.raw

    @classmethod
    def load(cls, body: bytes) -> StoredMail:
        """What was kept."""
        head, _, raw = body.partition(b"\n")
        fields = json.loads(head)
        return cls(fields["to"], fields["from"], fields["same"], fields["n"], raw)


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
