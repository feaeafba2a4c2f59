"""Who may speak in the joint room: for every mode, turn, mute and pause, in Matrix and by mail alike (M1)."""

from datetime import timedelta

import pytest

from policies.case import JOINT, Case
from policies.due import decide_due
from policies.effects import Announce, Decision, Hold, Inform, Post, Reconcile, Relay, Resume, Tell
from policies.message import Edit, Text
from policies.moderation.floor import floor_text, objection
from policies.moderation.mode import Mode
from policies.networks.delivery import Go, Wait, may_post
from policies.plan import plan
from policies.routing import decide, decide_arrival
from policies.schedule import Schedule
from policies.status import status_text
from tests.policies.builders import (
    ALICE_JOINS,
    AT,
    CARL_JOINS,
    alike,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

HOUR = timedelta(hours=1)
NAMES = ("Mia", "Alice", "Carl")


def speakers(case: Case) -> set[str]:
    """Who may speak in the joint room, by the levels of its room; they and the rule must agree."""
    levels = next(room.levels for room in plan(case) if room.conversation == JOINT)
    speak = levels.events["m.room.encrypted"]
    assert {levels.events["m.room.message"], levels.events["m.reaction"]} == {speak}
    able = {name for name in NAMES if levels.users.get(named(case, name).id, 0) >= speak}
    assert able == {name for name in NAMES if objection(case, named(case, name).id, JOINT) is None}
    return able


def after(case: Case, *commands: str) -> Case:
    for command in commands:
        case = done(case, command).case
    return case


def in_time(case: Case, length: timedelta) -> Decision:
    """What becomes of what is scheduled, when that much time has gone."""
    return decide_due(case, "floor:", facts(at=AT + length))


@pytest.mark.parametrize(
    ("commands", "able"),
    [
        (("!mode open",), {"Mia", "Alice", "Carl"}),
        (("!mode released",), {"Mia"}),
        (("!mode moderated",), {"Mia"}),
        (("!mode locked",), {"Mia"}),
        (("!mode closed",), set()),
        (("!turn Alice 10m",), {"Mia", "Alice"}),
        (("!mode released", "!turn Carl"), {"Mia", "Carl"}),
        (("!turn Alice", "!turn Carl"), {"Mia", "Carl"}),
        (("!turn Alice", "!turn off"), {"Mia", "Alice", "Carl"}),
        (("!mute Carl",), {"Mia", "Alice"}),
        (("!mute Carl 1h", "!unmute carl"), {"Mia", "Alice", "Carl"}),
        (("!turn Carl", "!mute Carl"), {"Mia", "Alice"}),
        (("!cool 30m",), {"Mia"}),
        (("!turn Alice", "!cool 30m"), {"Mia"}),
        (("!cool 30m", "!cool off"), {"Mia", "Alice", "Carl"}),
        (("!cool 30m", "!turn Alice"), {"Mia", "Alice"}),
        (("!cool 30m", "!mode open"), {"Mia", "Alice", "Carl"}),
    ],
)
def test_the_mode_says_who_may_speak(commands: tuple[str, ...], able: set[str]) -> None:
    assert speakers(after(both_sides(), *commands)) == able


def test_a_joint_room_is_released_from_the_beginning() -> None:
    case = case_with(ALICE_JOINS, CARL_JOINS, "!open")
    assert case.floor.mode is Mode.RELEASED
    assert speakers(case) == {"Mia"}


def test_who_has_the_word_gets_no_power_beside_it() -> None:
    levels = next(r.levels for r in plan(after(both_sides(), "!turn Alice")) if r.conversation == JOINT)
    power = levels.users[named(both_sides(), "Alice").id]
    assert power < min(levels.events_default, levels.state_default, levels.redact, levels.events["m.room.redaction"])


def test_a_muted_person_and_an_observer_cannot_even_react() -> None:
    case = after(both_sides(), "!party add Olga olga@example.net as observer", "!mute Alice")
    levels = next(r.levels for r in plan(case) if r.conversation == JOINT)
    assert {levels.users[named(case, name).id] for name in ("Alice", "Olga")} == {-1}
    assert objection(case, named(case, "Olga").id, JOINT)


@pytest.mark.parametrize("command", ["!mode locked", "!mode closed", "!mute Alice", "!cool 30m", "!turn Carl"])
def test_in_private_everybody_may_speak_always(command: str) -> None:
    case, before = after(both_sides(), command), both_sides()
    own = caucus_of(case, "Smith")
    assert objection(case, named(case, "Alice").id, own) is None
    private = [[room for room in plan(c) if room.conversation != JOINT] for c in (case, before)]
    assert private[0] == private[1]


# --- what ends by itself


def test_a_mode_for_a_time_gives_way_to_the_one_before_it() -> None:
    locked = done(both_sides(), "!mode locked for 1h")
    assert [alarm.at for alarm in of_kind(Schedule, locked.effects)] == [AT + HOUR]
    assert "open" in locked.answer
    early, late = in_time(locked.case, HOUR - timedelta(seconds=1)), in_time(locked.case, HOUR)
    assert early.case == locked.case
    assert speakers(late.case) == {"Mia", "Alice", "Carl"}
    assert of_kind(Reconcile, late.effects)
    assert of_kind(Tell, late.effects) == [Announce(JOINT, floor_text(late.case))]


def test_one_mode_for_a_time_after_another_ends_in_the_lasting_one() -> None:
    case = after(both_sides(), "!mode locked for 1h", "!mode released for 30m")
    assert in_time(case, HOUR).case.floor.mode is Mode.OPEN


@pytest.mark.parametrize("command", ["!turn Alice 10m", "!mute Carl 10m", "!cool 10m"])
def test_a_turn_a_mute_and_a_cooling_off_end(command: str) -> None:
    case = after(both_sides(), command)
    assert in_time(case, timedelta(minutes=9)).case == case
    assert alike(in_time(case, timedelta(minutes=10)).case, both_sides())


def test_what_was_ended_by_hand_is_not_ended_again() -> None:
    case = after(both_sides(), "!turn Alice 10m", "!turn Carl 1h")
    decision = in_time(case, timedelta(minutes=10))
    assert (decision.case, decision.effects) == (case, ())


# --- what follows


def test_everybody_in_the_room_is_told_what_changes_and_levels_follow() -> None:
    outcome = done(both_sides(), "!mode locked")
    assert of_kind(Tell, outcome.effects) == [Announce(JOINT, floor_text(outcome.case))]
    assert of_kind(Reconcile, outcome.effects)
    assert of_kind(Resume, outcome.effects)
    again = done(outcome.case, "!mode locked")
    assert not of_kind(Tell, again.effects) + of_kind(Reconcile, again.effects)


def test_a_mute_is_told_to_whom_it_concerns_and_to_nobody_else() -> None:
    outcome = done(both_sides(), "!mute Alice 1h")
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (named(outcome.case, "Alice").id, caucus_of(outcome.case, "Smith"))
    assert not of_kind(Tell, outcome.effects)
    assert "Alice is muted until 2026-01-05 11:00 UTC" in status_text(outcome.case)


def test_before_the_joint_room_stands_nothing_is_said_there() -> None:
    assert not of_kind(Tell, done(case_with(ALICE_JOINS), "!mode locked").effects)


def test_whoever_comes_into_the_joint_room_is_told_who_may_write_there() -> None:
    case = after(both_sides(), "!mode released")
    [told] = of_kind(Tell, decide_arrival(case, named(case, "Alice"), JOINT).effects)
    assert floor_text(case) in told.text


def test_somebody_who_goes_takes_their_turn_along() -> None:
    case = after(both_sides(), "!turn Carl", "!party remove Carl", "yes 4F2A")
    assert case.floor.turn is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("!turn Dora 10m", "Nobody here is called Dora"),
        ("!turn Mia", "Mia is a mediator"),
        ("!turn off", "nobody's turn"),
        ("!mute Mia", "Mia is a mediator"),
        ("!unmute Carl", "Carl is not muted"),
        ("!cool off", "no cooling-off"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(command: str, said: str) -> None:
    assert said in refused(both_sides(), command)


def test_a_muted_person_is_not_given_the_word_by_mistake() -> None:
    assert "!unmute Carl" in refused(after(both_sides(), "!mute Carl"), "!turn Carl")


def test_moderated_says_what_it_lacks() -> None:
    assert "needs a module" in done(both_sides(), "!mode moderated").answer


# --- what is said against it


def test_a_mail_to_a_locked_room_is_held_in_its_authors_own_room_and_they_are_told_why() -> None:
    case = after(both_sides(), "!mode released")
    decision = decide(case, message(case, "Carl", JOINT), facts())
    assert [hold.message for hold in of_kind(Hold, decision.effects)] == ["m1"]
    assert not of_kind(Post, decision.effects) + of_kind(Relay, decision.effects)
    assert caucus_of(case, "Jones") in {tell.conversation for tell in of_kind(Tell, decision.effects)}


@pytest.mark.parametrize("content", [Text("late"), Edit(None, "late")])
def test_a_post_that_slips_in_around_a_change_is_not_mailed_and_its_author_and_the_desk_are_told(
    content: Text | Edit,
) -> None:
    case = after(both_sides(), "!mode locked")
    decision = decide(case, message(case, "Alice", JOINT, content), facts())
    assert decision.rule == "not-their-turn"
    assert not of_kind(Relay, decision.effects)
    assert [tell for tell in of_kind(Tell, decision.effects) if "may have seen it" in tell.text]
    [told] = of_kind(Inform, decision.effects)
    assert (told.to, told.conversation) == (named(case, "Alice").id, caucus_of(case, "Smith"))


def test_no_notice_of_it_names_the_other_side() -> None:
    case = after(both_sides(), "!turn Carl")
    decision = decide(case, message(case, "Alice", JOINT), facts())
    [told] = of_kind(Inform, decision.effects)
    assert "Carl" not in told.text


def test_the_mediator_speaks_in_a_locked_room() -> None:
    case = after(both_sides(), "!mode locked")
    assert of_kind(Relay, decide(case, message(case, "Mia", JOINT), facts()).effects)


def test_what_was_accepted_and_may_not_be_posted_any_more_waits() -> None:
    carl = named(both_sides(), "Carl").id
    locked = after(both_sides(), "!mode locked")
    assert isinstance(may_post(locked, JOINT, carl), Wait)
    assert may_post(locked, JOINT, None) == Go()
    assert may_post(locked, caucus_of(locked, "Jones"), carl) == Go()
    [resume] = of_kind(Resume, done(locked, "!mode open").effects)
    waiting = may_post(locked, JOINT, carl)
    assert isinstance(waiting, Wait)
    assert waiting.key == resume.key


# --- slow mode


def test_in_slow_mode_a_party_waits_after_each_post_and_nobody_else_does() -> None:
    case = after(both_sides(), "!slow 10m")
    spoke = decide(case, message(case, "Alice", JOINT), facts())
    assert of_kind(Relay, spoke.effects)
    assert speakers(spoke.case) == {"Mia", "Carl"}
    assert [alarm.at for alarm in of_kind(Schedule, spoke.effects)] == [AT + timedelta(minutes=10)]
    again = decide(spoke.case, message(case, "Alice", JOINT), facts())
    assert of_kind(Hold, again.effects)
    assert decide(spoke.case, message(case, "Mia", JOINT), facts()).case.floor == spoke.case.floor
    assert speakers(in_time(spoke.case, timedelta(minutes=10)).case) == {"Mia", "Alice", "Carl"}


def test_what_somebody_has_said_by_mail_is_still_posted_though_they_wait_now() -> None:
    case = after(both_sides(), "!slow 10m")
    spoke = decide(case, message(case, "Carl", JOINT), facts())
    carl = named(case, "Carl").id
    assert objection(spoke.case, carl, JOINT)
    assert may_post(spoke.case, JOINT, carl) == Go()
    levels = next(r.levels for r in plan(spoke.case) if r.conversation == JOINT)
    assert levels.users.get(carl, 0) == 0


def test_what_is_said_in_private_makes_nobody_wait() -> None:
    case = after(both_sides(), "!slow 10m")
    assert decide(case, message(case, "Alice", caucus_of(case, "Smith")), facts()).case == case


def test_when_slow_mode_ends_nobody_waits_any_longer() -> None:
    case = after(both_sides(), "!slow 10m")
    spoke = decide(case, message(case, "Alice", JOINT), facts()).case
    assert done(spoke, "!slow off").case.floor.resting == ()
