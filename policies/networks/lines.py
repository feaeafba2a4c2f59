"""Lines: a number of ours and a name on WhatsApp are one conversation of one case, and no other (I2, ADR 55)."""

from __future__ import annotations

from enum import StrEnum, unique

from policies.case import JOINT, Case, Conversation, Network, PersonId
from policies.frozen import frozen
from policies.people.colleagues import home_of


@unique
class Ours(StrEnum):
    """What a number of ours is for. Where there is one number, it is the private one."""

    PRIVATE = "private"
    JOINT = "joint"


@frozen
class Line:
    """Whoever writes from there, to that number of ours, writes in that conversation."""

    ours: Ours
    name: str
    conversation: Conversation


def conversation_of(case: Case, person: PersonId, ours: Ours) -> Conversation | None:
    """In which conversation somebody writes to that number; None if that isn't certain."""
    if ours is Ours.JOINT:
        return JOINT
    own = home_of(case, person)
    return own[0] if len(own) == 1 else None


def lines(case: Case) -> tuple[Line, ...]:
    """All of a case."""
    return tuple(
        Line(ours, name, conversation)
        for person in case.people
        if person.endpoint.network is Network.WHATSAPP
        for ours in Ours
        if (conversation := conversation_of(case, person.id, ours))
        for name in sorted(person.endpoint.names)
    )
