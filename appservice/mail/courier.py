"""Letters out, by SMTP: each leaves once, and what is known of it is written down."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from appservice.documents.handout import Enclosures, Handout
from appservice.mail.about import about
from appservice.mail.enclosing import attached
from appservice.mail.leaving import is_with_another, outcome_of, still_waiting, wait_again
from appservice.mail.lines import remember_lines
from appservice.portal.store import LINK_LASTS, Whose
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.storage.errors import DatabaseUnavailable
from bridges.email import convert_out as mails
from bridges.email import ids
from bridges.email.api import Accepted, MailServer, Refused, SendResult, send
from bridges.portal.ids import new_token
from bridges.unsent import NotSent, Unknown
from catalogue import said as spoken
from policies import message as said
from policies.case import Case, Endpoint, Person
from policies.documents.carrying import Enclose
from policies.documents.recipient import Way, said_beside
from policies.effects import AskWhose, Inform, Pose, Publish
from policies.frozen import frozen
from policies.message import File, Text, Unreadable
from policies.networks.delivery import by_link
from policies.networks.discreet import base_for
from policies.networks.mail import MailState
from policies.questions.asking import in_words
from policies.words.phrase import when
from rooms.addresses import ReplyAddress
from rooms.homeserver import Trouble
from rooms.letters import Enclosed, Letter
from rooms.mails import SentMail
from rooms.messages import is_begun_elsewhere
from rooms.outcome import ELSEWHERE, Cancelled, Outcome, Sent, TakenOver, Unanswered
from rooms.queue import Item, ItemId, State

logger = logging.getLogger(__name__)


@frozen
class Discreetly:
    """Who mails come from that tell nothing, and what they say they are; None: what every mail of that kind has."""

    name: str = ""
    subject: str | None = None
    address: str | None = None
    base_url: str | None = None


@frozen
class Sender:
    """Who we are in a mail."""

    organisation: str
    telephone: str
    reply_domain: str
    public_base_url: str
    """Where people reach the page behind the links."""
    discreet: Discreetly = Discreetly()
    """What stands instead for whoever wants mails that tell nothing."""


LINK_REST = timedelta(hours=4)
"""So long nobody gets another link before the last one was opened: what is new lies ready behind that."""


_LEFT = frozenset({MailState.ACCEPTED, MailState.DELAYED, MailState.DELIVERED, MailState.FAILED})
"""What is known of a mail that has left, whatever became of it then."""


@frozen
class _Away:
    """A mail about to leave: its names."""

    mail_id: str
    bounce_address: str = field(repr=False)
    link: str = field(repr=False)
    at: datetime
    said: datetime
    """When the first thing was said that it carries."""


class MailCourier:
    """Carries letters by SMTP."""

    def __init__(
        self, database: ServiceDatabase, server: MailServer, sender: Sender, enclosures: Enclosures | None = None
    ) -> None:
        """`enclosures`: what makes copies of documents, where there is a vault."""
        self._database, self._server, self._sender, self._enclosures = database, server, sender, enclosures

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        """Send one mail, once: a send that was begun and never answered is not repeated (I5).

        What it says lies ready on the page as well. Whoever did not agree to words by mail gets a link to the page, and
        no other one before that was opened, or some hours have gone.
        """
        if item.progress is not None:
            return await self._went_with_another(item, item.progress.decode())
        if item.sending:
            return Unanswered("the service stopped while the mail was on its way")
        person = letter.case.person(letter.to)
        if person is None:
            raise Trouble("the reader is not in the case", transient=False)
        if letter.as_link and not by_link(person):
            return Sent("a first letter with words in it follows")
        if isinstance(letter.content, Enclose):
            return await self._enclosed(item, letter, person, letter.content)
        return await self._send(item, letter, person)

    async def _enclosed(self, item: Item, letter: Letter, person: Person, enclose: Enclose) -> Outcome:
        """Their own copy of a document, on record before it leaves."""
        if self._enclosures is None:
            raise Trouble("there is no vault of documents on this server", transient=False)
        if by_link(person):
            raise Trouble("they have agreed to links alone", transient=True)  # asked anew, it is cancelled
        async with self._enclosures.made(letter.case, enclose, datetime.now(UTC)) as made:
            return await self._send(item, letter, person, made)

    async def _went_with_another(self, item: Item, mail: str) -> Outcome:
        """What became of the mail in which it left, by the hash that names it."""
        async with self._database.begin() as work:
            sent = await work.mails.by_bounce(mail)
            came_back = sent is not None and sent.state is MailState.FAILED
            # What went first is for a person to send again if the service stopped over it: then all of it is.
            if sent and came_back and not await _is_unended(work, sent.item):
                return Cancelled("it left in one mail with others, which came back", quietly=True)  # and was shown so
            if sent and not came_back and sent.state in _LEFT:
                return Sent("it left in one mail with others")
            # Whoever has it sent again has it sent by itself.
            await work.outbox.mark_sending(item.id, None)
        became = "which came back" if came_back else "and nobody said whether that arrived"
        return Unanswered(f"it left in one mail with others, {became}")

    async def _send(self, item: Item, letter: Letter, person: Person, made: Handout | None = None) -> Outcome:
        at, bounce, link = datetime.now(UTC), ids.new_bounce_token(), new_token()
        state = MailState.LEAVING
        leaving = SentMail(ids.token_hash(bounce), letter.case.id, person.id, person.endpoint.id, item.id, state, at)
        whose = Whose(letter.case.id, person.id)
        async with self._database.begin() as work:
            stopped = await self._stopped(work, item, letter, person, made, at=at)
            if stopped:
                return stopped
            letter = replace(letter, more=await still_waiting(work, letter.more, person.endpoint.id))
            for one in (item, *(enclosed.item for enclosed in letter.more)):
                await work.shelf.put(whose.case, whose.person, one.id, one.body, at)
            is_news = by_link(person) and not _is_awaited(letter)
            # What a person has sent again would find the very link that may never have arrived.
            is_first = is_news and not await work.mails.has_begun(letter.case.id, person.id, item.id)
            if is_first and await work.shelf.waiting_link(whose, person.endpoint.id, at - LINK_REST):
                return Sent("it lies ready; a link to it was sent before")
            # Written before it is marked as on its way: what can't be written has certainly not left.
            away = _Away(
                ids.message_id(item.id, self._sender.reply_domain), self._address(bounce), link, at, item.received_at
            )
            mail = await self._written(work, letter, person, away, made)
            await work.shelf.add_link(link, whose, person.endpoint.id, at, at + LINK_LASTS)
            enclosed_items = tuple(enclosed.item.id for enclosed in letter.more)
            await work.mails.leaves(replace(leaving, about=about(letter, person), more=enclosed_items))
            await remember_lines(work.echoes, whose.case, whose.person, letter.conversation, mail.text)
            await self._link(work, item, letter)
            await work.outbox.mark_sending(item.id, None)
            for enclosed in letter.more:
                await self._link(work, enclosed.item, enclosed.letter)
                await work.outbox.mark_sending(enclosed.item.id, leaving.bounce_hash.encode())
        result = await send(mail, self._server)
        try:
            await self._note(leaving, link, letter.more, result)
        except DatabaseUnavailable:
            if isinstance(result, NotSent | Refused):
                # The link that never left would keep the next one back: nobody may take this for delivered.
                raise
            # What became of the mail is known all the same, and the item's own end is stored as soon as that can be.
            logger.warning("what became of a mail could not be noted")
        return outcome_of(result)

    async def _stopped(
        self, work: ServiceWork, item: Item, letter: Letter, person: Person, made: Handout | None, *, at: datetime
    ) -> Outcome | None:
        """Why it does not leave now after all. Locks the item."""
        if await is_with_another(work, item):
            return TakenOver()
        if is_begun_elsewhere(await work.whatsapp.of_item(item.id), person.endpoint.id):
            return Unanswered(ELSEWHERE)
        if made and self._enclosures and isinstance(letter.content, Enclose):
            return await self._enclosures.noted(work, item, letter.content, made, at)
        return None

    async def _link(self, work: ServiceWork, item: Item, letter: Letter) -> None:
        """A report about the mail is about whatever words of somebody's went in it."""
        if letter.message:
            mail_id = ids.message_id(item.id, self._sender.reply_domain)
            await work.journal.link_mail(letter.case.id, letter.message, mail_id)

    async def _note(self, leaving: SentMail, link: str, more: Sequence[Enclosed], result: SendResult) -> None:
        """For `!mail status`; of what never left, a link opens nothing, and what was enclosed waits its turn again."""
        async with self._database.begin() as work:
            await work.mails.mark(leaving.bounce_hash, *_known(result), datetime.now(UTC))
            if isinstance(result, NotSent | Refused):
                await work.shelf.drop_link(link)
                await wait_again(work, more, leaving.bounce_hash)

    async def _written(
        self, work: ServiceWork, letter: Letter, person: Person, away: _Away, made: Handout | None = None
    ) -> mails.OutgoingMail:
        recipient = ids.parse_address(person.endpoint.address)
        if isinstance(recipient, ids.MalformedAddress):
            raise Trouble(f"the address on record can't be written to: {recipient.reason}", transient=False)
        if by_link(person) or _leads_to_page(letter):
            return mails.render_link(self._as_link(letter, person, away, recipient))
        address = await _address(work, letter, person.endpoint)
        return mails.render(
            mails.Letter(
                content=self._whole(letter, person, away.said, made),
                room=mails.MailRoom(letter.room_label, letter.conversation.kind),
                reply_address=self._address(ids.ReplyToken(address.token)),
                bounce_address=away.bounce_address,
                recipient=recipient,
                message_id=away.mail_id,
                at=away.at,
                references=(ids.message_id(f"thread/{address.token}", self._sender.reply_domain),),
                pause_url=f"{self._sender.public_base_url}/p/{away.link}/pause",
                language=letter.case.language_of(person.id),
                attached=await attached(made) if made else None,
            )
        )

    def _as_link(self, letter: Letter, person: Person, away: _Away, recipient: ids.EmailAddress) -> mails.LinkLetter:
        """Without words; for whoever wants that, without anything that tells what it is about."""
        ours, hidden = self._sender, self._sender.discreet if person.discreet else None
        base = base_for(person.discreet, ours.public_base_url, ours.discreet.base_url)
        url = f"{base}/p/{away.link}"
        return mails.LinkLetter(
            organisation=hidden.name if hidden else ours.organisation,
            telephone=ours.telephone,
            url=url,
            pause_url=f"{url}/pause",
            kind=mails.LinkKind.DISCREET if hidden else _kind(letter, person),
            from_address=(hidden and hidden.address) or f"noreply@{ours.reply_domain}",
            bounce_address=away.bounce_address,
            recipient=recipient,
            message_id=away.mail_id,
            at=away.at,
            language=letter.case.language_of(person.id),
            subject=hidden.subject if hidden else None,
        )

    def _address(self, token: ids.Token) -> str:
        return ids.token_address(token, self._sender.reply_domain)

    def _whole(self, letter: Letter, person: Person, said: datetime, made: Handout | None) -> mails.Content:
        if made and isinstance(letter.content, Enclose):
            beside = said_beside(letter.content.number, made.stamp, Way.MAIL)
            return mails.Explanation(spoken(beside, letter.case.language_of(person.id)))
        return self._several(letter, person, said) if letter.more else self._content(letter, person)

    def _several(self, first: Letter, person: Person, said: datetime) -> mails.Several:
        zone, language = first.case.zone_of(person.id), first.case.language_of(person.id)
        parts = [(said, first), *((enclosed.item.received_at, enclosed.letter) for enclosed in first.more)]
        return mails.Several(
            tuple((spoken(when(at, zone), language), self._content(letter, person)) for at, letter in parts)
        )

    def _content(self, letter: Letter, person: Person) -> mails.Single:
        author = letter.author or "Somebody"
        match letter.content:
            case None:
                return self._invitation(letter.case, person)
            case Pose():
                asked = in_words(letter.content, letter.case.zone_of(person.id))
                return mails.Explanation(spoken(asked, letter.case.language_of(person.id)))
            case Inform(text=text):
                return mails.Explanation(text)
            case Publish(heading=heading, words=words):
                return mails.Released(heading, words)
            case Text(body):
                return mails.Post(author, body)
            case said.Edit(body=body):
                return mails.Correction(author, body)
            case File(words=words):
                return mails.FileShared(author, words)
            case said.Removal():
                return mails.Removed()
            case said.Reaction() | Unreadable() | AskWhose() | Enclose():
                raise Trouble("this does not travel by mail", transient=False)
            case _:
                assert_never(letter.content)

    def _invitation(self, case: Case, person: Person) -> mails.Invitation:
        mediator = next((p.name for p in case.people if case.is_staff(p.id)), self._sender.organisation)
        return mails.Invitation(self._sender.organisation, mediator, self._sender.telephone, person.name)


async def _is_unended(work: ServiceWork, item: ItemId) -> bool:
    """Whether nobody was there to say what became of it."""
    known = await work.outbox.get(item)
    return known is not None and known.state in {State.READY, State.UNKNOWN}


async def _address(work: ServiceWork, letter: Letter, endpoint: Endpoint) -> ReplyAddress:
    """The one address of that person for that room; made at the first letter."""
    known = await work.addresses.get(letter.case.id, endpoint.id, letter.conversation)
    if known:
        return known
    token = ids.new_reply_token()
    address = ReplyAddress(letter.case.id, letter.to, endpoint.id, letter.conversation, token.value)
    if letter.case.closing and letter.case.closing.expired:
        return address  # For its form: what is answered there is refused, like everything about this case.
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


def _leads_to_page(letter: Letter) -> bool:
    """Whether it is about what is on the page alone, whatever its reader gets by mail."""
    return isinstance(letter.content, AskWhose) or (isinstance(letter.content, Inform) and letter.content.page)


def _is_awaited(letter: Letter) -> bool:
    """Whether its reader waits for this very link, or must decide by it."""
    return isinstance(letter.content, AskWhose) or (isinstance(letter.content, Inform) and letter.content.wished)


def _kind(letter: Letter, person: Person) -> mails.LinkKind:
    if isinstance(letter.content, AskWhose):
        return mails.LinkKind.WHOSE
    return mails.LinkKind.FIRST if person.endpoint.enrolled is None else mails.LinkKind.NEWS
