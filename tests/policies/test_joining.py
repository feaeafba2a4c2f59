"""Who was invited is reminded, then a mediator is to telephone them; until they show that they are in (R9)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.board import NOTHING, case_board, waiting
from policies.case import Case, Joining, Network
from policies.due import decide_due
from policies.effects import Decision, Effect, Introduce, Tell
from policies.people.joining import STEP_LASTS, anew, came, funnel
from policies.schedule import Due, Schedule, due_key
from tests.policies.builders import ALICE_JOINS, AT, CARL_JOINS, case_with, done, facts, named, new_case, of_kind

CASE = case_with(ALICE_JOINS, CARL_JOINS)
ALICE, CARL = named(CASE, "Alice"), named(CASE, "Carl")
FIRST, SECOND = AT + STEP_LASTS, AT + 2 * STEP_LASTS


def step(case: Case, name: str, days: int) -> Decision:
    at = AT + timedelta(days=days)
    return decide_due(case, due_key(Due.JOINING, named(case, name).id), facts(at=at))


def alarms(effects: tuple[Effect, ...]) -> list[Schedule]:
    return [one for one in of_kind(Schedule, effects) if one.key.startswith(Due.JOINING)]


def test_who_is_added_is_looked_after_and_a_mediator_is_not() -> None:
    outcome = done(new_case(), CARL_JOINS)
    assert alarms(outcome.effects) == [Schedule(FIRST, due_key(Due.JOINING, named(outcome.case, "Carl").id))]
    assert named(outcome.case, "Carl").joining == Joining(AT)
    staff = done(outcome.case, "!mediator add Ines @ines:example.org")
    assert not alarms(staff.effects)
    assert named(staff.case, "Ines").joining is None


def test_by_mail_the_first_letters_come_again_and_then_the_desk_is_to_telephone() -> None:
    reminded = step(CASE, "Carl", 2)
    assert reminded.rule == "joining-reminded"
    assert of_kind(Introduce, reminded.effects)
    assert {letter.person for letter in of_kind(Introduce, reminded.effects)} == {CARL.id}
    assert [alarm.at for alarm in alarms(reminded.effects)] == [SECOND]
    called = step(reminded.case, "Carl", 4)
    assert called.rule == "joining-telephone"
    assert not of_kind(Introduce, called.effects)
    assert not alarms(called.effects)
    [told] = of_kind(Tell, called.effects)
    assert told.text.startswith("Telephone Carl, who was invited on 2026-01-05 10:00 UTC and reminded on 2026-01-07")
    assert step(called.case, "Carl", 6).rule == "overtaken"


@pytest.mark.parametrize("name", ["Alice", "Carl"])
def test_where_nothing_can_be_sent_again_the_desk_is_to_telephone_at_once(name: str) -> None:
    stopped = done(CASE, "!mail pause Carl").case
    called = step(stopped, name, 2)
    assert called.rule == "joining-telephone"
    assert not of_kind(Introduce, called.effects)


def test_the_board_shows_who_is_not_in_whom_to_telephone_and_the_funnel() -> None:
    called = step(step(CASE, "Carl", 2).case, "Carl", 4).case
    inside = came(called, ALICE.id, AT)
    assert inside is not None
    board = case_board(inside.case, NOTHING, at=AT).text
    assert "Not in yet: Carl was invited on 2026-01-05 10:00 UTC and reminded on 2026-01-07 10:00 UTC" in board
    assert "Not in yet: Alice" not in board
    assert "Joining: 2 invited, 1 reminded, 1 to be telephoned, 1 in" in board
    assert ("a mediator", "telephone Carl") in {(one.who, one.what) for one in waiting(called, NOTHING)}
    all_in = came(inside.case, CARL.id, AT)
    assert all_in is not None
    assert "Joining" not in case_board(all_in.case, NOTHING, at=AT).text
    assert funnel(all_in.case).in_words == "2 invited, 1 reminded, 0 to be telephoned, 2 in"
    assert waiting(all_in.case, NOTHING) == ()


def test_who_is_in_is_neither_reminded_nor_telephoned_and_comes_in_once() -> None:
    inside = came(CASE, CARL.id, AT)
    assert inside is not None
    assert inside.rule == "joining-in"
    assert step(inside.case, "Carl", 2).rule == "overtaken"
    assert came(inside.case, CARL.id, AT) is None
    assert came(CASE, named(CASE, "Mia").id, AT) is None


@pytest.mark.parametrize("end", ["!close", "!settle", "!withdraw Carl"])
def test_who_is_not_to_come_in_any_more_is_left_in_peace(end: str) -> None:
    outcome = done(CASE, end)
    after = done(outcome.case, "yes 4F2A").case if outcome.case.asks else outcome.case
    assert step(after, "Carl", 2).rule == "overtaken"


def test_who_left_is_not_waited_for() -> None:
    gone = replace(CASE, people=tuple(p for p in CASE.people if p.id != CARL.id))
    assert decide_due(gone, due_key(Due.JOINING, CARL.id), facts(at=FIRST)).rule == "overtaken"


def test_who_is_invited_again_is_given_time_again_and_so_is_a_new_mailbox() -> None:
    at = AT + timedelta(days=1)
    for line in ("!mail invite Carl", "!mail address Carl carl@example.com"):
        again = done(CASE, line, facts(at=at))
        assert named(again.case, "Carl").joining == Joining(at)
        assert [alarm.at for alarm in alarms(again.effects)] == [at + STEP_LASTS]
        assert step(again.case, "Carl", 2).rule == "overtaken", "that was the former one's time"
        assert step(again.case, "Carl", 3).rule == "joining-reminded"


def test_to_invite_somebody_again_who_is_in_begins_nothing() -> None:
    inside = came(CASE, CARL.id, AT)
    assert inside is not None
    again = done(inside.case, "!mail invite Carl")
    assert not alarms(again.effects)
    joining = named(again.case, "Carl").joining
    assert joining is not None
    assert joining.came == AT


def test_of_who_was_there_before_all_this_nothing_is_asked() -> None:
    old = CASE.with_person(replace(CARL, joining=None))
    assert step(old, "Carl", 2).rule == "overtaken"
    assert came(old, CARL.id, AT) is None
    assert anew(old, ALICE, AT)[1]
    assert CARL.endpoint.network is Network.EMAIL
