"""A new encryption identity is believed only after a mediator has named the very key (I4, I9)."""

from dataclasses import replace

import pytest

from policies.effects import ConfirmIdentity, Explain
from policies.identity import FINGERPRINT_LEAST, Device, Identity, Unconfirmable, grouped, identity_text, to_confirm
from tests.policies.builders import both_sides, caucus_of, done, facts, named, of_kind, refused

OLD, NEW = "OldKey" * 7, "NewKey" * 7
REPLACED = Identity(OLD, NEW, True, None, None, (Device("PHONE", "Fingerprint", True), Device("X", "Other", False)))


def test_the_present_key_is_confirmed_by_how_it_begins() -> None:
    assert to_confirm(REPLACED, NEW[:FINGERPRINT_LEAST]) == NEW
    assert to_confirm(REPLACED, grouped(NEW)) == NEW


@pytest.mark.parametrize(
    ("known", "typed"),
    [
        (None, NEW),
        (replace(REPLACED, replaced=False), NEW),
        (replace(REPLACED, present=None), NEW),
        (REPLACED, NEW[: FINGERPRINT_LEAST - 1]),
        (REPLACED, OLD),
        (REPLACED, NEW.lower()),
        (REPLACED, f"{NEW}x"),
    ],
)
def test_anything_else_confirms_nothing(known: Identity | None, typed: str) -> None:
    assert isinstance(to_confirm(known, typed), Unconfirmable)


def test_a_mediator_confirms_and_the_person_is_told_alone() -> None:
    case = both_sides()
    alice = named(case, "Alice")
    outcome = done(case, f"!confirm Alice: {grouped(NEW)}", replace(facts(), identities={alice.id: REPLACED}))
    assert of_kind(ConfirmIdentity, outcome.effects) == [ConfirmIdentity(alice.id, NEW)]
    assert [explain.conversation for explain in of_kind(Explain, outcome.effects)] == [caucus_of(case, "Smith")]


def test_nobody_confirms_themselves() -> None:
    case = both_sides()
    mia = named(case, "Mia")
    known = replace(facts(), identities={mia.id: REPLACED})
    assert "Nobody confirms themselves" in refused(case, f"!confirm Mia: {NEW}", known)


def test_what_is_shown_of_a_replaced_identity_says_what_to_do() -> None:
    text = identity_text("Alice", REPLACED)
    assert grouped(OLD) in text
    assert grouped(NEW) in text
    assert "NOT signed" in text
    assert f"!confirm Alice: {grouped(NEW[:FINGERPRINT_LEAST])}" in text


def test_somebody_without_an_identity_is_shown_so() -> None:
    assert "no encryption identity" in identity_text("Alice", None)
