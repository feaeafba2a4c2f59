"""What the use cases need of the homeserver, and how a call fails."""

from __future__ import annotations

from typing import Protocol

from rooms.ids import EventId, RoomId, UserId
from rooms.reconcile import Actual, Change, Desired


class Trouble(Exception):
    """A call failed. `transient`: the same call may succeed later. `why` is in words, without content."""

    def __init__(self, why: str, *, transient: bool) -> None:
        super().__init__(why)
        self.why = why
        self.transient = transient


class ReaderFrozen(Trouble):
    """Somebody among the readers has another encryption identity than the known one: nothing is sent there (I9)."""

    def __init__(self, user: UserId) -> None:
        super().__init__("a reader's encryption identity was reset", transient=True)
        self.user = user


class Homeserver(Protocol):
    """Matrix, as far as rooms need it. Every call may raise `Trouble`; none runs inside a unit of work."""

    @property
    def bot(self) -> UserId:
        """Our own user, the creator of every room."""

    def new_ghost(self) -> UserId:
        """A name for a ghost: opaque and never used before, so that nobody is known again in another case (R11)."""

    def is_ours(self, user: UserId) -> bool:
        """Whether that is the bot or some ghost."""

    async def create_room(self, desired: Desired, marker: str) -> RoomId:
        """Make the room, with its members invited; not idempotent, hence the marker in its create event."""

    async def find_room(self, marker: str) -> RoomId | None:
        """The room with that marker, if an interrupted creation made it."""

    async def state(self, room: RoomId) -> Actual | None:
        """The room as it is; None if the bot isn't in it."""

    async def change(self, room: RoomId, change: Change) -> None:
        """Carry out one change; harmless if it is done already."""

    async def redact(self, room: RoomId, event: EventId, key: str) -> EventId:
        """Take an event's content away, as the bot; `key` makes a repeat the same act."""

    async def join(self, room: RoomId, ours: UserId) -> None:
        """One of our users accepts an invitation."""

    async def leave(self, room: RoomId, ours: UserId) -> None:
        """One of our users leaves, or turns an invitation down."""

    async def ensure_ghost(self, ghost: UserId, name: str) -> None:
        """The ghost exists, has a cross-signed device, and goes by that name. Idempotent."""
