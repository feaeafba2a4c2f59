"""Nobody comes into the joint room, or speaks there, before accepting the agreement to mediate as it is now (M2)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from policies import routing
from policies.acts import create
from policies.case import DESK, JOINT, Case, CaseId, Consent, Network, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.vocabulary import parse
from policies.effects import Decision, Hold, Inform, Introduce, Pose, Reconcile, Relay, Tell
from policies.message import AuthenticatedMail, Proof, Text, Unproven
from policies.moderation.agreement import Agreement, Confidentiality
from policies.outcome import Done
from policies.people.membership import readers
from tests.policies.builders import (
    AGREEMENT,
    agreed_case,
    both_sides,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

CASE, QUESTIONS = agreed_case("!open")


def said(case: Case, name: str, words: str, proof: Proof | None = None) -> Decision:
    side = "Smith" if name == "Alice" else "Jones"
    return routing.decide(case, message(case, name, caucus_of(case, side), Text(words), proof), facts(None))


def yes(name: str, word: str = "yes") -> str:
    return f"{word} {next(q.code for q in QUESTIONS if q.to == named(CASE, name).id)}"


def names(case: Case) -> set[str]:
    return {p.name for p in case.people if p.id in readers(case, JOINT)}


def test_each_is_asked_in_private_before_anything_else_and_told_what_stays_private() -> None:
    assert {(q.to, q.conversation) for q in QUESTIONS} == {
        (named(CASE, "Alice").id, caucus_of(CASE, "Smith")),
        (named(CASE, "Carl").id, caucus_of(CASE, "Jones")),
    }
    assert all(AGREEMENT.text in q.words and "Silence is a no" in q.words for q in QUESTIONS)
    assert "agreed to the exact words" in Agreement(1, "x").words


def test_whoever_has_not_accepted_is_not_in_the_joint_room() -> None:
    assert names(CASE) == {"Mia"}
    decision = said(CASE, "Alice", yes("Alice"))
    assert names(decision.case) == {"Mia", "Alice"}
    assert of_kind(Reconcile, decision.effects)
    assert any("Alice accepted" in t.text for t in of_kind(Tell, decision.effects) if t.conversation == DESK)
    [told] = of_kind(Inform, decision.effects)
    assert AGREEMENT.sha256 in told.text


def test_an_acceptance_by_mail_opens_the_joint_room_there() -> None:
    decision = said(CASE, "Carl", yes("Carl"), AuthenticatedMail())
    assert of_kind(Introduce, decision.effects) == [Introduce(named(CASE, "Carl").id, JOINT)]
    [acceptance] = decision.case.acceptances
    assert acceptance.sha256 == AGREEMENT.sha256
    assert "by mail" in acceptance.how


def test_an_answer_is_passed_on_to_nobody() -> None:
    assert not of_kind(Relay, said(CASE, "Alice", yes("Alice")).effects)


def test_a_no_keeps_the_door_shut_and_is_told_to_the_mediator_alone() -> None:
    decision = said(CASE, "Alice", yes("Alice", "no"))
    assert names(decision.case) == {"Mia"}
    assert [t.conversation for t in of_kind(Tell, decision.effects)] == [DESK]
    assert "does NOT accept" in of_kind(Tell, decision.effects)[0].text


def test_an_answer_from_an_unverified_device_binds_nobody() -> None:
    decision = said(CASE, "Alice", yes("Alice"), Unproven("your device is not verified", "verify it"))
    assert names(decision.case) == {"Mia"}
    assert decision.case.asks == CASE.asks


def test_a_mistaken_code_is_explained_in_private() -> None:
    decision = said(CASE, "Alice", "yes 9XX9")
    [told] = of_kind(Inform, decision.effects)
    assert (told.to, told.conversation) == (named(CASE, "Alice").id, caucus_of(CASE, "Smith"))
    assert not of_kind(Relay, decision.effects)


def test_a_mail_to_the_joint_room_before_that_is_held() -> None:
    decision = routing.decide(CASE, message(CASE, "Carl", JOINT), facts(None))
    assert [h.why for h in of_kind(Hold, decision.effects)] == [routing.HELD_TILL_ACCEPTED]


def test_a_latecomer_is_asked_too() -> None:
    outcome = done(CASE, "!party add Dora @dora:example.org as counsel on Smith")
    dora = named(outcome.case, "Dora").id
    assert [q.to for q in of_kind(Pose, outcome.effects)] == [dora]
    assert dora not in readers(outcome.case, JOINT)


def test_what_was_accepted_on_paper_is_on_record_with_who_says_so() -> None:
    outcome = done(CASE, "!agreement accepted Carl: signed on 3 May")
    assert names(outcome.case) == {"Mia", "Carl"}
    [acceptance] = outcome.case.acceptances
    assert "recorded by Mia" in acceptance.how
    assert "signed on 3 May" in acceptance.how
    assert [a.asked for a in outcome.case.asks] == [named(CASE, "Alice").id]
    assert "need not" in refused(outcome.case, "!agreement accepted Carl: again")


def test_a_case_file_records_what_was_accepted_on_paper() -> None:
    given = Consent("M. Moss", datetime(2026, 1, 2, tzinfo=UTC), "signed")
    alice = AddPerson("Alice", Network.MATRIX, "@alice:example.org", Role.PARTY, accepted=given)
    known = replace(facts(None), agreement=AGREEMENT)
    outcome = create(Case(CaseId("1"), "x"), NewCase("x", (alice,)), known)
    assert isinstance(outcome, Done)
    assert outcome.case.accepted(named(outcome.case, "Alice").id)
    assert not of_kind(Pose, outcome.effects)


def test_a_new_version_is_confirmed_by_the_mediator_and_asked_of_everyone() -> None:
    case = said(CASE, "Alice", yes("Alice")).case
    known = replace(facts(code="7QQ7"), agreement=Agreement(1, "Another text."))
    asked = done(case, "!agreement new", known)
    assert names(asked.case) == {"Mia", "Alice"}
    renewed = done(asked.case, "yes 7QQ7", known)
    assert names(renewed.case) == {"Mia"}
    assert renewed.case.agreement == Agreement(2, "Another text.")
    assert len(of_kind(Pose, renewed.effects)) == 2
    assert said(renewed.case, "Carl", yes("Carl")).refused
    assert "version 2, which the case has" in refused(renewed.case, "!agreement new", known)


@pytest.mark.parametrize("mode", list(Confidentiality))
def test_the_confidentiality_is_part_of_what_is_accepted(mode: Confidentiality) -> None:
    assert Agreement(1, "x", mode).sha256 not in {Agreement(1, "x", m).sha256 for m in Confidentiality if m is not mode}


def test_another_confidentiality_is_a_new_version() -> None:
    asked = done(CASE, "!agreement mode no-secrets", facts(code="7QQ7"))
    renewed = done(asked.case, "yes 7QQ7").case
    assert renewed.agreement == Agreement(2, AGREEMENT.text, Confidentiality.OPEN)
    assert "one of strict" in str(parse("!agreement mode loud"))


def test_a_former_version_that_comes_again_is_asked_anew() -> None:
    case = said(CASE, "Alice", yes("Alice")).case
    for mode, code in (("no-secrets", "7QQ7"), ("strict", "8QQ8")):
        case = done(case, f"!agreement mode {mode}", facts(code=code)).case
        case = done(case, f"yes {code}").case
    assert case.agreements[-1].sha256 == case.agreements[0].sha256
    assert names(case) == {"Mia"}


def test_the_desk_sees_who_has_accepted_and_the_exact_words() -> None:
    shown = done(said(CASE, "Alice", yes("Alice")).case, "!agreement").answer
    assert f"> {AGREEMENT.text}" in shown
    assert "Alice: accepted on" in shown
    assert "Carl: asked, not answered yet" in shown
    assert "already" not in refused(done(CASE, "!agreement accepted Alice: x").case, "!agreement accepted Mia: x")


def test_without_an_agreement_nobody_is_kept_out_and_the_commands_say_so() -> None:
    case = both_sides()
    assert names(case) == {"Mia", "Alice", "Carl"}
    assert "no agreement" in refused(case, "!agreement")
    assert "no agreement" in refused(case, "!agreement send")
    assert "administrator" in refused(case, "!agreement new")


def test_who_has_no_private_room_is_recorded_on_paper() -> None:
    case = done(CASE, "!party add Olga @olga:example.org as observer").case
    assert "Olga: NOT ACCEPTED, and has no private room" in done(case, "!agreement").answer
