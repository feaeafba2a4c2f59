"""Verification by emoji (SAS), with one device of one person: a pure state machine; nothing here sends or waits.

    they: request ─▶ we: ready ─▶ they: start ─▶ we: accept ─▶ they: key ─▶ we: key      both now know seven emoji
    people compare them … confirm ─▶ we: mac, they: mac ─▶ we: done                      both know each other's keys

A step takes what was heard, or what a person decided, and gives the next `Verification` with the messages to send. The
other side always begins; what doesn't belong where we are ends it, with the spec's code for why. All of a
verification can be written down between two steps, so it survives a restart, and any process can take the next one;
that is why the Diffie-Hellman half is `cryptography`'s here (vodozemac's `Sas` can't be stored).

What is proven: that nobody stood between the two devices, *if* the emoji were compared over another channel. Emoji
that arrive through the very channel that is being verified prove nothing: whoever sits in it sends their own.

Source: Matrix spec, client-server API, "Key verification framework" and "Short Authentication String (SAS)
verification": curve25519-hkdf-sha256, sha256, hkdf-hmac-sha256.v2.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appservice.crypto.emoji import EMOJI
from appservice.crypto.ids import DeviceId, Ed25519Key, RoomId, UserId
from appservice.crypto.signing import canonical_json
from appservice.crypto.untrusted import (
    JsonObject,
    MalformedError,
    curve25519,
    required_id,
    required_object,
    required_text,
    unpadded,
    unpadded_base64,
)
from policies.frozen import frozen

PREFIX = "m.key.verification."
"""How the types of these events begin."""

REQUEST = f"{PREFIX}request"
"""The type of a request by to-device message, and the `msgtype` of one in a room."""

SAS = "m.sas.v1"
_AGREEMENT, _HASH, _MAC = "curve25519-hkdf-sha256", "sha256", "hkdf-hmac-sha256.v2"
_SHOWN = ("emoji", "decimal")
_KEY_IDS = "KEY_IDS"


class Code(StrEnum):
    """Why a verification was cancelled (spec, `m.key.verification.cancel`)."""

    USER = "m.user"
    TIMEOUT = "m.timeout"
    UNKNOWN_TRANSACTION = "m.unknown_transaction"
    UNKNOWN_METHOD = "m.unknown_method"
    UNEXPECTED_MESSAGE = "m.unexpected_message"
    KEY_MISMATCH = "m.key_mismatch"
    INVALID_MESSAGE = "m.invalid_message"
    MISMATCHED_SAS = "m.mismatched_sas"


@frozen
class Device:
    """A device, by its name."""

    user_id: UserId
    device_id: DeviceId


@frozen
class Keys:
    """What is to be proven of somebody: the signing key of the device, and the person's master key."""

    device: Ed25519Key | None
    master: Ed25519Key | None


@frozen
class Ready:
    """Both are willing; they begin."""


@frozen
class Accepted:
    """We are bound to a key of ours that they haven't seen; theirs comes first."""

    secret: str = field(repr=False)


@frozen
class Mac:
    """The MAC of one key, as it came."""

    key_id: str
    value: str


@frozen
class Proof:
    """Somebody's proof of their keys, as it came: a MAC of each, and one of the list of key ids."""

    macs: tuple[Mac, ...]
    keys: str


@frozen
class Comparing:
    """Both know the emoji. It is done when our person has confirmed and their keys were proven, in any order."""

    secret: str = field(repr=False)
    their_key: str
    confirmed: bool = False
    proof: Proof | None = None


@frozen
class Verified:
    """Their keys are the ones we knew. `master`: the proven master key, None if they proved a device only."""

    master: Ed25519Key | None


@frozen
class Cancelled:
    """It ended without proof."""

    by_us: bool
    code: str


State: TypeAlias = Ready | Accepted | Comparing | Verified | Cancelled


@frozen
class Verification:
    """One verification, as far as it came."""

    flow: str
    """The transaction id, or the id of the request's event."""
    room: RoomId | None
    """Where it is held; None by to-device messages."""
    us: Device
    them: Device
    state: State

    @property
    def ended(self) -> bool:
        """Whether nothing more can come of it."""
        return isinstance(self.state, Verified | Cancelled)


@frozen
class Reply:
    """A message to be sent to the other side."""

    type: str
    content: JsonObject


@frozen
class Step:
    """Where the verification stands now, and what is to be sent, in order."""

    after: Verification
    replies: tuple[Reply, ...] = ()


# What may happen


def answer(flow: str, room: RoomId | None, us: Device, sender: UserId, content: JsonObject) -> Step | None:
    """A request came. None when it isn't one that can be answered: it names no device."""
    try:
        them = Device(sender, DeviceId(required_id(content, "from_device")))
    except MalformedError:
        return None
    begun = Verification(flow, room, us, them, Ready())
    methods = content.get("methods")
    if not isinstance(methods, list) or SAS not in methods:
        return cancel(begun, Code.UNKNOWN_METHOD)
    return Step(begun, (_reply(begun, "ready", {"from_device": us.device_id, "methods": [SAS]}),))


def hear(now: Verification, kind: str, content: JsonObject, their_keys: Keys) -> Step:
    """A message of this verification came, of that type without its prefix. Never raises for what is in it."""
    if now.ended:
        return Step(now)
    if kind == "cancel":
        code = content.get("code")
        return Step(replace(now, state=Cancelled(by_us=False, code=code[:64] if isinstance(code, str) else "")))
    try:
        match now.state, kind:
            case Ready(), "start":
                return _accept(now, content)
            case Accepted(secret), "key":
                return _exchange(now, secret, content)
            case Comparing(proof=None) as comparing, "mac":
                return _conclude(replace(now, state=replace(comparing, proof=_their_proof(content))), their_keys)
            case _:
                return cancel(now, Code.UNEXPECTED_MESSAGE)
    except ValueError:
        return cancel(now, Code.INVALID_MESSAGE)


def confirm(now: Verification, our_keys: Keys, their_keys: Keys) -> Step:
    """A person of ours has found the emoji to be the same. Changes nothing where there are none to compare."""
    match now.state:
        case Comparing(confirmed=False) as comparing:
            proof = _reply(now, "mac", _our_proof(now, comparing, our_keys))
            step = _conclude(replace(now, state=replace(comparing, confirmed=True)), their_keys)
            return replace(step, replies=(proof, *step.replies))
        case _:
            return Step(now)


def cancel(now: Verification, code: Code) -> Step:
    """End it without proof, and say why."""
    if now.ended:
        return Step(now)
    ended = replace(now, state=Cancelled(by_us=True, code=code))
    return Step(ended, (_reply(now, "cancel", {"code": code, "reason": code.removeprefix("m.").replace("_", " ")}),))


def refusal(flow: str, code: Code) -> Reply:
    """A cancellation, by to-device message, of what never was a verification of ours."""
    return Reply(f"{PREFIX}cancel", {"transaction_id": flow, "code": code, "reason": "no such verification"})


# What people compare


def emoji(now: Verification) -> tuple[str, ...]:
    """The seven emoji with their names; none before both sides know them."""
    if not isinstance(now.state, Comparing):
        return ()
    bits = _short(now, now.state)
    return tuple(EMOJI[bits >> shift & 0x3F] for shift in range(42, 0, -6))


def decimals(now: Verification) -> tuple[int, ...]:
    """The same as three numbers, for a client that shows no emoji."""
    if not isinstance(now.state, Comparing):
        return ()
    bits = _short(now, now.state)
    return tuple((bits >> shift & 0x1FFF) + 1000 for shift in (35, 22, 9))


# The steps


def _accept(now: Verification, start: JsonObject) -> Step:
    if required_id(start, "from_device") != now.them.device_id:
        raise MalformedError("from_device")
    offered = {
        _AGREEMENT: start.get("key_agreement_protocols"),
        _HASH: start.get("hashes"),
        _MAC: start.get("message_authentication_codes"),
    }
    shown = start.get("short_authentication_string")
    chosen = [way for way in _SHOWN if isinstance(shown, list) and way in shown]
    understood = all(isinstance(names, list) and ours in names for ours, names in offered.items())
    if start.get("method") != SAS or not understood or not chosen:
        return cancel(now, Code.UNKNOWN_METHOD)
    secret = X25519PrivateKey.generate()
    committed = hashlib.sha256(_public(secret).encode() + canonical_json(start)).digest()
    content = {
        "method": SAS,
        "key_agreement_protocol": _AGREEMENT,
        "hash": _HASH,
        "message_authentication_code": _MAC,
        "short_authentication_string": chosen,
        "commitment": unpadded_base64(committed),
    }
    state = Accepted(unpadded_base64(secret.private_bytes_raw()))
    return Step(replace(now, state=state), (_reply(now, "accept", content),))


def _exchange(now: Verification, secret: str, content: JsonObject) -> Step:
    state = Comparing(secret, curve25519(content.get("key")))
    _short(now, state)  # refuses a key that shares the secret with everyone
    return Step(replace(now, state=state), (_reply(now, "key", {"key": _public(_private(secret))}),))


def _conclude(now: Verification, their_keys: Keys) -> Step:
    """Done, when our person has confirmed and their proof is there and holds for keys that we know."""
    state = now.state
    if not isinstance(state, Comparing) or not state.confirmed or state.proof is None:
        return Step(now)
    mac, known = _mac_of(now, state, now.them, now.us), _by_id(now.them, their_keys)
    claimed = {one.key_id: one.value for one in state.proof.macs}
    proven = {key_id: key for key_id, key in known.items() if key_id in claimed}
    same = [_same(claimed[key_id], mac(key, key_id)) for key_id, key in proven.items()]
    if not proven or not all(same) or not _same(state.proof.keys, mac(",".join(sorted(claimed)), _KEY_IDS)):
        return cancel(now, Code.KEY_MISMATCH)
    master = their_keys.master if f"ed25519:{their_keys.master}" in proven else None
    return Step(replace(now, state=Verified(master)), (_reply(now, "done", {}),))


# Messages and secrets


def _reply(now: Verification, kind: str, content: JsonObject) -> Reply:
    if now.room is None:
        return Reply(PREFIX + kind, {**content, "transaction_id": now.flow})
    return Reply(PREFIX + kind, {**content, "m.relates_to": {"rel_type": "m.reference", "event_id": now.flow}})


def _our_proof(now: Verification, state: Comparing, keys: Keys) -> JsonObject:
    mac, ours = _mac_of(now, state, now.us, now.them), _by_id(now.us, keys)
    return {
        "mac": {key_id: mac(key, key_id) for key_id, key in ours.items()},
        "keys": mac(",".join(sorted(ours)), _KEY_IDS),
    }


def _their_proof(content: JsonObject) -> Proof:
    macs = required_object(content, "mac")
    return Proof(tuple(Mac(name, required_text(macs, name)) for name in macs), required_text(content, "keys"))


def _by_id(device: Device, keys: Keys) -> Mapping[str, Ed25519Key]:
    named = {device.device_id: keys.device, keys.master: keys.master}
    return {f"ed25519:{name}": key for name, key in named.items() if key is not None}


def _mac_of(now: Verification, state: Comparing, by: Device, to: Device) -> Callable[[str, str], str]:
    """Makes the MAC with which one proves a text (a key) under a name (its key id) to the other."""
    names = f"{by.user_id}{by.device_id}{to.user_id}{to.device_id}{now.flow}"

    def mac(text: str, key_id: str) -> str:
        key = _derived(state, f"MATRIX_KEY_VERIFICATION_MAC{names}{key_id}", 32)
        return unpadded_base64(hmac.digest(key, text.encode(), hashlib.sha256))

    return mac


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _short(now: Verification, state: Comparing) -> int:
    """The 48 bits that emoji and numbers are made of."""
    theirs = f"{now.them.user_id}|{now.them.device_id}|{state.their_key}"
    ours = f"{now.us.user_id}|{now.us.device_id}|{_public(_private(state.secret))}"
    return int.from_bytes(_derived(state, f"MATRIX_KEY_VERIFICATION_SAS|{theirs}|{ours}|{now.flow}", 6))


def _derived(state: Comparing, info: str, length: int) -> bytes:
    """HKDF-SHA-256 of the shared secret. Raises ValueError for a key of theirs that shares it with everyone."""
    shared = _private(state.secret).exchange(X25519PublicKey.from_public_bytes(unpadded(state.their_key)))
    return HKDF(SHA256(), length, salt=None, info=info.encode()).derive(shared)


def _private(secret: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(unpadded(secret))


def _public(secret: X25519PrivateKey) -> str:
    return unpadded_base64(secret.public_key().public_bytes_raw())
