"""What breaks a rule is taken away, kept for the mediators, explained in private, and passed on to nobody (M7)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import routing
from policies.case import DESK, JOINT, Conversation
from policies.effects import Decision, Explain, Hold, Redact, Relay, Tell
from policies.message import Content, Edit, File, FileRef, MessageId, Text, Unproven, Unreadable
from policies.rules import EDIT_WINDOW
from tests.policies.builders import AT, both_sides, caucus_of, facts, message, named, of_kind

CASE = both_sides("!mode open")
HERS = caucus_of(CASE, "Smith")
FILE = File("plan.pdf", "application/pdf", 9, FileRef("{}"))
CLEAR = Unproven("it was sent without encryption", "encrypt")
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
