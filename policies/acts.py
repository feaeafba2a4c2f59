"""What a command does to a case: the new case and its effects, or a refusal that says what would work."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from policies import commands, effects
from policies.case import (
    DESK,
    STAFF,
    Ask,
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
    Side,
    SideId,
)
from policies.commands import Command
from policies.effects import Effect, Explain, Introduce, Reconcile, Resume, Tell
from policies.identity import IDENTITY_CONFIRMED, Unconfirmable, identity_text, to_confirm
from policies.membership import caucuses_of, conversations, readers, sits_in_a_caucus
from policies.outcome import Done, Facts, Outcome, Refused
from policies.status import readers_text, sides_text, status_text
from policies.text import name_problem, skeleton

ASK_LASTS = timedelta(minutes=15)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MATRIX_ID = re.compile(r"@[a-z0-9._=/+-]+:(?P<server>\S+)")


def perform(case: Case, command: Command, facts: Facts) -> Outcome:
    """Carry out one command in a case, with all that follows for rooms and readers."""
    outcome = _perform(case, command, facts)
    if isinstance(outcome, Refused):
        return outcome
    return replace(outcome, effects=(*outcome.effects, *_what_follows(case, outcome.case)))


def create(case: Case, command: commands.NewCase, facts: Facts) -> Outcome:
    """Fill a new case with the steps of its file. The first step that is refused refuses the whole."""
    done = Done(case, "")
    for step in command.steps:
        outcome = _perform(done.case, step, facts)
        if isinstance(outcome, Refused):
            return outcome
        done = Done(outcome.case, done.answer, (*done.effects, *outcome.effects))
    return replace(done, effects=(*done.effects, *_what_follows(case, done.case)))


def _perform(case: Case, command: Command, facts: Facts) -> Outcome:  # noqa: C901, PLR0912 (one arm a command)
    match command:
        case commands.AddPerson():
            return _add_person(case, command, facts)
        case commands.RemovePerson(name):
            return _ask(case, f"!party remove {name}", facts) if case.named(name) else _no_such_person(case, name)
        case commands.AddSide(name):
            return _add_side(case, name)
        case commands.ListSides():
            return Done(case, sides_text(case))
        case commands.RecordConsent(name, wording):
            return _record_consent(case, name, wording, facts)
        case commands.ShowIdentity(name):
            return _show_identity(case, name, facts)
        case commands.ConfirmIdentity():
            return _confirm_identity(case, command, facts)
        case commands.OpenJoint():
            return _open(case)
        case commands.ShowStatus():
            return Done(case, status_text(case))
        case commands.Repair():
            return _ask(case, "!repair", facts, effects.Preview())
        case commands.ShowHeld(item):
            return Done(case, "", (effects.ShowHeld(item),))
        case commands.ShowDead(act, item):
            return Done(case, "", (effects.DeadLetters(act, item),))
        case commands.Help(topic):
            return Done(case, commands.help_text(topic, lobby=False))
        case commands.Yes(code):
            return _answer(case, code, facts)
        case commands.NewCase() | commands.ListCases():
            return Refused("That is said in the direct chat with me, not at a case's desk", "Write it to me there")
        case _:
            assert_never(command)


# --- people -------------------------------------------------------------------------------------------------------


def _add_person(case: Case, command: commands.AddPerson, facts: Facts) -> Outcome:
    problem = _address_problem(command, facts)
    if problem:
        return problem
    known = case.at_address(command.network, command.address)
    if known:
        return _add_again(case, command, known)
    wrong = name_problem(command.name)
    if wrong:
        return Refused(f"That name can't be used: {wrong}", "Choose another, such as: !party add Carl carl@example.org")
    twin = next((p for p in case.people if skeleton(p.name) == skeleton(command.name)), None)
    if twin:
        return Refused(
            f"{twin.name} is in this case already", "Give the newcomer a name that can't be confused with it"
        )
    number = case.made + 1
    person = Person(
        PersonId(f"p{number}"),
        command.name,
        Endpoint(EndpointId(f"e{number}"), command.network, command.address, command.consent),
    )
    return _seat(replace(case, people=(*case.people, person), made=number), person, command)


def _address_problem(command: commands.AddPerson, facts: Facts) -> Refused | None:
    match command.network:
        case Network.MATRIX:
            return _matrix_problem(command, facts)
        case Network.EMAIL:
            return _mail_problem(command, facts)
        case _:
            assert_never(command.network)


def _matrix_problem(command: commands.AddPerson, facts: Facts) -> Refused | None:
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


def _mail_problem(command: commands.AddPerson, facts: Facts) -> Refused | None:
    if facts.reply_domain is None:
        return Refused("Mail is not set up on this server", "Ask your administrator, or use a Matrix id")
    if command.role in STAFF:
        return Refused("A mediator works from Matrix", f"!mediator add {command.name} @user:{facts.server_name}")
    if not _MAIL.fullmatch(command.address):
        return Refused(f"“{command.address}” is not a mail address", "For example: !party add Carl carl@example.org")
    if command.address.rpartition("@")[2].casefold() == facts.reply_domain.casefold():
        return Refused("That is one of our own reply addresses", "Give the address at which the person reads mail")
    return None


def _add_again(case: Case, command: commands.AddPerson, known: Person) -> Outcome:
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


def _seat(case: Case, person: Person, command: commands.AddPerson) -> Outcome:
    side: SideId | None = None
    if sits_in_a_caucus(command.role):
        if command.side is None and command.role is not Role.PARTY:
            return Refused(
                f"On which side is {command.name}?",
                f"!party add {command.name} {command.address} as {command.role} on {_a_side(case)}",
            )
        seated = _side_for(case, command.side or command.name)
        if isinstance(seated, Refused):
            return seated
        case, side = seated
    seat = Participation(person.id, command.role, side)
    if seat in case.participations:
        return Refused(f"{person.name} is there already", "!status shows who takes part")
    phase = Phase.CONVENED if case.phase is Phase.INTAKE and command.role not in STAFF else case.phase
    case = replace(case, participations=(*case.participations, seat), phase=phase)
    return Done(case, _welcome(case, person, command))


def _welcome(case: Case, person: Person, command: commands.AddPerson) -> str:
    seats = [s.name for p in case.roles(person.id) if p.side and (s := case.side(p.side))]
    where = f", on the side {' and '.join(seats)}" if seats else ""
    match person.endpoint.network:
        case Network.MATRIX:
            how = "is invited in Matrix"
        case Network.EMAIL if person.endpoint.content_consent:
            how = "takes part by mail (consent on record; mail is not end-to-end encrypted)"
        case Network.EMAIL:
            how = (
                "takes part by mail. Until the consent is on record, no words are mailed:"
                f" !consent {person.name}: agreed by telephone to read the case by mail"
            )
        case _:
            assert_never(person.endpoint.network)
    return f"{person.name} ({command.role}) is in{where}, and {how}."


def _side_for(case: Case, name: str) -> tuple[Case, SideId] | Refused:
    side = next((s for s in case.sides if skeleton(s.name) == skeleton(name)), None)
    if side:
        return case, side.id
    made = _add_side(case, name)
    if isinstance(made, Refused):
        return made
    return made.case, made.case.sides[-1].id


def _add_side(case: Case, name: str) -> Outcome:
    wrong = name_problem(name)
    if wrong:
        return Refused(f"A side can't be called that: {wrong}", "For example: !side add Jones family")
    if any(skeleton(s.name) == skeleton(name) for s in case.sides):
        return Refused(f"There is a side {name} already", "!side list shows them")
    number = case.made + 1
    side = Side(SideId(f"s{number}"), name)
    return Done(
        replace(case, sides=(*case.sides, side), made=number), f"The side {name} stands, with a caucus of its own."
    )


def _a_side(case: Case) -> str:
    return case.sides[0].name if case.sides else "Jones"


def _no_such_person(case: Case, name: str) -> Refused:
    people = ", ".join(p.name for p in case.people) or "nobody yet"
    return Refused(f"Nobody here is called {name}", f"In this case: {people}")


def _remove_person(case: Case, name: str) -> Outcome:
    person = case.named(name)
    if person is None:
        return _no_such_person(case, name)
    staff = [p for p in case.people if case.is_staff(p.id)]
    if staff == [person]:
        return Refused(
            f"{person.name} is the only mediator", "Add the successor first: !mediator add NAME @user:server"
        )
    left = replace(
        case,
        people=tuple(p for p in case.people if p.id != person.id),
        participations=tuple(p for p in case.participations if p.person != person.id),
        asks=tuple(a for a in case.asks if a.asked != person.id),
    )
    return Done(
        left, f"{person.name} takes part no more, and reads nothing from now on. What was read can't be unread."
    )


def _record_consent(case: Case, name: str, wording: str, facts: Facts) -> Outcome:
    person = case.named(name)
    if person is None:
        return _no_such_person(case, name)
    if person.endpoint.network is Network.MATRIX:
        return Refused(
            f"{person.name} reads in Matrix, end-to-end encrypted; no consent is needed", "!status shows all"
        )
    by = case.person(facts.by) if facts.by else None
    consent = Consent(by.name if by else "the organisation", facts.at, wording)
    endpoint = replace(person.endpoint, content_consent=consent)
    return Done(
        case.with_person(replace(person, endpoint=endpoint)),
        f"On record: {person.name} agreed to have the words themselves sent by mail (“{wording}”).",
        (Resume(endpoint.id),),
    )


def _show_identity(case: Case, name: str, facts: Facts) -> Outcome:
    person = case.named(name)
    if person is None:
        return _no_such_person(case, name)
    return Done(case, identity_text(person.name, facts.identities.get(person.id)))


def _confirm_identity(case: Case, command: commands.ConfirmIdentity, facts: Facts) -> Outcome:
    person = case.named(command.name)
    if person is None:
        return _no_such_person(case, command.name)
    if person.id == facts.by:
        return Refused("Nobody confirms themselves", "Another mediator does, or your administrator")
    key = to_confirm(facts.identities.get(person.id), command.fingerprint)
    if isinstance(key, Unconfirmable):
        return Refused(key.why, f"!identity {person.name} shows what is known")
    told = tuple(Explain(person.id, c, IDENTITY_CONFIRMED) for c in caucuses_of(case, person.id)[:1])
    answer = f"The new identity of {person.name} is confirmed, and what waited for it goes on."
    return Done(case, answer, (effects.ConfirmIdentity(person.id, key), *told))


# --- the session, and questions -----------------------------------------------------------------------------------


def _open(case: Case) -> Outcome:
    if case.phase is Phase.IN_SESSION:
        return Refused("The joint session is open already", "!status shows where the case stands")
    if not any(p.role is Role.PARTY for p in case.participations):
        return Refused("There is no party yet", "Add one first: !party add Carl carl@example.org")
    opened = replace(case, phase=Phase.IN_SESSION)
    return Done(
        opened, "The joint session begins. Everyone is invited to the joint room; what is written there, all read."
    )


def _ask(case: Case, command: str, facts: Facts, *first: Effect) -> Outcome:
    if facts.by is None:
        return _confirmed(case, command)
    ask = Ask(facts.code, facts.by, command, facts.at + ASK_LASTS)
    others = tuple(a for a in case.asks if a.command != command and a.expires > facts.at)
    return Done(
        replace(case, asks=(*others, ask)),
        f"{command}: say “yes {ask.code}” within 15 minutes and it is done.",
        first,
    )


def _answer(case: Case, code: str, facts: Facts) -> Outcome:
    ask = next((a for a in case.asks if a.code == code and a.asked == facts.by and a.expires > facts.at), None)
    if ask is None:
        return Refused(
            f"No question of yours with the code {code} is open",
            "Give the command again; the answer then shows its code",
        )
    return _confirmed(replace(case, asks=tuple(a for a in case.asks if a != ask)), ask.command)


def _confirmed(case: Case, command: str) -> Outcome:
    match commands.parse(command):
        case commands.RemovePerson(name):
            return _remove_person(case, name)
        case commands.Repair():
            return Done(case, "The rooms are being mended.", (Reconcile(again=True),))
        case other:
            raise AssertionError(f"{type(other).__name__} is never asked about")


# --- what follows -------------------------------------------------------------------------------------------------


def _what_follows(before: Case, after: Case) -> tuple[Effect, ...]:
    """Rooms follow the case; readers learn of new ones; bridged newcomers get an address."""
    changed = [c for c in conversations(after) if readers(after, c) != readers(before, c)]
    if not changed and conversations(before) == conversations(after):
        return ()
    return (
        Reconcile(leaving=frozenset(p.endpoint.address for p in before.people if after.person(p.id) is None)),
        *(Tell(c, readers_text(after, c)) for c in changed if c != DESK and c in conversations(before)),
        *(
            Introduce(person, c)
            for c in changed
            for person in sorted(readers(after, c) - readers(before, c))
            if (p := after.person(person)) and p.endpoint.network is not Network.MATRIX
        ),
    )
