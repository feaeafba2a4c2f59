"""Drives the Olm machines: does on the network what they ask for, one short unit of work after another.

    post      words into a room: prepare if need be (query, claim, share) → encrypt and store the ciphertext → send
    receive   to-device messages: taken in, and whatever waited for their keys is woken
    open      a room event: decrypted, with what proves its sender
    identity  a user of ours: registered, with a cross-signed device, before anything else is done as it

No unit of work is open while the homeserver is being called, and nothing leaves that isn't stored.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, assert_never

from appservice.building import trouble
from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import MegolmSessionId
from appservice.crypto.inbound import Decrypted, EncryptedEvent, Reading, Undecryptable
from appservice.crypto.machine import OlmMachine, decrypt_events, people
from appservice.crypto.outbound import (
    Rotation,
)
from appservice.crypto.sealing import Sealer
from appservice.crypto.to_device import KeyWithheld, OtherMessage, RoomKeyArrived
from appservice.e2ee.exchange import Exchange, now_ms
from appservice.e2ee.trust import Verifications, read_to_device
from appservice.e2ee.writing import Writer
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.opened import UNCONFIRMED, Closed, Opened
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.worker import Fate, Finished
from policies.frozen import frozen
from policies.message import Proof, SignedDevice, Unproven
from rooms.carriers import Posting
from rooms.homeserver import Trouble
from rooms.ids import EventId, RoomId, UserId
from rooms.queue import Item

logger = logging.getLogger(__name__)

_ROUNDS = 12
"""So many steps make a room ready at most: a homeserver whose answers never suffice must not hold us for ever."""

UNSIGNED = Unproven(
    "the device it came from was not verified by its owner",
    "Open your client's settings, choose Sessions (or Devices), and verify this device with your other device or with"
    " your security key. Then write again",
)


SESSIONS = "session:"
"""How the wait keys begin of what can't be decrypted yet."""


def session_key(room: str, session: str) -> str:
    """What an event waits for whose key hasn't come."""
    return f"{SESSIONS}{room}:{session}"


def devices_key(user: str) -> str:
    """What an event waits for whose sender's devices have to be asked for first."""
    return f"devices:{user}"


@frozen
class Us:
    """Who we are to encryption: our own words need no key for ourselves."""

    bot: UserId
    is_ours: Callable[[UserId], bool]
    rotation: Rotation
    verifications: Verifications


class Encryption:
    """All our identities, at work."""

    def __init__(self, database: ServiceDatabase, matrix: Homeserver, sealer: Sealer, us: Us) -> None:
        self._database, self._matrix, self._sealer = database, matrix, sealer
        self._network = Exchange(database, matrix)
        self._bot, self._verifications = us.bot, us.verifications
        self._writer = Writer(database, matrix, sealer, us.rotation, us.is_ours)
        self._ready: dict[UserId, str] = {}
        self._finished: set[UserId] = set()
        self.devices_wanted = asyncio.Event()
        """Set when somebody's device list has to be asked for: whoever sees it calls `refresh_devices`."""

    # --- identities

    async def ensure_identity(self, user: UserId, name: str) -> None:
        """The user exists, has a cross-signed device, and goes by that name. Raises Trouble."""
        if self._ready.get(user) == name:
            return
        async with self._database.begin() as work:
            await self._machine(user).create(work.crypto, display_name="Mediatrix", now_ms=now_ms())
        await self.finish_identity(user)
        try:
            await self._matrix.accounts.set_display_name(user, name)
        except MatrixError as error:
            raise trouble(error) from error
        self._ready[user] = name

    async def finish_identity(self, user: UserId) -> None:
        """The identity, made here or restored, has its device at the homeserver, cross-signed. Raises Trouble."""
        if user in self._finished:
            return
        machine = self._machine(user)
        for _ in range(_ROUNDS):
            async with self._database.begin() as work:
                identity = await work.crypto.identity(user)
                if identity is not None and identity.ready:
                    break
                requests = await machine.outgoing_requests(work.crypto, now_ms=now_ms())
            await self._network.send_all(machine, requests)
        else:
            raise Trouble("the homeserver does not let us make a device", transient=True)
        self._finished.add(user)

    async def flush(self, user: UserId) -> None:
        """Send what the machine of that identity has to send: keys, answers, mended sessions."""
        machine = self._machine(user)
        async with self._database.begin() as work:
            mend = await machine.sessions_to_mend(work.crypto, now_ms=now_ms())
        if mend:
            await self._network.send(machine, mend)
        async with self._database.begin() as work:
            requests = await machine.outgoing_requests(work.crypto, now_ms=now_ms())
        await self._network.send_all(machine, requests)

    async def refresh_devices(self) -> bool:
        """Ask for device lists that are stale, and wake what waits for them; False if there were none."""
        machine = self._machine(self._bot)
        async with self._database.begin() as work:
            query = await machine.stale_devices(work.crypto)
        if query is None:
            return False
        await self._network.send(machine, query)
        async with self._database.begin() as work:
            for user in query.generations:
                await work.inbox.wake(devices_key(user))
        return True

    # --- to-device messages

    async def receive(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """Take stored to-device messages in, in order: those of one lane, which are for one of our users."""
        stored = [json.loads(item.body) for item in items]
        user = UserId(stored[0]["to_user_id"])
        if await work.crypto.identity(user) is not None:
            results = await self._machine(user).receive_to_device(work.crypto, stored, now_ms=now_ms())
            for item, result in zip(items, results, strict=True):
                if isinstance(result, RoomKeyArrived | KeyWithheld) and result.room_id and result.session_id:
                    await work.inbox.wake(session_key(result.room_id, result.session_id))
                if isinstance(result, OtherMessage) and user == self._bot and (heard := read_to_device(result)):
                    await self._verifications.hear(work, item, heard)
        for item in items:
            await work.inbox.done(item.id, "taken in")
        return [Finished() for _ in items]

    async def take_counts(self, work: ServiceWork, item: Item) -> Fate:
        """One-time keys run out, or the fallback key was used: make new ones."""
        stored = json.loads(item.body)
        user = UserId(stored["user_id"])
        identity = await work.crypto.identity(user)
        if identity is not None and identity.device_id == stored["device_id"]:
            await self._machine(user).take_key_counts(
                work.crypto,
                one_time_keys=stored["one_time_keys"],
                unused_fallback_types=stored["unused_fallback_types"],
                now_ms=now_ms(),
            )
        await work.inbox.done(item.id, "taken in")
        return Finished()

    async def ask_for_key(self, room: RoomId, session: str, sender: UserId) -> None:
        """Ask the sender's devices for the key of a session that has not come."""
        machine = self._machine(self._bot)
        async with self._database.begin() as work:
            await machine.request_key(work.crypto, room, MegolmSessionId(session), sender, now_ms=now_ms())
        await self.flush(self._bot)

    async def flush_all(self) -> None:
        """Send what any of our identities still has to send. One that the homeserver refuses keeps no other's back."""
        async with self._database.begin() as work:
            owners = await work.crypto.request_owners(now_ms())
        for user in owners:
            try:
                await self.flush(user)
            except Trouble as trouble:
                logger.warning("what one of our devices has to send is sent later: %s", trouble.why)

    # --- room events

    async def open(self, work: ServiceWork, events: Sequence[Mapping[str, Any]]) -> Sequence[Opened | Closed]:
        """Decrypt each event with whichever of our identities holds its key."""
        readings = await decrypt_events(work.crypto, self._sealer, [_encrypted(event) for event in events])
        senders = {reading.sender for reading in readings if isinstance(reading, Decrypted)}
        # A device may have been signed, or thrown out, since its list was read: ask before believing.
        stale = {row.user_id for row in await people(work.crypto, senders) if row.changed != row.fetched}
        if stale:
            self.devices_wanted.set()
        return [_opened(reading, stale) for reading in readings]

    async def post(self, item: Item, posting: Posting) -> EventId:
        """Put words into a room. The ciphertext is stored before it leaves, and sent under the item's own id."""
        await self.finish_identity(posting.sender)
        return await self._writer.post(item, posting)

    # --- inside

    def _machine(self, user: UserId) -> OlmMachine:
        return OlmMachine(user, self._sealer)


def _encrypted(event: Mapping[str, Any]) -> EncryptedEvent:
    content = event.get("content")
    return EncryptedEvent(
        event["event_id"], event["room_id"], event["sender"], content if isinstance(content, dict) else {}
    )


def _opened(reading: Reading, stale: Collection[UserId]) -> Opened | Closed:
    match reading:
        case Undecryptable():
            key = session_key(reading.room_id, reading.session_id or "none")
            return Closed(key, reading.reason.value.replace("_", " "), not reading.may_heal)
        case Decrypted(sender=sender) if sender in stale:
            return Closed(devices_key(sender), "its sender's devices are being looked up", False)
        case Decrypted():
            return Opened(reading.type, reading.content, _proof(reading.trust))
        case _:
            assert_never(reading)


def _proof(trust: DeviceTrust) -> Proof:
    match trust:
        case DeviceTrust.CROSS_SIGNED:
            return SignedDevice()
        case DeviceTrust.UNSIGNED | DeviceTrust.UNKNOWN_DEVICE:
            return UNSIGNED
        case DeviceTrust.IDENTITY_REPLACED:
            return UNCONFIRMED
        case _:
            assert_never(trust)
