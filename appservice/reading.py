"""Read one inbox item, whatever brought it, and have it handled (hops two and three).

    matrix.event   an event of a room of ours … decrypted, turned into a Message, handled
                   an invitation … answered      a change of a room's state … looked at
    matrix.to_device   a key or a request … taken in; what waited for that key is woken
    mail   a mail to somebody's address … proven or not, turned into a Message, handled
    command   the API or the CLI … carried out, the answer kept as the item's result

Reading, deciding and applying an item is one unit of work, often together with the next ones of its lane. Anything
that can't be read yet is parked.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from appservice.e2ee.patience import TELL, rest
from appservice.e2ee.trust import Verifications
from appservice.e2ee.unsigned import look
from appservice.matrix.content import Said, with_repeated, with_target
from appservice.matrix.members import words_in_membership
from appservice.matrix.polls import Response
from appservice.opened import UNCONFIRMED, Closed, Inside, Opener, heard_in, said_in, undecrypted, vote_in
from appservice.ports import ServiceWork
from appservice.voices import Voices, behind_key
from appservice.worker import Fate, Finished, Park
from policies.alarms import decide_unconfirmed
from policies.case import DESK, JOINT, Case, CaseId, Conversation, Network, PersonId
from policies.frozen import frozen
from policies.message import Edit, Message, MessageId, Proof, Unproven, Unreadable
from policies.people.membership import conversations, readers
from policies.plan import room_key
from policies.questions.poll import Vote
from policies.routing import decide_undecrypted
from rooms.former import served_by
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import EventId, RoomId, UserId
from rooms.lanes import identity_wait_key
from rooms.lobby import Lobby
from rooms.outgoing import Codec
from rooms.polls import asked_in, being_posted
from rooms.ports import RoomRecord, Work
from rooms.queue import Item

logger = logging.getLogger(__name__)

EVENT, TO_DEVICE, MAIL, COMMAND = "matrix.event", "matrix.to_device", "mail", "command"
REPORT = "mail.report"
STRANGERS = "mail.stranger"
"""The kinds of inbox items."""

AT_LEAST_EVERY = timedelta(minutes=1)
"""What waits behind something else is looked at this often even if nothing wakes it."""
AT_ONCE = timedelta(seconds=0.5)
"""The same, for what waits behind something that has only to be read."""

CONFIRMED_EVERY = timedelta(minutes=5)
"""How often it is looked whether an author's identity was confirmed just as their words were set aside."""
_UNCONFIRMED = "its author's identity is not confirmed"

_MEMBERSHIP = Unproven("it stood in a membership, which is not encrypted", "")
_VERIFYING = Unproven("it asks to verify somebody's keys", "")

_NOBODY = PersonId("nobody")
"""The author of what somebody said who is not in the case: a reader of nothing, so it is held."""


@frozen
class _Reading:
    """One event under work, in one unit of work."""

    work: ServiceWork
    handler: Handler
    item: Item
    event: Mapping[str, Any]
    opened: Inside
    """What an encrypted event says."""


class EventReader:
    """Reads events of rooms."""

    def __init__(
        self,
        opener: Opener,
        verifications: Verifications,
        codec: Codec,
        house: House,
        bot: UserId,
        *,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        """`is_ours` tells the bot and the ghosts from everybody else."""
        self._opener, self._verifications, self._codec, self._house = opener, verifications, codec, house
        self._bot, self._is_ours = bot, is_ours

    async def read(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """Read events of one lane, in order, and have them handled, all in this unit of work; the fate of each."""
        events = [json.loads(item.body) for item in items]
        encrypted = [e for e in events if e["type"] == "m.room.encrypted" and not self._is_ours(e["sender"])]
        said = await self._opener.open(work, encrypted) if encrypted else ()
        opened = {event["event_id"]: one for event, one in zip(encrypted, said, strict=True)}
        voices = await Voices.ahead_of(work, items)
        fates: list[Fate] = []
        for item, event in zip(items, events, strict=True):
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            fate = await self._read(_Reading(work, handler, item, event, opened.get(event["event_id"])), voices)
            if isinstance(fate, Park):
                voices.add(replace(item, attempts=item.attempts + fate.is_attempt, wait_key=fate.key))
            fates.append(fate)
        return fates

    async def _read(self, reading: _Reading, voices: Voices) -> Fate:
        work, item, event = reading.work, reading.item, reading.event
        room, sender = RoomId(event["room_id"]), UserId(event["sender"])
        if self._is_ours(sender) and not (self._invites_us(event) or _is_put_out(event)):
            return await self._finish(work, item, "our own")
        record = await work.rooms.by_room_id(room)
        if record is None:
            return await self._elsewhere(reading)
        is_state = event.get("state_key") is not None
        if not is_state and (waits := await self._rest(reading, record)):
            return waits  # for its own key, which is looked for whoever else waits
        if behind := await voices.same_as(item, event, partial(_desk_of, work, record, event)):
            # One that isn't set aside came, or was woken, at this very moment, through another process.
            at_most = AT_LEAST_EVERY if behind.wait_key else AT_ONCE
            why = "an earlier message of the same person waits"
            return Park(behind_key(behind), why, at_most, is_attempt=False)
        if is_state:
            if served_by(record)[1]:
                await self._state(reading, record)
            return await self._finish(work, item, "state")
        heard = heard_in(event, reading.opened)
        if heard:
            await self._verifications.hear(work, item, heard)
            if heard.kind != "request" or record.case is None:
                return await self._finish(work, item, "a verification")
        return await self._post(reading, record, asks_to_verify=heard is not None)

    async def _post(self, reading: _Reading, record: RoomRecord, *, asks_to_verify: bool) -> Fate:
        """Something that people see in a room: words, whatever they look like."""
        said = said_in(reading.event, reading.opened)
        if asks_to_verify and not isinstance(said, Closed):
            # A request has words for clients that can't verify, so it is a post, whomever it asks (M4).
            said = said[0], _VERIFYING
        if isinstance(said, Closed):
            said = Said(Unreadable(f"I could not decrypt it ({said.why})")), undecrypted(said.why)
        if record.case is None:
            await self._lobby(reading, *said)
        elif said[1] == UNCONFIRMED and await self._waits(reading, record.case, record):
            key = identity_wait_key(reading.event["sender"])
            return Park(key, _UNCONFIRMED, CONFIRMED_EVERY, is_attempt=False)
        elif vote := vote_in(reading.event, reading.opened):
            if waits := await self._voted(reading, record.case, record, vote, said[1]):
                return waits
        else:
            await self._message(reading, record.case, record, *said)
        return await self._finish(reading.work, reading.item, "handled")

    async def _elsewhere(self, reading: _Reading) -> Finished:
        """In a room that is not ours only an invitation concerns us."""
        event = reading.event
        if self._invites_us(event):
            invited, by = UserId(event["state_key"]), UserId(event["sender"])
            # Their devices may have been asked for before they had any: what we answer must be readable for them.
            await reading.work.crypto.mark_changed([by])
            await self._chat(reading).invited(RoomId(event["room_id"]), invited, by, self._bot)
        return await self._finish(reading.work, reading.item, "not a room of ours")

    # --- what can't be read yet

    async def _rest(self, reading: _Reading, record: RoomRecord) -> Park | None:
        """Set an event aside that can't be read yet, and tell people when the time has come; None: read it, or give it
        up."""
        attempts, closed = reading.item.attempts, reading.opened
        wait = rest(attempts) if isinstance(closed, Closed) and not closed.for_good else None
        if not isinstance(closed, Closed) or wait is None:
            return None
        if attempts == TELL and record.case is not None:
            case = await reading.work.cases.load(record.case, lock=True)
            conversation = conversation_of(case, record) if case else None
            if case and conversation:
                author = case.at_address(Network.MATRIX, reading.event["sender"])
                decision = decide_undecrypted(case, author, conversation, closed.why)
                await reading.handler.follow(case, decision)
        return Park(closed.key, closed.why, wait)

    # --- whose it is

    async def _message(self, reading: _Reading, case_id: CaseId, record: RoomRecord, said: Said, proof: Proof) -> None:
        work, event = reading.work, reading.event
        case = await work.cases.load(case_id, lock=True)
        conversation = conversation_of(case, record) if case else None
        if case is None or conversation is None:
            return
        if conversation == DESK and reading.item.attempts > TELL:
            # A command must not be carried out long after it was given, when its key comes at last.
            said = Said(Unreadable("its key came too late to act on it"))
        person = case.at_address(Network.MATRIX, event["sender"])
        author = person.id if person else _NOBODY
        target = await _message_of(work, case_id, conversation, said.target)
        quoted = await _message_of(work, case_id, conversation, said.reply_to)
        content = with_target(with_repeated(said, quoted.content if quoted else None), target.id if target else None)
        if isinstance(content, Edit) and target is not None and target.author != author:
            content = Unreadable("it changes what somebody else wrote", content.body)
        message = Message(
            message_id(reading.item),
            author,
            conversation,
            content,
            proof,
            reading.item.received_at,
            native=True,
            # Many clients verify in clear; to take that away would break it.
            in_clear=event["type"] == "m.room.message" and proof != _VERIFYING,
            reply_to=quoted.id if quoted else None,
        )
        await reading.handler.message(case_id, message, EventId(event["event_id"]), None)

    async def _voted(
        self, reading: _Reading, case_id: CaseId, record: RoomRecord, vote: Response, proof: Proof
    ) -> Park | None:
        """Something was chosen in a poll; it waits for a poll of ours that is just being posted."""
        work = reading.work
        case = await work.cases.load(case_id, lock=True)
        conversation = conversation_of(case, record) if case else None
        person = case.at_address(Network.MATRIX, reading.event["sender"]) if case else None
        if case is None or conversation is None or person is None:
            return None
        if poll := await being_posted(work, case, vote.answers):
            return Park(f"poll:{poll}", "its poll is just being posted", AT_ONCE, is_attempt=False)
        poll_of = await asked_in(work, case, vote.poll) if served_by(record)[1] else None
        voted = Vote(person.id, conversation, vote.answers, poll_of, proof)
        await reading.handler.answer(case_id, voted, reading.item.received_at)
        return None

    async def _waits(self, reading: _Reading, case_id: CaseId, record: RoomRecord) -> bool:
        """Whether it is to be read again once its author's identity is confirmed; if so, the desk was told, once.

        What was said at a desk isn't: a command must not be carried out long after it was given.
        """
        case = await reading.work.cases.load(case_id, lock=True)
        conversation = conversation_of(case, record) if case else None
        author = case.at_address(Network.MATRIX, reading.event["sender"]) if case else None
        if case is None or conversation in {None, DESK} or author is None:
            return False
        if reading.item.note != _UNCONFIRMED:
            await reading.handler.follow(case, decide_unconfirmed(case, author, conversation))
        return True

    async def _lobby(self, reading: _Reading, said: Said, proof: Proof) -> None:
        room, user = RoomId(reading.event["room_id"]), UserId(reading.event["sender"])
        if user not in self._house.mediators:
            return
        if reading.event["type"] == "m.room.message":
            await self._chat(reading).in_clear(room, user)
        else:
            await self._chat(reading).message(room, user, said.content, proof, reading.item.received_at)

    def _chat(self, reading: _Reading) -> Lobby:
        return Lobby(reading.work, self._codec, self._house, reading.item.id, datetime.now(UTC))

    # --- the room itself

    async def _state(self, reading: _Reading, record: RoomRecord) -> None:
        """Something about one of our rooms changed, and we did not do it."""
        if record.case is None:
            return None
        event, handler = reading.event, reading.handler
        case = await reading.work.cases.load(record.case, lock=True)
        conversation = conversation_of(case, record) if case else None
        person = case.at_address(Network.MATRIX, event["state_key"]) if case else None
        if event["type"] != "m.room.member":
            where = conversation or served_by(record)[0]
            return await handler.tampered(record.case, where, UserId(event["sender"]), event["type"])
        await self._in_membership(reading, case, conversation)
        membership = _membership(event)
        if membership == "join" and _was_joined(event):
            return None
        if case and conversation and person and person.id in readers(case, conversation):
            if membership == "join":
                if case.triage is not None:
                    # Invited when the service started, they may have had no device then.
                    await reading.work.crypto.mark_changed([UserId(event["state_key"])])
                await look(reading.work, [UserId(event["state_key"])], reading.item.received_at)
                return await handler.arrived(case, person, conversation)
            if membership == "leave":
                return await handler.departed(case, person, conversation)
        return await handler.drift(record.case)

    async def _in_membership(self, reading: _Reading, case: Case | None, conversation: Conversation | None) -> None:
        """Words in somebody's own membership of the joint room pass every power level: they are a post that breaks a
        rule. Elsewhere they reach whoever reads there anyway."""
        event = reading.event
        words = words_in_membership(event) if case and conversation == JOINT else None
        person = case.at_address(Network.MATRIX, event["sender"]) if case else None
        if case is None or words is None or person is None or case.is_staff(person.id):
            return
        message = Message(
            message_id(reading.item),
            person.id,
            JOINT,
            Unreadable("it stood in a membership", words),
            _MEMBERSHIP,
            reading.item.received_at,
            native=True,
            in_membership=True,
        )
        await reading.handler.message(case.id, message, EventId(event["event_id"]), None)

    def _invites_us(self, event: Mapping[str, Any]) -> bool:
        return _membership(event) == "invite" and self._is_ours(UserId(str(event.get("state_key"))))

    async def _finish(self, work: Work, item: Item, result: str) -> Finished:
        await work.inbox.done(item.id, result)
        if item.note is not None:  # it was set aside
            await work.inbox.wake(behind_key(item))
        return Finished()


def _is_put_out(event: Mapping[str, Any]) -> bool:
    """Whether one of ours has left: we never leave rooms of ours, so the homeserver's administrator made us."""
    return _membership(event) in {"leave", "ban"} and event.get("state_key") == event["sender"]


def message_id(item: Item) -> MessageId:
    """The id of the message that an item brings; the same item always brings the same."""
    return MessageId(hashlib.sha256(f"message/{item.id}".encode()).hexdigest()[:32])


def _membership(event: Mapping[str, Any]) -> str | None:
    content = event.get("content")
    value = content.get("membership") if event["type"] == "m.room.member" and isinstance(content, dict) else None
    return value if isinstance(value, str) else None


def _was_joined(event: Mapping[str, Any]) -> bool:
    """Whether a member's event changes nothing but a profile."""
    unsigned = event.get("unsigned")
    before = unsigned.get("prev_content") if isinstance(unsigned, dict) else None
    return isinstance(before, dict) and before.get("membership") == "join"


def conversation_of(case: Case, record: RoomRecord) -> Conversation | None:
    """The conversation that a room of that case serves, or did; None for a Space."""
    return next((c for c in conversations(case) if room_key(c) == served_by(record)[0]), None)


async def _desk_of(work: Work, record: RoomRecord, event: Mapping[str, Any]) -> RoomId | None:
    """The desk of a room's case, for words. Whoever comes or goes in one room is waited for in that one alone."""
    if record.case is None or event.get("state_key") is not None:
        return None
    desk = await work.rooms.get(record.case, room_key(DESK))
    return desk.room_id if desk else None


async def _message_of(work: Work, case: CaseId, conversation: Conversation, event: EventId | None) -> Message | None:
    """The message that an event carries, if it was said in that very conversation."""
    entry = await work.journal.by_event(case, event) if event else None
    return entry.message if entry and entry.message.conversation == conversation else None
