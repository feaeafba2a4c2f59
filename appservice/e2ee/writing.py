"""Puts words into rooms, encrypted: prepare if need be (query, claim, share) → encrypt and store the ciphertext → send
→ look who came in meanwhile.

Whoever comes in between our look at a room and our event is shown the event by the homeserver, and has no key for it.
So the key of each event is kept until the event is sent; if somebody of its audience was missing, the homeserver is
asked who was in the room when it came to stand there, and they are given the key, too.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, assert_never

from appservice.building import trouble
from appservice.crypto.ids import MegolmSessionId, RoomId, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.notices import Notice
from appservice.crypto.outbound import (
    Audience,
    Encrypted,
    Frozen,
    NeedsDevices,
    NeedsSessions,
    Preparation,
    Prepared,
    Rotation,
)
from appservice.crypto.requests import OutgoingRequest
from appservice.crypto.sealing import Sealer
from appservice.crypto.sharing import RoomKey
from appservice.e2ee.exchange import Exchange, Unreachable, now_ms
from appservice.matrix import content as contents
from appservice.matrix import marks, polls
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.upkeep.epoch import MARKER
from policies.frozen import frozen
from policies.message import Content, File, FileRef
from rooms.carriers import Posting
from rooms.homeserver import ReaderFrozen, Trouble
from rooms.ids import EventId
from rooms.marks import Marked
from rooms.outgoing import Signal
from rooms.polls import Poll, PollEnd
from rooms.queue import Item

_ROUNDS = 12
"""So many times a room is made ready at most: one in which devices never cease to change must not hold us for ever."""
FORGETS_TXN_IDS = 12 * 3600
"""Seconds after which the homeserver may no longer know that it had a transaction id (Synapse: 24 hours)."""


@frozen
class Leaving:
    """An event that is about to leave; stored as the item's progress, sealed like it."""

    type: str
    content: Mapping[str, Any]
    readers: frozenset[UserId]
    """Whom it is encrypted for."""
    key: RoomKey | None
    """What reads it; None where it isn't encrypted."""
    at: float
    """When it was stored; seconds since the epoch."""

    def dump(self) -> bytes:
        """As JSON."""
        key = asdict(self.key) if self.key else None
        return json.dumps(
            {"type": self.type, "content": self.content, "readers": sorted(self.readers), "key": key, "at": self.at}
        ).encode()

    @classmethod
    def load(cls, progress: bytes) -> Leaving:
        """Back from JSON."""
        stored = json.loads(progress)
        key = stored["key"]
        return cls(
            stored["type"],
            stored["content"],
            frozenset(UserId(user) for user in stored["readers"]),
            RoomKey(
                RoomId(key["room_id"]), MegolmSessionId(key["session_id"]), key["message_index"], key["session_key"]
            )
            if key
            else None,
            stored["at"],
        )


class Writer:
    """Writes in rooms, as any of our identities that is ready."""

    def __init__(
        self,
        database: ServiceDatabase,
        matrix: Homeserver,
        sealer: Sealer,
        rotation: Rotation,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        """`is_ours` tells the bot and the ghosts from everybody else: our own words need no key for ourselves."""
        self._database, self._matrix, self._sealer = database, matrix, sealer
        self._network = Exchange(database, matrix)
        self._rotation, self._is_ours = rotation, is_ours

    async def post(self, item: Item, posting: Posting) -> EventId:
        """Put words into a room, exactly once, however often it is called for an item. Raises Trouble."""
        leaving = _stored(item, posting.room) or await self._written(item, posting)
        try:
            event = await self._matrix.rooms.send(
                posting.room,
                leaving.type,
                leaving.content,
                item.id,
                as_user=posting.sender,
                device=leaving.content.get("device_id"),
            )
        except MatrixError as error:
            raise trouble(error) from error
        await self._give_to_latecomers(posting, leaving, event)
        return event

    async def _written(self, item: Item, posting: Posting) -> Leaving:
        """Encrypt, and store what is about to leave."""
        match posting.content:
            case Signal(type=kind, content=content):
                return await self._encrypted(item, posting, kind, json.loads(content))
            case Poll(ballot=ballot):
                return await self._encrypted(item, posting, polls.START, polls.start(ballot, posting.reply_to))
            case PollEnd(code=code):
                return await self._encrypted(item, posting, polls.END, polls.end(code, posting.reply_to))
            case Marked() as marked:
                return await self._encrypted(item, posting, marks.TYPE, marks.mark(marked, posting.reply_to))
            case said:
                return await self._words(item, posting, said)

    async def _words(self, item: Item, posting: Posting, said: Content) -> Leaving:
        said = await self._uploaded(posting.sender, said)
        content = contents.write(said, posting.reply_to, is_notice=posting.is_notice)
        if posting.html:
            content = contents.with_html(content, posting.html)
        if posting.replaces:
            content = contents.replacing(content, posting.replaces)
        if posting.in_clear:
            async with self._database.begin() as work:
                return await _store(work, item, Leaving("m.room.message", content, posting.audience, None, time.time()))
        if posting.only_for:
            return await self._notice(item, posting, posting.only_for, content)
        return await self._encrypted(item, posting, "m.room.message", content)

    async def _encrypted(self, item: Item, posting: Posting, kind: str, content: dict[str, Any]) -> Leaving:
        machine, audience = self._machine(posting), self._audience(posting)
        for _ in range(_ROUNDS):
            # It refuses until everyone has what they must have; mostly they have.
            leaving = await self._encrypt(machine, item, audience, kind, content)
            if leaving is not None:
                return leaving
            step: Frozen | Prepared = await self._network.settle(machine, partial(_prepare, machine, audience))
            match step:
                case Frozen(frozen) if posting.but_for_the_frozen and audience.members - frozen:
                    audience = replace(audience, members=audience.members - frozen)
                case Frozen(frozen):
                    raise ReaderFrozen(min(frozen))
                case Prepared(requests):
                    await self._network.send_all(machine, requests, must=True)
                case _:
                    assert_never(step)
        raise Trouble("the room's keys could not be shared", transient=True)

    async def _encrypt(
        self, machine: OlmMachine, item: Item, audience: Audience, kind: str, content: dict[str, Any]
    ) -> Leaving | None:
        async with self._database.begin() as work:
            result = await machine.encrypt_event(work.crypto, audience, kind, content, now_ms=now_ms())
            if not isinstance(result, Encrypted):
                return None
            outer = {**result.content, **_relation(content)}
            return await _store(
                work, item, Leaving("m.room.encrypted", outer, audience.members, result.key, time.time())
            )

    async def _notice(self, item: Item, posting: Posting, reader: UserId, content: dict[str, Any]) -> Leaving:
        """For every device of every reader, and the unsigned ones of one person among them, with a key used once."""
        machine, audience = self._machine(posting), self._audience(posting)

        async def step(work: ServiceWork, unreachable: Unreachable) -> _Notice | Frozen | NeedsDevices | NeedsSessions:
            found = await machine.encrypt_notice(
                work.crypto,
                audience,
                reader,
                "m.room.message",
                content,
                now_ms=now_ms(),
                unreachable=unreachable,
            )
            if not isinstance(found, Notice):
                return found
            leaving = Leaving("m.room.encrypted", found.content, audience.members, found.key, time.time())
            return _Notice(await _store(work, item, leaving), found.requests)

        notice: _Notice | Frozen = await self._network.settle(machine, step)
        if isinstance(notice, Frozen):
            raise ReaderFrozen(min(notice.people))
        await self._network.send_all(machine, notice.requests, must=True)
        return notice.leaving

    async def _give_to_latecomers(self, posting: Posting, leaving: Leaving, event: EventId) -> None:
        """The key of an event, for those who were in the room when it appeared, but not when it was written."""
        missed, key = self._people(posting.audience | posting.awaited) - leaving.readers, leaving.key
        if not missed or key is None:
            return
        try:
            joined = await self._matrix.rooms.joined_at(posting.room, event, as_user=posting.sender)
        except MatrixError as error:
            raise trouble(error) from error
        newcomers, machine = missed & joined, self._machine(posting)
        if newcomers:
            prepared: Prepared = await self._network.settle(machine, partial(_share_later, machine, key, newcomers))
            await self._network.send_all(machine, prepared.requests, must=True)

    async def _uploaded(self, sender: UserId, said: Content) -> Content:
        """What is said, with a file's bytes encrypted and on the homeserver if they weren't yet."""
        if not isinstance(said, File):
            return said
        ref = json.loads(said.ref)
        if "data" not in ref:
            return said
        try:
            file = await self._matrix.media.upload_encrypted(base64.b64decode(ref["data"]), as_user=sender)
        except MatrixError as error:
            raise trouble(error) from error
        return replace(said, ref=FileRef(json.dumps(file)))

    def _audience(self, posting: Posting) -> Audience:
        return Audience(posting.room, self._people(posting.audience), self._rotation)

    def _people(self, users: Collection[UserId]) -> frozenset[UserId]:
        return frozenset(user for user in users if not self._is_ours(user))

    def _machine(self, posting: Posting) -> OlmMachine:
        return OlmMachine(posting.sender, self._sealer)


@frozen
class _Notice:
    """A notice that is stored, and what carries its key."""

    leaving: Leaving
    requests: tuple[OutgoingRequest, ...]


async def _prepare(machine: OlmMachine, audience: Audience, work: ServiceWork, unreachable: Unreachable) -> Preparation:
    return await machine.prepare(work.crypto, audience, now_ms=now_ms(), unreachable=unreachable)


async def _share_later(
    machine: OlmMachine, key: RoomKey, newcomers: frozenset[UserId], work: ServiceWork, unreachable: Unreachable
) -> NeedsDevices | NeedsSessions | Prepared:
    return await machine.share_later(work.crypto, key, newcomers, now_ms=now_ms(), unreachable=unreachable)


def _stored(item: Item, room: RoomId) -> Leaving | None:
    """What was about to leave when it was last tried, if the homeserver still knows that attempt from another.

    Where it doesn't, only a person repeats it: the item was revived, and is encrypted anew. So is what was about to
    leave for a room that another has taken the place of: nobody could read it here.
    """
    leaving = Leaving.load(item.progress) if item.progress else None
    if leaving and leaving.key and leaving.key.room_id != room:
        return None
    if leaving is None or time.time() - leaving.at <= FORGETS_TXN_IDS:
        return leaving
    if item.attempts == 0 and not item.sending:
        return None
    raise Trouble("its answer was lost too long ago to repeat it safely; it may have been posted", transient=False)


async def _store(work: ServiceWork, item: Item, leaving: Leaving) -> Leaving:
    """Store what is about to leave, with what it is found by should the database that sent it be lost."""
    marked = replace(leaving, content={**leaving.content, MARKER: await work.epochs.marker(item.id)})
    await work.outbox.mark_sending(item.id, marked.dump())
    return marked


def _relation(content: Mapping[str, Any]) -> dict[str, Any]:
    """Relations travel in clear, beside the ciphertext (spec, 11.12.3)."""
    relation = content.get("m.relates_to")
    return {"m.relates_to": relation} if relation else {}
