"""The course of a mediation: paused, gone on with, withdrawn from, settled, closed; and what then rests (R5).

    intake → convened → in session ⇄ paused → settled or closed, from where the mediator can go on

Anybody may pause, and says so in private. The others learn that the mediation is paused, and not by whom. The joint
room rests then; a private room stays a way to the mediator, who alone reads it, and to take the pause back. Somebody
who withdraws has their private room rest, too. Nothing follows from either for what was said.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.case import DESK, Case, Conversation, Kind, PersonId, Phase
from policies.moderation.mode import Spell
from policies.people.membership import conversations
from policies.words.phrase import Phrase, phrase, together, when

ORGANISATION = PersonId("organisation")
"""Who pauses through the API: nobody of the case."""
PAUSABLE = frozenset({Phase.CONVENED, Phase.IN_SESSION, Phase.PAUSED})


def resting(case: Case, conversation: Conversation) -> Phrase | None:
    """Why a room rests: then no party writes there, and in a closed case nobody."""
    if conversation == DESK:
        return None
    if case.phase is Phase.CLOSED:
        return phrase("the mediation is closed")
    if conversation.kind is Kind.CAUCUS:
        here = (p.person for p in case.participations if p.side == conversation.side)
        return phrase("somebody of this side has withdrawn") if any(map(case.has_withdrawn, here)) else None
    if case.phase is Phase.PAUSED:
        return phrase("the mediation is paused")
    return phrase("the mediation is settled") if case.phase is Phase.SETTLED else None


def private_rooms(case: Case) -> tuple[Conversation, ...]:
    """The private rooms that don't rest."""
    private = (room for room in conversations(case) if room.kind is Kind.CAUCUS)
    return tuple(room for room in private if resting(case, room) is None)


def paused(case: Case, by: PersonId, until: datetime | None) -> Case:
    """The case after somebody paused; anew, if they had already."""
    return replace(case, phase=Phase.PAUSED, pauses=(*_of_others(case, by), Spell(case.voice(by), until)))


def withdrawn(case: Case, person: PersonId) -> Case:
    """The case after somebody withdrew: paused, until the mediator goes on."""
    left = tuple(dict.fromkeys((*case.withdrawn, case.voice(person))))
    return replace(paused(case, person, None), withdrawn=left)


def without_pause(case: Case, by: PersonId) -> Case:
    """The case without that person's pause; it goes on if that was the last."""
    return _went_on(replace(case, pauses=_of_others(case, by)))


def lapsed(case: Case, at: datetime) -> Case:
    """The case without the pauses that end by then."""
    return _went_on(replace(case, pauses=tuple(p for p in case.pauses if p.until is None or p.until > at)))


def gone_on(case: Case) -> Case:
    """The case after the mediator went on with it, from wherever it rested."""
    return replace(case, pauses=(), closing=None, phase=Phase.IN_SESSION if case.opened else Phase.CONVENED)


def _went_on(case: Case) -> Case:
    return gone_on(case) if case.phase is Phase.PAUSED and not case.pauses else case


def without_person(case: Case, person: PersonId) -> Case:
    """The case when somebody takes part no more: what they paused goes on with the others."""
    return replace(without_pause(case, person), withdrawn=not_withdrawn(case, person))


def not_withdrawn(case: Case, person: PersonId) -> tuple[PersonId, ...]:
    """Who withdrew, but for that person."""
    return tuple(p for p in case.withdrawn if not case.same_voice(p, person))


def _of_others(case: Case, by: PersonId) -> tuple[Spell, ...]:
    return tuple(pause for pause in case.pauses if not case.same_voice(pause.person, by))


def course_text(case: Case, zone: str | None = None) -> Phrase | None:
    """What everybody is told of where the mediation stands, while it rests; never by whom. `zone`: by which clock, if
    not by the case's."""
    match case.phase:
        case Phase.PAUSED:
            ends = [pause.until for pause in case.pauses]
            reached = phrase("You reach the mediator in your private room.")
            if not ends or not all(ends):
                return together([phrase("The mediation is paused."), reached])
            last = when(max(end for end in ends if end), zone or case.zone)
            return together([phrase("The mediation is paused until {time}.", time=last), reached])
        case Phase.SETTLED:
            return phrase("The mediation is settled. Only the mediator writes to all now.")
        case Phase.CLOSED:
            return phrase("The mediation is closed. What was written can be read; nobody writes any more.")
        case _:
            return None
