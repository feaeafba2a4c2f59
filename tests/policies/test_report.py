"""What a party reports reaches the mediators and nobody else."""

import pytest

from policies import routing
from policies.case import DESK, JOINT
from policies.effects import Inform, Relay, Tell
from policies.message import Reaction, Unproven
from tests.policies.builders import both_sides, caucus_of, facts, message, named, of_kind
from tests.policies.test_release import HERS, HIS, quoting, says

CASE = both_sides()


def test_a_report_stands_at_the_desk_and_its_author_is_told_so() -> None:
    decision = says(CASE, "Alice", "!report: he\nthreatens me")
    [told] = of_kind(Tell, decision.effects)
    assert told.conversation == DESK
    assert "> he threatens me" in told.text
    [noted] = of_kind(Inform, decision.effects)
    assert (noted.to, noted.conversation) == (named(CASE, "Alice").id, HERS)
    assert not of_kind(Relay, decision.effects)


def test_a_message_is_reported_by_a_reply() -> None:
    decision = says(CASE, "Carl", "!report", HIS, **quoting("a threat", "Mia"))
    assert "about this, by Mia:\n> a threat" in of_kind(Tell, decision.effects)[0].text


def test_without_a_subject_it_is_asked_what_it_is_about() -> None:
    decision = says(CASE, "Alice", "!report")
    assert decision.refused
    assert "What is it about" in of_kind(Inform, decision.effects)[0].text


def test_unproven_it_is_held_like_everything_else() -> None:
    assert says(CASE, "Alice", "!report: x", proof=Unproven("a thief", "none")).rule == "unproven"


@pytest.mark.parametrize("key", ["⚠️", "⚠"])
def test_a_warning_sign_is_shown_at_the_desk_alone_and_proves_nothing(key: str) -> None:
    for where in (JOINT, caucus_of(CASE, "Smith")):
        decision = routing.decide(CASE, message(CASE, "Alice", where, Reaction(None, key)), facts(None))
        [told] = decision.effects
        assert isinstance(told, Tell)
        assert told.conversation == DESK
        assert "as Alice" in told.text


def test_any_other_reaction_is_told_to_nobody() -> None:
    where = caucus_of(CASE, "Smith")
    decision = routing.decide(CASE, message(CASE, "Alice", where, Reaction(None, "👍")), facts(None))
    assert decision.effects == ()
