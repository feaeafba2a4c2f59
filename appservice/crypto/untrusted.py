"""Reading JSON that somebody else wrote: every value is looked at before it is believed."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import TypeAlias

from appservice.crypto.ids import Curve25519Key, Ed25519Key

JsonObject: TypeAlias = Mapping[str, object]

_KEY_BYTES = 32
_ID_LENGTH = 255
"""The longest Matrix identifier (spec, appendices: "must not exceed 255 bytes")."""


class MalformedError(ValueError):
    """Something from outside hasn't the shape it must have. Its text names the field, never a value."""


def parse(data: bytes) -> JsonObject:
    """A JSON object from bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON") from error
    if not isinstance(value, dict):
        raise MalformedError("not an object")
    return value


def optional_object(source: JsonObject, name: str) -> JsonObject:
    """The object under this name, or an empty one."""
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def required_object(source: JsonObject, name: str) -> JsonObject:
    """The object under this name."""
    value = source.get(name)
    if not isinstance(value, dict):
        raise MalformedError(name)
    return value


def optional_text(source: JsonObject, name: str) -> str | None:
    """The string under this name, or None."""
    value = source.get(name)
    return value if isinstance(value, str) else None


def required_text(source: JsonObject, name: str) -> str:
    """The string under this name."""
    value = source.get(name)
    if not isinstance(value, str):
        raise MalformedError(name)
    return value


def required_id(source: JsonObject, name: str) -> str:
    """The string under this name, if it can be a Matrix identifier."""
    value = required_text(source, name)
    if not 0 < len(value) <= _ID_LENGTH or not value.isprintable():
        raise MalformedError(name)
    return value


def curve25519(text: object) -> Curve25519Key:
    """A Curve25519 key in the one spelling we compare."""
    return Curve25519Key(_key(text))


def ed25519(text: object) -> Ed25519Key:
    """An Ed25519 key in the one spelling we compare.

    The length is checked here because vodozemac 0.10 panics, past every `except Exception`, on 33 bytes.
    """
    return Ed25519Key(_key(text))


def _key(text: object) -> str:
    raw = unpadded(text)
    if len(raw) != _KEY_BYTES:
        raise MalformedError("key")
    return unpadded_base64(raw)


def unpadded(text: object) -> bytes:
    """Decode base64 with or without padding."""
    if not isinstance(text, str):
        raise MalformedError("base64")
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("base64") from error


def unpadded_base64(raw: bytes) -> str:
    """Base64 without padding (spec, appendices)."""
    return base64.b64encode(raw).decode().rstrip("=")
