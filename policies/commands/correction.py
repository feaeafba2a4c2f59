"""Somebody who was entered on the wrong side comes onto the right one (M11).

They leave as if they were taken off, and come as if they were new: another person of the case, with a channel of its
own, so that no address, grant or question of the old room holds for the new one. What they themselves did stays
theirs: that they accepted the agreement and the networks, paused, were muted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from policies.case import Case, Conversation, Endpoint, EndpointId, Network, Participation, Person, PersonId, Side
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.commands.people import removed
from policies.commands.sides import side_for
from policies.commands.ways import begun
from policies.documents.document import Action, DocumentId
from policies.documents.rights import Allowed, Wish, may
from policies.effects import Announce, Effect, Inform, Resume
from policies.frozen import frozen
from policies.moderation.floor import moved as moved_on_the_floor
from policies.networks.delivery import channel_key
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import bridged_readers, caucuses_of
from policies.questions.ask import Moving
from policies.releases.releasing import closed
from policies.status import reader_names
from policies.words.phrase import phrase, together
from policies.words.text import name_problem, skeleton

ON_ITS_WAY: Final = timedelta(minutes=10)
"""So long after a correction, what comes by a channel with one address for all may have been meant for the old room."""


@frozen
class CorrectSide:
    """Somebody belongs on another side than the one they were entered on."""

    name: str
    side: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first, and says what they, and those on the wrong side, have been able to read."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        seat = _seat_of(case, person)
        if isinstance(seat, Refused):
            return seat
        wrong = name_problem(self.side)
        if wrong:
            return Refused(f"A side can't be called that: {wrong}", "!side list shows the sides there are")
        former = case.side(seat.side) if seat.side else None
        if former and skeleton(former.name) == skeleton(self.side):
            return Refused(f"{person.name} is on the side {former.name} already", "!side list shows who is on which")
        if former is None:
            return Refused(f"{person.name} is on no side", "!side list shows who is on which")
        line = f"!party side {person.name} on {self.side}"
        act = Moving(person.id, self.side)
        return confirm(case, act, line, facts, words=_known(case, person, former, self.side, facts))


def moved(case: Case, act: Moving, facts: Facts) -> Outcome:
    """They are on the right side, and read no older messages there; the old side hears of it."""
    person = case.person(act.person)
    seat = _seat_of(case, person) if person else None
    if person is None or seat is None:
        return Done(case, "They take part no more already.")
    if isinstance(seat, Refused):
        return seat
    own = caucuses_of(case, person.id)
    for release in case.releases:
        case = closed(case, release.id) if case.same_voice(release.author, person.id) else case
    left = removed(case, person)
    if isinstance(left, Refused):
        return left
    found = side_for(left.case, act.side)
    if isinstance(found, Refused):
        return found
    after, side = found
    number = after.made + 1
    newcomer = replace(person, id=PersonId(f"p{number}"), endpoint=_anew(person.endpoint, number, facts))
    after = replace(
        after,
        made=number,
        people=(*after.people, newcomer),
        participations=(*after.participations, Participation(newcomer.id, seat.role, side)),
    )
    # Also in a case of before: with another person, its ways change.
    after = _own_acts(begun(case, case, facts, anyway=True), after, person.id, newcomer.id)
    effects = (
        Resume(channel_key(case, person.endpoint.id)),
        *_told(after, person.name, own),
        *_welcome(after, newcomer),
    )
    pin = f" !mail pin {person.name} gives them a PIN again." if person.endpoint.network is Network.EMAIL else ""
    answer = (
        f"{person.name} is on the side {act.side} from now on, reads no older messages there, and nothing more of the"
        f" former side. What was read can't be unread. What had still to go to {person.name}, or from {person.name}"
        f" into a room, does not go any more, also of the joint room: what matters of it, say again.{pin}"
    )
    return Done(after, answer, effects)


def _seat_of(case: Case, person: Person) -> Participation | Refused:
    """The one seat that can be on a wrong side."""
    seats, legs = case.roles(person.id), case.legs_of(person.id)
    if len(legs) > 1:
        each = " or ".join(f"!channel leave {leg.of_network}" for leg in legs)
        return Refused(f"{person.name} has two channels, and both would have to move", f"First {each}")
    if len(seats) != 1 or seats[0].side is None:
        return Refused(f"{person.name} does not sit on exactly one side", "!side list shows who is on which")
    if case.has_withdrawn(person.id):
        return Refused(f"{person.name} has withdrawn", f"!resume {person.name} has them take part again; then say it")
    return seats[0]


def _anew(endpoint: Endpoint, number: int, facts: Facts) -> Endpoint:
    """The same mailbox or number under another name, so that no old address or link leads to the new room."""
    shared = endpoint.network is Network.WHATSAPP
    settled = facts.at + ON_ITS_WAY if shared else facts.at
    return replace(endpoint, id=EndpointId(f"e{number}"), first=None, settled=settled)


def _own_acts(before: Case, after: Case, who: PersonId, new: PersonId) -> Case:
    """What they did or what was set for them, as the people they are, whichever side they sit on."""
    old = before.ids_of(who)
    accepted = tuple(replace(a, person=new) if a.person == who else a for a in before.acceptances)
    pauses = tuple(replace(pause, person=new) if pause.person in old else pause for pause in before.pauses)
    # The old answers stay: what was written on the former side may be on its way still.
    answers = before.carried or ()
    carried = (*answers, *(replace(a, person=new) for a in answers if a.person in old))
    floor = moved_on_the_floor(before.floor, old, new)
    return replace(after, acceptances=accepted, carried=carried, pauses=pauses, phase=before.phase, floor=floor)


def _known(case: Case, person: Person, former: Side, side: str, facts: Facts) -> str:
    """What can't be undone, for the mediator who decides."""
    room = caucuses_of(case, person.id)
    names = " and ".join(reader_names(case, one) for one in room)
    seen = _viewable(case, person.id, facts)
    papers = f", and these documents: {', '.join(seen)}" if seen else ""
    target = next((s for s in case.sides if skeleton(s.name) == skeleton(side)), None)
    where = f"the side {target.name}" if target else f"a new side, {side}"
    return (
        f"{person.name} was entered on the side {former.name} and goes to {where}.\n"
        f"{person.name} has been able to read all that was written in the private room of {former.name} while they"
        f" were there{papers}. Those who read there ({names}) have been able to read all that {person.name} wrote. None"
        f" of it can be unread; what {person.name} shared there stays with {former.name}; what waits of theirs, or for"
        f" them, is over. {former.name} is told that {person.name} was there by mistake."
        f"{_opened(case, person, target, facts, seen)}"
    )


def _opened(case: Case, person: Person, target: Side | None, facts: Facts, seen: list[DocumentId]) -> str:
    """Which documents of the side they come onto they get to see at once: older ones, too."""
    (seat,) = case.roles(person.id)
    if target is None:
        return ""
    newcomer = replace(person, id=PersonId(f"p{case.made + 1}"))
    there = Participation(newcomer.id, seat.role, target.id)
    after = replace(case, people=(*case.people, newcomer), participations=(*case.participations, there))
    opened = [one for one in _viewable(after, newcomer.id, facts) if one not in seen]
    if not opened:
        return ""
    return (
        f"\nAs one of {target.name}, {person.name} may see these documents at once, though they are older:"
        f" {', '.join(opened)}."
    )


def _viewable(case: Case, person: PersonId, facts: Facts) -> list[DocumentId]:
    return [
        document.id
        for document in case.documents
        if isinstance(may(case, document, Wish(person, Action.VIEW, document.newest.number, facts.at)), Allowed)
    ]


def _told(case: Case, name: str, rooms: tuple[Conversation, ...]) -> Iterator[Effect]:
    """Whoever is left on the wrong side learns that somebody read along who did not belong there."""
    text = phrase(
        "{name} was in this room by a mistake of ours, and is not any more. What was written here until now, {name} has"
        " been able to read. Talk to the mediator about what that means for you.",
        name=name,
    )
    for room in rooms:
        yield Announce(room, text)
        yield from (Inform(p.id, room, text) for p in bridged_readers(case, room))


def _welcome(case: Case, person: Person) -> Iterator[Effect]:
    """They are told in their new room, once they are there."""
    lost = phrase(
        "What was written to all just before this may not have reached you, and what you wrote may not have been passed"
        " on: ask the mediator."
    )
    text = phrase(
        "By a mistake of ours you were entered on the other side. From now on this is your private room with the"
        " mediator. What you wrote in the former one, those who were there have been able to read. Nothing that you"
        " write from now on is shown there; an address of the former room that you still have is refused."
    )
    yield from (Inform(person.id, room, together([text, lost])) for room in caucuses_of(case, person.id))


def _read(words: list[str]) -> CorrectSide | str:
    at = next((i for i in reversed(range(len(words))) if words[i].lower() == "on"), None)
    if not at or at + 1 == len(words):
        return "It needs a name, “on”, and the side they belong on"
    return CorrectSide(" ".join(words[:at]), " ".join(words[at + 1 :]))


FORMS: tuple[Form[CorrectSide], ...] = (
    Form(
        "party side",
        "!party side NAME on SIDE",
        "somebody who was entered on the wrong side comes onto the right one (asks first)",
        "!party side Carl on Jones",
        _read,
    ),
)
