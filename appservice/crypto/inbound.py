"""Megolm, reading: taking keys in, and decrypting the events of rooms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from vodozemac import ExportedSessionKey, InboundGroupSession, MegolmMessage, SessionKey

from appservice.crypto.devices import DeviceTrust, by_user, trust_in
from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    Ed25519Key,
    EventId,
    MegolmSessionId,
    RoomId,
    UserId,
)
from appservice.crypto.rows import KeyOrigin, StoredInbound, StoredIndex, StoredWithheld
from appservice.crypto.sealing import Sealer
from appservice.crypto.store import CryptoStore
from appservice.crypto.untrusted import (
    JsonObject,
    MalformedError,
    optional_object,
    optional_text,
    parse,
    required_id,
    required_object,
    required_text,
)
from appservice.crypto.work import Work
from policies.frozen import frozen

MEGOLM = "m.megolm.v1.aes-sha2"
OPEN_SESSIONS = 512
"""So many sessions are kept open in memory, less than 2 kB each."""


# Keys


@frozen
class KeySender:
    """The device that an Olm message proved to come from."""

    user_id: UserId
    key: Curve25519Key
    signing_key: Ed25519Key
    device_id: DeviceId | None
    vouched_by: Ed25519Key | None


@frozen
class KeyContent:
    """The common part of `m.room_key` and `m.forwarded_room_key`."""

    room_id: RoomId
    session_id: MegolmSessionId
    session_key: str


def read_key(content: JsonObject) -> KeyContent:
    """Raises `MalformedError`."""
    if content.get("algorithm") != MEGOLM:
        raise MalformedError("algorithm")
    return KeyContent(
        RoomId(required_id(content, "room_id")),
        MegolmSessionId(required_id(content, "session_id")),
        required_text(content, "session_key"),
    )


async def keep_key(work: Work, sender: KeySender, content: KeyContent, origin: KeyOrigin) -> None:
    """Store a session for reading, unless we have it from the same or an earlier index on.

    Raises ValueError when the key is not the session it says it is.
    """
    if origin is KeyOrigin.FORWARDED:
        session = InboundGroupSession.import_session(ExportedSessionKey(content.session_key))
    else:
        session = InboundGroupSession(SessionKey(content.session_key))
    if session.session_id != content.session_id:
        raise MalformedError("session_id")
    for row in await work.store.inbound(content.room_id, [content.session_id]):
        if (row.user_id, row.sender_key) == (work.me.user_id, sender.key) and (
            row.first_known_index <= session.first_known_index
        ):
            return
    await work.store.put_inbound(
        [
            StoredInbound(
                user_id=work.me.user_id,
                room_id=content.room_id,
                session_id=content.session_id,
                sender=sender.user_id,
                sender_key=sender.key,
                sender_ed25519=sender.signing_key,
                sender_device=sender.device_id,
                vouched_by=sender.vouched_by,
                origin=origin,
                pickle=work.sealer.pickle(session),
                first_known_index=session.first_known_index,
                received_at_ms=work.now_ms,
            )
        ]
    )


# Events


@frozen
class EncryptedEvent:
    """An `m.room.encrypted` event of a room, as the homeserver delivered it."""

    event_id: EventId
    room_id: RoomId
    sender: UserId
    content: JsonObject = field(repr=False)


@frozen
class Decrypted:
    """What an event says, and how far the device that said it is to be trusted."""

    event_id: EventId
    type: str
    content: JsonObject = field(repr=False)
    sender: UserId
    device_id: DeviceId | None
    trust: DeviceTrust
    session_id: MegolmSessionId
    message_index: int


class Unread(StrEnum):
    """Why an event can't be read."""

    MALFORMED = "malformed"
    NO_SESSION = "no_session"
    """Nobody of us has a session of this id by this sender."""
    UNKNOWN_INDEX = "unknown_index"
    """Our copies begin after this message."""
    WITHHELD = "withheld"
    """The sender's device told us that we don't get this key."""
    BAD_CIPHERTEXT = "bad_ciphertext"
    WRONG_ROOM = "wrong_room"
    """Encrypted for another room."""
    REPLAYED = "replayed"
    """Another event has used this index of the session."""


@frozen
class Undecryptable:
    """An event that can't be read (yet)."""

    event_id: EventId
    room_id: RoomId
    reason: Unread
    session_id: MegolmSessionId | None = None
    """Park it under (room, session): it is worth another try when that session arrives."""
    code: str = ""
    """The withheld code."""

    @property
    def may_heal(self) -> bool:
        """Whether a key that arrives later can make it readable."""
        return self.reason in {Unread.NO_SESSION, Unread.UNKNOWN_INDEX, Unread.WITHHELD}


Reading: TypeAlias = Decrypted | Undecryptable


@frozen
class _Parsed:
    event: EncryptedEvent
    session_id: MegolmSessionId
    message: MegolmMessage


async def decrypt_events(store: CryptoStore, sealer: Sealer, events: Sequence[EncryptedEvent]) -> Sequence[Reading]:
    """Decrypt a batch, in the order given, with whichever of our identities holds the session.

    One bad event never touches another. The same event again is fine; another event with the index of one
    that was read is a replay. Reads a room's sessions, the senders' devices and the indexes in one call each.
    """
    parsed = [_parse(event) for event in events]
    good = [item for item in parsed if isinstance(item, _Parsed)]
    copies, withheld = await _sessions_of(store, good)
    lists = by_user(await store.device_lists({item.event.sender for item in good}))
    readings: list[Reading] = []
    for item in parsed:
        if isinstance(item, Undecryptable):
            readings.append(item)
            continue
        key = (item.event.room_id, item.session_id, item.event.sender)
        own = [(copy, *trust_in(copy, lists.get(item.event.sender))) for copy in copies.get(key, ())]
        readings.append(_read(item, own, withheld.get(key), sealer))
    return await _without_replays(store, events, readings)


def _parse(event: EncryptedEvent) -> _Parsed | Undecryptable:
    try:
        if event.content.get("algorithm") != MEGOLM:
            raise MalformedError("algorithm")
        session_id = MegolmSessionId(required_id(event.content, "session_id"))
        message = MegolmMessage.from_base64(required_text(event.content, "ciphertext"))
    except ValueError:
        return Undecryptable(event.event_id, event.room_id, Unread.MALFORMED)
    return _Parsed(event, session_id, message)


_Key: TypeAlias = tuple[RoomId, MegolmSessionId, UserId]
_Candidate: TypeAlias = tuple[StoredInbound, DeviceTrust, DeviceId | None]


async def _sessions_of(
    store: CryptoStore, items: Iterable[_Parsed]
) -> tuple[Mapping[_Key, list[StoredInbound]], Mapping[_Key, StoredWithheld]]:
    wanted: dict[RoomId, set[_Key]] = {}
    for item in items:
        key = (item.event.room_id, item.session_id, item.event.sender)
        wanted.setdefault(item.event.room_id, set()).add(key)
    copies: dict[_Key, list[StoredInbound]] = {}
    withheld: dict[_Key, StoredWithheld] = {}
    for room_id, keys in wanted.items():
        for copy in await store.inbound(room_id, {session_id for _, session_id, _ in keys}):
            copies.setdefault((room_id, copy.session_id, copy.sender), []).append(copy)
        missing = {session_id for _, session_id, _ in keys - copies.keys()}
        for notice in await store.withheld(room_id, missing) if missing else ():
            withheld[room_id, notice.session_id, notice.sender] = notice
    return copies, withheld


@lru_cache(maxsize=OPEN_SESSIONS)
def _opened(sealer: Sealer, pickle: str) -> InboundGroupSession:
    """A session that is read from again and again is unpickled once; it reads the same whatever it has read."""
    return sealer.unpickle(InboundGroupSession.from_pickle, pickle)


def _read(item: _Parsed, candidates: Sequence[_Candidate], withheld: StoredWithheld | None, sealer: Sealer) -> Reading:
    def unread(reason: Unread, code: str = "") -> Undecryptable:
        return Undecryptable(item.event.event_id, item.event.room_id, reason, item.session_id, code)

    if not candidates:
        return unread(Unread.WITHHELD, withheld.code) if withheld else unread(Unread.NO_SESSION)
    index = item.message.message_index()
    able = [candidate for candidate in candidates if candidate[0].first_known_index <= index]
    if not able:
        return unread(Unread.UNKNOWN_INDEX)
    # Several devices of one person may have claimed the session; the message's own signature proves its
    # owner to be that person, so the best of their trust counts.
    copy, trust, device_id = min(able, key=lambda candidate: list(DeviceTrust).index(candidate[1]))
    try:
        plain = _opened(sealer, copy.pickle).decrypt(item.message)
        payload = parse(plain.plaintext)
        event_type, content = required_text(payload, "type"), required_object(payload, "content")
    except ValueError:
        return unread(Unread.BAD_CIPHERTEXT)
    if optional_text(payload, "room_id") != item.event.room_id:
        return unread(Unread.WRONG_ROOM)
    relation = optional_object(item.event.content, "m.relates_to")
    if relation and "m.relates_to" not in content:
        content = {**content, "m.relates_to": relation}
    return Decrypted(
        event_id=item.event.event_id,
        type=event_type,
        content=content,
        sender=item.event.sender,
        device_id=device_id,
        trust=trust,
        session_id=item.session_id,
        message_index=plain.message_index,
    )


async def _without_replays(
    store: CryptoStore, events: Sequence[EncryptedEvent], readings: Sequence[Reading]
) -> Sequence[Reading]:
    claims = {
        (reading.session_id, reading.sender, reading.message_index, reading.event_id): StoredIndex(
            reading.session_id, reading.sender, reading.message_index, reading.event_id, event.room_id
        )
        for event, reading in zip(events, readings, strict=True)
        if isinstance(reading, Decrypted)
    }
    held = await store.claim_indexes(list(claims.values())) if claims else ()
    owners = {(row.session_id, row.sender, row.message_index): row for row in held}
    checked: list[Reading] = []
    for event, reading in zip(events, readings, strict=True):
        if isinstance(reading, Decrypted):
            owner = owners[reading.session_id, reading.sender, reading.message_index]
            if (owner.event_id, owner.room_id) != (event.event_id, event.room_id):
                checked.append(Undecryptable(event.event_id, event.room_id, Unread.REPLAYED, reading.session_id))
                continue
        checked.append(reading)
    return checked
