"""The rows of encryption: what is written down of identities, sessions, shares, requests and device lists.

They are already safe to write down: pickles and seeds are sealed before they come here (`sealing`), bodies
of requests hold only ciphertext and public keys. Times are milliseconds since the epoch.
"""

from enum import StrEnum

from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    Ed25519Key,
    EventId,
    MegolmSessionId,
    MessageDigest,
    OlmSessionId,
    RequestId,
    RoomId,
    UserId,
)
from policies.frozen import frozen


@frozen
class StoredIdentity:
    """One of our identities (the bot or a ghost): a user with one device. Key: `user_id`."""

    user_id: UserId
    device_id: DeviceId
    ready: bool
    """True once every request of its creation was acknowledged: the device is visible, and signed."""
    account: str
    """The Olm account's sealed pickle (about 20 kB)."""
    seeds: str
    """The sealed seeds of the master, self-signing and user-signing keys."""
    curve25519: Curve25519Key
    ed25519: Ed25519Key
    master_key: Ed25519Key
    device_keys: str
    """Our device keys as published, with both signatures, as JSON (public)."""
    fallback_at_ms: int
    """When the current fallback key was made."""
    created_at_ms: int


@frozen
class StoredOlmSession:
    """One Olm session with one device. Key: (`user_id`, `session_id`)."""

    user_id: UserId
    session_id: OlmSessionId
    peer_key: Curve25519Key
    pickle: str
    created_at_ms: int
    used_at_ms: int
    """When it last decrypted something, or was created: the newest is the one to send with."""


@frozen
class StoredOlmMessage:
    """An Olm message that was decrypted, so that it is not read twice. Key: (`user_id`, `digest`)."""

    user_id: UserId
    digest: MessageDigest
    at_ms: int


@frozen
class StoredUnwedging:
    """A device whose Olm session with us broke. Key: (`user_id`, `peer_user`, `peer_device`)."""

    user_id: UserId
    peer_user: UserId
    peer_device: DeviceId
    pending: bool
    """True while a fresh session has still to be made."""
    at_ms: int
    """When it was last begun; it is begun at most once an hour."""


class KeyOrigin(StrEnum):
    """How an inbound Megolm session came to us."""

    OWN = "own"
    SHARED = "shared"
    FORWARDED = "forwarded"


@frozen
class StoredInbound:
    """One identity's copy of a Megolm session to read with.

    Key: (`user_id`, `room_id`, `session_id`, `sender_key`). The owner's key is part of the key because
    a member who was given another's session could otherwise take its place under a false name first.
    """

    user_id: UserId
    room_id: RoomId
    session_id: MegolmSessionId
    sender: UserId
    sender_key: Curve25519Key
    sender_ed25519: Ed25519Key
    sender_device: DeviceId | None
    """The sender's device that owns these two keys, when it was known."""
    vouched_by: Ed25519Key | None
    """The master key whose chain of signatures reached that device when it was last looked at."""
    origin: KeyOrigin
    pickle: str
    first_known_index: int
    received_at_ms: int


@frozen
class StoredWithheld:
    """A key that its owner refused us. Key: (`user_id`, `room_id`, `session_id`, `sender`)."""

    user_id: UserId
    room_id: RoomId
    session_id: MegolmSessionId
    sender: UserId
    code: str
    at_ms: int


@frozen
class StoredIndex:
    """Which event used a Megolm index. Key: (`session_id`, `sender`, `message_index`)."""

    session_id: MegolmSessionId
    sender: UserId
    message_index: int
    event_id: EventId
    room_id: RoomId


@frozen
class StoredKeyRequest:
    """A session we asked its owner for. Key: (`user_id`, `room_id`, `session_id`)."""

    user_id: UserId
    room_id: RoomId
    session_id: MegolmSessionId
    sender: UserId
    """Whose devices were asked: the owner of the session."""
    request_id: RequestId
    at_ms: int


@frozen
class StoredOutbound:
    """The Megolm session an identity writes a room with. Key: (`user_id`, `room_id`): one at a time."""

    user_id: UserId
    room_id: RoomId
    session_id: MegolmSessionId
    pickle: str
    message_count: int
    """Messages encrypted so far, which is the next index to be used."""
    created_at_ms: int
    retired: bool
    """True when nothing may be encrypted with it any more: the next share makes a new one."""


class ShareState(StrEnum):
    """How far a session's key came to one device."""

    PENDING = "pending"
    """Encrypted and written into a request which has not been acknowledged."""
    SENT = "sent"
    WITHHELD = "withheld"
    """The device was (or is being) told that it doesn't get this key, and why."""


@frozen
class StoredShare:
    """What one device got of a session. Key: (`user_id`, `session_id`, `peer_user`, `peer_device`)."""

    user_id: UserId
    session_id: MegolmSessionId
    peer_user: UserId
    peer_device: DeviceId
    peer_key: Curve25519Key
    state: ShareState
    message_index: int
    """The first index this device can read (for withheld: the next index when it was refused)."""
    code: str
    """The withheld code; empty for a share."""
    request_id: RequestId | None
    """The request that carries it; None when there was nothing to send."""
    at_ms: int


class RequestKind(StrEnum):
    """What an outgoing request does; the first four make an identity, in this order."""

    REGISTER = "register"
    MAKE_DEVICE = "make_device"
    CROSS_SIGNING = "cross_signing"
    FIRST_KEYS = "first_keys"
    KEYS_UPLOAD = "keys_upload"
    TO_DEVICE = "to_device"


@frozen
class StoredRequest:
    """A request that must reach the homeserver, written down before it leaves. Key: `request_id`."""

    request_id: RequestId
    user_id: UserId
    kind: RequestKind
    event_type: str
    """The to-device event type; empty for other kinds."""
    body: str
    """The JSON body (ciphertext and public keys only)."""
    attempts: int
    """How often it was handed out to be sent."""
    leased_until_ms: int
    """Whoever sends it has until then; before, nobody else does."""
    created_at_ms: int


@frozen
class StoredVerification:
    """The verification by emoji that is under way with a person, at most one. Key: `peer_user`."""

    peer_user: UserId
    code: str
    """The short word by which a person at the machine speaks of it."""
    state: str
    """The sealed state of the machine (`verification`)."""
    started_at_ms: int


@frozen
class StoredMasterKey:
    """A master key that somebody has, or had: that a key once seen comes back is no news. Key: (`user_id`, `key`)."""

    user_id: UserId
    key: Ed25519Key
    seen_at_ms: int
    """When it was seen first."""
    verified_at_ms: int | None
    """When it was last proven by emoji; None: never."""


class Pin(StrEnum):
    """What we think of a person's cross-signing identity."""

    NONE = "none"
    """No valid master key was ever seen."""
    PINNED = "pinned"
    """The master key is the one first seen, or the one confirmed since."""
    REPLACED = "replaced"
    """Another master key (or none) took the pinned one's place: frozen until a person confirms it."""


@frozen
class StoredDevice:
    """A device as its own signature vouches for it."""

    device_id: DeviceId
    curve25519: Curve25519Key
    ed25519: Ed25519Key
    cross_signed: bool
    """Signed by the self-signing key that the person's current master key signed."""


@frozen
class StoredDeviceList:
    """A person's identity and devices, shared by all our identities. Key: `user_id`.

    The list is stale while `changed != fetched`. A query remembers `changed` as it leaves and its answer sets
    `fetched` to that, so a change during the query, or a crash in it, leaves the list stale.
    """

    user_id: UserId
    changed: int
    """Counts the changes the homeserver told us of; starts at 1."""
    fetched: int
    """The value of `changed` when the newest answered query left; 0 before the first."""
    pin: Pin
    pinned_key: Ed25519Key | None
    master_key: Ed25519Key | None
    """The master key of the newest answer."""
    devices: tuple[StoredDevice, ...]
    fetched_at_ms: int
