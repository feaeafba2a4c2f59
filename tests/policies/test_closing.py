"""What a closed case keeps for a while, and no longer: nothing ends early or twice, and what goes on ends nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

from policies.case import Case, Phase
from policies.due import decide_due
from policies.effects import Decision, Tell
from policies.moderation.closing import CLOSING_RULE, Terms
from policies.schedule import Schedule
from tests.policies.builders import ALICE_JOINS, AT, both_sides, case_with, done, facts, of_kind

TERMS = Terms(timedelta(days=3), timedelta(days=9))
KEY = "closing:"


def closed(terms: Terms = TERMS) -> Case:
    """A case that was closed at the usual moment."""
    known = replace(facts(), terms=terms)
    return done(done(both_sides(), "!close", known).case, "yes 4F2A", known).case


def due(case: Case, at: datetime, terms: Terms = TERMS) -> Decision:
    """What follows when the time has come."""
    return decide_due(case, KEY, replace(facts(None, at=at), terms=terms))


def told(decision: Decision) -> str:
    return " ".join(tell.text for tell in of_kind(Tell, decision.effects))


def test_a_closing_schedules_both_ends_and_each_comes_in_its_time_once() -> None:
    case = closed()
    known = replace(facts(), terms=TERMS)
    alarms = of_kind(Schedule, done(done(both_sides(), "!close", known).case, "yes 4F2A", known).effects)
    assert [(alarm.at - AT, alarm.key) for alarm in alarms] == [(TERMS.addresses, KEY), (TERMS.mails, KEY)]
    assert due(case, AT + TERMS.addresses - timedelta(seconds=1)).case == case
    first = due(case, AT + TERMS.addresses)
    assert (first.rule, "addresses" in told(first), "destroyed" in told(first)) == (CLOSING_RULE, True, False)
    assert due(first.case, AT + TERMS.addresses).effects == ()
    assert due(first.case, AT).case == first.case, "a clock that is behind undoes nothing"
    second = due(first.case, AT + TERMS.mails)
    assert ("addresses" in told(second), "destroyed" in told(second)) == (False, True)
    assert second.case.closing is not None
    assert (second.case.closing.expired, second.case.closing.destroyed) == (True, True)


def test_a_case_that_goes_on_ends_nothing_and_its_next_closing_begins_anew() -> None:
    open_again = done(closed(), "!resume").case
    assert open_again.closing is None
    assert due(open_again, AT + TERMS.mails) == Decision(open_again, (), "overtaken", "the case goes on")
    later = replace(facts(at=AT + timedelta(days=2)), terms=TERMS)
    again = done(done(open_again, "!close", later).case, "yes 4F2A", later).case
    assert due(again, AT + TERMS.addresses).case == again
    assert due(again, AT + timedelta(days=2) + TERMS.addresses).case != again


def test_what_counts_is_what_was_set_when_it_was_closed() -> None:
    sooner = Terms(timedelta(), timedelta())
    assert due(closed(), AT + timedelta(days=1), sooner).case == closed()
    at_once = closed(sooner).closing
    assert at_once is not None
    assert due(closed(sooner), AT).case.closing == replace(at_once, expired=True, destroyed=True)


def test_a_settled_case_keeps_everything() -> None:
    settled = done(done(both_sides(), "!settle").case, "yes 4F2A").case
    assert (settled.phase, settled.closing) == (Phase.SETTLED, None)


def test_the_desk_of_a_case_without_mail_is_told_nothing_of_mail() -> None:
    known = replace(facts(), terms=TERMS)
    without = case_with(ALICE_JOINS)
    case = done(done(without, "!close", known).case, "yes 4F2A", known).case
    assert told(due(case, AT + TERMS.mails)) == ""


def test_a_case_that_was_closed_before_there_were_times_has_its_own_begin_when_it_is_looked_at() -> None:
    old = replace(closed(), closing=None)
    begun = due(old, AT + timedelta(days=99))
    assert [alarm.at - AT - timedelta(days=99) for alarm in of_kind(Schedule, begun.effects)] == [
        TERMS.addresses,
        TERMS.mails,
    ]
    assert told(begun) == ""
