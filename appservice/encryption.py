"""Drives the Olm machines: does on the network what they ask for, one short unit of work after another.

    post      words into a room: prepare (query, claim, share) → encrypt and store the ciphertext → send
    receive   to-device messages: taken in, and whatever waited for their keys is woken
    open      a room event: decrypted, with what proves its sender
    identity  a user of ours: registered, with a cross-signed device, before anything else is done as it

No unit of work is open while the homeserver is being called, and nothing leaves that isn't stored.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from appservice.building import trouble
from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import DeviceId, MegolmSessionId
from appservice.crypto.inbound import Decrypted, EncryptedEvent, Reading, Undecryptable
from appservice.crypto.machine import OlmMachine, decrypt_events, people
from appservice.crypto.notices import Notice
from appservice.crypto.outbound import (
    Audience,
    Encrypted,
    Frozen,
    NeedsDevices,
    NeedsSessions,
    Prepared,
    Rotation,
)
from appservice.crypto.sealing import Sealer
from appservice.crypto.to_device import KeyWithheld, OtherMessage, RoomKeyArrived
from appservice.epoch import MARKER
from appservice.exchange import Exchange, now_ms
from appservice.matrix import content as contents
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.reading import UNCONFIRMED, Closed, Opened
from appservice.trust import Verifications, read_to_device
from appservice.worker import Fate, Finished
from policies.message import Content, File, FileRef, Proof, SignedDevice, Unproven
from rooms.apply import Signal
from rooms.deliver import Posting
from rooms.homeserver import ReaderFrozen, Trouble
from rooms.ports import EventId, Item, RoomId, UserId

logger = logging.getLogger(__name__)

_ROUNDS = 12
"""So many steps make a room ready at most: a homeserver whose answers never suffice must not hold us for ever."""
FORGETS_TXN_IDS = 12 * 3600
"""Seconds after which the homeserver may no longer know that it had a transaction id (Synapse: 24 hours)."""

UNSIGNED = Unproven(
    "the device it came from was not verified by its owner",
    "Open your client's settings, choose Sessions (or Devices), and verify this device with your other device or with"
    " your security key. Then write again",
)


def session_key(room: str, session: str) -> str:
    """What an event waits for whose key hasn't come."""
    return f"session:{room}:{session}"


def devices_key(user: str) -> str:
    """What an event waits for whose sender's devices have to be asked for first."""
    return f"devices:{user}"


@dataclass(frozen=True, slots=True)
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
        self._bot, self._is_ours, self._rotation = us.bot, us.is_ours, us.rotation
        self._verifications = us.verifications
        self._ready: set[tuple[UserId, str]] = set()
        self._finished: set[UserId] = set()
        self.devices_wanted = asyncio.Event()
        """Set when somebody's device list has to be asked for: whoever sees it calls `refresh_devices`."""

    # --- identities

    async def ensure_identity(self, user: UserId, name: str) -> None:
        """The user exists, has a cross-signed device, and goes by that name. Raises Trouble."""
        if (user, name) in self._ready:
            return
        async with self._database.begin() as work:
            await self._machine(user).create(work.crypto, display_name="Mediatrix", now_ms=now_ms())
        await self.finish_identity(user)
        try:
            await self._matrix.accounts.set_display_name(user, name)
        except MatrixError as error:
            raise trouble(error) from error
        self._ready.add((user, name))

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
        """Send what any of our identities still has to send."""
        async with self._database.begin() as work:
            owners = await work.crypto.request_owners(now_ms())
        for user in owners:
            await self.flush(user)

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
        progress = self._stored(item) or await self._written(item, posting)
        stored = json.loads(progress)
        try:
            return await self._matrix.rooms.send(
                posting.room,
                stored["type"],
                stored["content"],
                item.id,
                as_user=posting.sender,
                device=stored["content"].get("device_id"),
            )
        except MatrixError as error:
            raise trouble(error) from error

    # --- inside

    def _stored(self, item: Item) -> bytes | None:
        """What was about to leave when it was last tried, if the homeserver still knows that attempt from another.

        Where it doesn't, only a person repeats it: the item was revived, and is encrypted anew.
        """
        if item.progress is None or time.time() - json.loads(item.progress)["at"] <= FORGETS_TXN_IDS:
            return item.progress
        if item.attempts == 0 and not item.sending:
            return None
        raise Trouble("its answer was lost too long ago to repeat it safely; it may have been posted", transient=False)

    async def _written(self, item: Item, posting: Posting) -> bytes:
        """Encrypt, and store what is about to leave."""
        await self.finish_identity(posting.sender)
        if isinstance(posting.content, Signal):
            return await self._encrypted(item, posting, posting.content.type, json.loads(posting.content.content))
        said = await self._uploaded(posting.sender, posting.content)
        content = contents.write(said, posting.reply_to, is_notice=posting.is_notice)
        if posting.in_clear:
            async with self._database.begin() as work:
                return await _store(work, item, "m.room.message", content)
        if posting.only_for:
            return await self._notice(item, posting, content)
        return await self._encrypted(item, posting, "m.room.message", content)

    async def _encrypted(self, item: Item, posting: Posting, kind: str, content: dict[str, Any]) -> bytes:
        machine = self._machine(posting.sender)
        members = frozenset(user for user in posting.audience if not self._is_ours(user))
        audience = Audience(posting.room, members, self._rotation)
        unreachable: set[tuple[UserId, DeviceId]] = set()
        for _ in range(_ROUNDS):
            async with self._database.begin() as work:
                step = await machine.prepare(work.crypto, audience, now_ms=now_ms(), unreachable=unreachable)
            match step:
                case NeedsDevices(query):
                    await self._network.send(machine, query)
                case NeedsSessions(claim):
                    unreachable |= (await self._network.send(machine, claim)).unreachable
                case Frozen(frozen) if posting.but_for_the_frozen and audience.members - frozen:
                    audience = replace(audience, members=audience.members - frozen)
                case Frozen(frozen):
                    raise ReaderFrozen(min(frozen))
                case Prepared(requests):
                    await self._network.send_all(machine, requests, must=True)
                    progress = await self._encrypt(machine, item, audience, kind, content)
                    if progress is not None:
                        return progress
                case _:
                    assert_never(step)
        raise Trouble("the room's keys could not be shared", transient=True)

    async def _encrypt(
        self, machine: OlmMachine, item: Item, audience: Audience, kind: str, content: dict[str, Any]
    ) -> bytes | None:
        async with self._database.begin() as work:
            result = await machine.encrypt_event(work.crypto, audience, kind, content, now_ms=now_ms())
            if not isinstance(result, Encrypted):
                return None
            return await _store(work, item, "m.room.encrypted", {**result.content, **_relation(content)})

    async def _notice(self, item: Item, posting: Posting, content: dict[str, Any]) -> bytes:
        """For every device of every reader, and the unsigned ones of one person among them, with a key used once."""
        machine, readers = self._machine(posting.sender), sorted(u for u in posting.audience if not self._is_ours(u))
        unreachable: set[tuple[UserId, DeviceId]] = set()
        for _ in range(_ROUNDS):
            async with self._database.begin() as work:
                lists = await people(work.crypto, readers)
                stale = any(row.changed != row.fetched for row in lists)
                recipients = {
                    (row.user_id, device.device_id)
                    for row in lists
                    for device in row.devices
                    if device.cross_signed or row.user_id == posting.only_for
                }
                step = await machine.encrypt_notice(
                    work.crypto,
                    posting.room,
                    "m.room.message",
                    content,
                    recipients=recipients,
                    now_ms=now_ms(),
                    unreachable=unreachable,
                )
                if isinstance(step, Notice) and not stale:
                    progress = await _store(work, item, "m.room.encrypted", step.content)
            match step:
                case Notice() if stale:
                    await self.refresh_devices()
                case Notice(_, requests):
                    await self._network.send_all(machine, requests, must=True)
                    return progress
                case NeedsDevices(query):
                    await self._network.send(machine, query)
                case NeedsSessions(claim):
                    unreachable |= (await self._network.send(machine, claim)).unreachable
                case Frozen(frozen):
                    raise ReaderFrozen(min(frozen))
                case _:
                    assert_never(step)
        raise Trouble("the notice's key could not be shared", transient=True)

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
        return File(said.name, said.mime, said.size, FileRef(json.dumps(file)))

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


async def _store(work: ServiceWork, item: Item, event_type: str, content: Mapping[str, Any]) -> bytes:
    """Store what is about to leave, with what it is found by should the database that sent it be lost."""
    marked = {**content, MARKER: await work.epochs.marker(item.id)}
    progress = json.dumps({"type": event_type, "content": marked, "at": time.time()}).encode()
    await work.outbox.mark_sending(item.id, progress)
    return progress


def _relation(content: Mapping[str, Any]) -> dict[str, Any]:
    """Relations travel in clear, beside the ciphertext (spec, 11.12.3)."""
    relation = content.get("m.relates_to")
    return {"m.relates_to": relation} if relation else {}


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
