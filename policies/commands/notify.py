"""A mediator is told by mail or WhatsApp that something waits at a desk, without a word of anybody's (M11).

The address counts once the code that was sent there has been said at the desk, by that mediator.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from policies.case import DESK, Case, Network, Noticed, Person
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem
from policies.effects import CheckAddress
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.telephone import normalised, spellings
from policies.questions.ask import Reaching
from policies.questions.asking import put

CODE_LASTS: Final = timedelta(days=1)
"""So long the code counts that was sent: mail may come late."""
_EXAMPLE = "!notify mia@example.com"


@frozen
class Notify:
    """Where whoever says it is told that something waits at this desk; None: nowhere any more."""

    address: str | None
    network: Network = Network.EMAIL

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Until the code is said that is sent there, nothing is sent but that."""
        person = case.person(facts.by) if facts.by else None
        if person is None or not case.is_staff(person.id):
            return Refused("Only a mediator of this case is told", f"Say it at the desk: {_EXAMPLE}")
        earlier = (a for a in case.asks if not (isinstance(a.act, Reaching) and a.asked == person.id))
        case = replace(case, asks=tuple(earlier))
        if self.address is None:
            answer = f"{person.name} is told nowhere else any more that something waits here."
            return Done(case.with_person(replace(person, noticed=None)), answer)
        problem = _problem(case, self.network, self.address, person, facts)
        if problem:
            return problem
        act = Reaching(person.id, self.address, self.network)
        case, ask, alarm = put(case, act, person.id, DESK, facts, lasts=CODE_LASTS)
        how = "sent to that number by WhatsApp" if self.network is Network.WHATSAPP else "mailed to that address"
        answer = (
            f"A code is {how}. Say “yes” and the code here within a day, and it is used. What is sent there then says"
            f" that something waits at a desk, and nothing else.{_costs(self.network)}"
        )
        return Done(case, answer, (CheckAddress(person.id, self.address, ask.code, self.network), alarm))


def reached(case: Case, act: Reaching, facts: Facts) -> Done:
    """The code came back: the address is that mediator's."""
    person = case.person(act.person)
    if person is None:
        return Done(case, "They take part no more already.")
    by = "WhatsApp" if act.network is Network.WHATSAPP else "mail"
    answer = (
        f"{person.name} is told by {by} from now on that something waits at this desk, at most every quarter of an"
        f" hour.{_costs(act.network)} !notify off ends that; !quiet {person.name} 20:00-08:00 Europe/Berlin keeps the"
        " nights free."
    )
    return Done(case.with_person(replace(person, noticed=Noticed(act.address, facts.at, act.network))), answer)


def _problem(case: Case, network: Network, address: str, person: Person, facts: Facts) -> Refused | None:
    """Why nobody can be told there, and what would work."""
    if network is Network.WHATSAPP:
        if not facts.notices_by_whatsapp:
            return Refused("Notices by WhatsApp are not set up on this server", f"Give a mail address: {_EXAMPLE}")
        names = {address, *spellings(address)}
    else:
        problem = address_problem(AddPerson(person.name, network, address), facts)
        if problem:
            return problem
        names = {address}
    taken = next((one for name in names if (one := case.at_address(network, name))), None)
    if taken and taken.id != person.id:
        return Refused(f"That is {taken.name}'s address in this case", "Give one that you alone read")
    return None


def _costs(network: Network) -> str:
    return " Meta charges your organisation for each, the code too." if network is Network.WHATSAPP else ""


def _read(words: list[str]) -> Notify | str:
    number = normalised("".join(words))
    match words:
        case [word] if word.lower() == "off":
            return Notify(None)
        case [address] if "@" in address and not address.startswith("@"):
            return Notify(address)
        case _ if number:
            return Notify(number, Network.WHATSAPP)
        case _:
            return "It needs a mail address of yours, a telephone number with its country, or off"


FORMS: tuple[Form[Notify], ...] = (
    Form(
        "notify",
        "!notify ADDRESS | NUMBER | off",
        "you are told by mail or WhatsApp, without content, that something waits at this desk",
        _EXAMPLE,
        _read,
    ),
)
