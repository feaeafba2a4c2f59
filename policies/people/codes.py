"""The room in which one person alone is told the codes for their page, in Matrix: the second factor beside a link.

A link stands in a private room that others of the side read, or comes by an account, in which whoever runs the
homeserver can sign in. The code is encrypted for that person's own cross-signed devices, and goes nowhere else.
"""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Network, Person
from policies.effects import Confide, Decision, Effect, Reconcile
from policies.networks.delivery import Cancel, Go, Verdict
from policies.plan import is_told_codes
from policies.showing import GiveCode


def with_room(case: Case, person: Person) -> tuple[Case, tuple[Effect, ...]]:
    """The case with such a room for whoever takes part in Matrix and asked for a link, and what makes it; who has one
    keeps it, and is invited again if they left it or turned the invitation down."""
    if person.endpoint.network is not Network.MATRIX:
        return case, ()
    made = (Reconcile(codes_of=person.id),)
    return case.with_person(replace(person, endpoint=replace(person.endpoint, codes=True))), made


def decide_entered(case: Case, person: Person, link: str) -> Decision:
    """Whoever the homeserver says is that person was given a link (OpenID): its code goes to them alone."""
    now, made = with_room(case, person)
    effects = (*made, GiveCode(person.id, link))
    return Decision(now, effects, "page-link", f"a link to the page was given to the account of {person.name}")


def may_confide(case: Case, told: Confide) -> Verdict:
    """Whether a code may still go to its person's own room; that it is not too late is asked beside."""
    person = case.person(told.to)
    if person is None or not is_told_codes(case, person) or person.endpoint.id != told.endpoint:
        return Cancel("whom it is for takes no part with that account any more")
    return Go()
