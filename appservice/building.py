"""Rooms at the homeserver, as `rooms.homeserver.Homeserver` wants them: looked at, made and changed, by the bot."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, assert_never

from appservice.crypto.outbound import Rotation
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.rooms import NewRoom
from appservice.matrix.state import RoomState
from policies.frozen import frozen
from rooms.homeserver import Trouble
from rooms.ids import EventId, RoomId, UserId
from rooms.ports import Rooms
from rooms.reconcile import ROOM_VERSION, Actual, Change, Desired, Invite, Join, Membership, Remove, SetState

MARKER = "org.mediatrix.marker"
"""In the create event: which of our rooms this is, should the answer to its creation be lost. Opaque."""
MEGOLM = "m.megolm.v1.aes-sha2"
LOOK_AGAIN = 60.0
"""Seconds after which a room is looked at again even if no change of it was reported."""


@frozen
class Namespace:
    """The Matrix users that are ours: the bot and the ghosts."""

    prefix: str
    server: str

    def has(self, user: UserId) -> bool:
        """Whether that is one of ours."""
        return user.startswith(f"@{self.prefix}") and user.endswith(f":{self.server}")

    def new(self) -> UserId:
        """A name that says nothing, and was never used."""
        return UserId(f"@{self.prefix}{secrets.token_hex(10)}:{self.server}")


class _Work(Protocol):
    @property
    def rooms(self) -> Rooms: ...


class RoomDatabase(Protocol):
    """What is needed of the database."""

    def begin(self) -> AbstractAsyncContextManager[_Work]:
        """A unit of work."""

    def read(self) -> AbstractAsyncContextManager[_Work]:
        """The stores, for questions only."""


@frozen
class _Seen:
    """A room as it was when so many changes of it had been noted, at that moment (`time.monotonic`)."""

    changes: int
    at: float
    actual: Actual


class Builder:
    """The bot at work on rooms. Keeps what it saw of a room until any process learns of a change of it."""

    def __init__(
        self,
        database: RoomDatabase,
        matrix: Homeserver,
        bot: UserId,
        ours: Namespace,
        *,
        rotation: Rotation,
        make_ghost: Callable[[UserId, str], Awaitable[None]],
    ) -> None:
        """`rotation`: of new rooms' encryption; `make_ghost` gives a ghost its identity."""
        self._database, self._matrix, self._bot, self._ours = database, matrix, bot, ours
        self._rotation, self._make_ghost = rotation, make_ghost
        self._seen: dict[RoomId, _Seen] = {}

    @property
    def bot(self) -> UserId:
        """The creator of every room."""
        return self._bot

    def new_ghost(self) -> UserId:
        """A name for a ghost that says nothing, and was never used."""
        return self._ours.new()

    def is_ours(self, user: UserId) -> bool:
        """Whether that is the bot or some ghost."""
        return self._ours.has(user)

    async def state(self, room: RoomId) -> Actual | None:
        """The room as it is; None if the bot isn't in it."""
        # Counted before it is looked at: what changes meanwhile is found to have changed.
        changes = await self._changes(room)
        seen = self._seen.get(room)
        if seen and seen.changes == changes and time.monotonic() - seen.at < LOOK_AGAIN:
            return seen.actual
        at = time.monotonic()
        try:
            state = await self._matrix.rooms.state(room, as_user=self._bot)
        except MatrixError as error:
            if error.errcode not in {"M_FORBIDDEN", "M_NOT_FOUND"}:
                raise trouble(error) from error
            if await self._is_outside(room):
                return None
            # A proxy's rule, say, or a list of rooms that is not up to date: one of the two will change.
            raise Trouble(f"the homeserver refuses the bot's own room: {error.errcode}", transient=True) from error
        if self._bot not in state.joined:
            return None
        actual = _actual(state, self._bot)
        if changes is not None:
            self._seen[room] = _Seen(changes, at, actual)
        return actual

    async def create_room(self, desired: Desired, marker: str) -> RoomId:
        """Make the room, empty but for the bot: nobody can be in it before its record tells whose it is."""
        content = {
            "algorithm": MEGOLM,
            "rotation_period_ms": self._rotation.period_ms,
            "rotation_period_msgs": self._rotation.messages,
        }
        encryption = {"type": "m.room.encryption", "state_key": "", "content": content}
        room = NewRoom(
            name=desired.name,
            power_levels=desired.power_levels,
            initial_state=[*_fixed_state(), *([] if desired.is_space else [encryption])],
            creation_content={MARKER: marker, **({"type": "m.space"} if desired.is_space else {})},
            room_version=ROOM_VERSION,
        )
        try:
            return await self._matrix.rooms.create(room, as_user=self._bot)
        except MatrixError as error:
            raise trouble(error) from error

    async def find_room(self, marker: str) -> RoomId | None:
        """Look through the bot's rooms for the marker: only ever after an interrupted creation."""
        try:
            for room in sorted(await self._matrix.rooms.joined_rooms(as_user=self._bot)):
                created = await self._matrix.rooms.state_content(room, "m.room.create", as_user=self._bot)
                if created and created.get(MARKER) == marker:
                    return room
        except MatrixError as error:
            raise trouble(error) from error
        return None

    async def change(self, room: RoomId, change: Change) -> None:
        """Carry out one change."""
        rooms = self._matrix.rooms
        try:
            match change:
                case Invite(user):
                    await rooms.invite(room, user, as_user=self._bot)
                case Join(ghost):
                    await rooms.join(room, as_user=ghost)
                case Remove(user):
                    await rooms.kick(room, user, as_user=self._bot)
                case SetState(event_type, state_key, content):
                    await rooms.put_state(room, event_type, content, state_key, as_user=self._bot)
                case _:
                    assert_never(change)
        except MatrixError as error:
            raise trouble(error) from error
        finally:
            async with self._database.begin() as work:
                await work.rooms.note_change([room])

    async def redact(self, room: RoomId, event: EventId, key: str) -> EventId:
        """Take an event's content away."""
        try:
            return await self._matrix.rooms.redact(room, event, key, as_user=self._bot)
        except MatrixError as error:
            raise trouble(error) from error

    async def join(self, room: RoomId, ours: UserId) -> None:
        """Accept an invitation."""
        await self._settled(self._matrix.rooms.join(room, as_user=ours))

    async def leave(self, room: RoomId, ours: UserId) -> None:
        """Leave, or turn an invitation down."""
        await self._settled(self._matrix.rooms.leave(room, as_user=ours))

    async def ensure_ghost(self, ghost: UserId, name: str) -> None:
        """The ghost exists, has a cross-signed device, and goes by that name."""
        await self._make_ghost(ghost, name)

    async def _is_outside(self, room: RoomId) -> bool:
        """Whether the bot is in its other rooms and not in this one. Refused that, too, as by a homeserver that has
        another registration, it has lost no room: raises a transient Trouble, for a lost room is made anew."""
        try:
            return room not in await self._matrix.rooms.joined_rooms(as_user=self._bot)
        except MatrixError as error:
            raise Trouble(f"the homeserver refuses the bot: {error.errcode}", transient=True) from error

    async def _changes(self, room: RoomId) -> int | None:
        async with self._database.read() as work:
            return await work.rooms.changes(room)

    async def _settled(self, call: Awaitable[None]) -> None:
        try:
            await call
        except MatrixError as error:
            raise trouble(error) from error


def trouble(error: MatrixError) -> Trouble:
    """A failed call in the words of the use cases."""
    return Trouble(f"the homeserver said {error.errcode}", transient=error.transient)


def _fixed_state() -> list[Mapping[str, object]]:
    return [
        {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}},
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
    ]


def _actual(state: RoomState, bot: UserId) -> Actual:
    (creator,) = state.creators if len(state.creators) == 1 else ("",)
    return Actual(
        version=state.version,
        creator=UserId(creator),
        name=state.name,
        encrypted=state.algorithm == MEGOLM,
        join_rule=state.join_rule,
        history_visibility=state.history_visibility,
        guests=state.guest_access,
        members={user: _membership(state, user) for user in state.members if user != bot},
        power_levels=state.power_levels,
        children=frozenset(
            RoomId(key)
            for (kind, key), content in state.contents.items()
            if kind == "m.space.child" and content.get("via")
        ),
        replaced=bool(state.tombstone),
    )


def _membership(state: RoomState, user: UserId) -> Membership:
    match state.members[user]:
        case "join":
            return Membership.JOINED
        case "invite":
            return Membership.INVITED
        case _:
            return Membership.LEFT if user in state.left_by_themselves else Membership.REMOVED
