"""What was scheduled happens when it is due, unless it was overtaken."""

from datetime import timedelta

from policies.due import decide_due
from policies.questions.asking import ASK_LASTS
from policies.schedule import Schedule
from tests.policies.builders import AT, both_sides, done, facts, of_kind, refused

LATER = facts(at=AT + ASK_LASTS)


def test_a_question_is_forgotten_when_its_time_is_up() -> None:
    asked = done(both_sides(), "!party remove Carl")
    [alarm] = of_kind(Schedule, asked.effects)
    assert alarm.at == AT + ASK_LASTS
    assert decide_due(asked.case, alarm.key, LATER).case.asks == ()


def test_a_question_that_was_asked_anew_under_the_same_code_is_kept() -> None:
    asked = done(both_sides(), "!party remove Carl", facts(at=AT + timedelta(minutes=1)))
    [early] = of_kind(Schedule, done(both_sides(), "!party remove Carl").effects)
    assert decide_due(asked.case, early.key, LATER).case == asked.case


def test_what_was_answered_in_time_stays_so() -> None:
    asked = done(both_sides(), "!party remove Carl")
    [alarm] = of_kind(Schedule, asked.effects)
    answered = done(asked.case, "yes 4F2A").case
    assert decide_due(answered, alarm.key, LATER).case == answered
    assert "No question of yours" in refused(answered, "yes 4F2A")


def test_what_nobody_knows_any_more_does_nothing() -> None:
    case = both_sides()
    decision = decide_due(case, "something of another version", LATER)
    assert (decision.case, decision.effects) == (case, ())
