"""Write down a decision: the changed case, the record, and what is to be sent; all in the caller's unit of work.

This is the only place that makes outbox items, so it is the only place where an effect gets its lane and its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, assert_never

from policies.case import DESK, Case, CaseId, Conversation, Network, PersonId
from policies.delivery import channel_key
from policies.effects import (
    ConfirmIdentity,
    DeadLetters,
    Decision,
    Effect,
    Explain,
    Hold,
    Introduce,
    Post,
    Preview,
    Reconcile,
    Relay,
    Resume,
    Schedule,
    ShowHeaders,
    ShowHeld,
    ShowMails,
    Tell,
)
from policies.message import Edit, Text, Unreadable
from policies.plan import desk_label, room_key
from policies.text import clean, one_line
from rooms.clock import alarm
from rooms.ports import Held, Item, ItemId, Lane, RoomId, State, UserId, Work, case_lane, identity_wait_key, item_id


@dataclass(frozen=True, slots=True)
class Say:
    """The bot's words in a direct chat, outside of any case."""

    room: RoomId
    to: UserId
    text: str
    to_unsigned_devices: bool = False
    in_clear: bool = False
    """For a chat that isn't encrypted: to say just that."""


@dataclass(frozen=True, slots=True)
class Enter:
    """One of our users accepts an invitation."""

    room: RoomId
    user: UserId


@dataclass(frozen=True, slots=True)
class Decline:
    """One of our users turns an invitation down."""

    room: RoomId
    user: UserId


@dataclass(frozen=True, slots=True)
class Signal:
    """A step of a protocol between devices, into a room: nobody's words. `content` is JSON."""

    room: RoomId
    to: UserId
    type: str
    content: str


Outgoing = Effect | Say | Enter | Decline | Signal
T = TypeVar("T")

MAILS_SHOWN = 10
HEADERS_SHOWN = 8_000
"""Bytes of a mail's header: more than an honest one has."""

MATRIX, ROOMS, PEOPLE = "matrix", "rooms", "people"
"""The kinds of outbox items: words into a room, work on rooms, words to someone's channel outside Matrix."""


class Codec(Protocol):
    """Between what is to be sent and the bytes that the outbox keeps."""

    def dump(self, outgoing: Outgoing) -> bytes: ...

    def load(self, body: bytes) -> Outgoing: ...


class Applier:
    """Applies decisions for one inbox item."""

    def __init__(self, work: Work, codec: Codec, item: ItemId, at: datetime) -> None:
        """`item` is what was decided about: the ids of all that follows are made from it, so that it follows once."""
        self._work, self._codec, self._item, self._at = work, codec, item, at
        self._rule, self._parts = "outside", 0
        self.shown: str | None = None
        """What the desk was shown that holds no words of anybody: fit for the command line, too (A4)."""

    async def apply(self, before: Case | None, decision: Decision) -> None:
        """Store the decision and everything that follows from it."""
        case = decision.case
        if case != before:
            await self._work.cases.save(case)
            for person in before.people if before else ():
                now = case.person(person.id)
                if now is None or now.endpoint.id != person.endpoint.id:
                    await self._work.addresses.revoke(case.id, person.endpoint.id)
        await self._work.decisions.record(self._item, decision, self._at)
        # One item may be decided about twice: that it can't be decrypted yet, and what it says once it can be.
        self._rule = decision.rule
        for effect in decision.effects:
            await self._effect(case, effect)

    async def outside(self, outgoing: Say | Enter | Decline | Signal) -> None:
        """Something to be done in a room that is no case's matter."""
        await self._put(None, Lane(f"lobby:{outgoing.room}"), MATRIX, outgoing)

    async def _effect(self, case: Case, effect: Effect) -> None:
        match effect:
            case Post(conversation=conversation) | Tell(conversation) | Explain(conversation=conversation):
                await self._put(case.id, _room_lane(case, conversation), MATRIX, effect)
            case Relay(to=person) | Introduce(person):
                await self._put(case.id, _person_lane(case, person), PEOPLE, effect)
            case Reconcile() | Preview():
                await self._put(case.id, Lane(f"rooms:{case.id}"), ROOMS, effect)
            case Hold(message, why):
                await self._work.holds.put(Held(case.id, message, why, self._at))
            case Resume(endpoint):
                await self._work.outbox.wake(channel_key(case, endpoint))
            case ConfirmIdentity(person, key):
                await self._confirm(case, person, key)
            case Schedule():
                await self._work.inbox.put(alarm(self._item, case_lane(case.id), case.id, effect, self._at))
            case ShowMails(person):
                self.shown = await _mails_text(self._work, case, person)
                await self._effect(case, Tell(DESK, self.shown))
            case ShowHeaders(item):
                await self._effect(case, Tell(DESK, await _headers_text(self._work, case, item)))
            case ShowHeld(item):
                await self._effect(case, Tell(DESK, await _held_text(self._work, case, item)))
            case DeadLetters(act, item):
                self.shown = await _dead_text(self._work, case, act, item)
                await self._effect(case, Tell(DESK, self.shown))
            case _:
                assert_never(effect)

    async def _confirm(self, case: Case, person: PersonId, key: str) -> None:
        """What waited goes on in every case of that user, and the other desks, which were alarmed too, hear of it."""
        confirmed = case.person(person)
        user = UserId(confirmed.endpoint.address) if confirmed else None
        if user is None or not await self._work.identities.confirm(user, key):
            raise LookupError("an identity was confirmed that isn't there")
        for queue in (self._work.inbox, self._work.outbox):
            await queue.wake(identity_wait_key(user))
        for other_id in await self._work.cases.of_matrix_user(user):
            other = await self._work.cases.load(other_id) if other_id != case.id else None
            who = other.at_address(Network.MATRIX, user) if other else None
            if other and who:
                text = f"The new identity of {who.name} is confirmed, and what waited for it goes on."
                await self._effect(other, Tell(DESK, text))

    async def _put(self, case: CaseId | None, lane: Lane, kind: str, outgoing: Outgoing) -> None:
        self._parts += 1
        identity = item_id(f"{self._item}/{self._rule}/{self._parts}")
        await self._work.outbox.put(Item(identity, lane, kind, case, self._codec.dump(outgoing), self._at))


def _room_lane(case: Case, conversation: Conversation) -> Lane:
    return Lane(f"room:{case.id}:{room_key(conversation)}")


def _person_lane(case: Case, person: PersonId) -> Lane:
    return Lane(f"person:{case.id}:{person}")


# --- what the desk asks to see ------------------------------------------------------------------------------------


async def _held_text(work: Work, case: Case, number: str | None) -> str:
    held = await work.holds.of_case(case.id)
    if number is None:
        lines = [f"{n}. {h.at:%Y-%m-%d %H:%M} UTC: because {h.why}" for n, h in enumerate(held, 1)]
        return "\n".join(["Held (!held NUMBER shows one here):", *lines]) if lines else "Nothing is held."
    chosen = _pick(held, number)
    entry = await work.journal.get(case.id, chosen.message) if chosen else None
    if entry is None:
        return f"There is no held message {one_line(number)}. !held lists them."
    author = case.person(entry.message.author)
    origin = f"{author.name if author else 'someone who left'}, for {desk_label(entry.message.conversation, case)}"
    match entry.message.content:
        case Text(body) | Edit(body=body) | Unreadable(words=body):
            words = "\n".join(f"> {line}" for line in clean(body).splitlines()) or "> (nothing that can be shown)"
        case _:
            words = "> (not words)"
    return f"Held message {number}, as if from {origin}, unproven or unreadable:\n{words}"


async def _mails_text(work: Work, case: Case, person: PersonId) -> str:
    named = case.person(person)
    name = named.name if named else "someone who left"
    mails = await work.mails.to_person(case.id, person, MAILS_SHOWN)
    lines = [
        f"{mail.at:%Y-%m-%d %H:%M} UTC: {mail.state.in_words}{f' ({one_line(mail.detail)})' if mail.detail else ''}"
        for mail in mails
    ]
    stopped = f"Nothing is sent to {name} for now: {named.endpoint.stopped}." if named and named.endpoint.stopped else ""
    return "\n".join([*filter(None, [stopped]), f"The latest mails to {name}:", *(lines or ["none yet"])])


async def _headers_text(work: Work, case: Case, number: str) -> str:
    chosen = _pick(await work.holds.of_case(case.id), number)
    raw = await work.mails.raw(case.id, chosen.message) if chosen else None
    if raw is None:
        return f"There is no held mail {one_line(number)}. !held lists what is held."
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0][:HEADERS_SHOWN].decode("utf-8", "replace")
    lines = "\n".join(f"> {line}" for line in clean(head).splitlines())
    return f"The header of the mail that brought held message {number}; whoever sent it may have written any of it:\n{lines}"


async def _dead_text(work: Work, case: Case, act: str, number: str | None) -> str:
    dead = await work.outbox.in_state((State.DEAD, State.UNKNOWN), case.id)
    if act == "list" or number is None:
        lines = [f"{n}. {item.note} ({item.state})" for n, item in enumerate(dead, 1)]
        return "\n".join(["Not delivered:", *lines]) if lines else "Everything was delivered, or waits its turn."
    chosen = _pick(dead, number)
    if chosen is None:
        return f"There is no undelivered item {one_line(number)}. !dead lists them."
    if act == "retry":
        await work.outbox.revive(chosen.id)
        return f"Trying number {number} again: {chosen.note}"
    await work.outbox.stop(chosen.id, State.CANCELLED, "discarded by a mediator")
    return f"Number {number} is discarded: {chosen.note}"


def _pick(items: tuple[T, ...], number: str) -> T | None:
    return items[int(number) - 1] if number.isdecimal() and 0 < int(number) <= len(items) else None
