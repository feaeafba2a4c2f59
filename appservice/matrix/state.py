"""The state of a room, as one snapshot that policies can compare with what they want."""

from collections.abc import Iterable, Mapping
from typing import Any

from appservice.matrix.ids import JsonObject, RoomId, UserId, is_identifier
from policies.frozen import frozen

MEMBERSHIPS = frozenset({"invite", "join", "knock", "leave", "ban"})


@frozen
class RoomState:
    """What a room is now. `contents` has every state event; the fields are what is asked of it most."""

    room: RoomId
    creators: frozenset[UserId]
    """Who made it, with `additional_creators`: above every power level, for ever, from room version 12 (MSC4289)."""
    create: JsonObject
    members: Mapping[UserId, str]
    """Each user's membership. Departed users are in it too, as `leave` or `ban`."""
    left_by_themselves: frozenset[UserId]
    """Those of the departed who left, or turned an invitation down, of their own accord."""
    power_levels: JsonObject
    encryption: JsonObject | None
    join_rule: str | None
    history_visibility: str | None
    guest_access: str | None
    name: str | None
    tombstone: JsonObject | None
    contents: Mapping[tuple[str, str], JsonObject]
    """The content of every state event by type and state key."""

    @property
    def version(self) -> str:
        """The room version, "1" where the create event names none (Matrix spec, rooms)."""
        return _text(self.create, "room_version") or "1"

    def with_membership(self, *memberships: str) -> frozenset[UserId]:
        """The users whose membership is one of those."""
        return frozenset(user for user, membership in self.members.items() if membership in memberships)

    @property
    def joined(self) -> frozenset[UserId]:
        """The users in the room."""
        return self.with_membership("join")

    @property
    def algorithm(self) -> str | None:
        """The encryption algorithm, None in a room that is not encrypted."""
        return _text(self.encryption or {}, "algorithm")


def parse_state(room: RoomId, events: Iterable[object]) -> RoomState:
    """Read a room's state events; one that is malformed counts as not there."""
    contents: dict[tuple[str, str], JsonObject] = {}
    creator: set[UserId] = set()
    own_acts: set[UserId] = set()
    for event in events:
        match event:
            case {"type": str(kind), "state_key": str(key), "content": dict(content), "sender": str(sender)}:
                contents[kind, key] = content
                if kind == "m.room.create":
                    creator.add(UserId(sender))
                if kind == "m.room.member" and key == sender:
                    own_acts.add(UserId(key))
            case _:
                continue
    create = contents.get(("m.room.create", ""), {})
    members = {
        UserId(key): content["membership"]
        for (kind, key), content in contents.items()
        if kind == "m.room.member" and content.get("membership") in MEMBERSHIPS
    }
    return RoomState(
        room=room,
        creators=frozenset(creator | set(_users(create.get("additional_creators")))),
        create=create,
        members=members,
        left_by_themselves=frozenset(user for user in own_acts if members.get(user) == "leave"),
        power_levels=contents.get(("m.room.power_levels", ""), {}),
        encryption=contents.get(("m.room.encryption", "")),
        join_rule=_text(contents.get(("m.room.join_rules", ""), {}), "join_rule"),
        history_visibility=_text(contents.get(("m.room.history_visibility", ""), {}), "history_visibility"),
        guest_access=_text(contents.get(("m.room.guest_access", ""), {}), "guest_access"),
        name=_text(contents.get(("m.room.name", ""), {}), "name"),
        tombstone=contents.get(("m.room.tombstone", "")),
        contents=contents,
    )


def _users(value: object) -> list[UserId]:
    return [UserId(user) for user in value if is_identifier(user)] if isinstance(value, list) else []


def _text(content: Mapping[str, Any], key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) else None
