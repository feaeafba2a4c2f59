"""A homeserver in memory: rooms that behave as Synapse's do and refuse what it refuses, and who could see which event.

Stands in for `appservice.matrix.homeserver.Homeserver`. Rooms are of version 12: their creator has all power, and must
not stand in the power levels. Everything is open to a test's eye and hand.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appservice.crypto.ids import DeviceId
from appservice.crypto.requests import Http
from appservice.matrix.attachments import unseal
from appservice.matrix.errors import MatrixError, MediaError
from appservice.matrix.ids import MediaUri
from appservice.matrix.rooms import NewRoom
from appservice.matrix.state import RoomState, parse_state
from appservice.parts import parts_of
from rooms.ids import EventId, RoomId, UserId
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.fakes.accounts import FakeAccounts

with parts_of("nio", "nio.crypto"):
    from nio.crypto.attachments import decrypt_attachment

Json = dict[str, Any]
Hazard = Callable[[str], Awaitable[None]]
"""Called before and after each call does what it does, with the call's name; what it raises happens to the caller."""


@dataclass(frozen=True)
class Event:
    """One event of a timeline; `seen_by` are those who were in the room when it was sent (history: joined)."""

    event_id: EventId
    room: RoomId
    sender: UserId
    type: str
    content: Json
    seen_by: frozenset[UserId]
    at: int
    state_key: str | None = None

    @property
    def raw(self) -> Json:
        """The event as a transaction carries it."""
        state = {} if self.state_key is None else {"state_key": self.state_key}
        ids = {"event_id": self.event_id, "room_id": self.room, "sender": self.sender}
        return {**ids, "type": self.type, "content": self.content, "origin_server_ts": 1, **state}


@dataclass
class Room:
    """One room."""

    id: RoomId
    creator: UserId
    state: dict[tuple[str, str], Event] = field(default_factory=dict)
    timeline: list[Event] = field(default_factory=list)

    def content(self, kind: str, key: str = "") -> Json:
        """The content of a state event, empty where there is none."""
        event = self.state.get((kind, key))
        return event.content if event else {}

    def membership(self, user: UserId) -> str | None:
        """How a user stands to the room."""
        return self.content("m.room.member", user).get("membership")

    @property
    def joined(self) -> frozenset[UserId]:
        """Who is in it."""
        members = ((kind, key) for kind, key in self.state if kind == "m.room.member")
        return frozenset(UserId(key) for _, key in members if self.membership(UserId(key)) == "join")

    def level(self, user: UserId) -> float:
        """A user's power."""
        if user == self.creator:
            return float("inf")
        levels = self.content("m.room.power_levels")
        level: float = levels.get("users", {}).get(user, levels.get("users_default", 0))
        return level

    def needed(self, kind: str, *, state: bool) -> float:
        """The power that an event of this type takes."""
        levels = self.content("m.room.power_levels")
        default = levels.get("state_default", 50) if state else levels.get("events_default", 0)
        needed: float = levels.get("events", {}).get(kind, default)
        return needed

    def act(self, name: str) -> float:
        """The power that inviting, kicking, banning or redacting takes."""
        needed: float = self.content("m.room.power_levels").get(name, 0 if name == "invite" else 50)
        return needed


class FakeSynapse:
    """The homeserver. `rooms`, `accounts`, `media` and `call` are what the service uses of the real one."""

    def __init__(self, clock: Callable[[], int] = lambda: 0, *, ours: str = "@_mediatrix_") -> None:
        """Nobody is registered but whom a test registers; `ours` is how the service's users begin; the clock counts
        milliseconds where it matters (`FakeRooms.since`)."""
        self.ours = ours
        self._clock = clock
        self.all_rooms: dict[RoomId, Room] = {}
        self.users: set[UserId] = set()
        self.names: dict[UserId, str] = {}
        self.stream: list[Event] = []
        """What the service is still to be told, in order."""
        self.history: list[Event] = []
        """Every event, in order."""
        self.complaints: list[str] = []
        """What no service may do, though a homeserver lets it."""
        self.keys = FakeHomeserver()
        self.hazard: Hazard = _calm
        self.uploads: list[bytes] = []
        self.media_files: dict[MediaUri, bytes] = {}
        self.uploaders: dict[MediaUri, UserId] = {}
        self._made = 0
        self.transactions: dict[tuple[UserId, DeviceId | None, str], EventId] = {}
        self.rooms, self.accounts, self.media = FakeRooms(self), FakeAccounts(self), FakeMedia(self)

    def new_id(self, sigil: str) -> str:
        """An id that was never used."""
        self._made += 1
        return f"{sigil}{self._made:06d}"

    def register(self, *users: UserId) -> None:
        """People with accounts here."""
        self.users.update(users)

    def room(self, room: RoomId) -> Room:
        """A room; 404 where there is none."""
        found = self.all_rooms.get(room)
        if found is None:
            raise refused("M_NOT_FOUND", 404)
        return found

    def append(self, room: Room, sender: UserId, kind: str, content: Json, state_key: str | None = None) -> EventId:
        """Put an event into a room, unchecked: also what a homeserver's administrator could do."""
        event = Event(EventId(self.new_id("$")), room.id, sender, kind, content, room.joined, self._clock(), state_key)
        if state_key is not None:
            room.state[kind, state_key] = event
        room.timeline.append(event)
        self.history.append(event)
        about_us = kind == "m.room.member" and str(state_key).startswith(self.ours)
        if about_us or any(user.startswith(self.ours) for user in room.joined):
            self.stream.append(event)
        return event.event_id

    def member(self, room: Room, sender: UserId, user: UserId, membership: str) -> None:
        """A change of somebody's membership, unchecked."""
        self.append(room, sender, "m.room.member", {"membership": membership}, user)

    def transaction(self, most: int = 100) -> Json:
        """What the service is to be told next. Should it fail, only the events of it are ever sent again."""
        events = [event.raw for event in self.stream[:most]]
        del self.stream[:most]
        return {"events": events, "to_device": self.accounts.messages_for_a_transaction()}

    def forget(self) -> None:
        """The homeserver dies, and is started: what it had taken up for us in no transaction yet never comes."""
        self.stream.clear()
        self.accounts.messages_for_a_transaction()

    def events(self) -> Iterator[Event]:
        """Every event of every room."""
        for room in self.all_rooms.values():
            yield from room.timeline

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        as_user: UserId | None,
        device: DeviceId | None = None,
    ) -> Json:
        """Key and to-device endpoints."""
        await self.hazard(path)
        answer = self.keys.handle(Http(method, path, body or {}, as_user, device))
        content: Json = dict(answer.content)
        if path.endswith("/register") and answer.ok:
            self.register(UserId(content["user_id"]))
        await self.hazard(path)
        if not answer.ok:
            raise MatrixError(path, content["errcode"], answer.status, transient=False)
        return content

    async def close(self) -> None:
        """Nothing to close."""


class FakeRooms:
    """`appservice.matrix.rooms.Rooms`."""

    def __init__(self, synapse: FakeSynapse) -> None:
        self._synapse = synapse

    async def create(self, new: NewRoom, *, as_user: UserId) -> RoomId:
        await self._synapse.hazard("create")
        self._known(as_user)
        if as_user in new.power_levels.get("users", {}):
            raise refused("M_BAD_JSON", 400)
        room = Room(RoomId(self._synapse.new_id("!")), as_user)
        self._synapse.all_rooms[room.id] = room
        creation = {"room_version": new.room_version, "m.federate": False, **new.creation_content}
        put = self._synapse.append
        put(room, as_user, "m.room.create", creation, "")
        self._synapse.member(room, as_user, as_user, "join")
        put(room, as_user, "m.room.power_levels", dict(new.power_levels), "")
        put(room, as_user, "m.room.join_rules", {"join_rule": "invite"}, "")
        put(room, as_user, "m.room.history_visibility", {"history_visibility": "shared"}, "")
        put(room, as_user, "m.room.guest_access", {"guest_access": "can_join"}, "")
        for event in new.initial_state:
            put(room, as_user, event["type"], dict(event["content"]), event["state_key"])
        put(room, as_user, "m.room.name", {"name": new.name}, "")
        for user in new.invite:
            self._synapse.member(room, as_user, user, "invite")
        await self._synapse.hazard("create")
        return room.id

    async def invite(self, room: RoomId, user: UserId, *, as_user: UserId) -> None:
        await self._synapse.hazard("invite")
        where = self._inside(room, as_user)
        if where.level(as_user) < where.act("invite") or where.membership(user) in {"join", "ban"}:
            raise refused("M_FORBIDDEN", 403)
        if where.membership(user) != "invite":
            self._synapse.member(where, as_user, user, "invite")
        await self._synapse.hazard("invite")

    async def join(self, room: RoomId, *, as_user: UserId) -> None:
        await self._synapse.hazard("join")
        self._known(as_user)
        where = self._synapse.room(room)
        membership = where.membership(as_user)
        if membership not in {"invite", "join"} and where.content("m.room.join_rules").get("join_rule") != "public":
            raise refused("M_FORBIDDEN", 403)
        if membership != "join":
            self._synapse.member(where, as_user, as_user, "join")
        await self._synapse.hazard("join")

    async def leave(self, room: RoomId, *, as_user: UserId) -> None:
        await self._synapse.hazard("leave")
        where = self._synapse.room(room)
        if where.membership(as_user) not in {"invite", "join", "leave"}:
            raise refused("M_FORBIDDEN", 403)
        if where.membership(as_user) != "leave":
            self._synapse.member(where, as_user, as_user, "leave")
        await self._synapse.hazard("leave")

    async def kick(self, room: RoomId, user: UserId, *, as_user: UserId) -> None:
        await self._synapse.hazard("kick")
        where = self._inside(room, as_user)
        weak = where.level(as_user) < where.act("kick") or where.level(as_user) <= where.level(user)
        if weak or where.membership(user) not in {"join", "invite"}:
            raise refused("M_FORBIDDEN", 403)
        self._synapse.member(where, as_user, user, "leave")
        await self._synapse.hazard("kick")

    async def joined_at(self, room: RoomId, event: EventId, *, as_user: UserId) -> frozenset[UserId]:
        await self._synapse.hazard("joined_at")
        return next(e.seen_by for e in self._inside(room, as_user).timeline if e.event_id == event)

    async def joined_rooms(self, *, as_user: UserId) -> frozenset[RoomId]:
        await self._synapse.hazard("joined_rooms")
        return frozenset(room.id for room in self._synapse.all_rooms.values() if as_user in room.joined)

    async def since(self, room: RoomId, at_ms: int, *, as_user: UserId) -> tuple[Json, ...]:
        await self._synapse.hazard("messages")
        where = self._inside(room, as_user)
        return tuple(event.raw for event in reversed(where.timeline) if event.at >= at_ms)

    async def state(self, room: RoomId, *, as_user: UserId) -> RoomState:
        await self._synapse.hazard("state")
        where = self._inside(room, as_user)
        return parse_state(room, [event.raw for event in where.state.values()])

    async def state_content(self, room: RoomId, kind: str, state_key: str = "", *, as_user: UserId) -> Json | None:
        await self._synapse.hazard("state_content")
        event = self._inside(room, as_user).state.get((kind, state_key))
        return event.content if event else None

    async def put_state(
        self, room: RoomId, kind: str, content: Mapping[str, Any], state_key: str = "", *, as_user: UserId
    ) -> EventId:
        await self._synapse.hazard("put_state")
        where = self._inside(room, as_user)
        if where.level(as_user) < where.needed(kind, state=True):
            raise refused("M_FORBIDDEN", 403)
        if kind == "m.room.power_levels" and where.creator in content.get("users", {}):
            raise refused("M_BAD_JSON", 400)
        known = where.state.get((kind, state_key))
        same = known is not None and (known.sender, known.content) == (as_user, dict(content))
        event = (
            known.event_id if known and same else self._synapse.append(where, as_user, kind, dict(content), state_key)
        )
        await self._synapse.hazard("put_state")
        return event

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
        await self._synapse.hazard("send")
        known = self._synapse.transactions.get((as_user, device, txn_id))
        if known is None:
            where = self._inside(room, as_user)
            if where.level(as_user) < where.needed(kind, state=False):
                raise refused("M_FORBIDDEN", 403)
            known = self._synapse.append(where, as_user, kind, dict(content))
            self._synapse.transactions[as_user, device, txn_id] = known
        elif _content_of(self._synapse, room, known) != dict(content):
            self._synapse.complaints.append(f"{as_user} sent something else under a transaction id that was used")
        await self._synapse.hazard("send")
        return known

    async def redact(self, room: RoomId, event: EventId, txn_id: str, *, as_user: UserId) -> EventId:
        """The redaction is an event of its own; what it takes away is still seen by this fake."""
        await self._synapse.hazard("redact")
        where = self._inside(room, as_user)
        known = self._synapse.transactions.get((as_user, None, txn_id))
        if known is None:
            if where.level(as_user) < where.act("redact"):
                raise refused("M_FORBIDDEN", 403)
            known = self._synapse.append(where, as_user, "m.room.redaction", {"redacts": event})
            self._synapse.transactions[as_user, None, txn_id] = known
        await self._synapse.hazard("redact")
        return known

    def _inside(self, room: RoomId, user: UserId) -> Room:
        where = self._synapse.room(room)
        if user not in where.joined:
            raise refused("M_FORBIDDEN", 403)
        return where

    def _known(self, user: UserId) -> None:
        if user not in self._synapse.users:
            raise refused("M_FORBIDDEN", 403)


class FakeMedia:
    """`appservice.matrix.media.Media`, as far as the service uses it."""

    def __init__(self, synapse: FakeSynapse) -> None:
        self._synapse = synapse

    async def reserve(self, *, as_user: UserId) -> MediaUri:
        await self._synapse.hazard("reserve")
        uri = MediaUri(f"mxc://example.org/r{len(self._synapse.uploaders)}")
        self._synapse.uploaders[uri] = as_user
        return uri

    async def fill(self, uri: MediaUri, sealed: Path, *, as_user: UserId) -> None:
        await self._synapse.hazard("fill")
        self._synapse.media_files[uri] = sealed.read_bytes()  # noqa: ASYNC240 (a few bytes)
        await self._synapse.hazard("fill")

    async def open_encrypted(self, file: Mapping[str, Any], into: Path, *, as_user: UserId, most: int) -> None:
        await self._synapse.hazard("download")
        if file["url"] not in self._synapse.media_files:
            raise refused("M_NOT_FOUND", 404)
        sealed = into.with_name("sealed")
        sealed.write_bytes(self._synapse.media_files[file["url"]])
        unseal(sealed, into, file)

    async def delete(self, uri: MediaUri, *, of: UserId) -> None:
        await self._synapse.hazard("delete")
        if uri in self._synapse.media_files and self._synapse.uploaders.get(uri) != of:
            raise MediaError("somebody else uploaded it")
        self._synapse.media_files.pop(uri, None)
        await self._synapse.hazard("delete")

    async def upload_encrypted(self, plaintext: bytes, *, as_user: UserId) -> Json:
        await self._synapse.hazard("upload")
        self._synapse.uploads.append(plaintext)
        return {"url": f"mxc://example.org/{len(self._synapse.uploads)}", "key": {}, "iv": "", "hashes": {}, "v": "v2"}


def decrypted(sealed: bytes, file: Mapping[str, Any]) -> bytes:
    """A file as a client reads it: by nio's own code, not by ours."""
    plain: bytes = decrypt_attachment(sealed, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
    return plain


def refused(errcode: str, status: int) -> MatrixError:
    """The homeserver's no."""
    return MatrixError("fake", errcode, status, transient=False)


def _content_of(synapse: FakeSynapse, room: RoomId, event: EventId) -> Json:
    return next(one.content for one in synapse.room(room).timeline if one.event_id == event)


async def _calm(call: str) -> None:
    """Nothing goes wrong."""
