"""Encryption as a promise kept by a table: every ciphertext is a number, and the table knows who holds its key.

Stands in for `appservice.e2ee.encryption.Encryption` where a test asks *who could read what*, not *how*. The table
is the world's, not the service's: it outlives a crash.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appservice.building import trouble
from appservice.e2ee.encryption import UNSIGNED, session_key
from appservice.matrix import content as contents
from appservice.matrix import marks, polls
from appservice.matrix.errors import MatrixError
from appservice.opened import Closed, Opened
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.worker import Fate, Finished
from policies.message import Content, File, FileRef, Proof, SignedDevice
from rooms.carriers import Posting
from rooms.ids import EventId, UserId
from rooms.marks import Marked
from rooms.outgoing import Signal
from rooms.polls import Poll, PollEnd
from rooms.queue import Item
from tests.fakes.synapse import FakeSynapse

Json = dict[str, Any]


@dataclass(frozen=True)
class Envelope:
    """One ciphertext. `holders` can open it; `readable` tells whether the service has its key (yet)."""

    id: int
    sender: UserId
    type: str
    content: Json
    holders: frozenset[UserId]
    made_at: int
    proof: Proof = field(default_factory=SignedDevice)
    readable: bool = True
    event: EventId | None = None
    by_service: bool = False


class Envelopes:
    """All ciphertexts there are."""

    def __init__(self, clock: Callable[[], int] = lambda: 0) -> None:
        """`clock` tells when one was made."""
        self._numbers = itertools.count(1)
        self._clock = clock
        self.made: dict[int, Envelope] = {}

    def seal(
        self,
        sender: UserId,
        kind: str,
        content: Json,
        holders: frozenset[UserId],
        *,
        signed: bool = True,
        readable: bool = True,
        by_service: bool = False,
    ) -> Envelope:
        """Encrypt."""
        proof: Proof = SignedDevice() if signed else UNSIGNED
        number = next(self._numbers)
        envelope = Envelope(
            number, sender, kind, content, holders, self._clock(), proof, readable, by_service=by_service
        )
        self.made[number] = envelope
        return envelope

    def of(self, content: Mapping[str, Any]) -> Envelope | None:
        """The envelope that an event shows."""
        number = content.get("envelope")
        return self.made.get(number) if isinstance(number, int) else None

    def arrive(self, number: int) -> None:
        """The service gets the key of an envelope."""
        self.made[number] = replace(self.made[number], readable=True)


class SealedEncryption:
    """`appservice.e2ee.encryption.Encryption`, as the service uses it."""

    def __init__(self, envelopes: Envelopes, database: ServiceDatabase, matrix: FakeSynapse) -> None:
        """The table is shared by every process that ever ran."""
        self._envelopes, self._database, self._matrix = envelopes, database, matrix
        self.devices_wanted = asyncio.Event()

    async def ensure_identity(self, user: UserId, name: str) -> None:
        """The user exists, and goes by that name."""
        self._matrix.register(user)
        try:
            await self._matrix.accounts.set_display_name(user, name)
        except MatrixError as error:
            raise trouble(error) from error

    async def open(self, work: ServiceWork, events: Sequence[Mapping[str, Any]]) -> Sequence[Opened | Closed]:
        """Decrypt: what is garbage, another's, or a replay under a new event id is closed for good."""
        return [self._opened(event) for event in events]

    def _opened(self, event: Mapping[str, Any]) -> Opened | Closed:
        envelope = self._envelopes.of(event["content"])
        if envelope is None or envelope.sender != event["sender"] or envelope.event not in {None, event["event_id"]}:
            return Closed(session_key(event["room_id"], "none"), "malformed", for_good=True)
        if not envelope.readable:
            return Closed(session_key(event["room_id"], str(envelope.id)), "no key", for_good=False)
        self._envelopes.made[envelope.id] = replace(envelope, event=EventId(event["event_id"]))
        return Opened(envelope.type, envelope.content, envelope.proof)

    async def post(self, item: Item, posting: Posting) -> EventId:
        """Store the ciphertext, then send it under the item's id."""
        progress = item.progress or await self._written(item, posting)
        stored = json.loads(progress)
        try:
            event = await self._matrix.rooms.send(
                posting.room, stored["type"], stored["content"], item.id, as_user=posting.sender
            )
            await self._give_to_latecomers(posting, self._envelopes.of(stored["content"]), event)
        except MatrixError as error:
            raise trouble(error) from error
        return event

    async def _give_to_latecomers(self, posting: Posting, envelope: Envelope | None, event: EventId) -> None:
        missed = (posting.audience | posting.awaited) - envelope.holders if envelope else frozenset()
        if envelope and missed:
            joined = await self._matrix.rooms.joined_at(posting.room, event, as_user=posting.sender)
            self._envelopes.made[envelope.id] = replace(envelope, holders=envelope.holders | (missed & joined))

    async def _written(self, item: Item, posting: Posting) -> bytes:
        said = posting.content
        assert not isinstance(said, Signal), "no history has a verification in it"
        if isinstance(said, File):
            said = replace(said, ref=FileRef(json.dumps({"url": "mxc://example.org/1"})))
        kind, content = _content_of(said, posting)
        outer = content
        if not posting.in_clear:
            envelope = self._envelopes.seal(posting.sender, kind, content, posting.audience, by_service=True)
            kind, outer = "m.room.encrypted", {"envelope": envelope.id}
        progress = json.dumps({"type": kind, "content": outer, "at": time.time()}).encode()
        async with self._database.begin() as work:
            await work.outbox.mark_sending(item.id, progress)
        return progress

    async def receive(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """No to-device message means anything here."""
        for item in items:
            await work.inbox.done(item.id, "taken in")
        return [Finished() for _ in items]

    async def take_counts(self, work: ServiceWork, item: Item) -> Fate:
        """No keys run out here."""
        await work.inbox.done(item.id, "taken in")
        return Finished()

    async def flush_all(self) -> None:
        """Nothing waits."""

    async def refresh_devices(self) -> bool:
        """Nothing is stale."""
        return False


def _content_of(said: Content | Poll | PollEnd | Marked, posting: Posting) -> tuple[str, Json]:
    match said:
        case Poll(ballot=ballot):
            return polls.START, polls.start(ballot, posting.reply_to)
        case PollEnd(code=code):
            return polls.END, polls.end(code, posting.reply_to)
        case Marked():
            return marks.TYPE, marks.mark(said, posting.reply_to)
        case _:
            return "m.room.message", contents.write(said, posting.reply_to, is_notice=posting.is_notice)
