"""Who reads which conversation: the one answer that rooms, keys and mails all follow."""

from __future__ import annotations

from policies.case import (
    DESK,
    JOINT,
    Case,
    Conversation,
    Kind,
    Participation,
    Person,
    PersonId,
    Phase,
    Role,
    Sort,
    caucus,
)
from policies.words.language import Language

_SIDED = frozenset({Role.PARTY, Role.COUNSEL, Role.SUPPORTER, Role.INTERPRETER, Role.COLLEAGUE})
"""Roles that sit in a caucus: that of their participation's side."""


def conversations(case: Case) -> tuple[Conversation, ...]:
    """The conversations that the case has now: the desk, each side's caucus, and the joint room once it was opened."""
    # A case of before there were pauses is in session, and doesn't say that it was opened.
    joint = (JOINT,) if case.opened or case.phase is Phase.IN_SESSION else ()
    return (DESK, *joint, *(caucus(side.id) for side in case.sides))


def readers(case: Case, conversation: Conversation) -> frozenset[PersonId]:
    """Everyone who may read a conversation: the joint one only after accepting the agreement to mediate, the mediators'
    room only over a channel that is shown to be theirs. A conversation that the case doesn't have is read by nobody
    (I6)."""
    if conversation not in conversations(case):
        return frozenset()
    return frozenset(
        p.person
        for p in case.participations
        if _reads(p, conversation)
        and (conversation.kind is not Kind.JOINT or may_join(case, p.person))
        and (p.role is not Role.COLLEAGUE or is_proven(case, p.person))
    )


def seated(case: Case, conversation: Conversation) -> frozenset[PersonId]:
    """Everyone who would read a conversation, were it there and had all accepted what they are asked to."""
    return frozenset(p.person for p in case.participations if _reads(p, conversation))


def has_sat(case: Case, person: PersonId, conversation: Conversation) -> bool:
    """Whether somebody is seated there by one of their channels, or was when they left."""
    seats = (*case.participations, *case.former)
    return any(case.same_voice(seat.person, person) and _reads(seat, conversation) for seat in seats)


def bridged_readers(case: Case, conversation: Conversation) -> tuple[Person, ...]:
    """Those of them who read it outside Matrix, each over a channel of their own."""
    there = readers(case, conversation)
    return tuple(person for person in case.people if person.id in there and person.endpoint.is_bridged)


def may_join(case: Case, person: PersonId) -> bool:
    """Whether somebody may be in the joint room: who has accepted the agreement to mediate as it is now (M2)."""
    return case.agreement is None or case.is_staff(person) or case.accepted(person) is not None


def is_proven(case: Case, person: PersonId) -> bool:
    """Whether an act of their own has shown that their channel is theirs."""
    known = case.person(person)
    return known is not None and known.endpoint.enrolled is not None


def caucuses_of(case: Case, person: PersonId) -> tuple[Conversation, ...]:
    """The private conversations of that person's own side; for most people one, for a neutral interpreter several."""
    if case.is_staff(person):
        return ()
    return tuple(
        conversation
        for conversation in conversations(case)
        if conversation.kind is Kind.CAUCUS and person in readers(case, conversation)
    )


def alone_with_mediators(case: Case, person: PersonId, conversation: Conversation) -> tuple[Conversation, ...]:
    """Where somebody may be told something about what was said in `conversation`: never a guess between rooms (I2)."""
    if case.is_staff(person):
        return (DESK,)
    own = caucuses_of(case, person)
    if conversation in own:
        return (conversation,)
    return own if len(own) == 1 else ()


def _reads(participation: Participation, conversation: Conversation) -> bool:
    match participation.role:
        case Role.MEDIATOR | Role.CO_MEDIATOR:
            return True
        case Role.PARTY | Role.COUNSEL | Role.SUPPORTER | Role.INTERPRETER:
            return conversation.kind is Kind.JOINT or (
                conversation.kind is Kind.CAUCUS and conversation.side == participation.side
            )
        case Role.EXPERT | Role.OBSERVER:
            return conversation.kind is Kind.JOINT
        case Role.COLLEAGUE:
            return conversation.kind is Kind.CAUCUS and conversation.side == participation.side


def sits_in_a_caucus(role: Role) -> bool:
    """Whether that role belongs to a side."""
    return role in _SIDED


def zone_in(case: Case, conversation: Conversation) -> str:
    """The time zone for what is said to all who read a conversation: a side's own, if it is one and the same.

    Everywhere else the case's: where a party is, it says in private, and the other side must not learn it by a clock.
    """
    if conversation.kind is not Kind.CAUCUS:
        return case.zone
    zones = {case.zone_of(person) for person in readers(case, conversation) if not case.is_staff(person)}
    return zones.pop() if len(zones) == 1 else case.zone


def language_in(case: Case, conversation: Conversation) -> Language:
    """In which language all who read a conversation are told something: a side's own, if it is one and the same.

    To all it is the case's, whoever they are, for in which language a party is written to is said in private. The desk
    is English, and so is the mediators' room.
    """
    if case.sort is Sort.MEDIATORS:
        return Language.ENGLISH
    match conversation.kind:
        case Kind.DESK:
            return Language.ENGLISH
        case Kind.JOINT:
            return case.language
        case Kind.CAUCUS:
            side = {case.language_of(person) for person in readers(case, conversation) if not case.is_staff(person)}
            return side.pop() if len(side) == 1 else case.language


def language_to(case: Case, person: PersonId, conversation: Conversation) -> Language:
    """In which language one reader of a conversation is told something there: their own on a channel of their own and
    in their private room; where others read along, what they are all told in."""
    known = case.person(person)
    if conversation.kind is Kind.CAUCUS or (known is not None and known.endpoint.is_bridged):
        return case.language_of(person)
    return language_in(case, conversation)
