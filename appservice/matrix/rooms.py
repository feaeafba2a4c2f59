"""Rooms at the homeserver: made, entered, left, written to, and looked at."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from appservice.matrix.client import V3, Connection, masked, misshapen
from appservice.matrix.errors import MatrixError
from appservice.matrix.ids import DeviceId, EventId, JsonObject, RoomId, UserId
from appservice.matrix.nio_parts import Api
from appservice.matrix.path import path_of
from appservice.matrix.state import RoomState, parse_state

ROOM_VERSION: Final = "12"
PAGE: Final = 50
"""Events of a room that are asked for at once: some 25 ms of the homeserver, of which 10 are for any page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoom:
    """How a room is to be made.

    The preset is always `private_chat`: `trusted_private_chat` makes every invitee a creator of a version 12 room,
    who can never be demoted. For the same reason `power_levels` must not name the creator in `users` (400).
    """

    name: str
    power_levels: Mapping[str, Any]
    initial_state: Sequence[Mapping[str, Any]] = ()
    creation_content: Mapping[str, Any] = field(default_factory=dict)
    invite: Sequence[UserId] = ()
    room_version: str = ROOM_VERSION


class Rooms:
    """Every call about rooms. `as_user` is who acts."""

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    async def create(self, room: NewRoom, *, as_user: UserId) -> RoomId:
        """Make a room. Not repeatable: after no answer the room may exist (look it up before making another)."""
        body = {
            "visibility": "private",
            "preset": "private_chat",
            "room_version": room.room_version,
            "name": room.name,
            "power_level_content_override": dict(room.power_levels),
            "initial_state": [dict(event) for event in room.initial_state],
            "creation_content": {"m.federate": False, **room.creation_content},
            "invite": list(room.invite),
        }
        answer = await self._http.call("POST", f"{V3}/createRoom", body, as_user=as_user)
        return RoomId(answer["room_id"])

    async def invite(self, room: RoomId, user: UserId, *, as_user: UserId) -> None:
        """Invite a user. M_FORBIDDEN also where the user is in the room already."""
        await self._http.built(Api.room_invite("", room, user), as_user=as_user)

    async def join(self, room: RoomId, *, as_user: UserId) -> None:
        """Accept an invitation; nothing happens where the user is in already."""
        await self._http.built(Api.join("", room), as_user=as_user)

    async def leave(self, room: RoomId, *, as_user: UserId) -> None:
        """Leave, or decline an invitation."""
        await self._http.built(Api.room_leave("", room), as_user=as_user)

    async def kick(self, room: RoomId, user: UserId, *, as_user: UserId) -> None:
        """Remove a user, or take an invitation back. Without a reason: every member could read it."""
        await self._http.built(Api.room_kick("", room, user), as_user=as_user)

    async def joined_members(self, room: RoomId, *, as_user: UserId) -> frozenset[UserId]:
        """Who is in the room now."""
        answer = await self._http.built(Api.joined_members("", room), as_user=as_user)
        return frozenset(UserId(user) for user in answer["joined"])

    async def joined_at(self, room: RoomId, event: EventId, *, as_user: UserId) -> frozenset[UserId]:
        """Who was in the room when that event appeared (spec, "Event context": `state` is that at the last event)."""
        path = path_of(V3, "rooms", room, "context", event)
        answer = await self._http.call("GET", path, as_user=as_user, query={"limit": "0"})
        return parse_state(room, answer["state"]).joined

    async def joined_rooms(self, *, as_user: UserId) -> frozenset[RoomId]:
        """The rooms a user is in."""
        answer = await self._http.built(Api.joined_rooms(""), as_user=as_user)
        return frozenset(RoomId(room) for room in answer["joined_rooms"])

    async def state(self, room: RoomId, *, as_user: UserId) -> RoomState:
        """The whole state of a room, read as one snapshot."""
        method, path = Api.room_get_state("", room)
        answer = await self._http.exchange(method, path, as_user=as_user)
        if not isinstance(answer, list) or not answer:
            raise misshapen(f"{method} {masked(path)}")
        return parse_state(room, answer)

    async def state_content(
        self, room: RoomId, kind: str, state_key: str = "", *, as_user: UserId
    ) -> JsonObject | None:
        """The content of one state event, None where there is none."""
        try:
            return await self._http.built(Api.room_get_state_event("", room, kind, state_key), as_user=as_user)
        except MatrixError as error:
            if error.errcode == "M_NOT_FOUND":
                return None
            raise

    async def put_state(
        self, room: RoomId, kind: str, content: Mapping[str, Any], state_key: str = "", *, as_user: UserId
    ) -> EventId:
        """Set one state event; the same content again makes no new event (Synapse)."""
        request = Api.room_put_state("", room, kind, dict(content), state_key)
        return EventId((await self._http.built(request, as_user=as_user))["event_id"])

    async def send(
        self,
        room: RoomId,
        kind: str,
        content: Mapping[str, Any],
        txn_id: str,
        *,
        as_user: UserId,
        device: DeviceId | None = None,
    ) -> EventId:
        """Send an event. The same `txn_id` of the same device gives the same event, for 24 hours (Synapse).

        Without a device Synapse remembers the `txn_id` in memory alone: a repeat after its restart is another event.
        """
        request = Api.room_send("", room, kind, dict(content), txn_id)
        return EventId((await self._http.built(request, as_user=as_user, device=device))["event_id"])

    async def redact(self, room: RoomId, event: EventId, txn_id: str, *, as_user: UserId) -> EventId:
        """Take an event's content away, without a reason in clear. Its media stay: delete those apart."""
        request = Api.room_redact("", room, event, txn_id)
        return EventId((await self._http.built(request, as_user=as_user))["event_id"])

    async def between(
        self, room: RoomId, newer: str, older: str, *, as_user: UserId
    ) -> AsyncIterator[Sequence[JsonObject]]:
        """What happened in a room between two sync tokens, newest first, as far as the user may see it; page by page,
        each asked for no sooner than it is wanted."""
        path, token = path_of(V3, "rooms", room, "messages"), newer
        while True:
            query = {"dir": "b", "from": token, "to": older, "limit": str(PAGE)}
            page = await self._http.call("GET", path, as_user=as_user, query=query)
            yield page.get("chunk", [])
            if not page.get("chunk") or page.get("end", token) == token:
                return
            token = page["end"]

    async def since(self, room: RoomId, at_ms: int, *, as_user: UserId) -> tuple[JsonObject, ...]:
        """What happened in a room since that moment (by the homeserver's clock), newest first, as far as the user may
        see it."""
        found: list[JsonObject] = []
        path, token = path_of(V3, "rooms", room, "messages"), ""
        while True:
            query = {"dir": "b", "limit": "200"} | ({"from": token} if token else {})
            page = await self._http.call("GET", path, as_user=as_user, query=query)
            chunk = page.get("chunk", [])
            found += [event for event in chunk if event.get("origin_server_ts", at_ms) >= at_ms]
            older = any(event.get("origin_server_ts", at_ms) < at_ms for event in chunk)
            if older or not chunk or page.get("end", token) == token:
                return tuple(found)
            token = page["end"]

    async def event(self, room: RoomId, event: EventId, *, as_user: UserId) -> JsonObject | None:
        """One event as the homeserver has it, None where the user may not see it or it is not there."""
        try:
            return await self._http.built(Api.room_get_event("", room, event), as_user=as_user)
        except MatrixError as error:
            if error.status == 404:
                return None
            raise
