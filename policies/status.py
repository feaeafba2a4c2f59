"""A case in words: for the desk, and, with far fewer of them, for the readers of a room."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from policies.case import JOINT, Case, Conversation, Kind, Network, Person, PersonId, Role, Sort
from policies.moderation.floor import floor_text
from policies.networks.capabilities import CAPABILITIES
from policies.networks.way import CARRIED_BY
from policies.people.membership import conversations, is_proven, readers
from policies.words.phrase import Phrase, phrase, together, verbatim
from policies.words.text import moment

CAUTIONS: Mapping[Network, Phrase] = MappingProxyType(
    {
        Network.EMAIL: phrase("What goes by mail is not end-to-end encrypted and can be forwarded."),
        Network.WHATSAPP: phrase(
            "What goes by WhatsApp passes Meta's servers, which can read it, and can be forwarded."
        ),
    }
)


def caution(network: Network) -> Phrase:
    """What is different about a leg over that network, and what doesn't go there (B2, B3)."""
    by = CARRIED_BY[network]
    reactions = phrase("Reactions don't travel {by}.", by=by)
    if CAPABILITIES[network].reactions:
        reactions = phrase("Reactions don't travel {by}, but a mediator's to whoever wrote the message.", by=by)
    files = phrase("A document travels {by} as a copy for one person, where that is asked for.", by=by)
    return together([CAUTIONS[network], reactions, files])


ROLES: Mapping[Role, Phrase] = MappingProxyType(
    {
        Role.MEDIATOR: phrase("mediator"),
        Role.CO_MEDIATOR: phrase("co-mediator"),
        Role.PARTY: phrase("party"),
        Role.COUNSEL: phrase("counsel"),
        Role.SUPPORTER: phrase("supporter"),
        Role.INTERPRETER: phrase("interpreter"),
        Role.EXPERT: phrase("expert"),
        Role.OBSERVER: phrase("observer"),
        Role.COLLEAGUE: phrase("mediator"),
    }
)
"""What somebody is, as readers are told."""


def readers_text(case: Case, conversation: Conversation) -> Phrase:
    """Who reads a room, and over which legs it is not end-to-end encrypted (B2). Shown in that room."""
    people = [p for p in case.people if p.id in readers(case, conversation)]
    names = reader_names(case, conversation)
    cautions = [caution(n) for n in Network if n in CAUTIONS and any(p.endpoint.network is n for p in people)]
    match conversation.kind:
        case Kind.DESK | Kind.CAUCUS:
            said = phrase("PRIVATE. Who reads this room: {names}. Nobody else does.", names=names)
        case Kind.JOINT:
            said = phrase("EVERYONE in the case reads this room: {names}.", names=names)
        case _:
            assert_never(conversation.kind)
    return together([said, *cautions])


def reader_names(case: Case, conversation: Conversation) -> Phrase:
    """Everybody who reads a conversation, by name."""
    everyone = readers(case, conversation)
    first = (p for p in case.people if p.id in everyone and p == _there(case, p, everyone)[0])
    return together((one_reader(case, p, everyone) for p in first), by=", ")


def _there(case: Case, person: Person, everyone: frozenset[PersonId]) -> list[Person]:
    """By which of their channels somebody reads."""
    return [leg for leg in case.legs_of(person.id) if leg.id in everyone]


def one_reader(case: Case, person: Person, everyone: frozenset[PersonId]) -> Phrase:
    """Somebody's name, with what they are, and by which networks they read who is among these."""
    legs = _there(case, person, everyone)
    roles = together((ROLES[role] for role in sorted({p.role for p in case.roles(person.id)} - {Role.PARTY})), by="/")
    networks = [leg.endpoint.network for leg in legs]
    # Who reads in Matrix alone needs no note.
    ways = [CARRIED_BY[network] for network in networks] if networks != [Network.MATRIX] else []
    notes = together([roles, *ways], by=", ")
    return together([f"{person.name} (", notes, ")"], by="") if notes else verbatim(person.name)


def status_text(case: Case) -> str:
    """The case as `!status` shows it at the desk."""
    stands = f"Case {case.id} – {case.title} – {case.phase}"
    lines = [case.title if case.sort is Sort.MEDIATORS else stands, *_floor_lines(case)]
    lines += [_person_line(case, person) for person in case.voices()]
    if case.sort is Sort.MEDIATORS:
        return "\n".join(lines)
    if not any(p.side for p in case.participations):
        lines.append("No party yet. Add one: !party add Carl carl@example.org")
    return "\n".join(lines)


def _floor_lines(case: Case) -> list[str]:
    """The joint room, and whom it keeps silent for now."""
    if JOINT not in conversations(case):
        return []
    floor = case.floor
    spells = [
        f"{person.name} is muted{f' until {moment(spell.until, case.zone)}' if spell.until else ''}."
        for spell in floor.muted
        if (person := case.living(spell.person))
    ]
    return [" ".join([f"Joint room: {floor.mode}. {floor_text(case)}", *spells])]


def sides_text(case: Case) -> str:
    """The sides and who is on each."""
    if not case.sides:
        return "No sides yet. !party add gives each party a side of its own; !side add makes one without people."
    return "\n".join(f"{side.name}: {', '.join(_names(case, side.id)) or 'nobody yet'}" for side in case.sides)


def _names(case: Case, side: str) -> list[str]:
    return [
        f"{person.name} ({p.role})"
        for p in case.participations
        if p.side == side and (person := case.person(p.person)) in case.voices() and person
    ]


def _confirmed(person: Person) -> str:
    """Whether an act of their own has shown that a mailbox is theirs."""
    if person.endpoint.network is not Network.EMAIL:
        return ""
    since = person.endpoint.enrolled
    if since:
        return f", the address confirmed on {since:%Y-%m-%d}"
    return f", THE ADDRESS NOT CONFIRMED yet, so links alone go there (!mail pin {person.name})"


def _person_line(case: Case, person: Person) -> str:
    seats = " and ".join(
        f"{p.role} on {side.name}" if p.side and (side := case.side(p.side)) else p.role for p in case.roles(person.id)
    )
    channels = "; and ".join(_channel(case, leg) for leg in case.legs_of(person.id))
    return f"– {person.name}: {seats}; {channels}"


def _channel(case: Case, person: Person) -> str:
    match person.endpoint.network:
        case Network.MATRIX:
            return f"in Matrix as {person.endpoint.address}"
        case Network.EMAIL | Network.WHATSAPP as network if case.sort is Sort.MEDIATORS and not is_proven(
            case, person.id
        ):
            return f"{CARRIED_BY[network]} at {person.endpoint.address}: invited, THE CODE HAS NOT COME yet"
        case Network.EMAIL | Network.WHATSAPP as network:
            consent = person.endpoint.content_consent
            agreed = (
                f"consent recorded by {consent.recorded_by} on {consent.on:%Y-%m-%d}" if consent else "NO CONSENT yet"
            )
            why, name = person.endpoint.doubt, case.channel_name(person)
            doubt = f", BUT {why.why}: !identity {name}" if why else ""
            return f"{CARRIED_BY[network]} at {person.endpoint.address}, {agreed}{_confirmed(person)}{doubt}"
        case _:
            assert_never(person.endpoint.network)
