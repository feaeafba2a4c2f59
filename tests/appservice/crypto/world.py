"""A room with two of our identities and people whose devices come, go, and are signed; and who may read what."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import EventId, UserId
from appservice.crypto.inbound import Decrypted, EncryptedEvent, Undecryptable
from appservice.crypto.machine import confirm_identity
from appservice.crypto.outbound import Encrypted, Frozen
from appservice.crypto.signing import CrossSigningSeeds, public_key
from tests.appservice.crypto.homeserver import Device, FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, CARL, GHOST, ROOM, Person
from tests.appservice.crypto.service import Service

MINUTE = 60_000
PEOPLE = (ALICE, CARL)
OURS = (BOT, GHOST)


@dataclass(frozen=True)
class Written:
    """An event of ours, and the devices that were eligible when it was written."""

    event: EncryptedEvent
    readers: frozenset[Device]


class World:
    """Everything a random history happens to. `check` says whether the promises were kept."""

    def __init__(self) -> None:
        """Call `begin` next."""
        self.homeserver = FakeHomeserver()
        self.ours = Service(self.homeserver)
        self.people = {user: Person(self.homeserver, user) for user in PEOPLE}
        self.clients: dict[Device, Service] = {}
        self.joined: set[UserId] = set()
        self.frozen: set[UserId] = set()
        self.written: list[Written] = []
        self.used: list[tuple[str, int]] = []

    async def begin(self) -> None:
        """Our identities exist; nobody else is in the room."""
        for user in OURS:
            await self.ours.create(user)

    # What may happen

    async def write(self, sender: UserId, crash: str) -> None:
        """One of ours writes; `crash` says after which step the service dies, if it does."""
        audience = self.ours.audience(ROOM, {*OURS, *(self.joined - self.frozen)})
        readers = self.eligible()
        if self.joined & self.frozen:
            everyone = self.ours.audience(ROOM, {*OURS, *self.joined})
            refusal = await self.ours.prepare(sender, everyone)
            assert refusal == Frozen(frozenset(self.joined & self.frozen)), "a replaced identity was believed"
        for _ in range(5):
            encrypted = await self.ours.try_encrypt(sender, audience, f"message {len(self.written)}")
            if isinstance(encrypted, Encrypted):
                self.used.append((encrypted.session_id, encrypted.message_index))
                if crash != "encrypted":
                    event = self.ours.event(sender, ROOM, encrypted.content)
                    self.written.append(Written(event, readers))
                return
            requests = await self.ours.prepare(sender, audience)
            assert not isinstance(requests, Frozen)
            if crash == "prepared":
                return
            for request in requests:
                if crash == "sent":
                    self.homeserver.handle(request.http)
                else:
                    await self.ours.send(sender, request)
            if crash == "sent":
                return
            self.ours.now_ms += 0 if requests else MINUTE  # what was being sent when we died is due again
        raise AssertionError("writing never became possible")

    async def answer(self, device: Device) -> None:
        """A device writes; we must read it, and know what to think of the device."""
        client = self.clients[device]
        event = await client.write(device[0], ROOM, OURS, "an answer")
        await self.ours.receive(BOT)
        await self.ours.know(BOT, device[0])
        read = await self.ours.read_one(replace(event, event_id=EventId(f"${device} {client.events}")))
        if device[0] in self.frozen:
            assert read.trust is DeviceTrust.IDENTITY_REPLACED
        else:
            signed = device in self.signed()
            assert read.trust is (DeviceTrust.CROSS_SIGNED if signed else DeviceTrust.UNSIGNED)

    async def join(self, user: UserId) -> None:
        """Somebody joins the room."""
        self.joined.add(user)

    async def leave(self, user: UserId) -> None:
        """Somebody leaves the room, or is removed."""
        self.joined.discard(user)

    async def receive(self, device: Device, twice: bool) -> None:
        """A device takes its messages in, perhaps delivered twice."""
        waiting = self.homeserver.inbox[device]
        self.homeserver.inbox[device] = waiting * 2 if twice else waiting
        await self.clients[device].receive(device[0])

    async def add_device(self, user: UserId, signed: bool) -> None:
        """Somebody logs in."""
        client = Service(self.homeserver)
        person = self.people[user]
        async with client.database.begin() as tx:
            me = await client.machine(user).create(tx, display_name="x", seeds=person.seeds, now_ms=client.now_ms)
        await client.send_outgoing(user)
        device = (user, me.device_id)
        self.clients[device] = client
        if not signed:
            self._unsign(device)
        await self._changed(user)

    async def sign(self, device: Device) -> None:
        """Its owner signs it."""
        self.people[device[0]].sign_device(device[1])
        await self._changed(device[0])

    async def remove(self, device: Device) -> None:
        """It logs out. Whoever has it in hand keeps what it has."""
        self.homeserver.delete_device(device)
        await self._changed(device[0])

    async def reset(self, user: UserId) -> None:
        """A new identity, which signs all devices anew."""
        seeds = CrossSigningSeeds.generate()
        person = self.people[user]
        signed = [device for device in self.signed() if device[0] == user]
        person.seeds = seeds
        person.publish_identity()
        for device in signed:
            self._unsign(device)
            person.sign_device(device[1])
        async with self.ours.database.begin() as tx:
            known = await tx.device_lists([user])
        if known and known[0].fetched:
            self.frozen.add(user)
        await self._changed(user)

    async def confirm(self, user: UserId) -> None:
        """A person makes sure of the new identity, if there is one."""
        if user not in self.frozen:
            return
        await self.ours.know(BOT, user)
        async with self.ours.database.begin() as tx:
            assert await confirm_identity(tx, user, public_key(self.people[user].seeds.master))
        self.frozen.discard(user)

    async def retire(self, sender: UserId) -> None:
        """The session is to be replaced."""
        async with self.ours.database.begin() as tx:
            await self.ours.machine(sender).retire_session(tx, ROOM, now_ms=self.ours.now_ms)

    async def restart(self) -> None:
        """Another process goes on over the same database."""
        again = Service(self.homeserver)
        again.database, again.now_ms, again.events = (
            self.ours.database,
            self.ours.now_ms + MINUTE,
            self.ours.events,
        )
        self.ours = again

    # What must hold

    async def check(self) -> None:
        """Every eligible device reads all that was written for it, no other device anything; once each."""
        assert len(set(self.used)) == len(self.used), "a Megolm index was used twice"
        self.ours.now_ms += 10 * MINUTE
        for user in OURS:
            await self.ours.send_outgoing(user)
        for device, client in self.clients.items():
            if device in self.homeserver.devices:
                await client.receive(device[0])
            for written in self.written:
                await self._check_reader(device, client, written)
        assert set(self.homeserver.published.values()) == {1}, "a one-time key was published twice"

    async def _check_reader(self, device: Device, client: Service, written: Written) -> None:
        copied = replace(written.event, event_id=EventId("$copy"))
        reading, replay = await client.read(written.event, copied)
        assert isinstance(replay, Undecryptable), "a replay was read"
        if device not in written.readers:
            assert not isinstance(reading, Decrypted), "a device read what was not for it"
        elif device in self.homeserver.devices:
            assert isinstance(reading, Decrypted), f"a device can't read what was for it: {reading}"

    def eligible(self) -> frozenset[Device]:
        """The devices that what is written now is for."""
        users = self.joined - self.frozen
        return frozenset(device for device in self.signed() if device[0] in users)

    def signed(self) -> Iterable[Device]:
        """People's devices that carry the signature of their owner's present identity."""
        for device, keys in self.homeserver.devices.items():
            if device in self.clients:
                key = public_key(self.people[device[0]].seeds.self_signing)
                if f"ed25519:{key}" in keys["signatures"][device[0]]:
                    yield device

    def _unsign(self, device: Device) -> None:
        signatures: dict[str, Any] = self.homeserver.devices[device]["signatures"][device[0]]
        for key_id in [key_id for key_id in signatures if key_id != f"ed25519:{device[1]}"]:
            del signatures[key_id]

    async def _changed(self, user: UserId) -> None:
        async with self.ours.database.begin() as tx:
            await tx.mark_changed([user])
