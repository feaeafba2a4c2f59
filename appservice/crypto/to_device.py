"""To-device messages: read in batches, one at a time in consequence, none able to stop the next."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from appservice.crypto import key_requests
from appservice.crypto.devices import (
    DeviceTrust,
    by_user,
    eligible,
    owner_of,
    refresh,
    self_signed_device,
    trust_of,
)
from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    MegolmSessionId,
    RoomId,
    UserId,
)
from appservice.crypto.inbound import KeySender, keep_key, read_key
from appservice.crypto.olm import OlmMessage, OlmReader, begin_unwedging, read_message
from appservice.crypto.rows import KeyOrigin, StoredDeviceList, StoredWithheld
from appservice.crypto.untrusted import (
    JsonObject,
    MalformedError,
    ed25519,
    optional_object,
    optional_text,
    parse,
    required_id,
    required_object,
    required_text,
)
from appservice.crypto.work import Work
from policies.frozen import frozen

log = logging.getLogger(__name__)

_LONGEST_CODE = 64


@frozen
class RoomKeyArrived:
    """A session can be read (from an earlier index): try what is parked under it again."""

    room_id: RoomId
    session_id: MegolmSessionId
    sender: UserId


@frozen
class KeyWithheld:
    """A person's device refuses us a key. Without a session: it could open no Olm session with us."""

    room_id: RoomId | None
    session_id: MegolmSessionId | None
    sender: UserId
    code: str


@frozen
class OtherMessage:
    """Anything that isn't about keys, for whoever understands it (verification)."""

    type: str
    content: JsonObject = field(repr=False)
    sender: UserId
    device_id: DeviceId | None
    trust: DeviceTrust | None
    """None: it came in clear, and proves nothing about its sender's device."""


class Done(StrEnum):
    """A message with no further consequence for the caller."""

    DUPLICATE = "duplicate"
    DUMMY = "dummy"
    KEY_REQUEST = "key_request"
    REFUSED_KEY = "refused_key"
    """A forwarded key that we didn't ask for, or not of this device."""


class Unreadable(StrEnum):
    """Why a to-device message could not be read."""

    MALFORMED = "malformed"
    NOT_FOR_US = "not_for_us"
    NO_OLM_SESSION = "no_olm_session"
    """No session of ours decrypts it; a fresh one is being made with its sender's device."""
    FALSE_CLAIM = "false_claim"
    """Decrypted, but not what it says: another sender, recipient or device."""


@frozen
class UnreadMessage:
    """A to-device message that could not be read."""

    sender: UserId | None
    reason: Unreadable


ToDeviceResult: TypeAlias = RoomKeyArrived | KeyWithheld | OtherMessage | Done | UnreadMessage


@frozen
class _Envelope:
    """A to-device event whose outside is well formed."""

    type: str
    sender: UserId
    content: JsonObject
    olm: OlmMessage | None


@frozen
class _Letter:
    """What an Olm message said, by the device that proved to have said it."""

    type: str
    content: JsonObject
    sender: KeySender
    trust: DeviceTrust


async def receive(work: Work, events: Sequence[JsonObject]) -> Sequence[ToDeviceResult]:
    """Read a batch of raw to-device events for this identity, in order; one result each. Never raises for what
    an event contains. Wants the identity's lock."""
    opened = [_open_envelope(event, work.me.curve25519) for event in events]
    envelopes = [item for item in opened if isinstance(item, _Envelope)]
    lists = by_user(await work.store.device_lists({item.sender for item in envelopes}))
    reader = await OlmReader.open(work, [item.olm for item in envelopes if item.olm])
    inbox = _Inbox(work, reader, lists)
    results = [await inbox.take(item) if isinstance(item, _Envelope) else item for item in opened]
    await reader.close()
    # Only now: an answer advances Olm sessions that the reader held until here.
    for asker, content in inbox.questions:
        with suppress(MalformedError):
            await key_requests.answer(work, asker, content)
    await refresh(work.store, inbox.strangers, work.now_ms)
    return results


def _open_envelope(event: object, own_key: Curve25519Key) -> _Envelope | UnreadMessage:
    sender = None
    try:
        if not isinstance(event, dict):
            raise MalformedError("event")
        sender = UserId(required_id(event, "sender"))
        event_type, content = required_text(event, "type"), required_object(event, "content")
        if event_type != "m.room.encrypted":
            return _Envelope(event_type, sender, content, None)
        olm = read_message(content, own_key)
    except MalformedError:
        return UnreadMessage(sender, Unreadable.MALFORMED)
    if olm is None:
        return UnreadMessage(sender, Unreadable.NOT_FOR_US)
    return _Envelope(event_type, sender, content, olm)


class _Inbox:
    """Takes one envelope after another, over what the batch has loaded."""

    def __init__(self, work: Work, reader: OlmReader, lists: Mapping[UserId, StoredDeviceList]) -> None:
        self._work = work
        self._reader = reader
        self._lists = lists
        self.strangers: set[UserId] = set()
        """Senders whose device isn't in the list we have of them."""
        self.questions: list[tuple[UserId, JsonObject]] = []
        """Who asked for keys of ours, and how."""

    async def take(self, envelope: _Envelope) -> ToDeviceResult:
        try:
            if envelope.olm is None:
                return await self._take_clear(envelope)
            if self._reader.was_read(envelope.olm):
                return Done.DUPLICATE
            return await self._take_encrypted(envelope.sender, envelope.olm)
        except ValueError:
            return UnreadMessage(envelope.sender, Unreadable.MALFORMED)

    async def _take_clear(self, envelope: _Envelope) -> ToDeviceResult:
        match envelope.type:
            case "m.room_key.withheld":
                return await self._take_withheld(envelope.sender, envelope.content)
            case "m.room_key_request":
                self.questions.append((envelope.sender, envelope.content))
                return Done.KEY_REQUEST
            case "m.room_key" | "m.forwarded_room_key":
                return UnreadMessage(envelope.sender, Unreadable.FALSE_CLAIM)
            case "m.dummy":
                return Done.DUMMY
            case _:
                return OtherMessage(envelope.type, envelope.content, envelope.sender, None, None)

    async def _take_encrypted(self, sender: UserId, message: OlmMessage) -> ToDeviceResult:
        try:
            plaintext = self._reader.decrypt(message)
        except ValueError:
            await self._mend(sender, message.sender_key)
            return UnreadMessage(sender, Unreadable.NO_OLM_SESSION)
        try:
            letter = self._read_letter(sender, message.sender_key, parse(plaintext))
        except MalformedError:
            self._reader.take_back(message)
            log.warning("an Olm message to %s is not what it says", self._work.me.user_id)
            return UnreadMessage(sender, Unreadable.FALSE_CLAIM)
        return await self._take_letter(letter)

    async def _take_letter(self, letter: _Letter) -> ToDeviceResult:
        match letter.type:
            case "m.room_key" | "m.forwarded_room_key":
                return await self._take_key(letter)
            case "m.dummy":
                return Done.DUMMY
            case _:
                return OtherMessage(
                    letter.type,
                    letter.content,
                    letter.sender.user_id,
                    letter.sender.device_id,
                    letter.trust,
                )

    async def _take_key(self, letter: _Letter) -> ToDeviceResult:
        key, origin = read_key(letter.content), KeyOrigin.SHARED
        if letter.type == "m.forwarded_room_key":
            origin = KeyOrigin.FORWARDED
            if not await key_requests.was_asked_for(self._work, letter.sender, key, letter.content):
                return Done.REFUSED_KEY
        await keep_key(self._work, letter.sender, key, origin)
        await key_requests.arrived(self._work, key.room_id, key.session_id)
        return RoomKeyArrived(key.room_id, key.session_id, letter.sender.user_id)

    def _read_letter(self, sender: UserId, sender_key: Curve25519Key, payload: JsonObject) -> _Letter:
        """Check what binds the payload to its sender, to us, and to one device (spec, "m.olm.v1…")."""
        me, own_list = self._work.me, self._lists.get(sender)
        signing_key = ed25519(optional_object(payload, "keys").get("ed25519"))
        if (
            optional_text(payload, "sender") != sender
            or optional_text(payload, "recipient") != me.user_id
            or optional_object(payload, "recipient_keys").get("ed25519") != me.ed25519
        ):
            raise MalformedError("sender or recipient")
        device = owner_of(own_list, sender_key, signing_key)
        if device is None and any(known.curve25519 == sender_key for known in (own_list.devices if own_list else ())):
            raise MalformedError("keys")
        trust = trust_of(device, own_list)
        if device is None:
            self.strangers.add(sender)
            device_id = self._introduced(sender, sender_key, signing_key, payload)
        else:
            device_id = device.device_id
        vouched_by = own_list.pinned_key if own_list and device in eligible(own_list) else None
        key_sender = KeySender(sender, sender_key, signing_key, device_id, vouched_by)
        return _Letter(required_text(payload, "type"), required_object(payload, "content"), key_sender, trust)

    def _introduced(
        self, sender: UserId, sender_key: Curve25519Key, signing_key: str, payload: JsonObject
    ) -> DeviceId | None:
        """The device id by which an unlisted device introduces itself (MSC4147): its name, not yet its proof."""
        source = optional_object(payload, "sender_device_keys")
        if not source:
            return None
        device = self_signed_device(sender, DeviceId(required_id(source, "device_id")), source)
        if (device.curve25519, device.ed25519) != (sender_key, signing_key):
            raise MalformedError("sender_device_keys")
        return device.device_id

    async def _mend(self, sender: UserId, sender_key: Curve25519Key) -> None:
        """Have a fresh session made with the device that owns this key, if it is one we know."""
        own_list = self._lists.get(sender)
        for device in own_list.devices if own_list else ():
            if device.curve25519 == sender_key:
                await begin_unwedging(self._work, sender, device.device_id)
                return
        self.strangers.add(sender)

    async def _take_withheld(self, sender: UserId, content: JsonObject) -> ToDeviceResult:
        """Remember that a key is withheld, from people whose list we keep. It is a hint, not a proof."""
        code = required_id(content, "code")[:_LONGEST_CODE]
        if code == "m.no_olm":
            if "sender_key" in content:
                await self._mend(sender, Curve25519Key(required_text(content, "sender_key")))
            return KeyWithheld(None, None, sender, code)
        room_id = RoomId(required_id(content, "room_id"))
        session_id = MegolmSessionId(required_id(content, "session_id"))
        if sender in self._lists:
            await self._work.store.put_withheld(
                StoredWithheld(self._work.me.user_id, room_id, session_id, sender, code, self._work.now_ms)
            )
        return KeyWithheld(room_id, session_id, sender, code)
