"""What a real Matrix client shows its user, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """A room event as this client shows it to its user.

    The same event comes again when it is decrypted or redacted. `pending` is one that has not been decrypted yet,
    `failure` the SDK's reason why it can't be (DecryptionFailureCode), `shield` the warning drawn beside it
    ("grey: unsigned_device"); None is no warning. `content` is empty unless it can be read. `relates_to` is the
    relation that stands outside the ciphertext, where the homeserver sees it. Times are in milliseconds.
    """

    event_id: str
    room_id: str
    sender: str
    type: str
    state_key: str | None
    content: Json
    relates_to: Json | None
    origin_server_ts: int
    encrypted: bool
    redacted: bool
    pending: bool
    shield: str | None
    failure: str | None

    @property
    def body(self) -> str | None:
        body = self.content.get("body")
        return body if isinstance(body, str) else None


@dataclass(frozen=True, slots=True)
class SeenMembership:
    """This user's own membership of a room changed; an invitation is `membership == "invite"`."""

    room_id: str
    membership: str
    by: str | None
    name: str
    room_type: str | None
    direct: bool


Seen = SeenEvent | SeenMembership


def parse(message: Mapping[str, Any]) -> Seen:
    """Reads one unsolicited line of the Node side."""
    fields = {name: value for name, value in message.items() if name not in {"event", "client"}}
    match message["event"]:
        case "timeline":
            return SeenEvent(**message["seen"])
        case "membership":
            return SeenMembership(**fields)
        case unknown:
            raise ValueError(f"the Node side spoke of {unknown!r}")


@dataclass(frozen=True, slots=True)
class Room:
    """A room in this user's list; `inviter` is set while the user is invited."""

    room_id: str
    name: str
    membership: str
    room_type: str | None
    encrypted: bool
    inviter: str | None

    @property
    def is_space(self) -> bool:
        return self.room_type == "m.space"


@dataclass(frozen=True, slots=True)
class Member:
    """`power` is None for the creators of a version 12 room, who stand above every level."""

    user_id: str
    membership: str
    name: str | None
    power: int | None


@dataclass(frozen=True, slots=True)
class Device:
    """Somebody's device as this client judges it; `signed` means cross-signed by its owner."""

    device_id: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Emoji:
    """What a client shows in a verification; each emoji with its English name."""

    emoji: tuple[str, ...]
    numbers: tuple[int, ...]

    @classmethod
    def read(cls, shown: Json) -> Self:
        return cls(tuple(shown["emoji"]), tuple(shown["numbers"]))


@dataclass(frozen=True, slots=True)
class File:
    """A downloaded attachment, decrypted; `sha256` is that of `data`, in hex."""

    name: str
    mimetype: str | None
    encrypted: bool
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll as a client shows it: `answers` by their words, each with the id that a vote names."""

    event_id: str
    question: str
    most: int
    answers: Mapping[str, str]
