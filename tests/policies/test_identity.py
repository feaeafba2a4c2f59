"""A replaced identity: what mediators are shown, and that only the very key that was shown is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policies.acts import perform
from policies.case import (
    Case,
    CaseId,
    Endpoint,
    EndpointId,
    Network,
    Participation,
    Person,
    PersonId,
    Role,
    Side,
    SideId,
    caucus,
)
from policies.commands.channels import ConfirmIdentity, ShowIdentity
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.effects import ConfirmIdentity as Confirm
from policies.effects import Explain
from policies.outcome import Done, Facts, Refused
from policies.people.identity import Device, Identity, grouped

OLD, NEW = "Old" + "A" * 40, "New" + "B" * 40
AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
MIA, ALICE = PersonId("p1"), PersonId("p2")
REPLACED = Identity(OLD, NEW, replaced=True, since=AT, compared=None, devices=(Device("PHONE", "F" * 43, signed=True),))
TRUSTED = replace(REPLACED, trusted=NEW, replaced=False)


def person(number: int, name: str) -> Person:
    endpoint = Endpoint(EndpointId(f"e{number}"), Network.MATRIX, f"@{name.lower()}:example.org")
    return Person(PersonId(f"p{number}"), name, endpoint)


CASE = Case(
    CaseId("1001"),
    "Smith and Jones",
    sides=(Side(SideId("s1"), "Alice"),),
    people=(person(1, "Mia"), person(2, "Alice")),
    participations=(
        Participation(MIA, Role.MEDIATOR, None),
        Participation(ALICE, Role.PARTY, SideId("s1")),
    ),
)


def facts(known: Identity | None, by: PersonId | None = MIA, of: PersonId = ALICE) -> Facts:
    return Facts(AT, by, "ABCD", "example.org", "_mediatrix_", None, {of: known} if known else {})


def told(command: str, known: Identity | None, by: PersonId | None = MIA) -> Done | Refused:
    parsed = parse(command)
    assert not isinstance(parsed, Misunderstood), parsed
    return perform(CASE, parsed, facts(known, by))


def test_commands_are_read() -> None:
    assert parse("!identity Alice Smith") == ShowIdentity("Alice Smith")
    assert parse("!confirm Alice Smith: AbCd EfGh IjKl") == ConfirmIdentity("Alice Smith", "AbCd EfGh IjKl")
    for wrong in ("!identity", "!confirm", "!confirm Alice", "!confirm : AbCd", "!confirm Alice:"):
        assert isinstance(parse(wrong), Misunderstood)


@pytest.mark.parametrize("by", [MIA, None])
def test_the_shown_key_is_confirmed_and_the_person_is_told_in_their_caucus(by: PersonId | None) -> None:
    outcome = told(f"!confirm alice: {grouped(NEW[:12])}", REPLACED, by)
    assert isinstance(outcome, Done)
    confirm, explain = outcome.effects
    assert confirm == Confirm(ALICE, NEW)
    assert isinstance(explain, Explain)
    assert (explain.person, explain.conversation) == (ALICE, caucus(SideId("s1")))
    assert not explain.to_unsigned_devices


def test_the_command_that_is_shown_is_the_one_that_works() -> None:
    shown = told("!identity Alice", REPLACED)
    assert isinstance(shown, Done)
    command = shown.answer.partition("Then say: ")[2].splitlines()[0]
    assert isinstance(told(command, REPLACED), Done)
    again = told(command, replace(REPLACED, present="Newer" + "C" * 38))
    assert isinstance(again, Refused)
    assert "replaced again" in str(again)


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        (NEW[:11], REPLACED),
        (OLD, REPLACED),
        (NEW + "A", REPLACED),
        (NEW.lower(), REPLACED),
        (NEW, TRUSTED),
        (NEW, None),
        (NEW, replace(REPLACED, present=None)),
        (OLD, replace(REPLACED, present=None)),
    ],
)
def test_nothing_else_is_confirmed(typed: str, known: Identity | None) -> None:
    assert isinstance(told(f"!confirm Alice: {typed}", known), Refused)


def test_nobody_confirms_themselves_nor_somebody_unknown() -> None:
    outcome = perform(CASE, ConfirmIdentity("Mia", NEW), facts(REPLACED, MIA, MIA))
    assert isinstance(outcome, Refused)
    assert isinstance(perform(CASE, ConfirmIdentity("Mia", NEW), facts(REPLACED, None, MIA)), Done)
    assert isinstance(told("!confirm Carl: " + NEW, REPLACED), Refused)
    assert isinstance(told("!identity Carl", REPLACED), Refused)


def test_what_is_shown_says_what_is_known_and_no_more() -> None:
    def answer(known: Identity | None) -> str:
        outcome = told("!identity Alice", known)
        assert isinstance(outcome, Done)
        return outcome.answer

    assert "no encryption identity yet" in answer(None)
    replaced = answer(REPLACED)
    assert "REPLACED" in replaced
    assert grouped(OLD) in replaced
    assert f"{grouped(NEW)} (first seen 2026-11-22 12:30 UTC)" in replaced
    assert f"“PHONE”, signed by this identity: {grouped('F' * 43)}" in replaced
    assert "compared" not in replaced
    assert "emoji were compared with the administrator on 2026-11-22 12:30 UTC" in answer(
        replace(REPLACED, compared=AT)
    )
    trusted = answer(TRUSTED)
    assert f"the identity we trust is {grouped(NEW)}" in trusted
    assert "!confirm" not in trusted
    gone = answer(replace(REPLACED, present=None, devices=()))
    assert "none at all" in gone
    assert "!confirm" not in gone
    assert "No devices" in gone


def test_a_device_name_can_not_break_out_of_its_line() -> None:
    sly = replace(REPLACED, devices=(Device("A\nThen say: !confirm Alice: x", "F" * 43, signed=False),))
    outcome = told("!identity Alice", sly)
    assert isinstance(outcome, Done)
    assert "NOT signed" in outcome.answer
    assert not any(line.startswith("Then say") for line in outcome.answer.splitlines()[3:])
