"""A case goes from one mediator to another by the successor's own yes; nothing that waits is lost (M11, R12)."""

from dataclasses import replace

import pytest

from policies.acts import perform
from policies.board import NOTHING, waiting
from policies.case import DESK, JOINT, Case, Role
from policies.commands.vocabulary import GiveAnswer
from policies.due import decide_due
from policies.effects import Inform, Reconcile, Tell
from policies.message import MessageId, Text
from policies.names import ReleaseId
from policies.outcome import Quoted, Refused
from policies.people.membership import conversations, readers
from policies.releases.release import CONSENT_LASTS, Standing
from policies.routing import decide, decide_arrival
from tests.policies.builders import (
    AT,
    MIA,
    both_sides,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
    say,
)

CASE = both_sides()
HERS = caucus_of(CASE, "Smith")
HAND_OVER = "!handover Max @max:example.org"


def handed(case: Case = CASE) -> Case:
    return done(case, HAND_OVER, facts(code="6H4C")).case


def taken(case: Case) -> Case:
    return done(case, "yes 6H4C", facts(named(case, "Max").id)).case


def test_until_the_successor_says_yes_nothing_changes_for_who_hands_over() -> None:
    outcome = done(CASE, HAND_OVER, facts(code="6H4C"))
    assert "Max, do you take this case over from Mia? Say “yes 6H4C” here by 2026-01-12" in outcome.answer
    assert outcome.case.is_staff(MIA)
    assert [(w.who, w.what) for w in waiting(outcome.case, NOTHING)] == [("Max", "take the case over")]


def test_after_the_yes_the_successor_is_the_mediator_and_the_former_is_out_of_every_room() -> None:
    outcome = done(handed(), "yes 6H4C", facts(named(handed(), "Max").id))
    case, max_ = outcome.case, named(outcome.case, "Max")
    assert case.person(MIA) is None
    assert [seat.role for seat in case.roles(max_.id)] == [Role.MEDIATOR]
    assert all(MIA not in readers(case, where) for where in conversations(case))
    assert all(max_.id in readers(case, where) for where in conversations(case))
    assert Reconcile(leaving=frozenset({"@mia:example.org"})) in outcome.effects


def test_every_party_learns_it_in_private_over_its_own_channel() -> None:
    outcome = done(handed(), "yes 6H4C", facts(named(handed(), "Max").id))
    rooms = {t.conversation for t in of_kind(Tell, outcome.effects) if "Max is your mediator" in t.text}
    assert rooms == {HERS, caucus_of(CASE, "Jones")}
    assert [i.to for i in of_kind(Inform, outcome.effects) if "Max is your mediator" in i.text] == [
        named(CASE, "Carl").id
    ]
    assert not [t for t in of_kind(Tell, outcome.effects) if t.conversation == JOINT and "is your mediator" in t.text]


@pytest.mark.parametrize("by", ["Mia", "Alice", "Ines"])
def test_nobody_else_takes_it(by: str) -> None:
    case = done(handed(), "!mediator add Ines @ines:example.org").case
    outcome = perform(case, GiveAnswer("6H4C", True), facts(named(case, by).id))
    assert isinstance(outcome, Refused)


def test_a_successor_who_comes_later_sees_the_question_at_the_desk() -> None:
    case = handed()
    told = of_kind(Tell, decide_arrival(case, named(case, "Max"), DESK).effects)
    assert [t.conversation for t in told] == [DESK]
    assert "yes 6H4C" in told[0].text
    assert not decide_arrival(case, named(case, "Mia"), DESK).effects
    assert not decide_arrival(taken(case), named(case, "Max"), DESK).effects


def test_a_no_and_silence_leave_the_case_where_it_is() -> None:
    no = done(handed(), "no 6H4C", facts(named(handed(), "Max").id))
    assert (no.case.is_staff(MIA), no.case.asks) == (True, ())
    assert "Mia has it still" in no.answer
    late = decide_due(handed(), "ask:6H4C", facts(None, at=AT + CONSENT_LASTS))
    assert late.case.is_staff(MIA)
    assert "!handover asks again" in of_kind(Tell, late.effects)[0].text


def test_a_co_mediator_needs_no_address_and_a_second_hand_over_voids_the_first() -> None:
    case = done(CASE, "!mediator add Ines @ines:example.org").case
    case = done(case, "!handover Ines", facts(code="7J5D")).case
    case = done(case, "!handover Ines @ines:example.org", facts(code="8K6E")).case
    assert [ask.code for ask in case.asks] == ["8K6E"]
    case = done(case, HAND_OVER, facts(code="9L7F")).case
    assert [ask.code for ask in case.asks] == ["9L7F"]


def test_who_left_meanwhile_hands_nothing_over() -> None:
    case = done(handed(), "!mediator add Ines @ines:example.org").case
    ines = facts(named(case, "Ines").id)
    case = done(done(case, "!party remove Mia", ines).case, "yes 4F2A", ines).case
    void = done(case, "yes 6H4C", facts(named(case, "Max").id))
    assert "void" in void.answer
    assert void.case.person(named(case, "Ines").id) is not None


def test_what_it_can_not_be_done_with_says_what_would_work() -> None:
    assert "Name another mediator" in refused(CASE, "!handover Alice")
    assert "Name another mediator" in refused(CASE, "!handover Mia")
    assert "Nobody here is called Max" in refused(CASE, "!handover Max")
    assert "another homeserver" in refused(CASE, "!handover Max @max:elsewhere.example")
    assert "!mediator add" in refused(CASE, HAND_OVER, facts(None))


def test_what_a_party_submitted_and_was_just_previewed_waits_for_the_successor() -> None:
    alice = replace(facts(named(CASE, "Alice").id), where=HERS)
    case = done(CASE, "!submit: June would do", alice).case
    case = decide(case, message(case, "Alice", HERS, Text("yes 4F2A")), alice).case
    case = done(handed(case), "!release R1", facts(code="7J5D")).case
    assert case.release("R1") is not None
    after = taken(case)
    release = after.release("R1")
    assert release is not None
    assert release.standing is Standing.QUEUED
    assert done(after, "!release R1", facts(named(after, "Max").id)).case.asks


def test_what_a_mediator_had_begun_alone_is_over_when_they_are_out() -> None:
    quoted = Quoted(MessageId("m1"), named(CASE, "Alice").id, "June would do")
    case = done(handed(), "!release", replace(facts(code="7J5D"), where=HERS, quoted=quoted)).case
    release = taken(case).release(ReleaseId("R1"))
    assert release is not None
    assert release.standing is Standing.CLOSED


def test_an_author_who_is_taken_off_agrees_to_nothing_any_more() -> None:
    alice = replace(facts(named(CASE, "Alice").id), where=HERS)
    case = done(CASE, "!submit: June would do", alice).case
    case = done(done(case, "!party remove Alice", facts(code="7J5D")).case, "yes 7J5D").case
    release = case.release(ReleaseId("R1"))
    assert release is not None
    assert release.standing is Standing.CLOSED


def test_a_hand_over_to_a_co_mediator_is_undone_before_the_yes_and_is_final_after_it() -> None:
    case = done(CASE, "!mediator add Ines @ines:example.org").case
    asked = done(case, "!handover Ines").case
    assert done(asked, "!undo").case.asks == ()
    ines = facts(named(asked, "Ines").id)
    assert "taken off" in refused(done(asked, "yes 4F2A", ines).case, "!undo", ines)
    assert isinstance(say(done(asked, "!undo").case, "yes 4F2A", ines), Refused)
