"""Everybody's own devices, with real keys, beside the service: what each can read is what each was given a key for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from appservice.crypto.ids import DeviceId
from appservice.crypto.ids import EventId as CryptoEventId
from appservice.crypto.ids import RoomId as CryptoRoomId
from appservice.crypto.ids import UserId as CryptoUserId
from appservice.crypto.inbound import Decrypted, EncryptedEvent
from appservice.matrix.transaction import parse
from appservice.service import Service
from rooms.ids import UserId
from tests.appservice.crypto.people import Person
from tests.appservice.crypto.service import Service as Client
from tests.fakes.synapse import Event, FakeSynapse


class Surroundings(Protocol):
    """What devices live in."""

    @property
    def synapse(self) -> FakeSynapse: ...
    @property
    def service(self) -> Service: ...
    @property
    def now(self) -> int: ...


@dataclass
class Device:
    """Somebody's device; `signed_at`: since when its owner's signature is on it."""

    user: UserId
    id: DeviceId
    client: Client
    signed_at: int | None
    since: int


@dataclass
class Clients:
    """Everybody's devices."""

    world: Surroundings
    people: dict[UserId, Person] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)

    async def log_in(self, user: UserId, *, signed: bool) -> None:
        """A new device."""
        homeserver = self.world.synapse.keys
        homeserver.users.add(user[1:].partition(":")[0])
        person = self.people.setdefault(user, Person(homeserver, CryptoUserId(user)))
        client = Client(homeserver)
        async with client.database.begin() as tx:
            me = await client.machine(person.user_id).create(tx, display_name="x", seeds=person.seeds, now_ms=1)
        await client.send_outgoing(person.user_id)
        if not signed:
            signatures = homeserver.devices[person.user_id, me.device_id]["signatures"][person.user_id]
            for key in [key for key in signatures if key != f"ed25519:{me.device_id}"]:
                del signatures[key]
        now = self.world.now
        self.devices.append(Device(user, me.device_id, client, now if signed else None, now))
        await self._changed(user)

    async def sign(self, device: Device) -> None:
        """The owner signs it after all."""
        if device.signed_at is None:
            self.people[device.user].sign_device(device.id)
            device.signed_at = self.world.now
            await self._changed(device.user)

    async def _changed(self, user: UserId) -> None:
        await self.world.service.parts.arrivals.accept(parse("lists", {"device_lists": {"changed": [user]}}))

    async def reads(self, device: Device, event: Event) -> str | None:
        """What a device makes of an event; of a poll, what stands there for clients without polls."""
        content = await self.content(device, event)
        return str(content.get("body", content.get("org.matrix.msc1767.text"))) if content is not None else None

    async def content(self, device: Device, event: Event) -> Mapping[str, Any] | None:
        """All that a device decrypts of an event."""
        me = CryptoUserId(device.user)
        await device.client.receive(me)
        encrypted = EncryptedEvent(
            CryptoEventId(event.event_id), CryptoRoomId(event.room), CryptoUserId(event.sender), event.content
        )
        (reading,) = await device.client.read(encrypted)
        return reading.content if isinstance(reading, Decrypted) else None
