"""Letters out, by SMTP: each leaves once, and what is known of it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from appservice.ports import ServiceDatabase, ServiceWork
from bridges.email import convert_out as mails
from bridges.email import ids
from bridges.email.api import Accepted, MailServer, NotSent, Refused, SendResult, Unknown, send
from policies import message as said
from policies.asking import in_words
from policies.case import Case, Endpoint, Person
from policies.effects import Inform, Pose
from policies.mail import MailState
from policies.message import File, Text, Unreadable
from rooms.deliver import Letter, Outcome, Sent, Unanswered
from rooms.homeserver import Trouble
from rooms.mails import SentMail
from rooms.ports import Item, ReplyAddress


@dataclass(frozen=True, slots=True)
class Sender:
    """Who we are in a mail."""

    organisation: str
    telephone: str
    reply_domain: str


class MailCourier:
    """Carries letters by SMTP."""

    def __init__(self, database: ServiceDatabase, server: MailServer, sender: Sender) -> None:
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
        bounce = ids.new_bounce_token()
        leaving = SentMail(
            ids.token_hash(bounce),
            letter.case.id,
            person.id,
            person.endpoint.id,
            item.id,
            MailState.LEAVING,
            datetime.now(UTC),
        )
        async with self._database.begin() as work:
            # Written before it is marked as on its way: what can't be written has certainly not left.
            address = await _address(work, letter, person.endpoint)
            mail = self._mail(letter, person, address, mail_id, ids.token_address(bounce, domain))
            await work.mails.leaves(leaving)
            if letter.message:
                await work.journal.link_mail(letter.case.id, letter.message, mail_id)
            await work.outbox.mark_sending(item.id, None)
        result = await send(mail, self._server)
        async with self._database.begin() as work:
            await work.mails.mark(leaving.bounce_hash, *_known(result), datetime.now(UTC))
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

    def _mail(
        self, letter: Letter, person: Person, address: ReplyAddress, mail_id: str, bounce_address: str
    ) -> mails.OutgoingMail:
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
                bounce_address=bounce_address,
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
            case Pose():
                return mails.Explanation(in_words(letter.content))
            case Inform(text=text):
                return mails.Explanation(text)
            case Text(body):
                return mails.Post(author, body)
            case said.Edit(body=body):
                return mails.Correction(author, body)
            case File(words=words):
                return mails.FileShared(author, words)
            case said.Removal():
                return mails.Removed()
            case said.Reaction() | Unreadable():
                raise Trouble("this does not travel by mail", transient=False)
            case _:
                assert_never(letter.content)

    def _invitation(self, case: Case, person: Person) -> mails.Invitation:
        mediator = next((p.name for p in case.people if case.is_staff(p.id)), self._sender.organisation)
        return mails.Invitation(self._sender.organisation, mediator, self._sender.telephone, person.name)


async def _address(work: ServiceWork, letter: Letter, endpoint: Endpoint) -> ReplyAddress:
    """The one address of that person for that room; made at the first letter."""
    known = await work.addresses.get(letter.case.id, endpoint.id, letter.conversation)
    if known:
        return known
    token = ids.new_reply_token()
    address = ReplyAddress(letter.case.id, letter.to, endpoint.id, letter.conversation, token.value)
    await work.addresses.save(address, ids.token_hash(token))
    return address


def _known(result: SendResult) -> tuple[MailState, str]:
    """What an attempt to send says of a mail."""
    match result:
        case Accepted(reply):
            return MailState.ACCEPTED, reply
        case Unknown(reason):
            return MailState.UNKNOWN, reason
        case NotSent(reason):
            return MailState.REFUSED, reason
        case Refused(code, _, why):
            return MailState.REFUSED, f"{code} {why}"
        case _:
            assert_never(result)
