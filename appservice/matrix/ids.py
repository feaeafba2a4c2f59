"""Matrix identifiers, opaque everywhere but here, and the JSON that carries them."""

import re
from typing import Any, Final, NewType, TypeAlias, TypeGuard

from appservice.crypto.ids import DeviceId
from rooms.ids import EventId, RoomId, UserId

__all__ = [
    "MAX_ID_LENGTH",
    "DeviceId",
    "EventId",
    "JsonObject",
    "MediaUri",
    "RoomId",
    "UserId",
    "is_identifier",
    "is_server_name",
    "is_user_id",
    "server_of",
]

MediaUri = NewType("MediaUri", str)
"""`mxc://server/media-id`."""

JsonObject: TypeAlias = dict[str, Any]

MAX_ID_LENGTH: Final = 255
"""Bytes of any Matrix identifier (Matrix spec, appendices, 4.2)."""

_SERVER_NAME: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?)(?::[0-9]{1,5})?"
)
_LOCALPART: Final = re.compile(r"[a-z0-9._=/+-]+")


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a value from the network may stand as an id in our tables: printable, so encodable, and short."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= MAX_ID_LENGTH


def is_server_name(value: str) -> bool:
    """Whether a text is a server name (Matrix spec, appendices, 4.1)."""
    return _SERVER_NAME.fullmatch(value) is not None


def is_user_id(value: str) -> bool:
    """Whether a text is a user id that can be made today (Matrix spec, appendices, 4.2.1)."""
    localpart, colon, server = value.removeprefix("@").partition(":")
    return (
        value.startswith("@")
        and colon == ":"
        and len(value) <= MAX_ID_LENGTH
        and _LOCALPART.fullmatch(localpart) is not None
        and is_server_name(server)
    )


def server_of(user: UserId) -> str:
    """The server name in a user id."""
    return user.partition(":")[2]
