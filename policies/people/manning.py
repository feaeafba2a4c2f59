"""Who looks after what the organisation has by itself: the triage desk and the mediators' room, as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from policies.case import DESK, Case, Endpoint, EndpointId, Network, Participation, Person, PersonId, Role
from policies.effects import Decision, Tell
from policies.following import what_follows
from policies.outside import manned_text


def manned(case: Case, mediators: Mapping[str, str]) -> Case:
    """The case with those mediators (Matrix id to name). Others in it came by a mediator's act, and stay."""
    native = tuple(p for p in case.people if not p.endpoint.is_bridged)
    kept = {p.id for p in native if p.endpoint.address in mediators}
    there = {p.endpoint.address for p in native}
    made, people = case.made, [p for p in case.people if p.id in kept or p not in native]
    for address, name in mediators.items():
        if address not in there:
            made += 1
            endpoint = Endpoint(EndpointId(f"e{made}"), Network.MATRIX, address)
            people.append(Person(PersonId(f"p{made}"), name, endpoint))
    staying = {p.id for p in people}
    guests = tuple(p for p in case.participations if p.person in staying and not case.is_staff(p.person))
    seats = tuple(Participation(p.id, Role.MEDIATOR, None) for p in people if not p.endpoint.is_bridged)
    return replace(case, people=tuple(people), participations=(*seats, *guests), made=made)


def decide_manned(
    case: Case, mediators: Mapping[str, str], *, is_new: bool, steps: str, successor: tuple[str, str] | None = None
) -> Decision:
    """It has those mediators from now on; its rooms are made, or looked at. `steps`: what its desk is told first.
    `successor`: name and Matrix id of whom the organisation named for when all of them have left; who came in so stays
    until one of them is back."""
    known = {p.endpoint.address: p.id for p in case.people}
    if successor and successor[1] in known and all(known.get(one) in case.away for one in mediators):
        mediators = {**mediators, successor[1]: successor[0]}
    after = manned(case, mediators)
    rule = f"{case.sort}-manned"
    if after == case and not is_new:
        return Decision(case, (), rule, "they are there")
    if is_new:
        return Decision(after, (*what_follows(case, after), Tell(DESK, steps)), rule, "as configured")
    come, gone = ([p.name for p in of.people if not other.person(p.id)] for of, other in ((after, case), (case, after)))
    told = (Tell(DESK, manned_text(come, gone)),) if come or gone else ()
    # Who stays learns it; whether before the rooms are changed or after is nobody's promise.
    return Decision(after, (*told, *what_follows(case, after)), rule, "as configured")
