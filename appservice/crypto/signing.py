"""Signed JSON: canonical form, our cross-signing keys, and checking other people's signatures."""

import json
import secrets
from collections.abc import Callable
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from vodozemac import Ed25519PublicKey, Ed25519Signature

from appservice.crypto.ids import Ed25519Key, UserId
from appservice.crypto.untrusted import JsonObject, MalformedError, optional_object, unpadded_base64
from policies.frozen import frozen

_SEED_BYTES = 32
_LARGEST_INTEGER = 2**53 - 1

Sign = Callable[[bytes], str]
"""Signs bytes; the signature is unpadded base64."""


def canonical_json(value: object) -> bytes:
    """Canonical JSON (spec, appendices): sorted keys, no spaces, UTF-8. Raises `MalformedError` for a float,
    an integer beyond ±(2^53 − 1), a key that is no string, or text that is no Unicode."""
    _refuse_unsignable(value)
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError("not canonical JSON") from error


def _refuse_unsignable(value: object) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
            if not all(isinstance(key, str) for key in item):
                raise MalformedError("a key that is no string")
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, int):
            if abs(item) > _LARGEST_INTEGER:
                raise MalformedError("an integer out of range")
        elif item is not None and not isinstance(item, str):
            raise MalformedError("neither an object, a list, text, an integer, a boolean nor null")


def signed_part(source: JsonObject) -> bytes:
    """What a signature covers: everything but `signatures` and `unsigned`."""
    return canonical_json({key: source[key] for key in source if key not in {"signatures", "unsigned"}})


def with_signature(source: JsonObject, user_id: UserId, key_id: str, sign: Sign) -> dict[str, object]:
    """The object with one more signature of this user's key, e.g. key id `ed25519:DEVICE`."""
    signatures = optional_object(source, "signatures")
    own = {**optional_object(signatures, user_id), f"ed25519:{key_id}": sign(signed_part(source))}
    return {**source, "signatures": {**signatures, user_id: own}}


def is_signed(source: JsonObject, user_id: UserId, key_id: str, key: Ed25519Key) -> bool:
    """Whether the object carries this user's valid signature by this key."""
    signature = optional_object(optional_object(source, "signatures"), user_id).get(f"ed25519:{key_id}")
    if not isinstance(signature, str):
        return False
    try:
        Ed25519PublicKey.from_base64(key).verify_signature(signed_part(source), Ed25519Signature.from_base64(signature))
    except ValueError:
        return False
    return True


@frozen
class CrossSigningSeeds:
    """The private halves of an identity's three cross-signing keys (spec, "Cross-signing").

    They are what a backup keeps: whoever loses them is a new person to every client.
    """

    master: bytes
    self_signing: bytes
    user_signing: bytes

    @classmethod
    def generate(cls) -> Self:
        """Three new ones, from the system's randomness."""
        return cls(*(secrets.token_bytes(_SEED_BYTES) for _ in range(3)))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of `to_text`."""
        return cls(*(bytes.fromhex(part) for part in text.split(" ")))

    def to_text(self) -> str:
        """One line, to be sealed: nothing but secrets."""
        return " ".join(seed.hex() for seed in (self.master, self.self_signing, self.user_signing))

    def __repr__(self) -> str:
        """Says nothing: a traceback or a log line must not carry the seeds."""
        return "CrossSigningSeeds(…)"


def public_key(seed: bytes) -> Ed25519Key:
    """The public half of a seed."""
    return Ed25519Key(unpadded_base64(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()))


def signer(seed: bytes) -> Sign:
    """Signs with this seed. vodozemac's Python binding has no secret Ed25519 key, hence `cryptography`."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return lambda data: unpadded_base64(key.sign(data))
