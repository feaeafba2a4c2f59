"""The rooms that a case should have, and who should hold which power in them (R1, R2, R6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NewType

from policies.case import DESK, Case, Conversation, Kind, Network, Person, PersonId, Phase, SideId, Sort
from policies.frozen import frozen
from policies.moderation.course import resting
from policies.moderation.floor import everybody_may, has_the_word, rests, silenced
from policies.moderation.mode import Mode
from policies.people.membership import conversations, readers

RoomKey = NewType("RoomKey", str)
"""A room's name within its case: a conversation's id, or `space-desk`, `space-<side>`, `codes-<person>`."""

MEDIATORS_ROOM = "The mediators' room"
MEDIATOR_LEVEL = 75
"""Below 100: mediators act through the bot, so that every act is on record (facts: moderation)."""
_NOBODY = 100
_EVERYBODY = 0
_WITH_THE_WORD = 50
_SILENT = -1


@frozen
class Levels:
    """A complete power-levels event, with people instead of user ids. The bot, as creator, stands above all (v12)."""

    users: Mapping[PersonId, int]
    events: Mapping[str, int]
    events_default: int
    state_default: int = _NOBODY
    users_default: int = 0
    invite: int = _NOBODY
    kick: int = _NOBODY
    ban: int = _NOBODY
    redact: int = _NOBODY


@frozen
class WantedRoom:
    """One room as it should be. `children` is for Spaces: the rooms that it lists."""

    key: RoomKey
    name: str
    conversation: Conversation | None
    readers: frozenset[PersonId]
    levels: Levels
    children: tuple[RoomKey, ...] = ()
    is_space: bool = False
    """A Space holds rooms and no words."""


def plan(case: Case) -> tuple[WantedRoom, ...]:
    """Every room the case should have now, rooms before the Spaces that list them."""
    rooms = tuple(_room(case, conversation) for conversation in conversations(case))
    everything = tuple(room.key for room in rooms)
    desk_space = _space(
        case,
        RoomKey("space-desk"),
        "Mediators" if case.sort is Sort.MEDIATORS else f"Mediators · {case.id}",
        DESK,
        everything,
    )
    # Who is in the mediators' room and not in the Space of its desk, is not in Matrix.
    sided = case.sides if case.sort is Sort.CASE else ()
    sides = tuple(_side_space(case, side.id, everything) for side in sided)
    codes = tuple(_code_room(case, person) for person in case.people if is_told_codes(case, person))
    return (*rooms, *codes, desk_space, *sides)


def room_key(conversation: Conversation) -> RoomKey:
    """The room that serves a conversation."""
    return RoomKey(conversation.id)


def code_key(person: PersonId) -> RoomKey:
    """The room in which that person alone is told codes; no conversation, for nobody says anything there."""
    return RoomKey(f"codes-{person}")


def code_label(case: Case) -> str:
    """What that room is called."""
    return f"Your codes · {case.id}"


def is_told_codes(case: Case, person: Person) -> bool:
    """Whether somebody has a room for codes: in Matrix, and no mediator, who has no page."""
    return person.endpoint.codes and person.endpoint.network is Network.MATRIX and not case.is_staff(person.id)


def label(conversation: Conversation, case: Case) -> str:
    """What people call the room; never with facts of the case (R1)."""
    if case.sort is Sort.MEDIATORS and conversation.kind is Kind.CAUCUS:
        return MEDIATORS_ROOM
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
    return (
        f"{label(conversation, case)} ({side.name})" if side and case.sort is Sort.CASE else label(conversation, case)
    )


def _room(case: Case, conversation: Conversation) -> WantedRoom:
    everyone = readers(case, conversation)
    return WantedRoom(
        key=room_key(conversation),
        name=label(conversation, case),
        conversation=conversation,
        readers=everyone,
        levels=_levels(case, everyone, conversation),
    )


def _users(case: Case, everyone: frozenset[PersonId], conversation: Conversation) -> Mapping[PersonId, int]:
    levels = {person: _user(case, person, conversation) for person in sorted(everyone)}
    return MappingProxyType({person: level for person, level in levels.items() if level != _EVERYBODY})


def _user(case: Case, person: PersonId, conversation: Conversation) -> int:
    if case.is_staff(person):
        return MEDIATOR_LEVEL
    if conversation.kind is not Kind.JOINT:
        return _EVERYBODY
    if silenced(case, person):
        return _SILENT
    if has_the_word(case, person):
        return _WITH_THE_WORD
    # A ghost speaks when its person was let speak: it must still post what made its person wait.
    native = (found := case.person(person)) is not None and found.endpoint.network is Network.MATRIX
    return _SILENT if native and rests(case, person) else _EVERYBODY


def _levels(case: Case, everyone: frozenset[PersonId], conversation: Conversation) -> Levels:
    """Types of messages that may be posted: what isn't listed is for mediators.

    Plain `m.room.message` stands where `m.room.encrypted` does: Element X loses its composer otherwise. So do
    reactions, whose cleartext key has room for words.
    """
    joint = conversation.kind is Kind.JOINT
    speak = _speaking(case, conversation)
    more = max(speak, MEDIATOR_LEVEL)
    events = {
        "m.room.encrypted": speak,
        "m.room.message": speak,
        "m.reaction": speak,
        # In the joint room nobody but a mediator can take own words off the record; in private everybody may.
        "m.room.redaction": more if joint else speak,
    }
    return Levels(_users(case, everyone, conversation), MappingProxyType(events), events_default=more)


def _speaking(case: Case, conversation: Conversation) -> int:
    """What it takes to speak in a room."""
    joint, rests_now = conversation.kind is Kind.JOINT, resting(case, conversation)
    if (rests_now and case.phase is Phase.CLOSED) or (joint and case.floor.mode is Mode.CLOSED):
        return _NOBODY
    return _WITH_THE_WORD if rests_now or (joint and not everybody_may(case)) else _EVERYBODY


def _code_room(case: Case, person: Person) -> WantedRoom:
    """In no Space, for others of a side look into theirs. Nobody but the bot writes there: nobody would listen."""
    levels = Levels(MappingProxyType({}), MappingProxyType({}), events_default=_NOBODY)
    return WantedRoom(code_key(person.id), code_label(case), None, frozenset({person.id}), levels)


def _space(
    case: Case, key: RoomKey, name: str, conversation: Conversation, children: tuple[RoomKey, ...]
) -> WantedRoom:
    everyone = readers(case, conversation)
    return WantedRoom(
        key=key,
        name=name,
        conversation=None,
        readers=everyone,
        levels=Levels(_users(case, everyone, conversation), MappingProxyType({}), events_default=_NOBODY),
        children=children,
        is_space=True,
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
        levels=Levels(MappingProxyType({}), MappingProxyType({}), events_default=_NOBODY),
        children=children,
        is_space=True,
    )
