"""Webhooks from the inbox: who it is, what they said, and what became of our messages; one unit of work each.

message ── who is it? ── nobody who takes part ──▶ the triage desk; where there is none, a dead letter
   │         ├─ nobody of the case for which it came in ──▶ dead letter of that case, shown nowhere else
   │         ├─ it may be one of several ──▶ dead letter: never a guess
   │         └─ may be another person by now ──▶ doubt: held, and both directions rest
   ├─ STOP, START, HELP ──▶ the service itself
   ├─ a button ──▶ an answer, if it is that person's, of that question, about those words
   ├─ a file, a place, a card ──▶ their private room, whichever number it came to
   └─ words ──▶ the one conversation of that number and that person
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from appservice.ports import ServiceWork
from appservice.reading import message_id
from appservice.whatsapp.ledger import window_key
from appservice.whatsapp.media import file_of
from appservice.whatsapp.numbers import Numbers
from appservice.worker import End, Fate, Finished
from bridges.whatsapp.convert_in import read_message
from bridges.whatsapp.incoming import Change, Described, Incoming, Pressed, Reacted, Sender, Shared, Shown, Words
from policies.case import DESK, Case, Conversation, Doubt, Network, Person, Seen
from policies.effects import Hold
from policies.frozen import frozen
from policies.message import Content, Message, Proof, SignedWebhook, Text, Unproven, Unreadable
from policies.networks.delivery import channel_key
from policies.networks.whatsapp import (
    decide_doubt,
    decide_keyword,
    decide_reaction,
    decide_seen,
    decide_stays_private,
    decide_stop,
    recognise,
)
from policies.people.stranger import Writer
from policies.people.telephone import spellings
from policies.questions.asking import Answer, PressedAnswer, read_answer_id
from rooms import triage
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.ports import Entry
from rooms.queue import Item, State, item_id

NOBODYS = End(State.DEAD, "a WhatsApp message came from somebody who takes part in no case")
NO_MORE = End(State.DEAD, "a WhatsApp message came from somebody who takes part here no more")
FULL = End(State.DEAD, "a stranger's WhatsApp message came when too many waited")
SEVERAL = End(State.DEAD, "a WhatsApp message came from a number under which several people take part")
UNPLACED = End(State.DEAD, "a WhatsApp message came that belongs to no room of its author's")


@frozen
class _Written:
    """One message, by somebody who takes part, and where it was written."""

    item: Item
    incoming: Incoming
    case: Case
    person: Person
    where: Conversation

    @property
    def doubt(self) -> Doubt | None:
        return self.person.endpoint.doubt

    @property
    def proof(self) -> Proof:
        why = f"it may be another person who writes there now: {self.doubt.why}" if self.doubt else ""
        return Unproven(why, "") if why else SignedWebhook(self.incoming.number, self.person.endpoint.id)

    def in_case(self, case: Case) -> _Written:
        """The same, in the case as it is now."""
        return replace(self, case=case, person=next(p for p in case.people if p.id == self.person.id))


class WebhookReader:
    """Reads messages from the inbox."""

    def __init__(
        self,
        codec: Codec,
        house: House,
        numbers: Numbers,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._codec, self._house, self._numbers, self._clock = codec, house, numbers, clock

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Read one message, and have it handled."""
        incoming = read_message(json.loads(item.body))
        if incoming.number == self._numbers.intake:
            return await self._stranger(work, item, incoming)
        found = await find(work, incoming.sender)
        if item.case is not None and (found is None or found[0].id != item.case):
            # Written to that case, when its author took part: for no other's eyes, wherever they are by now.
            return SEVERAL if found is None and await is_known(work, incoming.sender) else NO_MORE
        if found is None:
            return SEVERAL if await is_known(work, incoming.sender) else await self._stranger(work, item, incoming)
        case, person = found
        where = self._numbers.conversation(incoming.number, case, person.id)
        if where is None:
            return UNPLACED
        if item.case is None or _is_for_the_mediator(incoming):
            # Written before they took part, to a number that had no room of theirs, it was not meant for any.
            where = self._numbers.conversation(self._numbers.private, case, person.id) or where
        written = await self._recognised(work, _Written(item, incoming, case, person, where))
        if not isinstance(incoming.said, Change):
            await self._heard(work, written)
            await self._said(work, written)
        await work.inbox.done(item.id, "handled")
        return Finished()

    async def _stranger(self, work: ServiceWork, item: Item, incoming: Incoming) -> Fate:
        """The triage desk sees it, where there is one; what is nobody's words is done with."""
        sender = incoming.sender
        name = sender.phone or sender.user
        if not self._house.triage or name is None or not self._numbers.takes_strangers(incoming.number):
            return NOBODYS
        if not isinstance(incoming.said, Reacted | Change):
            writer = Writer(Network.WHATSAPP, name, incoming.number, sender.user, sender.phone, sender.key)
            said = _of_a_stranger(incoming), SignedWebhook(), item.received_at
            if not await triage.written(work, self._codec, self._house, item.id, writer=writer, said=said):
                return FULL
        await work.inbox.done(item.id, "a stranger's")
        return Finished()

    async def _recognised(self, work: ServiceWork, written: _Written) -> _Written:
        """With what is known now of who is there."""
        case, person, incoming = written.case, written.person, written.incoming
        now = Seen(incoming.sender.user, incoming.sender.phone, incoming.sender.key)
        known = recognise(person.endpoint, now)
        if isinstance(incoming.said, Change) and not isinstance(known, Doubt):
            known = Doubt(incoming.said.value, now)
        if isinstance(known, Doubt):
            decision = decide_doubt(case, person, known)
            return written.in_case(await self._handler(work, written, "doubt").follow(case, decision))
        if known == person.endpoint.seen or person.endpoint.doubt:
            return written
        decision = decide_seen(case, person, known)
        return written.in_case(await self._handler(work, written, "seen").follow(case, decision))

    async def _heard(self, work: ServiceWork, written: _Written) -> None:
        """They have written: for a day, anything may be written to them from that number."""
        if written.doubt:
            return
        case, endpoint, number = written.case, written.person.endpoint.id, written.incoming.number
        await work.whatsapp.heard(case.id, endpoint, number, written.item.received_at)
        await work.outbox.wake(channel_key(case, endpoint))
        # What was parked by a version before this one.
        await work.outbox.wake(window_key(case.id, endpoint, number))

    async def _said(self, work: ServiceWork, written: _Written) -> None:
        case, incoming, item = written.case, written.incoming, written.item
        handler = self._handler(work, written)
        about = incoming.said.target if isinstance(incoming.said, Reacted) else incoming.quoted
        quoted = await work.journal.by_mail_id(case.id, about) if about else None
        if written.doubt is None:
            written = written.in_case(await handler.came(case, written.person.id))
        if await (self._stops(handler, written) if written.doubt else self._for_us(handler, written, quoted)):
            return
        message = Message(
            message_id(item),
            written.person.id,
            written.where,
            _content(incoming),
            written.proof,
            item.received_at,
            native=False,
            reply_to=quoted.message.id if quoted and quoted.message.conversation == written.where else None,
        )
        decision = await handler.message(case.id, message, None, incoming.id or None)
        is_held = any(isinstance(effect, Hold) for effect in decision.effects)
        if not is_held and written.where != self._numbers.conversation(incoming.number, case, written.person.id):
            stays = decide_stays_private(case, written.person, written.where)
            await self._handler(work, written, "private").follow(written.case, stays)

    async def _stops(self, handler: Handler, written: _Written) -> bool:
        """Whether it was STOP: that counts from whoever has the number, for less is sent by it, never more."""
        said = written.incoming.said
        decision = decide_stop(written.case, written.person, said.text) if isinstance(said, Words) else None
        if decision:
            await handler.follow(written.case, decision)
        return decision is not None

    async def _for_us(self, handler: Handler, written: _Written, quoted: Entry | None) -> bool:
        """Whether it was for the service itself: a keyword, a reaction, or the answer to a question."""
        case, person = written.case, written.person
        match written.incoming.said:
            case Words(text) if decision := decide_keyword(case, person, text):
                await handler.follow(case, decision)
                return True
            case Reacted(emoji):
                await handler.follow(case, decide_reaction(case, person, emoji, quoted.message if quoted else None))
                return True
            case Pressed(pressed) if given := read_answer_id(pressed):
                await handler.answer(case.id, self._answer(written, given), written.item.received_at)
                return True
            case _:
                return False

    def _answer(self, written: _Written, given: PressedAnswer) -> Answer:
        """What a button says. One of another question that had the same code answers none."""
        case, person = written.case, written.person
        wanted = (given.code, person.id, given.binds)
        ask = next((a for a in case.asks if (a.code, a.asked, a.binds) == wanted), None)
        if ask:
            return Answer(given.code, given.yes, person.id, ask.where, written.proof)
        private = self._numbers.conversation(self._numbers.private, case, person.id) or DESK
        return Answer(f"{given.code} (closed)", given.yes, person.id, private, written.proof)

    def _handler(self, work: ServiceWork, written: _Written, of: str | None = None) -> Handler:
        cause = item_id(f"{of}/{written.item.id}") if of else written.item.id
        return Handler(work, self._codec, self._house, cause, self._clock())


async def find(work: ServiceWork, sender: Sender, *, lock: bool = True) -> tuple[Case, Person] | None:
    """Who takes part under one of these names, the surest first; None for nobody, and where several could be meant."""
    for name in _names(sender):
        cases = [await work.cases.load(case, lock=lock) for case in await work.cases.of_address(Network.WHATSAPP, name)]
        people = [(case, person) for case in cases if case for person in on_whatsapp(case, name)]
        if people:
            return people[0] if len(people) == 1 else None
    return None


async def is_known(work: ServiceWork, sender: Sender) -> bool:
    """Whether anybody takes part anywhere under one of these names."""
    return any([await work.cases.of_address(Network.WHATSAPP, name) for name in _names(sender)])


def _names(sender: Sender) -> list[str]:
    """By what they may be found, the surest first."""
    others = sorted(spellings(sender.phone)) if sender.phone else []
    return [name for name in (sender.user, sender.formerly, sender.phone, *others) if name]


def on_whatsapp(case: Case, name: str) -> list[Person]:
    """Who is found in a case by a name on WhatsApp."""
    return [p for p in case.people if p.endpoint.network is Network.WHATSAPP and name in p.endpoint.names]


def _is_for_the_mediator(incoming: Incoming) -> bool:
    """Whether it is private whichever number it was sent to: only a plain text is meant for all by being sent there."""
    return isinstance(incoming.said, Shared | Described)


def _of_a_stranger(incoming: Incoming) -> Content:
    """What somebody said who takes part in no case: no file of theirs is fetched, for anybody could fill the vault."""
    if isinstance(incoming.said, Shared):
        why = f"it is {incoming.said.what}, and no file is fetched from somebody who takes part in no case"
        return Unreadable(why, incoming.said.caption)
    return _content(incoming)


def _content(incoming: Incoming) -> Content:
    match incoming.said:
        case Words(text) | Described(text) if not incoming.forwarded:
            return Text(text)
        case Words(text) | Described(text):
            return Unreadable("it was forwarded from another chat, so the words may be somebody else's", text, own=text)
        case Shared() as shared:
            # Of a forwarded file the caption was forwarded, too: it is not what they wrote beside it.
            return file_of(incoming, replace(shared, caption="") if incoming.forwarded else shared)
        case Shown(what, caption):
            return Unreadable(f"it is {what}; the bridge to WhatsApp does not carry that", caption)
        case Pressed(title=title):
            return Unreadable("it is a button that nobody here has shown them", title)
        case Reacted() | Change():
            return Unreadable("it may be another person's")
        case _:
            assert_never(incoming.said)
