"""Letters out, by WhatsApp: each part leaves once, in its window, and what is known of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final, Protocol, assert_never

from appservice.documents.handout import cleared
from appservice.portal.store import LINK_LASTS, Whose
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.whatsapp.callback import Ours
from appservice.whatsapp.enclosing import Taken, WhatsAppEnclosures, recorded
from appservice.whatsapp.ledger import Thread
from appservice.whatsapp.numbers import Numbers
from appservice.whatsapp.reacting import reacting
from appservice.whatsapp.rendering import Voice, content, leads_to_page
from appservice.whatsapp.results import detail_of, known_of
from bridges.portal.ids import new_token
from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import Accepted, Kept, Refused, SendResult, UploadResult
from bridges.whatsapp.convert_out import Addressee, Json, Uploaded, addressed, medium, plain, render, template
from bridges.whatsapp.faults import Remedy, fault
from bridges.whatsapp.pace import Pace
from catalogue import said
from policies.case import Case, CaseId, Doubt, EndpointId, Person, Seen
from policies.documents.carrying import Enclose
from policies.documents.recipient import Way, said_beside
from policies.frozen import frozen
from policies.message import Edit, MessageId, Reaction, Removal, SignedWebhook
from policies.networks.delivery import channel_key
from policies.networks.discreet import WAITING, base_for, may_show
from policies.networks.whatsapp import WhatsAppState, decide_doubt, further
from policies.words.language import Language
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.letters import Letter, ToPerson
from rooms.messages import SentPart, is_begun_elsewhere
from rooms.outcome import ELSEWHERE, STOPPED, Cancelled, Outcome, Parked, Sent, TakenOver, Unanswered
from rooms.outgoing import Codec
from rooms.queue import Item, State, item_id

_WAITS: Final = "they have not written for 24 hours; they were asked to"
_LOOK: Final = "they are shown words only once they write; they were told that something is there"
_UNASKED: Final = "they want nothing that tells anything, and there is no template for that: it waits until they write"


class Sends(Protocol):
    """Hands messages to the network, as `bridges.whatsapp.api.CloudApi` does."""

    async def send(self, number: str, message: Json) -> SendResult:
        """Send one."""


@frozen
class Template:
    """The message that asks somebody to write, so that they can be written to. Its words say nothing of the case."""

    name: str
    language: str
    also: tuple[str, ...] = ()
    """Other languages in which it is approved."""

    def for_reader(self, language: Language) -> str:
        """The language in which somebody gets it: theirs, if it is approved in that."""
        known = (self.language, *self.also)
        return next((one for one in known if one.partition("_")[0] == language), self.language)


@frozen
class _Line:
    """One person and the number of ours that a letter goes over."""

    case: Case
    person: Person
    number: str
    link: str | None = field(default=None, repr=False)
    """What opens their page, if that goes along."""
    waits: bool = True
    """Whether they are asked to write, so that it can come: a reaction is not worth it."""

    @property
    def thread(self) -> tuple[CaseId, EndpointId, str]:
        return self.case.id, self.person.endpoint.id, self.number

    @property
    def key(self) -> str:
        """Whatever is told of the channel wakes it: that they wrote, that it is another one now, how they want it."""
        return channel_key(self.case, self.person.endpoint.id)

    @property
    def whose(self) -> Whose:
        return Whose(self.case.id, self.person.id)

    @property
    def addressee(self) -> Addressee:
        seen = self.person.endpoint.seen or Seen()
        return Addressee(self.person.endpoint.address, seen.user, seen.key)


class WhatsAppCourier:
    """Carries letters by WhatsApp."""

    def __init__(
        self,
        database: ServiceDatabase,
        network: Sends,
        numbers: Numbers,
        codec: Codec,
        house: House,
        *,
        template: Template,
        discreet: Template | None = None,
        voice: Voice,
        pace: Pace,
        enclosures: WhatsAppEnclosures | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`discreet`: the template for those to whom nothing may be shown that tells anything."""
        self._database, self._network, self._numbers = database, network, numbers
        self._template, self._discreet = template, discreet
        self._enclosures = enclosures
        self._voice, self._codec, self._house, self._pace, self._clock = voice, codec, house, pace, clock

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        """Send what is left of one letter, each part once: what was begun and never answered is not repeated (I5)."""
        person = letter.case.person(letter.to)
        if person is None:
            raise Trouble("the reader is not in the case", transient=False)
        is_reaction = isinstance(letter.content, Reaction)
        link = new_token() if self._house.page and leads_to_page(letter) else None
        line = _Line(letter.case, person, self._numbers.of(letter.conversation), link, waits=not is_reaction)
        messages = self._rendered(letter, line)
        parts = len(messages) + (_is_with_file(letter) or is_reaction)
        async with self._database.begin() as work:
            now = await work.outbox.get(item.id)
            begun = {part.part: part for part in await work.whatsapp.of_item(item.id)}
            thread = await work.whatsapp.thread(*line.thread)
            answers = await _answered(work, letter, line)
        if now is None or now.state is not State.READY or now.sending != item.sending:
            return TakenOver()
        left = [n for n in range(parts) if n not in begun or not begun[n].state.left]
        unanswered = _unanswered(item, begun.values(), person) if left else None
        if unanswered:
            return unanswered
        if left and line.waits and not self._may_be_shown(thread, person):
            return await self._nudge(item, line, thread)
        for number in left:
            if not self._pace.may_send(line.number, person.endpoint.address):
                raise Trouble("more is to be sent than WhatsApp takes at once", transient=True)
            message = messages[number] if number < len(messages) else await self._last(item, line, letter)
            if not isinstance(message, dict):
                return message
            is_later = number != left[0] or _is_with_file(letter)  # to take that there lasts minutes
            line, thread = await self._as_now(line) if is_later else (line, thread)
            if line.waits and not self._may_be_shown(thread, line.person):
                return await self._nudge(item, line, thread)
            leaving = self._leaving(item, line, letter.message, number, parts)
            ours = str(Ours(item.id, number, channel=line.person.endpoint.id))
            whole = addressed(message, line.addressee, ours, answers if number == 0 else None)
            stopped = await self._part(item, line, letter, leaving, whole, before=begun.get(number))
            if stopped:
                return stopped
        return Sent(f"{parts} messages")

    async def _as_now(self, line: _Line) -> tuple[_Line, Thread]:
        """With what says whether words may be shown there, which can change between two parts."""
        async with self._database.read() as work:
            case, thread = await work.cases.load(line.case.id), await work.whatsapp.thread(*line.thread)
        now = (case and case.person(line.person.id)) or line.person
        return replace(line, person=replace(line.person, discreet=now.discreet)), thread

    def _may_be_shown(self, thread: Thread, person: Person) -> bool:
        """Whether words may come there now: WhatsApp takes them, and nobody else sees them on a locked screen."""
        return thread.is_open(self._clock()) and may_show(person.discreet, thread.heard_at, self._clock())

    def _rendered(self, letter: Letter, line: _Line) -> tuple[Json, ...]:
        """All of it that is words of ours."""
        if isinstance(letter.content, Enclose | Reaction):
            return ()
        kind, language = letter.conversation.kind, letter.case.language_of(line.person.id)
        base = base_for(line.person.discreet, self._house.page, self._house.discreet_page)
        url = f"{base}/{line.link}" if line.link else None
        return render(kind, letter.case.id, content(letter, line.person, self._voice, url), language)

    async def _last(self, item: Item, line: _Line, letter: Letter) -> Json | Outcome:
        """What is made when its turn comes: a reaction, or a file. Raises Trouble."""
        if not isinstance(letter.content, Reaction):
            return await self._file(item, line, letter)
        async with self._database.begin() as work:
            return await reacting(work, letter, line.person, line.number, self._clock())

    async def _file(self, item: Item, line: _Line, letter: Letter) -> Json | Outcome:
        """The message that shows a copy of a document, or plays a recording, which is at WhatsApp by then. Raises
        Trouble."""
        if self._enclosures is None:
            raise Trouble("there is no vault of documents on this server", transient=False)
        at, enclose, recording = self._clock(), letter.content, recorded(letter.content)
        kind, language = letter.conversation.kind, line.case.language_of(letter.to)
        if recording is not None:
            played = await self._kept(item, line, await self._enclosures.played(line.number, recording), at)
            if not isinstance(played, Kept):
                return played
            return medium(kind, line.case.id, Uploaded(played.id, recording.mimetype, ""), verbatim(""), language)
        if not isinstance(enclose, Enclose):
            raise Trouble("there is no file with that letter", transient=False)
        taken = await self._enclosures.taken(item, line.case, enclose, line.number, at)
        if not isinstance(taken, Taken):
            return taken
        shown = await self._kept(item, line, taken.result, at)
        if not isinstance(shown, Kept):
            return shown
        file = Uploaded(shown.id, taken.made.mimetype, taken.made.name)
        below = said_beside(enclose.number, taken.made.stamp, Way.WHATSAPP)
        return medium(kind, line.case.id, file, below, language)

    async def _kept(self, item: Item, line: _Line, result: UploadResult, at: datetime) -> Kept | Outcome:
        """What follows from an upload; what fails is tried again. Raises Trouble."""
        match result:
            case NotSent(reason):
                raise Trouble(reason, transient=True)
            case Refused(code):
                return await self._refused(item, line, code, at)
            case Kept():
                return result
            case _:
                assert_never(result)

    def _leaving(self, item: Item, line: _Line, said: MessageId | None, number: int, parts: int) -> SentPart:
        """A part as it is known while it leaves."""
        endpoint, state = line.person.endpoint.id, WhatsAppState.LEAVING
        return SentPart(
            item.id, number, parts, line.case.id, line.person.id, endpoint, state, self._clock(), message=said
        )

    async def _part(
        self, item: Item, line: _Line, letter: Letter, leaving: SentPart, message: Json, *, before: SentPart | None
    ) -> Outcome | None:
        """Send one part, of which that was known `before`; what keeps the rest from being sent, if anything. Should a
        report have come meanwhile that it left, it is not sent; should another process have begun it, nothing is.
        Whether it may leave is asked once more of what has a file, or comes after other parts: that lasts minutes."""
        is_later = leaving.part > 0 or _is_with_file(letter)
        link = line.link if line.link and line.link in str(message) else None
        async with self._database.begin() as work:
            if is_later:
                # Before the item, as whoever takes back what was said locks them.
                await work.cases.load(line.case.id, lock=True)
            stored = await work.outbox.get(item.id, lock=True)
            if stored is None or stored.state is not State.READY:
                return TakenOver()
            known = await _part_of(work, leaving)
            if known and known != before and not known.state.is_certainly_lost:
                return None if known.state.left else TakenOver()
            effect = self._codec.load(stored.body) if is_later else None
            if isinstance(effect, ToPerson):
                case = await cleared(work, item, effect, line.person.endpoint, leaving.at)
                if not isinstance(case, Case):
                    return case
            await work.whatsapp.keep(leaving)
            if link:
                until = leaving.at + LINK_LASTS
                await work.shelf.add_link(link, line.whose, line.person.endpoint.id, leaving.at, until)
            await work.outbox.mark_sending(item.id, None)
        result = await self._network.send(line.number, message)
        async with self._database.begin() as work:
            # A report may have come before the answer.
            now = await _part_of(work, leaving) or leaving
            wamid = result.wamid if isinstance(result, Accepted) else now.wamid
            known = replace(now, state=further(now.state, known_of(result)), detail=detail_of(result), wamid=wamid)
            await work.whatsapp.keep(known)
            if link and isinstance(result, NotSent | Refused):
                await work.shelf.drop_link(link)
            if isinstance(result, Accepted) and leaving.message:
                await work.journal.link_mail(line.case.id, leaving.message, result.wamid)
        return None if known.state.left else await self._stopped(item, line, result, leaving.at)

    async def _stopped(self, item: Item, line: _Line, result: SendResult, sent_at: datetime) -> Outcome:
        """What becomes of an item of which a part was not taken. Raises Trouble."""
        match result:
            case Accepted():
                raise Trouble("WhatsApp reports that it failed", transient=False)
            case Unknown(reason):
                return Unanswered(reason)
            case NotSent(reason):
                raise Trouble(reason, transient=True)
            case Refused(code):
                return await self._refused(item, line, code, sent_at)
            case _:
                assert_never(result)

    async def _refused(self, item: Item, line: _Line, code: int, sent_at: datetime) -> Outcome:
        wrong = fault(code)
        match wrong.remedy:
            case Remedy.RETRY | Remedy.ALARM:
                raise Trouble(f"{wrong.words} ({code})", transient=True)
            case Remedy.GIVE_UP:
                raise Trouble(f"{wrong.words} ({code})", transient=False)
            case Remedy.WINDOW:
                async with self._database.begin() as work:
                    await work.whatsapp.shut(*line.thread, sent_at)
                    thread = await work.whatsapp.thread(*line.thread)
                if self._may_be_shown(thread, line.person):
                    raise Trouble("they have written at this very moment", transient=True)
                if not line.waits:
                    return Cancelled(wrong.words)
                return await self._nudge(item, line, thread)
            case Remedy.VERIFY:
                await self._doubt(item, line, wrong.words)
                return Parked(channel_key(line.case, line.person.endpoint.id), wrong.words)
            case _:
                assert_never(wrong.remedy)

    async def _nudge(self, item: Item, line: _Line, thread: Thread) -> Outcome:
        """Ask them to write, and wait for it. That they were is written down afterwards: the template says nothing, so
        better twice than never."""
        parked, at = Parked(line.key, _LOOK if line.person.discreet else _WAITS), self._clock()
        if thread.is_nudged:
            return parked
        asked = self._asking(line, thread)
        if asked is None:
            return Parked(line.key, _UNASKED)
        ours = str(Ours(item.id, asked=line.person.id))
        result = await self._network.send(line.number, addressed(asked, line.addressee, ours))
        match result:
            case Accepted() | Unknown():
                async with self._database.begin() as work:
                    await work.whatsapp.nudged(*line.thread, at)
                return parked
            case NotSent(reason):
                raise Trouble(reason, transient=True)
            case Refused(code):
                if fault(code).remedy is Remedy.WINDOW:
                    raise Trouble(f"WhatsApp does not take what asks them to write ({code})", transient=True)
                return await self._refused(item, line, code, at)
            case _:
                assert_never(result)

    def _asking(self, line: _Line, thread: Thread) -> Json | None:
        """What asks them to write; None where there is nothing that tells nothing, for whoever wants only that."""
        language, is_discreet = line.case.language_of(line.person.id), line.person.discreet is not None
        if is_discreet and thread.is_open(self._clock()):
            return plain(said(WAITING, language))
        wanted = self._discreet if is_discreet else self._template
        return template(wanted.name, wanted.for_reader(language)) if wanted else None

    async def _doubt(self, item: Item, line: _Line, why: str) -> None:
        async with self._database.begin() as work:
            case = await work.cases.load(line.case.id, lock=True)
            person = case.person(line.person.id) if case else None
            if case and person and person.endpoint.doubt is None:
                now, at = replace(person.endpoint.seen or Seen(), key=None), self._clock()
                # One item may meet a changed identity more than once, and each time the desk must hear of it.
                handler = Handler(work, self._codec, self._house, item_id(f"doubt/{item.id}/{at.isoformat()}"), at)
                await handler.follow(case, decide_doubt(case, person, Doubt(why, now)))


def _is_with_file(letter: Letter) -> bool:
    """Whether its last message shows a file."""
    return isinstance(letter.content, Enclose) or recorded(letter.content) is not None


def _unanswered(item: Item, begun: Collection[SentPart], person: Person) -> Unanswered | None:
    """Why nothing more of it is sent unless a person says so: nobody knows how much of it they have."""
    if item.sending and (not begun or any(part.state.uncertain for part in begun)):
        return Unanswered(STOPPED)  # or it was on its way over a channel that was theirs before
    return Unanswered(ELSEWHERE) if is_begun_elsewhere(begun, person.endpoint.id) else None


async def _answered(work: ServiceWork, letter: Letter, line: _Line) -> str | None:
    """The message in that very chat that a letter answers, changes or takes back: theirs, or one that carried
    somebody's words of the same conversation to them. A quotation shows words: none of another room is quoted (I1).
    What stands in the room, and came to the other number or from a channel that was theirs, is in another chat."""
    about = letter.content.target if isinstance(letter.content, Edit | Removal) else letter.reply_to
    entry = await work.journal.get(line.case.id, about) if about else None
    if entry is None or entry.message.conversation != letter.conversation:
        return None
    if entry.message.author == line.person.id:
        there = SignedWebhook(line.number, line.person.endpoint.id)
        return entry.mail_id if entry.message.proof == there else None
    return await work.whatsapp.shown_as(line.case.id, line.person.endpoint.id, entry.message.id)


async def _part_of(work: ServiceWork, part: SentPart) -> SentPart | None:
    """What is known of it now."""
    return next((one for one in await work.whatsapp.of_item(part.item) if one.part == part.part), None)
