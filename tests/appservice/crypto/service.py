"""A service that drives machines as the real one does: one short transaction, then the network, and so on."""

from collections.abc import Iterable, Sequence
from typing import Any

from appservice.crypto.ids import DeviceId, EventId, RoomId, UserId
from appservice.crypto.inbound import Decrypted, EncryptedEvent, Reading, Undecryptable
from appservice.crypto.machine import OlmMachine, decrypt_events
from appservice.crypto.notices import Notice
from appservice.crypto.outbound import (
    Audience,
    Encrypted,
    Frozen,
    NeedsDevices,
    NeedsSessions,
    NotReady,
    Prepared,
    Rotation,
)
from appservice.crypto.requests import KeysClaim, KeysQuery, OutgoingRequest, Request, Settled
from appservice.crypto.sealing import Sealer
from appservice.crypto.sharing import RoomKey
from appservice.crypto.to_device import ToDeviceResult
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.memory_store import MemoryCryptoDatabase

SEALER = Sealer([bytes(range(32))])
ROTATION = Rotation()


class Service:
    """Identities over one database, against one homeserver. Time stands still unless a test moves it."""

    def __init__(self, homeserver: FakeHomeserver, sealer: Sealer = SEALER) -> None:
        """Empty, at some moment."""
        self.homeserver = homeserver
        self.database = MemoryCryptoDatabase()
        self.sealer = sealer
        self.now_ms = 1_700_000_000_000
        self.events = 0

    def machine(self, user_id: UserId) -> OlmMachine:
        """A machine, made anew as after a restart."""
        return OlmMachine(user_id, self.sealer)

    async def create(self, user_id: UserId) -> DeviceId:
        """An identity, ready."""
        async with self.database.begin() as tx:
            me = await self.machine(user_id).create(tx, display_name="Device", now_ms=self.now_ms)
        await self.send_outgoing(user_id)
        return me.device_id

    async def send(self, user_id: UserId, request: Request) -> Settled:
        """Over the network and back."""
        answer = self.homeserver.handle(request.http)
        async with self.database.begin() as tx:
            outcome = await self.machine(user_id).mark_request_as_sent(tx, request, answer, now_ms=self.now_ms)
        assert isinstance(outcome, Settled), outcome
        return outcome

    async def outgoing(self, user_id: UserId) -> Sequence[OutgoingRequest]:
        """What is due."""
        async with self.database.begin() as tx:
            return await self.machine(user_id).outgoing_requests(tx, now_ms=self.now_ms)

    async def send_outgoing(self, user_id: UserId) -> None:
        """Send until nothing is due."""
        while requests := await self.outgoing(user_id):
            for request in requests:
                await self.send(user_id, request)

    def audience(self, room_id: RoomId, members: Iterable[UserId], rotation: Rotation = ROTATION) -> Audience:
        """A room's."""
        return Audience(room_id, frozenset(members), rotation)

    async def prepare(self, user_id: UserId, audience: Audience) -> tuple[OutgoingRequest, ...] | Frozen:
        """All steps up to the requests that carry the key, which are not sent yet."""
        unreachable: frozenset[tuple[UserId, DeviceId]] = frozenset()
        while True:
            async with self.database.begin() as tx:
                step = await self.machine(user_id).prepare(tx, audience, now_ms=self.now_ms, unreachable=unreachable)
            match step:
                case NeedsDevices(query):
                    await self.send(user_id, query)
                case NeedsSessions(claim):
                    unreachable |= (await self.send(user_id, claim)).unreachable
                case Frozen():
                    return step
                case Prepared(requests):
                    return requests

    async def share_later(self, user_id: UserId, key: RoomKey, *newcomers: UserId) -> tuple[OutgoingRequest, ...]:
        """All steps up to the requests that carry the key of an event to newcomers, which are not sent yet."""
        unreachable: frozenset[tuple[UserId, DeviceId]] = frozenset()
        while True:
            async with self.database.begin() as tx:
                step = await self.machine(user_id).share_later(
                    tx, key, newcomers, now_ms=self.now_ms, unreachable=unreachable
                )
            match step:
                case NeedsDevices(query):
                    await self.send(user_id, query)
                case NeedsSessions(claim):
                    unreachable |= (await self.send(user_id, claim)).unreachable
                case Prepared(requests):
                    return requests

    async def try_encrypt(
        self, user_id: UserId, audience: Audience, text: str, kind: str = "m.room.message", **more: Any
    ) -> Encrypted | NotReady | Frozen:
        """Encrypt if that is possible now; `kind`: an event of that type."""
        content = {"msgtype": "m.text", "body": text, **more}
        async with self.database.begin() as tx:
            return await self.machine(user_id).encrypt_event(tx, audience, kind, content, now_ms=self.now_ms)

    async def write(
        self, user_id: UserId, room_id: RoomId, members: Iterable[UserId], text: str, **more: Any
    ) -> EncryptedEvent:
        """Prepare, share and encrypt: the event as the room shows it."""
        audience = self.audience(room_id, members)
        encrypted = await self.try_encrypt(user_id, audience, text, **more)
        if not isinstance(encrypted, Encrypted):
            requests = await self.prepare(user_id, audience)
            assert not isinstance(requests, Frozen)
            for request in requests:
                await self.send(user_id, request)
            encrypted = await self.try_encrypt(user_id, audience, text, **more)
        assert isinstance(encrypted, Encrypted), encrypted
        return self.event(user_id, room_id, encrypted.content)

    def event(self, user_id: UserId, room_id: RoomId, content: Any) -> EncryptedEvent:
        """An event of a room with this content."""
        self.events += 1
        return EncryptedEvent(EventId(f"${user_id} {self.events}"), room_id, user_id, content)

    async def notice(
        self, user_id: UserId, room_id: RoomId, members: Iterable[UserId], unsigned_of: UserId, text: str
    ) -> Notice:
        """A notice, its requests not sent yet."""
        unreachable: frozenset[tuple[UserId, DeviceId]] = frozenset()
        while True:
            async with self.database.begin() as tx:
                step = await self.machine(user_id).encrypt_notice(
                    tx,
                    self.audience(room_id, members),
                    unsigned_of,
                    "m.room.message",
                    {"msgtype": "m.notice", "body": text},
                    now_ms=self.now_ms,
                    unreachable=unreachable,
                )
            match step:
                case NeedsDevices(query):
                    await self.send(user_id, query)
                case NeedsSessions(claim):
                    unreachable |= (await self.send(user_id, claim)).unreachable
                case Notice():
                    return step
                case Frozen():
                    raise AssertionError(step)

    async def receive(self, user_id: UserId) -> Sequence[ToDeviceResult]:
        """Take everything in that waits for the identity's device."""
        async with self.database.begin() as tx:
            me = await tx.identity(user_id)
            assert me is not None
            events = self.homeserver.inbox.pop((user_id, me.device_id), [])
            return await self.machine(user_id).receive_to_device(tx, events, now_ms=self.now_ms)

    async def read(self, *events: EncryptedEvent) -> Sequence[Reading]:
        """Decrypt as anyone of us."""
        async with self.database.begin() as tx:
            return await decrypt_events(tx, self.sealer, events)

    async def read_one(self, event: EncryptedEvent) -> Decrypted:
        """Decrypt, which must work."""
        [reading] = await self.read(event)
        assert isinstance(reading, Decrypted), reading
        return reading

    async def unread_one(self, event: EncryptedEvent) -> Undecryptable:
        """Decrypt, which must fail."""
        [reading] = await self.read(event)
        assert isinstance(reading, Undecryptable), reading
        return reading

    async def know(self, asker: UserId, *user_ids: UserId) -> None:
        """Ask for these people's devices, as after a change."""
        async with self.database.begin() as tx:
            await tx.track(user_ids)
            await tx.mark_changed(user_ids)
            query = await self.machine(asker).stale_devices(tx)
        assert isinstance(query, KeysQuery)
        await self.send(asker, query)

    async def mend(self, user_id: UserId) -> bool:
        """Make the fresh sessions that are due; whether there were any."""
        async with self.database.begin() as tx:
            claim = await self.machine(user_id).sessions_to_mend(tx, now_ms=self.now_ms)
        if claim is None:
            return False
        assert isinstance(claim, KeysClaim)
        await self.send(user_id, claim)
        await self.send_outgoing(user_id)
        return True
