"""The identifiers encryption speaks of, each its own type so that none is taken for another."""

from typing import NewType

from rooms.ids import EventId, RoomId, UserId

__all__ = [
    "Curve25519Key",
    "DeviceId",
    "Ed25519Key",
    "EventId",
    "MegolmSessionId",
    "MessageDigest",
    "OlmSessionId",
    "RequestId",
    "RoomId",
    "UserId",
]

DeviceId = NewType("DeviceId", str)

Curve25519Key = NewType("Curve25519Key", str)
"""A device's Olm identity key, unpadded base64."""

Ed25519Key = NewType("Ed25519Key", str)
"""A signing key (a device's, or one of a person's cross-signing keys), unpadded base64."""

OlmSessionId = NewType("OlmSessionId", str)

MegolmSessionId = NewType("MegolmSessionId", str)
"""A Megolm session's public signing key, unpadded base64: it names the session everywhere."""

RequestId = NewType("RequestId", str)
"""One outgoing request of ours; a to-device request's transaction id on the homeserver too."""

MessageDigest = NewType("MessageDigest", str)
"""SHA-256 of an Olm ciphertext's body, hexadecimal."""
