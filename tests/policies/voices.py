"""Somebody with two channels: Alice, in Matrix and by WhatsApp, on the side Smith; Carl by mail on the side Jones."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case
from policies.outcome import Done, Facts, Outcome
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named, say, unasked

NUMBER = "+34600123456"
KNOWN = replace(facts(code="6H4C"), whatsapp=True, page="https://mediation.example.org/p/")


def does(case: Case, command: str, known: Facts = KNOWN) -> Done:
    """What a mediator's command does that must be carried out."""
    return done(case, command, known)


def agreed_to(case: Case, command: str, known: Facts = KNOWN) -> Done:
    """The same of one that asks first."""
    return does(does(case, command, known).case, "yes 6H4C", known)


def says(case: Case, leg: str, command: str, side: str = "Smith", code: str = "7K5D") -> Outcome:
    """What somebody's command in their private room does, over that channel."""
    known = replace(KNOWN, by=named(case, leg).id, where=caucus_of(case, side), code=code)
    return say(case, command, known)


def with_two(*more: str) -> Case:
    """Alice has both channels, and WhatsApp her consent."""
    case = unasked(agreed_to(both_sides(), f"!channel add Alice {NUMBER}").case)
    for command in ("!consent Alice (WhatsApp): agreed", *more):
        case = unasked(does(case, command).case)
    return case


def confirmed_mailbox(case: Case, name: str) -> Case:
    """The case once that mailbox is shown to be theirs."""
    person = named(case, name)
    return case.with_person(replace(person, endpoint=replace(person.endpoint, enrolled=AT)))
