"""When no mediator is at the desk any more, the organisation's successor comes in, on record (R12).

A mediator who leaves the desk, or whose account is deactivated, is away. Once all of a case are, whoever the
organisation named is made a mediator of it after a while, and reads what is written from then on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import DESK, Case, Network, Person, PersonId, Phase, Role
from policies.commands.handover import told_in_private
from policies.commands.people import AddPerson
from policies.effects import Decision, Effect, Tell
from policies.following import what_follows
from policies.outcome import Facts, Refused
from policies.outside import decide_successor
from policies.schedule import Due, Schedule, due_key
from policies.words.phrase import phrase

AFTER: Final = timedelta(hours=1)
"""So long the last one may come back who left by mistake."""


def left_the_desk(decision: Decision, person: Person, at: datetime) -> Decision:
    """What follows besides from a mediator's leaving the desk."""
    case = decision.case
    if not case.is_staff(person.id) or person.id in case.away:
        return decision
    after = replace(case, away=(*case.away, person.id))
    alarm = (_alarm(at),) if nobody_is_there(after) else ()
    return replace(decision, case=after, effects=(*decision.effects, *alarm))


def left_alone(before: Case, after: Case, at: datetime) -> tuple[Effect, ...]:
    """What follows once nobody is at the desk any more: the last one who was there was taken off. A new case has
    nobody there yet."""
    is_new = nobody_is_there(after) and _staff(before) and not nobody_is_there(before)
    return (_alarm(at),) if is_new else ()


def came_to_the_desk(case: Case, person: PersonId) -> Case:
    """The case in which that mediator is there again."""
    if person not in (*case.away, *case.expected):
        return case
    away, expected = (tuple(one for one in some if one != person) for some in (case.away, case.expected))
    return replace(case, away=away, expected=expected)


def nobody_is_there(case: Case) -> bool:
    """Whether all of its mediators left the desk, or have never come to it."""
    staff = _staff(case)
    return bool(staff) and staff <= {*case.away, *case.expected}


def _staff(case: Case) -> set[PersonId]:
    return {p.id for p in case.people if case.is_staff(p.id)}


def _alarm(at: datetime) -> Schedule:
    return Schedule(at + AFTER, due_key(Due.SUCCESSION))


def decide_succession(case: Case, facts: Facts) -> Decision:
    """The time is over in which the last mediator might have come back."""
    if case.phase is Phase.CLOSED:
        return Decision(case, (), "overtaken", "the case is closed")
    if not nobody_is_there(case):
        return Decision(case, (), "overtaken", "a mediator is at the desk")
    # The time may have been over when the service started with another successor: before it came round to this case.
    news = decide_successor(case, facts.successor)
    decision = _succeeded(news.case, facts)
    if news.case == case:
        return decision
    reason = f"{news.reason}. {decision.reason}"
    return replace(decision, effects=(*news.effects, *decision.effects), reason=reason)


def _succeeded(case: Case, facts: Facts) -> Decision:
    named = facts.successor
    if named is None:
        return _nobody_comes(case, "the organisation named no successor")
    name, address = named
    if case.at_address(Network.MATRIX, address):
        return _nobody_comes(case, "the organisation's successor takes part in this case already")
    added = AddPerson(name, Network.MATRIX, address, Role.MEDIATOR).perform(case, facts)
    if isinstance(added, Refused):
        return _nobody_comes(case, f"the organisation's successor can't come in: {added.problem}")
    reason = f"No mediator is at the desk any more. {name}, whom the organisation named for that, is the mediator now."
    told = phrase(
        "{name} is your mediator from now on: no other mediator is at work on this case any more, and the organisation"
        " has named {name} for that. The earlier messages in these rooms {name} does not read; the documents, and what"
        " is held for the mediators, {name} can see.",
        name=name,
    )
    effects = (
        Tell(DESK, f"{reason} {added.answer}"),
        *told_in_private(added.case, told),
        *what_follows(case, added.case),
    )
    return Decision(added.case, effects, "succession", reason)


def _nobody_comes(case: Case, why: str) -> Decision:
    """Nobody looks after the case: those who wait for a mediator must know whom to ask."""
    reason = f"No mediator is at the desk, and {why}."
    text = phrase(
        "At the moment no mediator is at work on this case: what you write to the mediator, nobody reads. Please"
        " telephone the organisation, on the number that you know."
    )
    return Decision(
        case, (Tell(DESK, f"{reason} The parties are told."), *told_in_private(case, text)), "no-successor", reason
    )
