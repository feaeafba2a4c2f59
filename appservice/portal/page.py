"""The page as the service fills it: only what was decided for that very person, looked at again when it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from appservice.portal.store import LINK_SENDS_ANOTHER, SESSION_LASTS, Laid, Link, Tried, Whose
from appservice.ports import ServiceWork
from bridges.portal.ids import new_token
from bridges.portal.views import Closed, Doubtful, Question, RoomView, Shown, View
from policies.case import DESK, Case, EndpointId, Network, Person
from policies.effects import Inform, Pose, Post, Publish, Relay
from policies.frozen import frozen
from policies.message import Content, Edit, File, MessageId, Reaction, Removal, Text, Unproven, Unreadable
from policies.moderation.floor import objection
from policies.networks.delivery import by_link
from policies.networks.discreet import Discreet
from policies.people.membership import conversations, readers
from policies.plan import label
from policies.status import readers_text
from policies.words.language import Language
from policies.words.phrase import Phrase, phrase
from policies.words.text import one_line
from rooms.held import mine_id, waiting
from rooms.lanes import case_lane, person_lane
from rooms.outgoing import Codec
from rooms.queue import Item, ItemId, item_id

PORTAL: Final = "portal"
"""The kind of an item that says what somebody did on the page."""
SHOWN_MOST: Final = 300
BEGINNING: Final = 100


class PortalDatabase(Protocol):
    """Where units of work come from."""

    def begin(self) -> AbstractAsyncContextManager[ServiceWork]:
        """A unit of work."""

    def read(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The stores, for questions only."""


class ServicePortal:
    """`bridges.portal.views.Portal`."""

    def __init__(
        self,
        database: PortalDatabase,
        codec: Codec,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        documents: bool = False,
    ) -> None:
        """`documents`: whether there is a page of them, too."""
        self._database, self._codec, self._clock, self._documents = database, codec, clock, documents

    async def open(self, link: str, key: str) -> str | Closed:
        """A new session, if both are right and the person still takes part. The key is the PIN, or the code that was
        told to them alone for that very link. A link opens one; whoever has the PIN to one that opens no more, and is
        not too old for that, is sent another."""
        now = self._clock()
        async with self._database.begin() as work:
            sent = await work.shelf.link(link)
            person = await _current(work, sent, lock=True) if sent else None
            # Old links are not for trying PINs for ever.
            if sent is None or person is None or sent.until < now - LINK_SENDS_ANOTHER:
                return Closed.WRONG
            whose = sent.whose
            tried = await work.shelf.try_key(link, whose, key, now)
            if tried is Tried.LOCKED_NOW:
                await self._store(work, whose, f"locked/{now:%Y-%m-%dT%H:%M}", "locked", {})
            if tried is not Tried.RIGHT:
                return Closed.WRONG if tried is Tried.WRONG else Closed.LOCKED
            if not await work.shelf.use_link(link, now):
                await self._store(work, whose, f"again/{now:%Y-%m-%dT%H:%M}", "again", {})
                return Closed.USED
            session = new_token()
            await work.shelf.begin_session(session, whose, now + SESSION_LASTS)
        return session

    async def view(self, session: str, before: str = "") -> View | None:
        """What that session's person may see now; `before`: what is older than the thing of that name."""
        async with self._database.read() as work:
            whose = await work.shelf.session(session, self._clock())
            case = await work.cases.load(whose.case) if whose else None
            person = case.person(whose.person) if case and whose else None
            if whose is None or case is None or person is None:
                return None
            laid = await work.shelf.laid_for(case.id, person.id, SHOWN_MOST + 1, ItemId(before) if before else None)
            doubtful = await _doubtful(work, case, person)
            newer = await _laid_since(work, case, person, ItemId(before)) if before else ()
            coming = await work.outbox.in_lane(person_lane(case.id, person.id))
        gone = self._removed([*(one.body for one in (*laid, *newer)), *(letter.body for letter in coming)])
        view = self._of_person(case, person, laid[-SHOWN_MOST:], doubtful, gone)
        return replace(view, earlier=laid[1].item) if len(laid) > SHOWN_MOST else view

    def _removed(self, bodies: Iterable[bytes]) -> frozenset[MessageId | None]:
        """Which messages a notice says were removed, that was carried to somebody or will be."""
        letters = (self._codec.load(body) for body in bodies)
        return frozenset(
            one.content.target for one in letters if isinstance(one, Relay) and isinstance(one.content, Removal)
        )

    def _of_person(
        self,
        case: Case,
        person: Person,
        laid: Sequence[Laid],
        doubtful: tuple[Doubtful, ...],
        gone: frozenset[MessageId | None],
    ) -> View:
        """The view of one person, of a case as it is now: a room that is theirs no more is not shown (I3)."""
        things = [(one, self._codec.load(one.body)) for one in laid]
        own = [c for c in conversations(case) if c != DESK and person.id in readers(case, c)]
        rooms = tuple(
            RoomView(
                id=c.id,
                name=label(c, case),
                is_private=c.side is not None,
                readers=readers_text(case, c),
                kept=objection(case, person.id, c),
                shown=tuple(
                    shown
                    for one, thing in things
                    if isinstance(thing, Relay | Post | Inform | Publish) and thing.conversation == c
                    if not _is_taken_back(case, thing, gone)
                    if (shown := _shown(case, person, one, thing))
                ),
            )
            for c in own
        )
        open_codes = {ask.code for ask in case.asks if ask.asked == person.id and ask.expires > self._clock()}
        posed = {thing.code: thing for _, thing in things if isinstance(thing, Pose) and thing.conversation in own}
        questions = tuple(
            Question(p.code, p.title, p.words, p.then, p.expires) for p in posed.values() if p.code in open_codes
        )
        return View(
            name=person.name,
            is_enrolled=person.endpoint.enrolled is not None,
            gets_words=not by_link(person),
            is_paused=person.endpoint.stopped is not None,
            rooms=rooms,
            questions=questions,
            doubtful=doubtful,
            zone=case.zone_of(person.id),
            language=case.language_of(person.id),
            has_documents=self._documents,
            is_elsewhere=is_elsewhere(person),
            digest=str(person.digest) if person.digest else None,
            is_discreet=person.discreet is not None,
            set_for_them=person.discreet is Discreet.MEDIATOR,
        )

    async def language(self, session: str) -> Language | None:
        """In which language that session's person reads; None for no session."""
        async with self._database.read() as work:
            return await language_of(work, session, self._clock())

    async def act(self, session: str, nonce: str, what: str, values: Mapping[str, str]) -> bool:
        """Store an act of the session's person, to be handled like everything else that comes in."""
        async with self._database.begin() as work:
            whose = await work.shelf.session(session, self._clock())
            case = await work.cases.load(whose.case, lock=True) if whose else None
            person = case.person(whose.person) if case and whose else None
            # Whoever moved them elsewhere had the case until then, and ended what belongs to the former channel.
            still = await work.shelf.session(session, self._clock())
            if whose is None or still is None or person is None or is_elsewhere(person):
                return False
            press = Press(whose, nonce or new_token(), what, values, person.endpoint.id)
            await store_press(work, press, self._clock())
        return True

    async def may_be_named(self, link: str) -> bool:
        """Not where it was sent to somebody who asked for discreet contact, or of whom that is not known any more. A
        link that nobody knows is nobody's."""
        async with self._database.read() as work:
            sent = await work.shelf.link(link)
            case = await work.cases.load(sent.whose.case) if sent else None
            person = case.person(sent.whose.person) if case and sent else None
        return sent is None or (person is not None and person.discreet is None)

    async def pause(self, link: str) -> None:
        """Whoever has the link wants no more mail; also with one of an old mail, and again after mail went on. That of
        somebody who is mailed nothing stops nothing."""
        async with self._database.begin() as work:
            sent = await work.shelf.link(link)
            person = await _current(work, sent) if sent else None
            if sent and person and not is_elsewhere(person):
                await self._store(work, sent.whose, f"pause/{self._clock():%Y-%m-%dT%H:%M}", "pause", {})

    async def leave(self, session: str) -> None:
        """That person's sessions end, on every computer."""
        async with self._database.begin() as work:
            whose = await work.shelf.session(session, self._clock())
            if whose is not None:
                await work.shelf.end_sessions(whose.case, whose.person)

    async def _store(self, work: ServiceWork, whose: Whose, nonce: str, what: str, values: Mapping[str, str]) -> None:
        await store_press(work, Press(whose, nonce, what, values), self._clock())


@frozen
class Press:
    """What somebody pressed on the page; `channel`: reached by a link that went there."""

    whose: Whose
    nonce: str
    what: str
    values: Mapping[str, str]
    channel: EndpointId | None = None


async def store_press(work: ServiceWork, press: Press, at: datetime) -> None:
    """The same press twice is one act. A form that a browser shows again may be sent with other words: another."""
    whose = press.whose
    done = {"person": whose.person, "what": press.what, "values": dict(press.values), "channel": press.channel}
    body = json.dumps(done, sort_keys=True).encode()
    identity = ItemId(item_id("\0".join((PORTAL, whose.case, whose.person, press.nonce, body.hex()))))
    await work.inbox.put(Item(identity, case_lane(whose.case), PORTAL, whose.case, body, at))


def is_elsewhere(person: Person) -> bool:
    """Whether they speak on a channel of their own, with its own proofs: here there are documents alone (I4)."""
    return person.endpoint.network is not Network.EMAIL


async def language_of(work: ServiceWork, session: str, at: datetime) -> Language | None:
    """In which language that session's person reads; None for no session."""
    whose = await work.shelf.session(session, at)
    case = await work.cases.load(whose.case) if whose else None
    return case.language_of(whose.person) if case and whose else None


async def _current(work: ServiceWork, sent: Link, *, lock: bool = False) -> Person | None:
    """Whose link it is, if it was sent where they are still reached: who has a mailbox they left may not speak as them,
    nor keep mail from them. `lock`: and is reached there till this unit of work ends."""
    case = await work.cases.load(sent.whose.case, lock=lock)
    person = case.person(sent.whose.person) if case else None
    return person if person and person.endpoint.id == sent.endpoint else None


async def _doubtful(work: ServiceWork, case: Case, person: Person) -> tuple[Doubtful, ...]:
    """What came in that person's name by mail, and waits for a word of theirs."""
    found = []
    for held in await waiting(work, case.id):
        entry = await work.journal.get(case.id, held.message)
        if entry is None or entry.message.author != person.id or entry.message.native:
            continue
        answered = await work.journal.get(case.id, mine_id(held.message))
        if isinstance(entry.message.proof, Unproven) and answered is None:
            found.append(Doubtful(held.message, entry.message.at, _beginning(entry.message.content)))
    return tuple(found)


def _beginning(content: Content) -> str:
    """By which its author knows a mail again."""
    words = content.words if isinstance(content, Unreadable) else _text(content) or ""
    return one_line(words, BEGINNING)


async def _laid_since(work: ServiceWork, case: Case, person: Person, item: ItemId) -> Sequence[Laid]:
    """What lies ready for somebody, from that on, and some before it."""
    found: list[Laid] = []
    before: ItemId | None = None
    while page := await work.shelf.laid_for(case.id, person.id, SHOWN_MOST, before):
        found += page
        if any(one.item == item for one in page):
            break
        before = page[0].item
    return found


def _is_taken_back(case: Case, thing: Relay | Post | Inform | Publish, gone: frozenset[MessageId | None]) -> bool:
    """A mediator's words alone, or a change of them: who removed a party's, nothing proves (I4)."""
    if not isinstance(thing, Relay) or thing.author is None or not case.is_staff(thing.author):
        return False
    return thing.message in gone or (isinstance(thing.content, Edit) and thing.content.target in gone)


def _shown(case: Case, person: Person, one: Laid, thing: Relay | Post | Inform | Publish) -> Shown | None:
    if isinstance(thing, Publish):
        return Shown(thing.heading.removesuffix(":").rstrip(), thing.words, one.at)
    if isinstance(thing, Inform):
        return Shown(None, thing.text, one.at)
    author = case.person(thing.author) if thing.author else None
    name = author.name if author else phrase("Someone who left") if thing.author else phrase("Somebody")
    text = _text(thing.content)
    own = thing.author == person.id
    return None if text is None else Shown(name, text, one.at, own=own, note=_note(thing.content))


def _note(content: Content) -> Phrase | None:
    """What we say beside somebody's words."""
    match content:
        case Edit():
            return phrase("(corrects an earlier message)")
        case File():
            return phrase("(a file; please ask the mediator how you can see it)")
        case Removal():
            return phrase("(an earlier message was removed; please disregard it)")
        case Text() | Reaction() | Unreadable():
            return None


def _text(content: Content) -> str | None:
    """Somebody's own words; None of what is not shown."""
    match content:
        case Text(body) | Edit(body=body):
            return body
        case File(words=words):
            return words
        case Removal():
            return ""
        case Reaction() | Unreadable():
            return None
