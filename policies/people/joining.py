"""How somebody comes in: invited, reminded, telephoned; and in, as soon as an act of their own shows it (R9).

    invited ── two days ──▶ reminded ── two days ──▶ telephone them ──▶ in
                 │ by mail only: elsewhere there is nothing that a machine could send again
                 └────────────────────────────────▶ telephone them

Each step is a decision of its own, with a rule of its own: the metrics count them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import DESK, Case, Joining, Network, Person, PersonId, Phase, Sort
from policies.effects import Decision, Effect, Introduce, Tell
from policies.frozen import frozen
from policies.networks.delivery import by_link
from policies.people.membership import conversations, readers
from policies.schedule import Due, Schedule, due_key
from policies.words.text import moment

STEP_LASTS: Final = timedelta(days=2)
"""So long they are given before the next step."""
REMINDED, TELEPHONE, CAME = "joining-reminded", "joining-telephone", "joining-in"
"""The rules of the steps."""


def invited(before: Case, after: Case) -> tuple[Person, ...]:
    """Who was just added, and has to come in by themselves."""
    if after.sort is Sort.MEDIATORS:
        return ()  # The code of their invitation has a time of its own.
    return tuple(p for p in after.voices() if before.person(p.id) is None and not after.is_staff(p.id))


def awaited(case: Case, people: tuple[Person, ...], at: datetime) -> tuple[Case, tuple[Effect, ...]]:
    """They are invited at this moment."""
    for person in people:
        case = case.with_person(replace(person, joining=Joining(at)))
    return case, tuple(_next(person, at) for person in people)


def anew(case: Case, person: Person, at: datetime) -> tuple[Case, tuple[Effect, ...]]:
    """Somebody is invited once more, at another mailbox say: the ladder begins again."""
    now = case.person(person.id)
    return awaited(case, (now,) if now else (), at)


def going_on(person: Person) -> tuple[Schedule, ...]:
    """The next step of whom the ladder was handed on to, from another channel of theirs that ended."""
    joining = person.joining
    waits = joining is not None and joining.came is None and joining.telephone is None
    return (_next(person, joining.since),) if joining and waits else ()


def introductions(case: Case, person: Person) -> tuple[Introduce, ...]:
    """The first letters of all rooms of that person."""
    now = case.person(person.id) or person
    return tuple(Introduce(now.id, c, by_link(now)) for c in conversations(case) if now.id in readers(case, c))


def first_words(before: Person, case: Case) -> tuple[Introduce, ...]:
    """The first letters with words in them, if they got links before and get words from now on."""
    after = case.person(before.id)
    return introductions(case, after) if after and by_link(before) and not by_link(after) else ()


def came(case: Case, person: PersonId, at: datetime) -> Decision | None:
    """An act of their own shows that they are in, by whichever channel; None for whom that is known of."""
    known = next((leg for leg in case.legs_of(person) if leg.joining and not leg.joining.came), None)
    if known is None or known.joining is None:
        return None
    now = replace(known, joining=replace(known.joining, came=at))
    return Decision(case.with_person(now), (), CAME, f"{known.name} is in")


def decide_step(case: Case, person: PersonId, at: datetime) -> Decision:
    """The next step, unless they came, or were invited anew meanwhile."""
    known = case.person(person)
    joining = known.joining if known else None
    if known is None or joining is None or joining.came or joining.telephone or at < joining.since + STEP_LASTS:
        return Decision(case, (), "overtaken", "nobody is waited for, or not yet")
    if case.phase in {Phase.SETTLED, Phase.CLOSED} or case.has_withdrawn(person):
        return Decision(case, (), "overtaken", "nobody is to come in any more")
    mailed = known.endpoint.network is Network.EMAIL and known.endpoint.silence is None
    if joining.reminded is None and mailed:
        reminded = case.with_person(replace(known, joining=replace(joining, reminded=at)))
        told = Tell(DESK, f"{known.name} has not come in yet, and is reminded by mail.")
        effects: tuple[Effect, ...] = (told, *introductions(reminded, known), _next(known, at))
        return Decision(reminded, effects, REMINDED, "an invitation was not taken up")
    waiting = case.with_person(replace(known, joining=replace(joining, telephone=at)))
    text = f"Telephone {known.name}, who {joining_text(waiting, known.id)}. The board shows it until they come in."
    return Decision(waiting, (Tell(DESK, text),), TELEPHONE, "an invitation was not taken up")


def joining_text(case: Case, person: PersonId) -> str:
    """How far they have come, behind their name."""
    known = case.person(person)
    joining = known.joining if known else None
    if joining is None:
        return "takes part"
    reminded = f" and reminded on {moment(joining.reminded, case.zone)}" if joining.reminded else ""
    return f"was invited on {moment(joining.invited, case.zone)}{reminded}, and has not come in"


@frozen
class Funnel:
    """How many were invited, and how far they came."""

    invited: int = 0
    reminded: int = 0
    telephone: int = 0
    """Of whom a mediator is waiting for, by telephone now."""
    came: int = 0

    @property
    def in_words(self) -> str:
        """Empty where nobody was invited."""
        steps = f"{self.reminded} reminded, {self.telephone} to be telephoned, {self.came} in"
        return f"{self.invited} invited, {steps}" if self.invited else ""


def funnel(case: Case) -> Funnel:
    """Of the people of one case."""
    steps = [p.joining for p in case.people if p.joining]
    return Funnel(
        invited=len(steps),
        reminded=sum(1 for j in steps if j.reminded),
        telephone=sum(1 for j in steps if j.telephone and not j.came),
        came=sum(1 for j in steps if j.came),
    )


def _next(person: Person, at: datetime) -> Schedule:
    return Schedule(at + STEP_LASTS, due_key(Due.JOINING, person.id))
