"""From the plan of a case to what must change in Matrix: a pure diff, executed in `rooms.provision` (R6).

The diff is data, so that it can be shown before it is done (`!repair`), tested without a homeserver, and executed twice
without harm.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from policies.case import PersonId
from policies.frozen import frozen
from policies.plan import Levels, RoomKey, WantedRoom
from rooms.ids import RoomId, UserId

ROOM_VERSION = "12"


class Membership(StrEnum):
    """How someone stands to a room."""

    INVITED = "invite"
    JOINED = "join"
    LEFT = "left by itself"
    """Left, or turned an invitation down: never invited again except by a mediator's word."""
    REMOVED = "removed"
    """Was kicked or had the invitation withdrawn."""


@frozen
class Desired:
    """One room in Matrix's terms, as it should be. `ours` are the ghosts among the members."""

    key: RoomKey
    name: str
    is_space: bool
    members: frozenset[UserId]
    ours: frozenset[UserId]
    power_levels: Mapping[str, object]
    children: frozenset[RoomId]
    server: str
    """Through which homeserver a Space's rooms are reached: ours."""


@frozen
class Actual:
    """One room as the homeserver has it. Members don't include the bot."""

    version: str
    creator: UserId
    name: str | None
    encrypted: bool
    join_rule: str | None
    history_visibility: str | None
    guests: str | None
    members: Mapping[UserId, Membership]
    power_levels: Mapping[str, object]
    children: frozenset[RoomId]
    replaced: bool = False
    """Whether someone upgraded the room (a tombstone)."""

    @property
    def joined(self) -> frozenset[UserId]:
        """Who can read what is sent now, besides the bot."""
        return frozenset(user for user, m in self.members.items() if m is Membership.JOINED)


@frozen
class Invite:
    """Somebody should be in the room and isn't."""

    user: UserId


@frozen
class Join:
    """A ghost of ours is to come in."""

    ghost: UserId


@frozen
class Remove:
    """Somebody is in the room, or invited, who should not be."""

    user: UserId
    was: Membership


@frozen
class SetState:
    """A piece of the room's state isn't as it should be. `what` names it for people."""

    event_type: str
    state_key: str
    content: Mapping[str, object]
    what: str


Change = Invite | Join | Remove | SetState


def in_words(change: Change) -> str:
    """The change as a mediator reads it before saying yes."""
    match change:
        case Invite(user):
            return f"invite {user}"
        case Join(ghost):
            return f"bring {ghost} in"
        case Remove(user, was):
            return (
                f"remove {user}, who is not of this room"
                if was is Membership.JOINED
                else f"withdraw the invitation of {user}"
            )
        case SetState(what=what):
            return f"set {what} right"
        case _:
            assert_never(change)


def power_levels(levels: Levels, users: Mapping[PersonId, UserId]) -> dict[str, object]:
    """The content of `m.room.power_levels`. The bot must not stand in it: it created the room (room version 12)."""
    return {
        "users": {users[person]: level for person, level in sorted(levels.users.items()) if person in users},
        "users_default": levels.users_default,
        "events": dict(sorted(levels.events.items())),
        "events_default": levels.events_default,
        "state_default": levels.state_default,
        "invite": levels.invite,
        "kick": levels.kick,
        "ban": levels.ban,
        "redact": levels.redact,
        # Synapse adds it to every room it makes (MSC2716); left out, each new room would look tampered with.
        "historical": levels.state_default,
        "notifications": {"room": levels.state_default},
    }


def desire(
    wanted: WantedRoom,
    users: Mapping[PersonId, UserId],
    ours: frozenset[UserId],
    made: Mapping[RoomKey, RoomId],
    bot: UserId,
) -> Desired:
    """The plan's room in Matrix's terms. `users`: of every person of the case; `made`: the rooms there are."""
    members = frozenset(users[person] for person in wanted.readers)
    return Desired(
        key=wanted.key,
        name=wanted.name,
        is_space=wanted.is_space,
        members=members,
        ours=members & ours,
        power_levels=power_levels(wanted.levels, users),
        children=frozenset(made[child] for child in wanted.children if child in made),
        server=bot.partition(":")[2],
    )


def settings(desired: Desired) -> dict[tuple[str, str], tuple[Mapping[str, object], str]]:
    """The room's fixed state, by event type and state key, with what people call it."""
    return {
        ("m.room.name", ""): ({"name": desired.name}, "the name"),
        ("m.room.join_rules", ""): ({"join_rule": "invite"}, "who may join"),
        ("m.room.history_visibility", ""): ({"history_visibility": "joined"}, "what newcomers can read"),
        ("m.room.guest_access", ""): ({"guest_access": "forbidden"}, "guests"),
    }


def diff(desired: Desired, actual: Actual, *, again: bool = False, only_narrow: bool = False) -> tuple[Change, ...]:
    """What must change so that the room is as desired. Whoever must go, goes first; then levels, then newcomers.

    `only_narrow`: nobody is let in.
    """
    removed = [
        Remove(user, m)
        for user, m in sorted(actual.members.items())
        if user not in desired.members and m in {Membership.JOINED, Membership.INVITED}
    ]
    newcomers = [] if only_narrow else _newcomers(desired, actual, again=again)
    return (*removed, *_state_changes(desired, actual), *newcomers)


def breach(desired: Desired, actual: Actual, bot: UserId) -> str | None:
    """Why nothing may be sent to this room now, in words for the desk; None if it is fit (I9).

    Missing members are no breach: nobody reads too much. What can't be repaired in place is told apart by `diff` having
    no change for it.
    """
    extra = sorted(actual.joined - desired.members)
    if extra:
        return f"{', '.join(extra)} joined a room that is not theirs"
    if lost := beyond_repair(desired, actual, bot):
        return lost
    if actual.join_rule != "invite" or actual.history_visibility != "joined":
        return "who may join or read back was changed"
    if not _same_levels(desired, actual):
        return "the power levels were changed"
    return None


def levels_digest(levels: Mapping[str, object]) -> str:
    """What tells a power-levels event from every other."""
    return hashlib.sha256(json.dumps(levels, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def beyond_repair(desired: Desired, actual: Actual | None, bot: UserId) -> str | None:
    """Why this room can never serve its conversation again, so that another must take its place; None if it can."""
    if actual is None:
        return "I am not in it any more, or it is gone"
    if actual.replaced:
        return "somebody upgraded it"
    if actual.creator != bot or actual.version != ROOM_VERSION:
        return "it is not the one that I made"
    if not desired.is_space and not actual.encrypted:
        return "its encryption was tampered with"
    return None


def tampering(desired: Desired, actual: Actual, written: frozenset[str]) -> str | None:
    """What somebody must have changed behind our back, in words for the desk.

    `written`: the digests of the power levels that we wrote last, or were about to write. Where none are known, only
    power that the plan doesn't give to a member is an alarm.
    """
    if actual.join_rule != "invite" or actual.history_visibility != "joined":
        return "who may join or read back was changed"
    if written:
        return None if levels_digest(actual.power_levels) in written else "the power levels were changed"
    levels, given = desired.power_levels.get("users", {}), actual.power_levels.get("users", {})
    if not isinstance(levels, Mapping) or not isinstance(given, Mapping):
        return "the power levels were changed"
    raised = [user for user in sorted(actual.joined & desired.members) if given.get(user, 0) > levels.get(user, 0)]
    return f"power was given to {', '.join(raised)}" if raised else None


def _state_changes(desired: Desired, actual: Actual) -> list[SetState]:
    changes: list[SetState] = []
    if not _same_levels(desired, actual):
        changes.append(SetState("m.room.power_levels", "", desired.power_levels, "the power levels"))
    seen = {
        "m.room.name": actual.name,
        "m.room.join_rules": actual.join_rule,
        "m.room.history_visibility": actual.history_visibility,
        "m.room.guest_access": actual.guests,
    }
    changes += [
        SetState(event_type, key, content, what)
        for (event_type, key), (content, what) in settings(desired).items()
        if seen[event_type] not in content.values()
    ]
    via = {"via": [desired.server]}
    changes += [
        SetState("m.space.child", c, via, "the rooms of the Space") for c in sorted(desired.children - actual.children)
    ]
    changes += [
        SetState("m.space.child", c, {}, "the rooms of the Space") for c in sorted(actual.children - desired.children)
    ]
    return changes


def _newcomers(desired: Desired, actual: Actual, *, again: bool) -> list[Invite | Join]:
    changes: list[Invite | Join] = []
    for user in sorted(desired.members):
        membership = actual.members.get(user)
        if membership is Membership.JOINED or (
            membership is Membership.LEFT and user not in desired.ours and not again
        ):
            continue
        if membership is not Membership.INVITED:
            changes.append(Invite(user))
        if user in desired.ours:
            changes.append(Join(user))
    return changes


def _same_levels(desired: Desired, actual: Actual) -> bool:
    return dict(desired.power_levels) == dict(actual.power_levels)
