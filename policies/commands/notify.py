"""A mediator is told by mail that something waits at a desk, without a word of anybody's (M11).

The address counts once the code that was mailed there has been said at the desk, by that mediator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from policies.ask import Reaching
from policies.asking import put
from policies.case import DESK, Case, Network, Noticed
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem
from policies.effects import CheckAddress
from policies.outcome import Done, Facts, Outcome, Refused

CODE_LASTS: Final = timedelta(days=1)
"""So long the code counts that was mailed: mail may come late."""
_EXAMPLE = "!notify mia@example.com"


@dataclass(frozen=True, slots=True)
class Notify:
    """Where whoever says it is told that something waits at this desk; None: nowhere any more."""

    address: str | None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Until the code is said that is mailed there, nothing is sent but that."""
        person = case.person(facts.by) if facts.by else None
        if person is None or not case.is_staff(person.id):
            return Refused("Only a mediator of this case is told", f"Say it at the desk: {_EXAMPLE}")
        earlier = (a for a in case.asks if not (isinstance(a.act, Reaching) and a.asked == person.id))
        case = replace(case, asks=tuple(earlier))
        if self.address is None:
            answer = f"{person.name} is told by mail no more that something waits here."
            return Done(case.with_person(replace(person, noticed=None)), answer)
        problem = address_problem(AddPerson(person.name, Network.EMAIL, self.address), facts)
        if problem:
            return problem
        taken = case.at_address(Network.EMAIL, self.address)
        if taken:
            return Refused(f"That is {taken.name}'s address in this case", "Give one that you alone read")
        case, ask, alarm = put(case, Reaching(person.id, self.address), person.id, DESK, facts, lasts=CODE_LASTS)
        answer = (
            "A code is mailed to that address. Say “yes” and the code here within a day, and it is used. What is mailed"
            " then says that something waits at this desk, and nothing else."
        )
        return Done(case, answer, (CheckAddress(person.id, self.address, ask.code), alarm))


def reached(case: Case, act: Reaching, facts: Facts) -> Done:
    """The code came back: the address is that mediator's."""
    person = case.person(act.person)
    if person is None:
        return Done(case, "They take part no more already.")
    answer = (
        f"{person.name} is told by mail from now on that something waits at this desk, at most every quarter of an"
        f" hour. !notify off ends that; !quiet {person.name} 20:00-08:00 Europe/Berlin keeps the nights free."
    )
    return Done(case.with_person(replace(person, noticed=Noticed(act.address, facts.at))), answer)


def _read(words: list[str]) -> Notify | str:
    match words:
        case [word] if word.lower() == "off":
            return Notify(None)
        case [address] if "@" in address and not address.startswith("@"):
            return Notify(address)
        case _:
            return "It needs a mail address of yours, or off"


FORMS: tuple[Form[Notify], ...] = (
    Form(
        "notify",
        "!notify ADDRESS | off",
        "you are told by mail, without content, that something waits at this desk",
        _EXAMPLE,
        _read,
    ),
)
