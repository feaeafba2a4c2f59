"""The course of a mediation: a pause, a withdrawal, a settlement, a closing; and what everybody learns of it (R5)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import take
from policies.case import DESK, JOINT, Case, Phase
from policies.due import decide_due
from policies.effects import Decision, Effect, Hold, Inform, Pose, Reconcile, Relay, Tell
from policies.message import SignedDevice, Text
from policies.moderation.floor import floor_text, objection
from policies.networks.delivery import Go, Wait, may_post, may_publish
from policies.outcome import Done, Facts
from policies.plan import plan
from policies.questions.ask import Withdrawing
from policies.questions.asking import Answer
from policies.routing import decide
from policies.schedule import Schedule
from tests.policies.builders import (
    ALICE_JOINS,
    AT,
    alike,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    message,
    named,
    new_case,
    of_kind,
    refused,
)

CASE = both_sides()
ALICE, CARL, MIA = (named(CASE, name).id for name in ("Alice", "Carl", "Mia"))
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
TWO_DAYS = timedelta(days=2)


def alice(**more: object) -> Facts:
    return facts(ALICE, **more)  # type: ignore[arg-type]


def after(case: Case, *commands: str) -> Case:
    for command in commands:
        case = done(case, command).case
    return case


def confirmed(case: Case, command: str) -> Done:
    """A command of the mediator, and the yes."""
    return done(after(case, command), "yes 4F2A")


def withdrawn() -> Case:
    asked = done(CASE, "!withdraw", alice())
    outcome = take(asked.case, Answer("4F2A", True, ALICE, HERS, SignedDevice()), facts(None))
    assert isinstance(outcome, Done)
    return outcome.case


def levels(case: Case, where: object) -> int:
    room = next(room for room in plan(case) if room.conversation == where)
    return room.levels.events["m.room.encrypted"]


def in_time(case: Case, length: timedelta) -> Decision:
    return decide_due(case, "pause:", facts(at=AT + length))


def told(effects: Iterable[Effect]) -> dict[object, str]:
    """What each room, and each person by mail, is told."""
    said: dict[object, str] = {}
    for effect in effects:
        if isinstance(effect, Tell):
            said[effect.conversation] = effect.text
        elif isinstance(effect, Inform):
            said[effect.to] = effect.text
    return said


# --- a pause


@pytest.mark.parametrize("known", [facts(), facts(None), alice(), facts(CARL)])
def test_anybody_may_pause_and_the_joint_room_rests_at_once(known: Facts) -> None:
    outcome = done(CASE, "!pause", known)
    assert outcome.case.phase is Phase.PAUSED
    assert of_kind(Reconcile, outcome.effects)
    assert levels(outcome.case, JOINT) == 50
    assert objection(outcome.case, CARL, JOINT) == objection(outcome.case, ALICE, JOINT) == "the mediation is paused"
    assert objection(outcome.case, MIA, JOINT) is None


@pytest.mark.parametrize("known", [facts(), alice(), facts(CARL)])
def test_the_others_learn_that_it_is_paused_and_not_by_whom(known: Facts) -> None:
    said = told(done(CASE, "!pause for 2d", known).effects)
    words = "The mediation is paused until 2026-01-07 10:00 UTC. You reach the mediator in your private room."
    assert said[JOINT] == words
    assert said[HERS] == words
    others = {CARL: words} if known.by != CARL else {}
    assert others.items() <= said.items()
    assert not any("Alice" in text or "Carl" in text for text in said.values())


def test_only_the_desk_learns_who_paused() -> None:
    assert done(CASE, "!pause", alice()).answer.startswith("Alice paused the mediation")


def test_in_private_everybody_still_reaches_the_mediator_and_nobody_else() -> None:
    case = after(CASE, "!pause")
    for who, where in (("Alice", HERS), ("Carl", HIS)):
        assert levels(case, where) == 0
        assert decide(case, message(case, who, where), facts()).rule == "said"


def test_a_mail_to_all_is_held_while_it_rests() -> None:
    case = after(CASE, "!pause")
    decision = decide(case, message(case, "Carl", JOINT), facts())
    assert of_kind(Hold, decision.effects)
    assert not of_kind(Relay, decision.effects)


def test_what_was_under_way_waits_and_goes_on_with_the_mediation() -> None:
    case = after(CASE, "!pause")
    assert isinstance(may_post(case, JOINT, CARL), Wait)
    assert may_post(after(case, "!resume"), JOINT, CARL) == Go()


def test_a_pause_for_a_time_ends_by_itself_and_all_are_told() -> None:
    outcome = done(CASE, "!pause for 2d", alice())
    assert AT + TWO_DAYS in {alarm.at for alarm in of_kind(Schedule, outcome.effects)}
    assert in_time(outcome.case, TWO_DAYS - timedelta(seconds=1)).case == outcome.case
    ended = in_time(outcome.case, TWO_DAYS)
    assert ended.case == CASE
    said = told(ended.effects)
    assert said[HERS] == said[CARL] == "The mediation goes on."
    assert said[JOINT] == floor_text(CASE)


def test_whoever_paused_takes_it_back_and_the_mediator_can_always_go_on() -> None:
    paused = done(CASE, "!pause", alice()).case
    assert "The mediator goes on" in refused(paused, "!resume", facts(CARL))
    assert done(paused, "!resume", alice()).case == CASE
    assert alike(done(paused, "!resume").case, CASE)


def test_while_somebody_elses_pause_lasts_it_does_not_go_on_and_says_nothing_of_it() -> None:
    both = done(done(CASE, "!pause", alice()).case, "!pause", facts(CARL)).case
    outcome = done(both, "!resume", alice())
    assert outcome.case.phase is Phase.PAUSED
    assert [inform.text for inform in of_kind(Inform, outcome.effects)] == [
        "Noted. The mediator will tell you when it goes on."
    ]
    assert done(outcome.case, "!resume", facts(CARL)).case == CASE


def test_a_pause_before_the_joint_session_goes_back_to_where_it_was() -> None:
    case = case_with(ALICE_JOINS)
    assert alike(after(case, "!pause", "!resume"), case)


def test_a_turn_gives_nobody_the_word_while_it_rests() -> None:
    case = after(CASE, "!turn Alice", "!pause")
    joint = next(room for room in plan(case) if room.conversation == JOINT)
    assert objection(case, ALICE, JOINT)
    assert joint.levels.users.get(ALICE, 0) < levels(case, JOINT)


def test_whoever_is_taken_off_the_case_takes_their_pause_along() -> None:
    case = done(done(CASE, "!pause", alice()).case, "!party remove Alice").case
    assert done(case, "yes 4F2A").case.phase is Phase.IN_SESSION


@pytest.mark.parametrize(
    ("case", "command", "said"),
    [
        (new_case(), "!pause", "nothing to pause"),
        (CASE, "!resume", "does not rest"),
        (CASE, "!resume Alice", "Alice has not withdrawn"),
        (CASE, "!withdraw Mia", "Mia can't withdraw"),
        (CASE, "!withdraw Nobody", "Nobody here is called"),
    ],
)
def test_what_makes_no_sense_is_refused(case: Case, command: str, said: str) -> None:
    assert said in refused(case, command)


# --- a withdrawal


def test_a_party_is_asked_in_private_before_it_withdraws() -> None:
    outcome = done(CASE, "!withdraw", alice())
    [question] = of_kind(Pose, outcome.effects)
    assert (question.to, question.conversation) == (ALICE, HERS)
    assert outcome.case.phase is Phase.IN_SESSION
    assert outcome.case.asks[0].act == Withdrawing(ALICE)
    no = take(outcome.case, Answer("4F2A", False, ALICE, HERS, SignedDevice()), facts(None))
    assert isinstance(no, Done)
    assert no.case == CASE


def test_whoever_withdrew_finds_their_private_room_at_rest_and_the_others_learn_of_a_pause_alone() -> None:
    case = withdrawn()
    assert case.phase is Phase.PAUSED
    assert (levels(case, HERS), levels(case, HIS), levels(case, JOINT)) == (50, 0, 50)
    assert objection(case, ALICE, HERS)
    assert objection(case, CARL, HIS) is None
    assert objection(case, MIA, HERS) is None
    assert floor_text(case) == "The mediation is paused. You reach the mediator in your private room."


def test_the_mediator_withdraws_somebody_by_telephone_only_after_a_yes() -> None:
    asked = done(CASE, "!withdraw Carl")
    assert asked.case.phase is Phase.IN_SESSION
    assert "yes 4F2A" in asked.answer
    assert done(asked.case, "yes 4F2A").case.withdrawn == (CARL,)


def test_the_others_go_on_without_them_and_who_withdrew_may_come_back() -> None:
    case = withdrawn()
    assert "The mediator goes on" in refused(case, "!resume", alice())
    on = after(case, "!resume")
    assert (on.phase, on.withdrawn) == (Phase.IN_SESSION, (ALICE,))
    assert levels(on, HERS) == 50
    assert alike(after(on, "!resume Alice"), CASE)
    assert alike(after(case, "!resume Alice"), CASE)


# --- the end


def test_a_settled_case_leaves_the_word_to_the_mediator_and_private_rooms_open() -> None:
    case = confirmed(CASE, "!settle").case
    assert case.phase is Phase.SETTLED
    assert (levels(case, JOINT), levels(case, HERS)) == (50, 0)
    assert told(confirmed(CASE, "!settle").effects)[HERS].startswith("The mediation is settled.")


def test_in_a_closed_case_nobody_writes_in_any_room_of_the_parties() -> None:
    case = confirmed(CASE, "!close").case
    assert {levels(case, where) for where in (JOINT, HERS, HIS)} == {100}
    assert levels(case, DESK) == 0
    assert objection(case, MIA, JOINT) == objection(case, MIA, HERS) == "the mediation is closed"
    assert of_kind(Hold, decide(case, message(case, "Carl", HIS), facts()).effects)
    assert "nothing to pause" in refused(case, "!pause", alice())


@pytest.mark.parametrize("end", ["!settle", "!close"])
def test_an_end_can_be_taken_back_by_the_mediator(end: str) -> None:
    assert alike(after(confirmed(CASE, end).case, "!resume"), CASE)


@pytest.mark.parametrize("end", ["!settle", "!close"])
def test_nothing_ends_before_a_yes(end: str) -> None:
    asked = done(CASE, end)
    assert asked.case.phase is Phase.IN_SESSION
    assert "no 4F2A" not in asked.answer
    assert alike(done(asked.case, "no 4F2A").case, CASE)


# --- what a party says in its own room


@pytest.mark.parametrize("words", ["!pause", "!pause for 2d", " !PAUSE 2d"])
def test_a_party_says_it_in_private_and_is_answered_there(words: str) -> None:
    decision = decide(CASE, message(CASE, "Alice", HERS, Text(words)), replace(alice(), where=HERS))
    assert decision.case.phase is Phase.PAUSED
    answer = [inform for inform in of_kind(Inform, decision.effects) if inform.to == ALICE]
    assert "!resume takes it back" in answer[0].text
    assert not of_kind(Relay, decision.effects)


def test_in_the_joint_room_it_is_only_words() -> None:
    decision = decide(CASE, message(CASE, "Alice", JOINT, Text("!pause")), replace(alice(), where=JOINT))
    assert decision.case.phase is Phase.IN_SESSION
    assert of_kind(Relay, decision.effects)


@pytest.mark.parametrize("words", ["!settle", "!close", "!mode locked", "!turn Alice"])
def test_a_party_has_no_other_of_the_mediators_words(words: str) -> None:
    decision = decide(CASE, message(CASE, "Alice", HERS, Text(words)), replace(alice(), where=HERS))
    assert decision.case == CASE


def test_while_it_rests_nothing_that_is_released_is_shown() -> None:
    readers = frozenset({ALICE, CARL, MIA})
    assert may_publish(CASE, JOINT, readers) == Go()
    for case in (after(CASE, "!pause"), after(CASE, "!mode closed"), confirmed(CASE, "!close").case):
        assert isinstance(may_publish(case, JOINT, readers), Wait)


def test_only_a_party_silences_its_private_room_by_withdrawing() -> None:
    case = both_sides("!party add Ines @ines:example.org on Smith as interpreter")
    ines = named(case, "Ines").id
    assert "Only a party" in refused(case, "!withdraw", replace(facts(ines), where=caucus_of(case, "Smith")))
    assert "can't withdraw" in refused(case, "!withdraw Ines")
