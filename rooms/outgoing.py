"""What leaves by the outbox: the effects that do, and what the rooms themselves have to say or to do."""

from __future__ import annotations

from typing import Protocol

from policies.documents.carrying import Cover, Enclose, Erase, Hand, Recall
from policies.effects import (
    Confide,
    Effect,
    Explain,
    Inform,
    Ingest,
    Introduce,
    Pose,
    Post,
    Publish,
    Reconcile,
    Redact,
    Relay,
    Tell,
    WriteToStranger,
)
from policies.frozen import frozen
from policies.showing import Preview
from rooms.ids import RoomId, UserId
from rooms.marks import Mark
from rooms.noticing import DeskNotice
from rooms.polls import Poll, PollEnd


@frozen
class Say:
    """The bot's words in a direct chat, outside of any case."""

    room: RoomId
    to: UserId
    text: str
    to_unsigned_devices: bool = False
    html: str | None = None
    in_clear: bool = False
    """For a chat that isn't encrypted: to say just that."""


@frozen
class Enter:
    """One of our users accepts an invitation."""

    room: RoomId
    user: UserId


@frozen
class Decline:
    """One of our users turns an invitation down."""

    room: RoomId
    user: UserId


@frozen
class Signal:
    """A step of a protocol between devices, into a room: nobody's words. `content` is JSON."""

    room: RoomId
    to: UserId
    type: str
    content: str


@frozen
class Board:
    """The board of a case at its desk, as it is when this is sent. `update`: in the place of the one that stands."""

    number: int
    update: bool


@frozen
class MailHeads:
    """The signed heads of a case's record, as they stand at the desk, to one address of the organisation's choice."""

    to: str
    text: str


Filed = Ingest | Erase | Recall | Cover
"""Work on files, between the homeserver and the vault."""
ToSend = (
    Post
    | Tell
    | Explain
    | Pose
    | Inform
    | Confide
    | Publish
    | Hand
    | Enclose
    | Relay
    | Introduce
    | Redact
    | Filed
    | Reconcile
    | Preview
    | WriteToStranger
)
"""The effects that become outbox items."""
Outgoing = Effect | DeskNotice | Say | Enter | Decline | Signal | Board | MailHeads | Poll | PollEnd | Mark

MATRIX, ROOMS, PEOPLE, FILES = "matrix", "rooms", "people", "files"
"""The kinds of outbox items: words into a room, work on rooms, words to someone's channel outside Matrix, and files."""


class Codec(Protocol):
    """Between what is to be sent and the bytes that the outbox keeps."""

    def dump(self, outgoing: Outgoing) -> bytes: ...

    def load(self, body: bytes) -> Outgoing: ...
