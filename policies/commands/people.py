"""People come into a case and leave it: parties, those beside them, and mediators."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import assert_never

from policies.case import (
    STAFF,
    Case,
    Consent,
    Endpoint,
    EndpointId,
    Network,
    Participation,
    Person,
    PersonId,
    Phase,
    Role,
    SideId,
    Sort,
)
from policies.commands.agreement import on_paper
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.commands.sides import side_for, some_side
from policies.frozen import frozen
from policies.moderation.course import without_person
from policies.moderation.floor import without
from policies.networks.delivery import by_link
from policies.networks.discreet import Discreet
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import sits_in_a_caucus
from policies.people.telephone import contact, spellings, user_id
from policies.questions.ask import Consenting, Passing, Removing
from policies.releases.releasing import closed, not_passed
from policies.words.text import name_problem, skeleton

ROLES = tuple(role.value for role in Role if role is not Role.COLLEAGUE)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_NUMBER_PART = re.compile(r"[0-9()./-]+")
_MATRIX_ID = re.compile(r"@[a-z0-9._=/+-]+:(?P<server>\S+)")


@frozen
class AddPerson:
    """Somebody takes part. Without a side named, someone who sits in a caucus gets a side of their own."""

    name: str
    network: Network
    address: str
    role: Role = Role.PARTY
    side: str | None = None
    consent: Consent | None = None
    """To have the words themselves sent by mail."""
    accepted: Consent | None = None
    """That the agreement to mediate was accepted on paper."""
    discreet: bool = False
    """That nothing which is sent to them may tell anything, from the first letter on."""

    @property
    def on_whatsapp(self) -> frozenset[str]:
        """The name on WhatsApp that this is about, and its other spellings; none for other networks."""
        if self.network is not Network.WHATSAPP:
            return frozenset()
        return frozenset({self.address}) | spellings(self.address)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """They are in, unless the address or the name can't be used."""
        problem = address_problem(self, facts)
        if problem:
            return problem
        if self.discreet and self.network is Network.MATRIX:
            return Refused(f"{self.name} reads in Matrix", "What a locked screen shows is set in the Matrix app")
        known = next(filter(None, (case.at_address(self.network, a) for a in (self.address, *self.on_whatsapp))), None)
        if known:
            return _add_again(case, self, known)
        wrong = name_problem(self.name)
        if wrong:
            return Refused(
                f"That name can't be used: {wrong}", "Choose another, such as: !party add Carl carl@example.org"
            )
        twin = next((p for p in case.people if skeleton(p.name) == skeleton(self.name)), None)
        if twin:
            return Refused(
                f"{twin.name} is in this case already", "Give the newcomer a name that can't be confused with it"
            )
        number = case.made + 1
        endpoint = Endpoint(EndpointId(f"e{number}"), self.network, self.address, self.consent)
        discreet = Discreet.MEDIATOR if self.discreet else None
        person = Person(PersonId(f"p{number}"), self.name, endpoint, discreet=discreet)
        case = replace(case, people=(*case.people, person), made=number)
        return _seat(on_paper(case, person, self.accepted) if self.accepted else case, person, self)


@frozen
class RemovePerson:
    """Somebody takes part no more, and reads nothing from then on."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first; the organisation isn't asked."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        legs = case.legs_of(person.id)
        one = case.named(self.name)
        if one and len(legs) > 1:
            return Refused(
                f"{person.name} has two channels, and you name one of them",
                f"!channel leave {one.of_network} ends that one; !party remove {person.name} takes them off",
            )
        if facts.by is None:
            return taken_off(case, person.id)
        line = f"!party remove {person.name}"
        words = "\n".join(filter(None, [_channels(legs), _lost(next((leg for leg in legs if leg.discreet), person))]))
        return confirm(case, Removing(person.id), line, facts, words=words)


def _channels(legs: tuple[Person, ...]) -> str:
    """What whoever takes somebody off with two channels must see."""
    if len(legs) == 1:
        return ""
    all_of_them = " and ".join(leg.of_network for leg in legs)
    return f"With all channels: {all_of_them}. !channel leave {legs[-1].of_network} would end one of them."


def taken_off(case: Case, who: PersonId) -> Outcome:
    """They are out, with every channel of theirs."""
    done = Done(case, "They take part no more already.")
    for leg in case.legs_of(who):
        gone = removed(done.case, leg)
        if isinstance(gone, Refused):
            return gone
        done = gone
    return done


def _lost(person: Person) -> str:
    """What whoever adds them again must know."""
    if person.discreet is None:
        return ""
    who = "asked for" if person.discreet is Discreet.OWN else "has"
    return (
        f"{person.name} {who} contact that tells nothing, and that ends with their part: whoever adds them again adds"
        f" them with `discreetly`, or their first letter says who we are."
    )


def removed(case: Case, person: Person) -> Outcome:
    """They are out, with what they were asked; but not the last mediator. What a party submitted, and a mediator who
    leaves was to release, waits for the others; what its author was asked to agree to is over."""
    staff = [p for p in case.people if case.is_staff(p.id)]
    if staff == [person]:
        return Refused(
            f"{person.name} is the only mediator", "Add the successor first: !mediator add NAME @user:server"
        )
    for ask in case.asks:
        if ask.asked == person.id and isinstance(ask.act, Passing | Consenting):
            case = (not_passed if isinstance(ask.act, Passing) else closed)(case, ask.act.release)
    alone = case.legs_of(person.id) == (person,)
    left = replace(
        without_person(case, person.id) if alone else case,
        people=tuple(p for p in case.people if p.id != person.id),
        participations=tuple(p for p in case.participations if p.person != person.id),
        former=(*case.former, *case.roles(person.id)),
        asks=tuple(a for a in case.asks if a.asked != person.id),
        floor=without(case, person.id) if alone else case.floor,
    )
    return Done(
        left, f"{person.name} takes part no more, and reads nothing from now on. What was read can't be unread."
    )


def somebody_elses(case: Case, wanted: AddPerson, what: str) -> Refused | None:
    """Why nobody can be reached there from now on: somebody in the case is, by that `what` or another name of it."""
    for name in (wanted.address, *sorted(wanted.on_whatsapp)):
        known = case.at_address(wanted.network, name)
        if known:
            return Refused(f"{name} is {known.name}'s {what} in this case", f"No two people share one {what}")
    return None


def address_problem(command: AddPerson, facts: Facts) -> Refused | None:
    """Why nobody can be reached at that address, and what would work."""
    match command.network:
        case Network.MATRIX:
            return _matrix_problem(command, facts)
        case Network.EMAIL:
            return _mail_problem(command, facts)
        case Network.WHATSAPP:
            return _whatsapp_problem(command, facts)
        case _:
            assert_never(command.network)


def _matrix_problem(command: AddPerson, facts: Facts) -> Refused | None:
    matched = _MATRIX_ID.fullmatch(command.address)
    example = f"!party add {command.name} @{_localpart(command.name)}:{facts.server_name}"
    if not matched:
        return Refused(f"“{command.address}” is not a Matrix id", f"One looks like this: {example}")
    if matched["server"] != facts.server_name:
        return Refused(
            f"{command.address} is an account of another homeserver. Redactions and deletions don't reach it, so"
            " nobody can take part from there",
            f"Give them an account here ({example}) or a mail address (!party add {command.name} name@example.org)",
        )
    if command.address.startswith(f"@{facts.own_prefix}"):
        return Refused(f"{command.address} is one of our own helpers, not a person", f"For example: {example}")
    return None


def _localpart(name: str) -> str:
    """How an account of that person may be called, for an example."""
    plain = "".join(c for c in name.lower().replace(" ", ".") if c.isascii() and (c.isalnum() or c in ".-"))
    return plain or "alice"


def _mail_problem(command: AddPerson, facts: Facts) -> Refused | None:
    if facts.reply_domain is None:
        return Refused("Mail is not set up on this server", "Ask your administrator, or use a Matrix id")
    if command.role in STAFF:
        return Refused("A mediator works from Matrix", f"!mediator add {command.name} @user:{facts.server_name}")
    if not _MAIL.fullmatch(command.address):
        return Refused(f"“{command.address}” is not a mail address", "For example: !party add Carl carl@example.org")
    if command.address.rpartition("@")[2].casefold() == facts.reply_domain.casefold():
        return Refused("That is one of our own reply addresses", "Give the address at which the person reads mail")
    return None


def _whatsapp_problem(command: AddPerson, facts: Facts) -> Refused | None:
    if not facts.whatsapp:
        return Refused("WhatsApp is not set up on this server", "Ask your administrator, or use another channel")
    if not sits_in_a_caucus(command.role) or command.role is Role.INTERPRETER:
        # Whatever comes without a choice goes to its author's one private room.
        return Refused(
            f"{command.role} is not a part that can be taken by WhatsApp: it needs exactly one private room",
            "Use a Matrix id or a mail address",
        )
    if contact(command.address) != command.address:
        return Refused(
            f"“{command.address}” is no telephone number with its country", "For example: !party add Bea +34600123456"
        )
    if command.on_whatsapp & facts.engaged:
        return Refused(
            f"{command.address} takes part in another case, and what they write could not be told apart",
            "Remove them there first, or use another channel here",
        )
    return None


def _add_again(case: Case, command: AddPerson, known: Person) -> Outcome:
    """Only a neutral may take part twice: an interpreter on both sides, known to both (R11)."""
    neutral = command.role is Role.INTERPRETER and all(p.role is Role.INTERPRETER for p in case.roles(known.id))
    if neutral and skeleton(known.name) == skeleton(command.name) and command.side:
        return _seat(case, known, command)
    roles = ", ".join(p.role for p in case.roles(known.id))
    return Refused(
        f"{command.address} is {known.name} ({roles}) in this case already; nobody is on two sides, and no two people"
        " share an address",
        f"!party remove {known.name} takes them off first",
    )


def _seat(case: Case, person: Person, command: AddPerson) -> Outcome:
    side: SideId | None = None
    if (command.role is Role.COLLEAGUE) != (case.sort is Sort.MEDIATORS and command.role not in STAFF):
        return Refused(f"{command.role} is no part here", f"A role is one of {', '.join(ROLES)}")
    if sits_in_a_caucus(command.role):
        if command.side is None and command.role is not Role.PARTY:
            return Refused(
                f"On which side is {command.name}?",
                f"!party add {command.name} {command.address} as {command.role} on {some_side(case)}",
            )
        seated = side_for(case, command.side or command.name)
        if isinstance(seated, Refused):
            return seated
        case, side = seated
    seat = Participation(person.id, command.role, side)
    if seat in case.participations:
        return Refused(f"{person.name} is there already", "!status shows who takes part")
    phase = Phase.CONVENED if case.phase is Phase.INTAKE and command.role not in STAFF else case.phase
    expected = (*case.expected, person.id) if command.role in STAFF else case.expected
    case = replace(case, participations=(*case.participations, seat), phase=phase, expected=expected)
    return Done(case, _welcome(case, person, command))


def _welcome(case: Case, person: Person, command: AddPerson) -> str:
    seats = [s.name for p in case.roles(person.id) if p.side and (s := case.side(p.side))]
    where = f", on the side {' and '.join(seats)}" if seats else ""
    match person.endpoint.network:
        case Network.MATRIX:
            how = "is invited in Matrix"
        case Network.EMAIL if not by_link(person):
            how = "takes part by mail (consent on record; mail is not end-to-end encrypted)"
        case Network.EMAIL if person.endpoint.content_consent and not person.discreet:
            how = (
                "takes part by mail (consent on record; mail is not end-to-end encrypted). Words are mailed once they"
                f" have confirmed the address, behind the link that goes there, with a PIN: !mail pin {person.name}"
                " makes one, to be told by telephone"
            )
        case Network.EMAIL:
            how = (
                "takes part by mail. Links without words are mailed; behind them is a page that needs a PIN:"
                f" !mail pin {person.name} makes one, to be told by telephone. If they want the words themselves"
                f" mailed: !consent {person.name}: agreed by telephone to read the case by mail"
            )
        case Network.WHATSAPP if person.endpoint.content_consent:
            how = "takes part by WhatsApp (consent on record; Meta's servers can read it)"
        case Network.WHATSAPP:
            how = (
                "takes part by WhatsApp. Until the consent is on record, nothing is sent:"
                f" !consent {person.name}: agreed by telephone to take part by WhatsApp, which Meta can read"
            )
        case _:
            assert_never(person.endpoint.network)
    hidden = f" Nothing that is sent to {person.name} tells anything." if person.discreet else ""
    return f"{person.name} ({command.role}) is in{where}, and {how}.{hidden}"


def _person(words: list[str], role: Role) -> AddPerson | str:
    at = next((i for i, word in enumerate(words) if "@" in word or _begins_a_number(word)), None)
    if at is None:
        return "An address is missing: a Matrix id such as @alice:example.org, a mail address, or a telephone number"
    name, address, rest = " ".join(words[:at]).strip("\"'“”"), words[at], words[at + 1 :]
    while "@" not in address and rest and _NUMBER_PART.fullmatch(rest[0]):
        address, rest = f"{address} {rest[0]}", rest[1:]
    if not name:
        return "A name is missing"
    side: str | None = None
    discreet = False
    while rest:
        match rest[0].lower():
            case "discreetly":
                discreet, rest = True, rest[1:]
            case "as" if len(rest) > 1 and rest[1].lower() in ROLES:
                role, rest = Role(rest[1].lower()), rest[2:]
            case "as":
                return f"A role is one of {', '.join(ROLES)}"
            case "on" if len(rest) > 1:
                ends = {"as", "discreetly"}
                end = next((i for i, word in enumerate(rest) if i > 1 and word.lower() in ends), len(rest))
                side, rest = " ".join(rest[1:end]), rest[end:]
            case _:
                return f"I don't understand “{' '.join(rest)}”"
    return AddPerson(name, *channel_of(address), role, side, discreet=discreet)


def _begins_a_number(word: str) -> bool:
    return word.startswith(("+", "00")) or user_id(word) is not None


def channel_of(address: str) -> tuple[Network, str]:
    """The network of an address, and the address in its one spelling."""
    if "@" not in address:
        return Network.WHATSAPP, contact(address) or address
    return (Network.MATRIX if address.startswith("@") else Network.EMAIL), address


PeopleCommand = AddPerson | RemovePerson

FORMS: tuple[Form[PeopleCommand], ...] = (
    Form(
        "party add",
        "!party add NAME ADDRESS [as ROLE] [on SIDE] [discreetly]",
        "somebody takes part: with a Matrix id of this homeserver, a mail address, or a number on WhatsApp",
        "!party add Carl carl@example.org",
        lambda words: _person(words, Role.PARTY),
    ),
    Form(
        "party remove",
        "!party remove NAME",
        "somebody takes part no more (asks first)",
        "!party remove Carl",
        lambda words: RemovePerson(" ".join(words)) if words else "A name is missing",
    ),
    Form(
        "mediator add",
        "!mediator add NAME @user:server",
        "a co-mediator joins this case",
        "!mediator add Ines @ines:example.org",
        lambda words: _person(words, Role.CO_MEDIATOR),
    ),
)
