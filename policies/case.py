"""A case: its people, sides, roles, channels and conversations. Values only; every change makes a new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Final

from policies.documents.document import Document, DocumentId
from policies.frozen import frozen
from policies.moderation.agreement import Acceptance, Agreement
from policies.moderation.mode import AT_FIRST, Floor, Spell
from policies.moderation.rulebook import IN_FORCE, Rulebook
from policies.names import (
    DESK,
    JOINT,
    MEDIATORS,
    CaseId,
    Conversation,
    ConversationId,
    EndpointId,
    Kind,
    Network,
    PersonId,
    Phase,
    ReleaseId,
    SideId,
    Sort,
    caucus,
)
from policies.networks.digest import Digest
from policies.networks.discreet import Discreet
from policies.networks.quiet import Quiet
from policies.networks.way import WayAnswer
from policies.people.stranger import Triage
from policies.questions.ask import Ask
from policies.releases.release import Release
from policies.undoing.deed import Deed, Posted
from policies.words.language import Language
from policies.words.zones import UNIVERSAL

__all__ = [
    "DESK",
    "JOINT",
    "Ask",
    "CaseId",
    "Conversation",
    "ConversationId",
    "EndpointId",
    "Kind",
    "Network",
    "PersonId",
    "Phase",
    "ReleaseId",
    "SideId",
    "Sort",
    "caucus",
]  # People look for the parts of a case here.


class Role(StrEnum):
    """What someone is in a case (R3). `policies.people.membership` lists the rooms of each."""

    MEDIATOR = "mediator"
    CO_MEDIATOR = "co-mediator"
    PARTY = "party"
    COUNSEL = "counsel"
    SUPPORTER = "supporter"
    INTERPRETER = "interpreter"
    EXPERT = "expert"
    OBSERVER = "observer"
    COLLEAGUE = "colleague"
    """A mediator of the organisation who is not in Matrix: in the mediators' room alone, and no staff anywhere."""


STAFF = frozenset({Role.MEDIATOR, Role.CO_MEDIATOR})


@frozen
class Consent:
    """A person's recorded yes to have the words themselves sent over a channel that others can read (B2)."""

    recorded_by: str
    on: datetime
    wording: str


@frozen
class Seen:
    """By what a network tells one person from another: its own id of them, their number, the hash of their encryption
    identity. What it never said is None. A number alone is nobody: it is given to somebody else one day."""

    user: str | None = None
    phone: str | None = None
    key: str | None = None


@frozen
class Doubt:
    """It may be another person by now. `why` is in words; `now` is what the network shows of whoever is there."""

    why: str
    now: Seen


DECLINED: Final = "they wrote STOP"


@frozen
class Endpoint:
    """One channel of one person. `address` is compared and shown to mediators, never parsed here."""

    id: EndpointId
    network: Network
    address: str
    content_consent: Consent | None = None
    stopped: str | None = None
    """Why nothing is sent there for now, in words, if that is not its person's own word (`declined`)."""
    enrolled: datetime | None = None
    """Since when that person's own act shows that the address is theirs, and that they know what it can't protect."""
    seen: Seen | None = None
    """Who was there when the channel was first used, where the network tells."""
    doubt: Doubt | None = None
    """Until a mediator has made sure who is there, nothing is sent and nothing is believed."""
    settled: datetime | None = None
    """What came before that may have been meant for a private room in which its person sat by mistake."""
    declined: bool = False
    """Its person wrote STOP: only their START lifts that."""
    codes: bool = False
    """In Matrix: its person has a room of their own, for the codes that open their page (`policies.people.codes`)."""
    first: EndpointId | None = None
    """Under which name this very mailbox was known first; None: under this one."""

    @property
    def silence(self) -> str | None:
        """All that keeps messages from it for now, in words; None where all is well."""
        return " and ".join([*filter(None, [self.stopped]), *([DECLINED] if self.declined else [])]) or None

    @property
    def names(self) -> frozenset[str]:
        """All by which its person is found on that network."""
        return frozenset({self.address, *([self.seen.user] if self.seen and self.seen.user else [])})

    @property
    def mailbox(self) -> EndpointId:
        """The same for all channels that were one mailbox after another: its name changes when old links and reply
        addresses are to be refused."""
        return self.first or self.id

    @property
    def is_confirmed(self) -> bool:
        """Whether it counts as its person's: a mailbox does once an act of their own shows that it is."""
        return self.network is not Network.EMAIL or self.enrolled is not None

    @property
    def is_bridged(self) -> bool:
        """Whether words reach it only over another network."""
        return self.network is not Network.MATRIX


def address_key(network: Network, address: str) -> str:
    """What two spellings of one address have in common."""
    return address.casefold() if network is Network.EMAIL else address


@frozen
class Noticed:
    """Where a mediator is told that something waits at the desk, and since when it is known to be theirs."""

    address: str
    since: datetime
    network: Network = Network.EMAIL


@frozen
class Joining:
    """How far somebody has come: `policies.people.joining` has what follows."""

    invited: datetime
    reminded: datetime | None = None
    telephone: datetime | None = None
    """Since when a mediator is to telephone them."""
    came: datetime | None = None
    """When an act of their own first showed that they are in."""

    @property
    def since(self) -> datetime:
        """When they were last written to."""
        return self.reminded or self.invited


@frozen
class Person:
    """Somebody in a case; the name is the mediator's word for them, never a network's profile (I10)."""

    id: PersonId
    name: str
    endpoint: Endpoint
    language: Language | None = None
    """In which they are written to, where that was said."""
    quiet: Quiet | None = None
    digest: Digest | None = None
    """When others' words are mailed to them; None: at once."""
    zone: str | None = None
    """The time zone in which times are shown to them, where that is known."""
    noticed: Noticed | None = None
    """For a mediator alone."""
    rests: datetime | None = None
    """Until then nothing is sent to them, whatever the hour."""
    discreet: Discreet | None = None
    """That nothing which is sent to them may tell anything to whoever sees it."""
    joining: Joining | None = None
    """None for mediators, for whom nobody asked, and for another channel of somebody."""

    @property
    def titles(self) -> frozenset[str]:
        """What a mediator may call them, in lower case; “(mail)” is what most people say."""
        named = self.of_network.casefold()
        return frozenset({self.name.casefold(), named, named.replace("(email)", "(mail)")})

    @property
    def of_network(self) -> str:
        """Their name with that of their network, by which two channels of theirs are told apart."""
        return f"{self.name} ({self.endpoint.network.brand})"


@frozen
class Closing:
    """Until when that is kept which a closed case needs no more: `policies.moderation.closing` has what follows."""

    addresses: datetime
    """So long, mail to the reply addresses of its people is taken."""
    mails: datetime
    """So long, the mails are kept as they came."""
    expired: bool = False
    """Whether its reply addresses are refused."""
    destroyed: bool = False
    """Whether the mails are gone, as they came; what they said stands in the rooms."""


_NUMBERS: Final = 1000
"""Of documents in a private room, before those of the next begin; who has more goes on with what is free."""
_DESK_PLACE: Final = 9


@frozen
class Side:
    """One side of the dispute; it has one caucus, and may hold several people."""

    id: SideId
    name: str


@frozen
class Participation:
    """That a person takes part, as what, and on which side (None: on no side)."""

    person: PersonId
    role: Role
    side: SideId | None


@frozen
class Leg:
    """That this person of a case is another channel of whoever came first: the two are one voice (ADR 56). It is kept
    when either leaves, so that what was said of the one goes on holding for the other."""

    person: PersonId
    voice: PersonId


@frozen
class Case:
    """Everything that decisions about a case are made from."""

    id: CaseId
    title: str
    phase: Phase = Phase.INTAKE
    sides: tuple[Side, ...] = ()
    people: tuple[Person, ...] = ()
    participations: tuple[Participation, ...] = ()
    legs: tuple[Leg, ...] = ()
    """Which of them are another channel of somebody. Whatever counts or restrains people asks for their voice; all
    else is each channel's own."""
    asks: tuple[Ask, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    """All versions of the agreement to mediate; the last is the one that counts. None: no agreement is asked for."""
    acceptances: tuple[Acceptance, ...] = ()
    carried: tuple[WayAnswer, ...] | None = None
    """What people answered to the networks that carry their words; None: nobody was asked yet, in a case of before."""
    former: tuple[Participation, ...] = ()
    """The seats of those who left: what they wrote may be on its way still, and their documents stay."""
    floor: Floor = AT_FIRST
    rules: Rulebook = IN_FORCE
    """Those of the joint room."""
    releases: tuple[Release, ...] = ()
    """All of them, for ever: what was released is provable, and what wasn't, too."""
    documents: tuple[Document, ...] = ()
    """All of them, with everything that was ever granted."""
    full: frozenset[str] = frozenset()
    """Which limits of documents were reached, of which the mediators were told (`quota.Full.limit`)."""
    opened: bool = False
    """Whether there is a joint room, wherever the case stands."""
    closing: Closing | None = None
    """What a closed case keeps for a while."""
    pauses: tuple[Spell, ...] = ()
    """Who paused, and until when; `policies.moderation.course` has what follows."""
    withdrawn: tuple[PersonId, ...] = ()
    zone: str = UNIVERSAL
    """The time zone in which times are shown to its mediators, and to whoever has said of none."""
    language: Language = Language.ENGLISH
    """In which the service speaks to all, and to whoever has said of none."""
    boards: int = 0
    """How many boards were posted to the desk; the last is kept up to date."""
    deed: Deed | None = None
    """What a mediator did last."""
    triage: Triage | None = None
    """Who wrote that takes part in no case; of the organisation's triage desk alone."""
    expected: tuple[PersonId, ...] = ()
    """Those of its mediators who have not come to the desk yet."""
    away: tuple[PersonId, ...] = ()
    """Which of its mediators left the desk."""
    successor: str | None = None
    """Of whom the desk was told last that the organisation has them come in when no mediator is left; a Matrix id."""
    reacted: tuple[PersonId, ...] = ()
    """Who was told how far reactions go."""
    posted: Posted | None = None
    """What a mediator wrote last where parties read; None once it was taken back."""
    made: int = 0
    """How many ids this case has given out; ids are never reused, not even of someone who left."""

    @property
    def sort(self) -> Sort:
        """What sort of case it is."""
        if self.triage is not None:
            return Sort.TRIAGE
        return Sort.MEDIATORS if self.id == MEDIATORS else Sort.CASE

    def person(self, person: PersonId) -> Person | None:
        """The person of that id, if still in the case."""
        return next((p for p in self.people if p.id == person), None)

    def voice(self, person: PersonId) -> PersonId:
        """Whose voice it is: the id under which they came first. Of whoever left, too."""
        return next((leg.voice for leg in self.legs if leg.person == person), person)

    def ids_of(self, person: PersonId) -> frozenset[PersonId]:
        """All ids that this voice has, or had."""
        voice = self.voice(person)
        return frozenset({voice, *(leg.person for leg in self.legs if leg.voice == voice)})

    def same_voice(self, one: PersonId | None, other: PersonId | None) -> bool:
        """Whether that is one human being; nobody is nobody's."""
        return one is not None and other is not None and self.voice(one) == self.voice(other)

    def legs_of(self, person: PersonId) -> tuple[Person, ...]:
        """All channels that this voice has now, the oldest first."""
        ids = self.ids_of(person)
        return tuple(p for p in self.people if p.id in ids)

    def living(self, person: PersonId) -> Person | None:
        """That person, or another channel of theirs if that one left."""
        return self.person(person) or next(iter(self.legs_of(person)), None)

    def voices(self) -> tuple[Person, ...]:
        """The people as they are counted: of each voice the channel that has been there longest."""
        return tuple(p for p in self.people if self.legs_of(p.id)[0] == p) if self.legs else self.people

    def called(self, name: str) -> tuple[Person, ...]:
        """All channels of whom the mediator calls so; upper and lower case are the same. “Bea (email)” is one of Bea's
        alone: no name has brackets."""
        folded = name.casefold()
        return tuple(p for p in self.people if folded in p.titles)

    def named(self, name: str) -> Person | None:
        """The one channel that is called so; None, too, where it is not said which of two."""
        found = self.called(name)
        return found[0] if len(found) == 1 else None

    def voice_named(self, name: str) -> Person | None:
        """Whom the mediator calls so, for what is about the human being, by whichever channel they are named."""
        found = next(iter(self.called(name)), None)
        return self.legs_of(found.id)[0] if found else None

    def channel_name(self, person: Person) -> str:
        """Their name, with the network behind it where they have two channels."""
        return person.of_network if len(self.legs_of(person.id)) > 1 else person.name

    def has_withdrawn(self, person: PersonId) -> bool:
        """Whether they withdrew, by whichever channel."""
        return not self.ids_of(person).isdisjoint(self.withdrawn)

    def name_of(self, person: PersonId) -> str:
        """Their name, at the beginning of a sentence, whether or not they still take part."""
        known = self.living(person)
        return known.name if known else "Somebody who left"

    def zone_of(self, person: PersonId | None) -> str:
        """The time zone in which times are shown to somebody; None: to those at the desk."""
        known = self.person(person) if person else None
        if known is None:
            return self.zone
        return known.zone or (known.quiet.zone if known.quiet else self.zone)

    def language_of(self, person: PersonId | None) -> Language:
        """In which somebody is written to: mediators in English, like everything at their desk."""
        known = self.person(person) if person else None
        if known is None or self.is_staff(known.id) or self.sort is Sort.MEDIATORS:
            return Language.ENGLISH
        return known.language or self.language

    def at_address(self, network: Network, address: str) -> Person | None:
        """The person reached at that address, or by another name of the same channel. Mail addresses are the same in
        upper and lower case; Matrix ids are not: `@MIA:server` is another account than `@mia:server`, with keys of its
        own."""
        key, there = address_key(network, address), (p for p in self.people if p.endpoint.network is network)
        return next((p for p in there if key in {address_key(network, name) for name in p.endpoint.names}), None)

    def roles(self, person: PersonId) -> tuple[Participation, ...]:
        """All participations of a person; an interpreter may have one on each side."""
        return tuple(p for p in self.participations if p.person == person)

    def side(self, side: SideId) -> Side | None:
        """The side of that id."""
        return next((s for s in self.sides if s.id == side), None)

    def is_staff(self, person: PersonId) -> bool:
        """Whether the person is a mediator of this case."""
        return any(p.role in STAFF for p in self.roles(person))

    @property
    def agreement(self) -> Agreement | None:
        """The agreement as it is now."""
        return self.agreements[-1] if self.agreements else None

    def accepted(self, person: PersonId) -> Acceptance | None:
        """That somebody accepted the agreement as it is now."""
        now = self.agreement
        theirs = (a for a in self.acceptances if a.person == person)
        return next((a for a in theirs if now and (a.version, a.sha256) == (now.version, now.sha256)), None)

    def release(self, number: str) -> Release | None:
        """The release of that number, in upper or lower case."""
        return next((r for r in self.releases if r.id == number.upper()), None)

    def with_release(self, release: Release) -> Case:
        """The case with that release's new values, or with one more."""
        known = any(r.id == release.id for r in self.releases)
        changed = tuple(release if r.id == release.id else r for r in self.releases)
        return replace(self, releases=changed if known else (*self.releases, release))

    def document(self, number: str) -> Document | None:
        """The document of that number, in upper or lower case."""
        return next((d for d in self.documents if d.id == number.upper()), None)

    def with_document(self, document: Document) -> Case:
        """The case with that document's new values, or with one more."""
        changed = tuple(document if d.id == document.id else d for d in self.documents)
        return replace(self, documents=changed if self.document(document.id) else (*self.documents, document))

    def new_document_id(self, home: Conversation) -> DocumentId:
        """The id of the next document of a private room; none is ever deleted."""
        return DocumentId(f"D{self._next(home, (document.id for document in self.documents))}")

    def new_release_id(self, origin: Conversation) -> ReleaseId:
        """The id of the next release of what was said in a private room."""
        return ReleaseId(f"R{self._next(origin, (release.id for release in self.releases))}")

    def _next(self, home: Conversation, ids: Iterable[str]) -> int:
        """Each room counts for itself, so that no number tells one side how much another has shared, or submitted (I1):
        1, 2; 1001, 1002; at the desk 9001."""
        sides = [side.id for side in self.sides]
        place = sides.index(home.side) if home.side in sides else _DESK_PLACE
        first = (place if home.side is None or place < _DESK_PLACE else place + 1) * _NUMBERS
        taken = {int(known[1:]) for known in ids}
        return next(number for number in count(first + 1) if number not in taken)

    def with_person(self, person: Person) -> Case:
        """The case with that person's new values in place of the old."""
        return self.with_people(person)

    def with_people(self, *people: Person) -> Case:
        """The same with the new values of several."""
        changed = {person.id: person for person in people}
        return replace(self, people=tuple(changed.get(p.id, p) for p in self.people))
