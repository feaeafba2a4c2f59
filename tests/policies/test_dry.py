"""A command is tried out: the desk is shown all that would follow, and nothing of it is done (M8)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.acts import NO_CODE, take
from policies.case import DESK, Case
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import FORMS, parse
from policies.effects import Announce, Effect, Inform, Tell
from policies.message import SignedDevice
from policies.outcome import Done, Refused
from policies.people.colleagues import new_room
from policies.people.manning import manned
from policies.questions.asking import Answer
from policies.showing import Preview
from policies.words.language import Language
from tests.policies.builders import agreed_case, both_sides, case_with, caucus_of, done, facts, named, refused
from tests.policies.builders import say as said

AMONG_MEDIATORS = manned(new_room(Language.ENGLISH, "UTC"), {"@mia:example.org": "Mia"})
CASE = both_sides("!party add Bob @bob:example.org as counsel on Jones")


def shown(case: Case, line: str) -> str:
    """What the desk is shown of a command that is tried out."""
    outcome = done(case, f"!dry {line}")
    assert outcome.case == case
    assert outcome.answer == "", "an answer goes on record, and there may be words in this"
    (told,) = [effect for effect in outcome.effects if isinstance(effect, Tell)]
    assert told.conversation == DESK
    return told.text


def really(case: Case, line: str) -> Done:
    """What that command does, and the yes to what it asks."""
    outcome = done(case, f"!{line}")
    if len(outcome.case.asks) == len(case.asks):
        return outcome
    return done(outcome.case, f"yes {outcome.case.asks[-1].code}")


@pytest.mark.parametrize(
    "line",
    [
        *("party remove Carl", "party side Bob on Smith", "withdraw Alice", "settle", "close", "repair"),
        *("broadcast: We meet on 3 May", "mode closed", "mute Carl", "mail pause Carl", "pause for 2d", "open"),
    ],
)
def test_all_that_somebody_would_be_told_is_shown_and_nothing_is_done(line: str) -> None:
    case = CASE if line != "open" else case_with("!party add Alice @alice:example.org on Smith")
    text = shown(case, line)
    told: tuple[Effect, ...] = really(case, line).effects
    for effect in told:
        if isinstance(effect, Inform | Announce):
            assert all(f"> {part}" in text for part in str(effect.text).splitlines())


def test_who_would_read_what_no_more_and_from_then_on_is_named() -> None:
    text = shown(CASE, "party side Bob on Smith")
    assert "Bob would read PRIVATE with mediator · 1042 (Jones) no more." in text
    assert "Bob would read what is written in PRIVATE with mediator · 1042 (Smith) from then on." in text
    assert "Bob would read EVERYONE · 1042 no more." not in text
    assert "Carl would read EVERYONE · 1042 no more." in shown(CASE, "party remove Carl")


def test_whether_it_asks_first_and_could_be_undone_is_said() -> None:
    close = shown(CASE, "close")
    assert "You would be asked first" in close
    assert "It could not be taken back by !undo." in close
    locked = shown(CASE, "mode locked")
    assert "at once, without a question" in locked
    assert "It could be taken back by !undo." in locked
    assert "Nothing would change." in shown(CASE, "status")


def test_a_question_to_a_party_is_shown_without_its_code() -> None:
    text = shown(CASE, "ask Carl: Does Thursday suit?")
    assert "Carl would be asked" in text
    assert "> Does Thursday suit?" in text
    assert "4F2A" not in text


def test_a_release_is_shown_as_it_would_stand_and_does_not() -> None:
    alice = replace(facts(named(CASE, "Alice").id), where=caucus_of(CASE, "Smith"))
    submitted = done(CASE, "!submit: 40,000 by June", alice).case
    agreed = take(submitted, Answer("4F2A", True, alice.by, alice.where, SignedDevice()), alice)
    assert isinstance(agreed, Done)
    text = shown(agreed.case, "release R1")
    assert "R1 would stand in EVERYONE · 1042. Alice’s words, released by the mediator:\n> 40,000 by June" in text


def test_what_would_be_refused_is_refused_with_its_remedy() -> None:
    assert "Tried out, it is refused: Nobody here is called Zoe" in refused(CASE, "!dry party remove Zoe")
    assert "It may be meant as !open" in refused(CASE, "!dry opne")
    for line in ("dry open", "case new Other", "yes 4F2A"):
        assert "!dry party remove Carl" in refused(CASE, f"!dry {line}")


def test_a_repair_shows_what_it_would_change_and_changes_nothing() -> None:
    assert [type(effect) for effect in done(CASE, "!dry repair").effects] == [Tell, Preview]


def test_a_trial_is_no_act_so_what_was_done_before_it_can_still_be_undone() -> None:
    case = done(CASE, "!mode locked").case
    after = done(case, "!dry party remove Carl").case
    assert after.deed == case.deed
    assert isinstance(said(after, "!undo"), Done)


def test_no_question_is_left_that_a_yes_could_answer() -> None:
    assert done(CASE, "!dry party remove Carl").case.asks == CASE.asks
    assert "No question of yours" in str(said(CASE, "yes 4F2A"))


@given(st.sampled_from([form.example for form in FORMS.values()]))
def test_whatever_is_tried_out_the_case_stays_and_the_desk_alone_is_told(example: str) -> None:
    for case in (CASE, agreed_case()[0], case_with()):
        parsed = parse(f"!dry {example.removeprefix('!')}")
        assert not isinstance(parsed, Misunderstood)
        outcome = said(case, f"!dry {example.removeprefix('!')}", replace(facts(), whatsapp=True, documents=True))
        if isinstance(outcome, Refused):
            continue
        assert outcome.case == case
        assert {type(effect) for effect in outcome.effects} <= {Tell, Preview}
        assert all(effect.conversation == DESK for effect in outcome.effects if isinstance(effect, Tell))


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (CASE, "notify mia@example.net"),
        (CASE, "notify +34600123456"),
        (CASE, "handover to Max @max:example.org"),
        (AMONG_MEDIATORS, "colleague add Nora +34600123456"),
        (AMONG_MEDIATORS, "colleague add Nora nora@example.org"),
    ],
)
def test_no_code_is_shown_that_looks_as_if_it_could_be_said(case: Case, line: str) -> None:
    known = replace(facts(), whatsapp=True, notices_by_whatsapp=True)
    outcome = done(case, f"!dry {line}", known)
    (told,) = [effect for effect in outcome.effects if isinstance(effect, Tell)]
    real = done(case, f"!{line}", known)
    codes = {ask.code for ask in real.case.asks} - {ask.code for ask in case.asks}
    assert codes, "a question would be put"
    assert not [code for code in codes if code in told.text]


def test_what_would_be_told_with_a_code_is_told_without_one() -> None:
    known = replace(facts(by=AMONG_MEDIATORS.people[0].id), whatsapp=True)
    (told,) = done(AMONG_MEDIATORS, "!dry colleague add Nora +34600123456", known).effects
    assert isinstance(told, Tell)
    assert f"yes {NO_CODE}" in told.text
