"""What breaks a rule is taken away, kept for the mediators, explained in private, and passed on to nobody (M7)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import routing
from policies.acts import create
from policies.case import DESK, JOINT, Case, CaseId, Conversation
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.vocabulary import parse
from policies.effects import Decision, Explain, Hold, Redact, Relay, Tell
from policies.message import Content, Edit, File, FileRef, MessageId, Text, Unproven, Unreadable
from policies.moderation.rulebook import Rulebook, Trial
from policies.outcome import Done
from tests.policies.builders import AT, alike, both_sides, caucus_of, done, facts, message, named, of_kind, refused

CASE = both_sides("!mode open")
HERS = caucus_of(CASE, "Smith")
FILE = File("plan.pdf", "application/pdf", 9, FileRef("{}"))
CLEAR = Unproven("it was sent without encryption", "encrypt")
EDIT_WINDOW = Rulebook().edit_window
OLD = AT - EDIT_WINDOW - timedelta(seconds=1)


def posted(name: str, where: Conversation, content: Content, known: dict[str, Any], **other: Any) -> Decision:
    said = replace(message(CASE, name, where, content), **other)
    return routing.decide(CASE, said, replace(facts(None), **known))


BREACHES = [
    (JOINT, Text("in clear"), {}, {"in_clear": True, "proof": CLEAR}, "in-clear"),
    (HERS, Text("in clear"), {}, {"in_clear": True, "proof": CLEAR}, "in-clear"),
    (JOINT, FILE, {}, {}, "joint-file"),
    (JOINT, Edit(MessageId("m0"), "new"), {"edited_at": OLD}, {}, "late-edit"),
    (JOINT, Unreadable("x", "He lies"), {}, {"in_membership": True, "proof": CLEAR}, "words-in-membership"),
]


@pytest.mark.parametrize(("where", "content", "known", "other", "rule"), BREACHES)
def test_it_is_taken_away_kept_and_explained(
    where: Conversation, content: Content, known: dict[str, Any], other: dict[str, Any], rule: str
) -> None:
    decision = posted("Alice", where, content, known, **other)
    assert decision.rule == rule
    assert of_kind(Redact, decision.effects) == [Redact(where, MessageId("m1"))]
    assert len(of_kind(Hold, decision.effects)) == 1
    assert not of_kind(Relay, decision.effects)
    [told] = [t for t in of_kind(Tell, decision.effects) if t.conversation == DESK]
    assert "may have seen it" in told.text
    [why] = of_kind(Explain, decision.effects)
    assert (why.person, why.conversation) == (named(CASE, "Alice").id, HERS)
    assert "was taken away" in why.text


@pytest.mark.parametrize(("where", "content", "known", "other", "rule"), BREACHES)
def test_mediators_are_exempt(
    where: Conversation, content: Content, known: dict[str, Any], other: dict[str, Any], rule: str
) -> None:
    decision = posted("Mia", where, content, known, **other)
    assert decision.rule != rule
    assert not of_kind(Redact, decision.effects)


@pytest.mark.parametrize(
    ("where", "content", "known"),
    [
        (JOINT, Text("encrypted"), {}),
        (HERS, FILE, {}),
        (HERS, Edit(MessageId("m0"), "new"), {"edited_at": OLD}),
        (JOINT, Edit(MessageId("m0"), "new"), {"edited_at": AT - EDIT_WINDOW}),
        (JOINT, Edit(None, "new"), {}),
    ],
)
def test_what_breaks_no_rule_is_passed_on(where: Conversation, content: Content, known: dict[str, Any]) -> None:
    decision = posted("Alice", where, content, known)
    assert decision.rule == "said"
    assert not of_kind(Redact, decision.effects)


def test_what_comes_by_mail_was_seen_by_nobody_and_is_not_taken_away() -> None:
    assert not of_kind(Redact, posted("Carl", JOINT, Text("by mail"), {}).effects)


# --- tried out


@pytest.mark.parametrize(
    ("rule", "content", "known"),
    [
        ("joint-file", FILE, {}),
        ("late-edit", Edit(MessageId("m0"), "new"), {"edited_at": OLD}),
    ],
)
def test_a_rule_that_is_tried_out_takes_nothing_away_and_the_desk_alone_is_told(
    rule: str, content: Content, known: dict[str, Any]
) -> None:
    case = done(CASE, f"!rules {rule} dry").case
    decision = routing.decide(case, message(case, "Alice", JOINT, content), replace(facts(None), **known))
    assert not of_kind(Redact, decision.effects)
    assert not of_kind(Hold, decision.effects)
    assert not of_kind(Explain, decision.effects)
    assert [relay.to for relay in of_kind(Relay, decision.effects)] == [named(case, "Carl").id]
    [told] = [t.text for t in of_kind(Tell, decision.effects) if "Tried out" in t.text]
    assert f"!rules {rule} on" in told
    assert all(t.conversation == DESK for t in of_kind(Tell, decision.effects))
    assert "would have been taken away" in decision.reason
    again = done(case, f"!rules {rule} on").case
    assert posted_in(again, content, known).rule == rule


def posted_in(case: Case, content: Content, known: dict[str, Any]) -> Decision:
    return routing.decide(case, message(case, "Alice", JOINT, content), replace(facts(None), **known))


@pytest.mark.parametrize(("where", "content", "known", "other", "rule"), BREACHES)
def test_what_keeps_words_private_counts_whatever_is_tried_out(
    where: Conversation, content: Content, known: dict[str, Any], other: dict[str, Any], rule: str
) -> None:
    case = replace(CASE, rules=Rulebook(dry=tuple(Trial)))
    said = replace(message(case, "Alice", where, content), **other)
    decision = routing.decide(case, said, replace(facts(None), **known))
    assert bool(of_kind(Redact, decision.effects)) is (rule not in set(Trial))


def test_what_is_tried_out_is_still_held_where_its_author_may_not_speak_or_is_not_proven() -> None:
    case = done(done(CASE, "!rules joint-file dry").case, "!mode locked").case
    assert of_kind(Hold, posted_in(case, FILE, {}).effects)
    thief = message(CASE, "Alice", JOINT, FILE, Unproven("it may not be hers", "verify"))
    decision = routing.decide(replace(case, floor=CASE.floor), thief, facts(None))
    assert of_kind(Hold, decision.effects)
    assert not of_kind(Relay, decision.effects)


def test_only_those_rules_can_be_tried_out_and_the_answer_names_them() -> None:
    for rule in ("in-clear", "words-in-membership", "agreement"):
        misunderstood = parse(f"!rules {rule} dry")
        assert isinstance(misunderstood, Misunderstood)
        assert "late-edit and joint-file" in str(misunderstood)


def test_where_there_is_a_vault_files_are_not_tried_out() -> None:
    vault = replace(facts(), documents=True)
    assert "becomes a document" in refused(CASE, "!rules joint-file dry", vault)
    case = replace(CASE, rules=Rulebook(dry=(Trial.JOINT_FILE,)))
    decision = routing.decide(case, message(case, "Alice", JOINT, FILE), vault)
    assert not of_kind(Relay, decision.effects)
    assert of_kind(Redact, decision.effects)


def test_the_edit_window_is_the_cases() -> None:
    edit = Edit(MessageId("m0"), "new")
    longer = done(CASE, "!rules edits 1h").case
    assert posted_in(longer, edit, {"edited_at": AT - timedelta(hours=1)}).rule == "said"
    late = posted_in(longer, edit, {"edited_at": AT - timedelta(hours=1, seconds=1)})
    assert (late.rule, "60 minutes" in late.reason) == ("late-edit", True)
    assert "At most a day" in refused(CASE, "!rules edits 2d")


def test_a_new_case_takes_the_organisations_rules() -> None:
    known = replace(facts(None), rules=Rulebook(5, (Trial.LATE_EDIT,)))
    made = create(Case(CaseId("1042"), "x"), NewCase("x", ()), known)
    assert isinstance(made, Done)
    assert made.case.rules == known.rules


def test_the_rules_are_shown_and_an_undo_puts_them_back() -> None:
    case = done(CASE, "!rules late-edit dry").case
    shown = done(case, "!rules").answer
    assert "late-edit: a change of words in the joint room that is made too late is taken away; tried out" in shown
    assert "joint-file: a file in the joint room is taken away; in force" in shown
    assert "15 minutes" in shown
    assert "Always in force: what is sent without encryption" in shown
    assert alike(done(case, "!undo").case, CASE)
