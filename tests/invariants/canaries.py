"""Unique words in everything that people say, and who was entitled to them: said anew here, not asked of the product.

A canary belongs to one person's words in one conversation of one case. Wherever it shows up, it tells what leaked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from policies.case import Case, CaseId, Conversation, Kind, Network, Person, PersonId, Phase, Role, caucus
from policies.message import Content, Edit, File, Message, MessageId, Text, Unreadable
from policies.moderation.mode import Mode
from rooms.ids import EventId

CANARY = re.compile(r"zq\d{4}qz")
_SIDED = {Role.PARTY, Role.COUNSEL, Role.SUPPORTER, Role.INTERPRETER}
_STAFF = {Role.MEDIATOR, Role.CO_MEDIATOR}


class Fate(StrEnum):
    """What must become of somebody's words."""

    CARRIED = "carried"
    ASIDE = "aside"
    """Held, and its author's own words in their own private room: by mail, and not surely fit for where it was sent."""
    HELD = "held"
    SILENT = "silent"
    """They go nowhere, and nobody need hear of it: talk at the desk."""


@dataclass
class Said:
    """Words with a canary in them, as the world knows that they were said."""

    canary: str
    case: CaseId
    conversation: Conversation | None
    """None: they were sent to several rooms at once, so they belong in none."""
    native: bool
    proven: bool
    readable: bool
    did: str = "wrote"
    """What the desk is told that the author did."""
    traceable: bool = True
    """Whether the canary can be found in what is carried; not so in a file's name, nor in a mail that is garbage."""
    late: bool = False
    """Whether its key comes late: once people were told of that, it holds up nothing behind it."""
    event: EventId | None = None
    handled_at: int | None = None
    place: int = 0
    """Its place in the order in which everything was handled."""
    author: Person | None = None
    fate: Fate | None = None
    stands: Conversation | None = None
    """Where it must be found, if it is carried or stands aside."""
    readers: tuple[Person, ...] = ()
    """Who must get it by mail, if it is carried."""
    waits: MessageId | None = None
    """Under which name it counts, once whoever wrote it confirms the mailbox."""

    def counts_late(self, where: Conversation) -> None:
        """What waited, and was meant for all, stands aside: much may have been said since."""
        if self.waits and where.kind is Kind.JOINT:
            self.readable = False


@dataclass
class Chronicle:
    """Every version of every case, and since when it stood."""

    versions: dict[CaseId, list[tuple[int, Case]]] = field(default_factory=dict)

    def note(self, at: int, case: Case) -> None:
        """A case as it was just stored."""
        known = self.versions.setdefault(case.id, [])
        if not known or known[-1][1] != case:
            known.append((at, case))

    def during(self, case: CaseId, start: int, end: int) -> Iterator[Case]:
        """The versions that stood at some moment from `start` to `end`."""
        known = self.versions.get(case, [])
        for number, (since, version) in enumerate(known):
            until = known[number + 1][0] if number + 1 < len(known) else end
            if since <= end and until >= start:
                yield version

    def entitled(self, case: CaseId, conversation: Conversation, address: str, start: int, end: int) -> bool:
        """Whether whoever is reached at an address was a reader at some moment in that time."""
        return any(
            may_read(version, person.id, conversation)
            for version in self.during(case, start, end)
            for person in version.people
            if person.endpoint.address == address
        )


def may_read(case: Case, person: PersonId, conversation: Conversation) -> bool:
    """Who reads what, in this test's own words."""
    seats = [seat for seat in case.participations if seat.person == person]
    if any(seat.role in _STAFF for seat in seats):
        return True
    match conversation.kind:
        case Kind.DESK:
            return False
        case Kind.JOINT:
            return case.opened and bool(seats)
        case Kind.CAUCUS:
            return any(seat.role in _SIDED and seat.side == conversation.side for seat in seats)


def is_one(case: Case, one: PersonId, other: PersonId) -> bool:
    """Whether two channels are one human being's, in this test's own words."""
    first = {leg.person: leg.voice for leg in case.legs}
    return first.get(one, one) == first.get(other, other)


def may_speak(case: Case, person: PersonId) -> bool:
    """Who may speak in the joint room, in this test's own words; whoever waits in slow mode may not."""
    return speaking_level(case) <= own_level(case, person) and (
        is_staff(case, person) or not any(is_one(case, spell.person, person) for spell in case.floor.resting)
    )


def speaking_level(case: Case) -> int:
    """The power that it takes to speak in the joint room."""
    floor = case.floor
    if floor.mode is Mode.CLOSED or case.phase is Phase.CLOSED:
        return 100
    rests = case.phase in {Phase.PAUSED, Phase.SETTLED}
    return 0 if floor.mode is Mode.OPEN and floor.turn is None and floor.cooling is None and not rests else 50


def private_level(case: Case, conversation: Conversation) -> int:
    """The power that it takes to speak in a caucus."""
    if case.phase is Phase.CLOSED:
        return 100
    here = [seat.person for seat in case.participations if seat.side == conversation.side]
    return 50 if any(is_one(case, one, gone) for one in here for gone in case.withdrawn) else 0


def own_level(case: Case, person: PersonId) -> int:
    """The power that somebody has there, were it not for slow mode."""
    seats = [seat for seat in case.participations if seat.person == person]
    if any(seat.role in _STAFF for seat in seats):
        return 75
    if any(seat.role is Role.OBSERVER for seat in seats) or any(
        is_one(case, s.person, person) for s in case.floor.muted
    ):
        return -1
    turn = None if case.phase in {Phase.PAUSED, Phase.SETTLED, Phase.CLOSED} else case.floor.turn
    return 50 if turn and is_one(case, turn.person, person) and case.floor.cooling is None else 0


def waits_for_its_owner(said: Said, message: Message, case: Case) -> bool:
    """Whether all that is missing is that its author confirms the mailbox it came from."""
    author = case.person(message.author)
    whose = author.endpoint if author else None
    vouched = whose is not None and whose.network is Network.EMAIL and whose.enrolled is None
    return vouched and said.proven and not said.native


def judge(said: Said, message: Message, case: Case) -> Fate:
    """What must become of these words in a case as it stands when they are handled."""
    conversation = message.conversation
    if said.native and said.readable and isinstance(message.content, Unreadable):
        return Fate.HELD  # its key never came
    if waits_for_its_owner(said, message, case):
        return Fate.HELD
    if not may_read(case, message.author, conversation) or not said.proven or said.conversation is None:
        return Fate.HELD
    if conversation.kind is Kind.DESK:
        return Fate.SILENT
    if not said.readable or (message.files and conversation.kind is Kind.JOINT):
        return Fate.HELD if own_room(case, message.author) is None or said.native else Fate.ASIDE
    if conversation.kind is Kind.JOINT and isinstance(message.content, File) and not is_staff(case, message.author):
        return Fate.HELD
    if conversation.kind is Kind.JOINT and not may_speak(case, message.author):
        return Fate.HELD
    power = 75 if is_staff(case, message.author) else 0
    if conversation.kind is Kind.CAUCUS and power < private_level(case, conversation):
        return Fate.HELD
    return Fate.CARRIED


def own_room(case: Case, person: PersonId) -> Conversation | None:
    """The one private room in which somebody may speak; None for whoever has none, or several."""
    if is_staff(case, person):
        return None
    own = [room for side in case.sides if may_read(case, person, room := caucus(side.id))]
    return own[0] if len(own) == 1 and private_level(case, own[0]) == 0 else None


def is_staff(case: Case, person: PersonId) -> bool:
    """Whether a person is a mediator of the case."""
    return any(seat.role in _STAFF for seat in case.participations if seat.person == person)


def mail_readers(case: Case, conversation: Conversation, author: PersonId) -> tuple[Person, ...]:
    """Who must get words of a conversation by mail."""
    return tuple(
        person
        for person in case.people
        if person.endpoint.network is Network.EMAIL
        and not is_one(case, person.id, author)
        and may_read(case, person.id, conversation)
    )


def canaries_in(text: str) -> tuple[str, ...]:
    """The canaries that show in a text, each once, in their order."""
    return tuple(dict.fromkeys(CANARY.findall(text)))


def words_of(content: Content) -> str:
    """Everything in some content that a reader could take in."""
    match content:
        case Text(body) | Edit(body=body):
            return body
        case File(name=name):
            return name
        case Unreadable(why, words):
            return f"{why}\n{words}"
        case _:
            return ""
