"""The rooms that a case should have, and who should hold which power in them (R1, R2, R6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NewType

from policies.case import DESK, Case, Conversation, Kind, PersonId, Role, SideId
from policies.membership import conversations, readers

RoomKey = NewType("RoomKey", str)
"""A room's name within its case: a conversation's id, or `space-desk`, `space-<side>`."""

MEDIATOR_LEVEL = 75
"""Below 100: mediators act through the bot, so that every act is on record (facts: moderation)."""
_CLOSED = 100
_POST = 0
_STAFF_ONLY = 50


@dataclass(frozen=True, slots=True)
class Levels:
    """A complete power-levels event, with people instead of user ids. The bot, as creator, stands above all (v12)."""

    users: Mapping[PersonId, int]
    events: Mapping[str, int]
    events_default: int
    state_default: int = _CLOSED
    users_default: int = 0
    invite: int = _CLOSED
    kick: int = _CLOSED
    ban: int = _CLOSED
    redact: int = _CLOSED


@dataclass(frozen=True, slots=True)
class WantedRoom:
    """One room as it should be. `children` is for Spaces: the rooms that it lists."""

    key: RoomKey
    name: str
    conversation: Conversation | None
    readers: frozenset[PersonId]
    levels: Levels
    children: tuple[RoomKey, ...] = ()

    @property
    def is_space(self) -> bool:
        """Whether this is a Space, which holds rooms and no words."""
        return self.conversation is None


def plan(case: Case) -> tuple[WantedRoom, ...]:
    """Every room the case should have now, rooms before the Spaces that list them."""
    rooms = tuple(_room(case, conversation) for conversation in conversations(case))
    everything = tuple(room.key for room in rooms)
    desk_space = _space(case, RoomKey("space-desk"), f"Mediators · {case.id}", DESK, everything)
    sides = tuple(_side_space(case, side.id, everything) for side in case.sides)
    return (*rooms, desk_space, *sides)


def room_key(conversation: Conversation) -> RoomKey:
    """The room that serves a conversation."""
    return RoomKey(conversation.id)


def label(conversation: Conversation, case: Case) -> str:
    """What people call the room; never with facts of the case (R1)."""
    match conversation.kind:
        case Kind.DESK:
            return f"Desk · {case.id}"
        case Kind.JOINT:
            return f"EVERYONE · {case.id}"
        case Kind.CAUCUS:
            return f"PRIVATE with mediator · {case.id}"


def desk_label(conversation: Conversation, case: Case) -> str:
    """What the mediators' desk calls the room: there, and only there, the side is named."""
    side = case.side(conversation.side) if conversation.side else None
    return f"{label(conversation, case)} ({side.name})" if side else label(conversation, case)


def _room(case: Case, conversation: Conversation) -> WantedRoom:
    everyone = readers(case, conversation)
    return WantedRoom(
        key=room_key(conversation),
        name=label(conversation, case),
        conversation=conversation,
        readers=everyone,
        levels=Levels(_users(case, everyone), _events(conversation), events_default=_STAFF_ONLY),
    )


def _users(case: Case, everyone: frozenset[PersonId]) -> Mapping[PersonId, int]:
    levels: dict[PersonId, int] = {}
    for person in sorted(everyone):
        if case.is_staff(person):
            levels[person] = MEDIATOR_LEVEL
        elif any(p.role is Role.OBSERVER for p in case.roles(person)):
            levels[person] = -1
    return MappingProxyType(levels)


def _events(conversation: Conversation) -> Mapping[str, int]:
    """Message types that may be posted. Plain `m.room.message` stays open: Element X loses its composer without it."""
    return MappingProxyType(
        {
            "m.room.encrypted": _POST,
            "m.room.message": _POST,
            "m.reaction": _POST,
            # In the joint room a party can't take its own words off the record; in private it may.
            "m.room.redaction": _STAFF_ONLY if conversation.kind is Kind.JOINT else _POST,
        }
    )


def _space(
    case: Case, key: RoomKey, name: str, conversation: Conversation, children: tuple[RoomKey, ...]
) -> WantedRoom:
    everyone = readers(case, conversation)
    return WantedRoom(
        key=key,
        name=name,
        conversation=None,
        readers=everyone,
        levels=Levels(_users(case, everyone), MappingProxyType({}), events_default=_CLOSED),
        children=children,
    )


def _side_space(case: Case, side: SideId, everything: tuple[RoomKey, ...]) -> WantedRoom:
    own = Conversation(Kind.CAUCUS, side)
    children = tuple(key for key in everything if key in {RoomKey("joint"), room_key(own)})
    everyone = frozenset(p for p in readers(case, own) if not case.is_staff(p))
    return WantedRoom(
        key=RoomKey(f"space-{side}"),
        name=f"Mediation · {case.id}",
        conversation=None,
        readers=everyone,
        levels=Levels(MappingProxyType({}), MappingProxyType({}), events_default=_CLOSED),
        children=children,
    )
