"""Over which networks whose words may go: each side's consent, person by person, to every way out of its rooms (B2).

    somebody reads a room over another network ─▶ whoever speaks there needs to have agreed to that way
      joint room    until they have, they read there and don't speak
      private room  until they have, nothing of theirs goes that way; everything else in the room does

Mediators agree by bringing people in. Somebody with two channels is one mind: what they answered on one holds for both.
Nobody agrees to their own channel here: that is a consent of its own (`Endpoint.content_consent`), and what they write
came over it. What is released is agreed to by itself, with its words.

Whoever left can't be asked any more: what they had answered stands for what they wrote, and what they had not is a no.
"""

from __future__ import annotations

from datetime import datetime

from policies.case import DESK, JOINT, STAFF, Case, Conversation, Network, Person, PersonId, Sort, caucus
from policies.networks.way import Way
from policies.people.membership import bridged_readers, has_sat, seated


def shown_ways(case: Case, person: PersonId) -> frozenset[Way]:
    """Every way of the rooms in which somebody may ever speak, their own among them: what a question shows. Whoever has
    yet to accept the agreement counts, too, and the joint room need not be there: so nobody is asked twice."""
    return _ways(case, person, but=None)


def needed(case: Case, person: PersonId) -> frozenset[Way]:
    """The ways that somebody has to agree to: those of others."""
    return _ways(case, person, but=person)


def answered(case: Case, person: PersonId, way: Way) -> bool | None:
    """What somebody answered last about a way; None: nothing yet. A case of before this was asked is taken for agreed
    until its ways change (`policies.commands.ways`)."""
    if case.carried is None or case.sort is not Sort.CASE or _mediates(case, person):
        return True
    about = (answer for answer in reversed(case.carried) if way in answer.ways)
    return next((answer.agreed for answer in about if case.same_voice(answer.person, person)), None)


def missing(case: Case, person: PersonId) -> frozenset[Way]:
    """The ways that somebody has not agreed to yet."""
    return frozenset(way for way in needed(case, person) if not answered(case, person, way))


def way_to(case: Case, author: PersonId, where: Conversation, network: Network) -> Way:
    """As what words of an author's go to a reader of a room: within their own, or among the others of the case."""
    return Way(where if has_sat(case, author, where) else JOINT, network)


def carries(case: Case, author: PersonId | None, where: Conversation, to: PersonId) -> bool | None:
    """Whether an author's words may go to that reader's channel: False, they said no; None, they have not answered."""
    way = _way_out(case, author, where, to)
    return way is None or author is None or answered(case, author, way)


def refused_since(case: Case, author: PersonId | None, where: Conversation, to: PersonId, said: datetime) -> bool:
    """Whether an author's no to that reader's channel counted when their words were said, or was noted since: a yes
    that comes later does not reach back over it. Of two that came at one moment, the no counts."""
    way = _way_out(case, author, where, to)
    if way is None or author is None or _mediates(case, author):
        return False
    about = [a for a in case.carried or () if way in a.ways and case.same_voice(a.person, author)]
    no = max((number for number, answer in enumerate(about) if not answer.agreed), default=None)
    if no is None:
        return False
    return about[no].at >= said or not any(yes.at < said for yes in about[no + 1 :])


def not_agreed(case: Case, author: PersonId, where: Conversation, people: frozenset[PersonId]) -> frozenset[Network]:
    """The networks by which some of these read, and to which an author has not agreed."""
    others = (p for p in case.people if p.id in people and not carries(case, author, where, p.id))
    return frozenset(p.endpoint.network for p in others)


def kept_from_speaking(case: Case, person: PersonId) -> frozenset[Network]:
    """Over which networks the joint room is read now, to which somebody has not agreed: they read there meanwhile."""
    there = frozenset(reader.id for reader in bridged_readers(case, JOINT))
    return not_agreed(case, person, JOINT, there) if there else frozenset()


def _way_out(case: Case, author: PersonId | None, where: Conversation, to: PersonId) -> Way | None:
    """As what an author's words would leave for that reader's channel; None: nobody needs to agree to that."""
    reader = case.person(to)
    if author is None or reader is None or where == DESK:
        return None
    if case.same_voice(author, to) or not reader.endpoint.is_bridged:
        return None
    return way_to(case, author, where, reader.endpoint.network)


def _mediates(case: Case, person: PersonId) -> bool:
    """Whether they are a mediator, or were one when they left."""
    seats = case.roles(person) if case.person(person) else (seat for seat in case.former if seat.person == person)
    return any(seat.role in STAFF for seat in seats)


def _ways(case: Case, person: PersonId, *, but: PersonId | None) -> frozenset[Way]:
    if case.sort is not Sort.CASE or case.is_staff(person):
        return frozenset()
    rooms = [room for room in (JOINT, *(caucus(side.id) for side in case.sides)) if person in seated(case, room)]
    return frozenset(
        Way(room, one.endpoint.network)
        for room in rooms
        for one in _bridged(case, room)
        if not case.same_voice(one.id, but)
    )


def _bridged(case: Case, room: Conversation) -> list[Person]:
    there = seated(case, room)
    return [person for person in case.people if person.id in there and person.endpoint.is_bridged]
