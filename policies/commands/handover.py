"""A mediator hands a case over to another, who takes it with a yes of their own (M11, R12)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, Case, Kind, Network, Participation, Person, Role, Sort
from policies.commands.form import Form
from policies.commands.people import AddPerson, removed
from policies.effects import Announce, Effect, Inform, Tell
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of, conversations
from policies.questions.ask import Ask, TakingOver
from policies.questions.asking import put
from policies.releases.release import CONSENT_LASTS
from policies.words.phrase import Phrase, phrase
from policies.words.text import moment

_EXAMPLE = "!handover Max @max:example.org"


@frozen
class HandOver:
    """The successor, who is a mediator of the case already or comes in with that address, is asked to take it over."""

    name: str
    address: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Until the successor says yes at the desk, whoever hands over stays."""
        if facts.by is None:
            return Refused("Nobody is there who could hand it over", "!mediator add, and !party remove, do it")
        effects: tuple[Effect, ...] = ()
        known = case.at_address(Network.MATRIX, self.address) if self.address else None
        if self.address and not known:
            added = AddPerson(self.name, Network.MATRIX, self.address, Role.CO_MEDIATOR).perform(case, facts)
            if isinstance(added, Refused):
                return added
            case, effects = added.case, added.effects
        successor = known or case.named(self.name)
        if successor is None:
            return no_such_person(case, self.name)
        if successor.id == facts.by or not case.is_staff(successor.id):
            return Refused(f"{successor.name} can't take the case over from you", f"Name another mediator: {_EXAMPLE}")
        earlier = (a for a in case.asks if isinstance(a.act, TakingOver) and a.act.former == facts.by)
        case = replace(case, asks=tuple(a for a in case.asks if a not in set(earlier)))
        act = TakingOver(facts.by, successor.id)
        case, ask, alarm = put(case, act, successor.id, DESK, facts, lasts=CONSENT_LASTS)
        return Done(case, question(case, ask), (*effects, alarm))


def question(case: Case, ask: Ask) -> str:
    """What the successor is asked at the desk."""
    assert isinstance(ask.act, TakingOver)
    former = case.name_of(ask.act.former)
    return (
        f"{case.name_of(ask.asked)}, do you take this case over from {former}? Say “yes {ask.code}” here by"
        f" {moment(ask.expires, case.zone)}. {former} is in the case until then, and takes no part in it from then on;"
        " what waits for a mediator, waits for you."
    )


def reminders(case: Case, person: Person) -> tuple[Tell, ...]:
    """For a successor who comes to the desk: what was asked before stands where newcomers don't read."""
    mine = (a for a in case.asks if isinstance(a.act, TakingOver) and a.asked == person.id)
    return tuple(Tell(DESK, question(case, ask)) for ask in mine)


def taken_over(case: Case, act: TakingOver) -> Outcome:
    """The successor is the mediator; whoever handed over is out, and the parties learn it in private."""
    former, successor = case.person(act.former), case.person(act.successor)
    if former is None or successor is None:
        return Done(case, "They take part no more already.")
    seats = tuple(_as_mediator(seat, successor) for seat in case.participations)
    outcome = removed(replace(case, participations=seats), former)
    if isinstance(outcome, Refused):
        return outcome
    after = outcome.case
    answer = f"{successor.name} has taken the case over from {former.name}, who reads nothing from now on."
    return Done(after, answer, (*outcome.effects, *_told(after, former, successor)))


def _as_mediator(seat: Participation, successor: Person) -> Participation:
    theirs = seat.person == successor.id and seat.role is Role.CO_MEDIATOR
    return replace(seat, role=Role.MEDIATOR) if theirs else seat


def _told(case: Case, former: Person, successor: Person) -> tuple[Effect, ...]:
    """Everybody with a private room, each there; those by other networks on their own channel."""
    text = phrase(
        "{successor} is your mediator from now on, in the place of {former}, who reads nothing any more.",
        successor=successor.name,
        former=former.name,
    )
    return told_in_private(case, text)


def told_in_private(case: Case, text: Phrase) -> tuple[Effect, ...]:
    """Everybody with a private room, each there; those by other networks on their own channel."""
    if case.sort is Sort.MEDIATORS:
        return ()  # Nobody there has a mediator.
    rooms = tuple(Announce(room, text) for room in conversations(case) if room.kind is Kind.CAUCUS)
    bridged = (p for p in case.people if p.endpoint.is_bridged and not case.has_withdrawn(p.id))
    return (*rooms, *(Inform(p.id, own, text) for p in bridged for own in caucuses_of(case, p.id)[:1]))


def _read(words: list[str]) -> HandOver | str:
    if not words:
        return "To whom?"
    address = words[-1] if words[-1].startswith("@") else None
    name = " ".join(words[:-1] if address else words)
    return HandOver(name, address) if name else "A name is missing"


FORMS: tuple[Form[HandOver], ...] = (
    Form(
        "handover",
        "!handover NAME [@user:server]",
        "another mediator is asked to take the case over; after their yes you are out of it",
        _EXAMPLE,
        _read,
    ),
)
