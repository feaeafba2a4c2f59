"""What of a message has not left yet to other networks, so that it can still be kept from leaving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from policies.case import DESK, Case, Network, PersonId
from policies.commands.dry import DryRun
from policies.commands.undo import TakeBackPost, Undo
from policies.commands.vocabulary import is_command, parse
from policies.effects import Relay
from policies.frozen import frozen
from policies.message import Edit, Message, MessageId, Removal, Text
from policies.outcome import Facts
from rooms.lanes import person_lane
from rooms.ports import Work
from rooms.queue import ItemId, State

_LATELY = 50
"""So many of the latest messages to somebody are looked at, for whether a part of one has left."""


class Reads(Protocol):
    """Reads what is to be sent."""

    def load(self, body: bytes) -> object: ...


@frozen
class Waiting:
    """The letters to one person with a message's words, or with a change of them, that wait to leave."""

    letters: tuple[ItemId, ...] = ()
    nothing_left: bool = False
    """Whether certainly none of its words have left to them."""


async def about_removal(work: Work, codec: Reads, case: Case, message: Message, facts: Facts) -> Facts:
    """The facts, with whom a mediator's post that it takes back has not left for yet, and the changes of that. None
    else's post: whoever removes that is not its author."""
    target = _taken_back(case, message, facts)
    entry = await work.journal.get(case.id, target) if target else None
    if target is None or entry is None or not case.is_staff(entry.message.author) or not case.is_staff(message.author):
        return facts
    changed_by = await work.journal.changes(case.id, target)
    waits = await unsent(work, codec, case, target)
    return replace(facts, takes_back=True, unsent=waits, changed_by=changed_by)


def _taken_back(case: Case, message: Message, facts: Facts) -> MessageId | None:
    """Which message that may take back: one that it removes, that it answers with a command, or the latest one."""
    match message.content:
        case Removal(target):
            return target
        case Text(body) if is_command(body):
            command = parse(body)
            if isinstance(command, DryRun):
                command = parse(command.line)
            if isinstance(command, TakeBackPost) and message.conversation == DESK:
                return case.posted.message if case.posted else None
            return facts.quoted.message if isinstance(command, Undo) and facts.quoted else None
        case _:
            return None


async def waiting_letters(work: Work, codec: Reads, case: Case, person: PersonId, message: MessageId) -> Waiting:
    """They are locked: nobody begins to send them before this unit of work ends. Where more waits for somebody than
    `Queue.in_lane` shows, the oldest are missed."""
    found: list[ItemId] = []
    has_words = False
    for item in await work.outbox.in_lane(person_lane(case.id, person)):
        letter = codec.load(item.body)
        if not isinstance(letter, Relay) or isinstance(letter.content, Removal):
            continue
        if not _is_of(letter, message):
            continue
        now = await work.outbox.get(item.id, lock=True)
        if now and now.state in {State.READY, State.PARKED} and not now.sending and now.progress is None:
            found.append(item.id)
            has_words = has_words or letter.message == message
    begun = has_words and await _has_begun(work, case, person, found)
    return Waiting(tuple(found), nothing_left=has_words and not begun)


async def unsent(work: Work, codec: Reads, case: Case, message: MessageId) -> frozenset[PersonId]:
    """To whom certainly nothing of a message has left, of those who read outside of Matrix."""
    bridged = [p.id for p in case.people if p.endpoint.is_bridged]
    return frozenset([p for p in bridged if (await waiting_letters(work, codec, case, p, message)).nothing_left])


async def withhold(work: Work, codec: Reads, case: Case, people: frozenset[PersonId], message: MessageId) -> None:
    """Nothing of it leaves to these people any more: what still waits, and what has failed and could be sent again."""
    for person in sorted(people):
        for letter in (await waiting_letters(work, codec, case, person, message)).letters:
            await work.outbox.stop(letter, State.CANCELLED, "it was taken back before it left")
    for item in await work.outbox.in_state((State.DEAD, State.UNKNOWN), case.id):
        stopped = codec.load(item.body)
        if isinstance(stopped, Relay) and stopped.to in people and _is_of(stopped, message):
            await work.outbox.stop(item.id, State.CANCELLED, "it was taken back")


def _is_of(letter: Relay, message: MessageId) -> bool:
    """Whether it carries those words, or a change of them."""
    return letter.message == message or (isinstance(letter.content, Edit) and letter.content.target == message)


async def _has_begun(work: Work, case: Case, person: PersonId, items: Sequence[ItemId]) -> bool:
    """A long text goes by WhatsApp in parts, and one may have left before the next was refused."""
    found = case.person(person)
    if found is None or found.endpoint.network is not Network.WHATSAPP:
        return False
    parts = await work.whatsapp.to_person(case.id, person, _LATELY)
    return any(part.item in items and (part.state.left or part.state.uncertain) for part in parts)
