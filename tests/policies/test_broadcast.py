"""One message to every side: each gets it in private, once, and nobody reads it together with another side (R13)."""

from dataclasses import replace

import pytest

from policies.case import DESK, JOINT, Case
from policies.effects import Effect, Inform, Tell
from policies.outcome import Done, Facts
from tests.policies.builders import both_sides, caucus_of, done, facts, named, of_kind, refused

WORDS = "We meet on 3 May at ten"
CASE = both_sides("!party add Dora @dora:example.org as counsel on Jones")
TEXT = f"Mia writes to each side:\n> {WORDS}"


def previewed(case: Case = CASE, known: Facts | None = None) -> Done:
    return done(case, f"!broadcast: {WORDS}", known)


def rooms(effects: tuple[Effect, ...]) -> list[object]:
    return [effect.conversation for effect in of_kind(Tell, effects)]


def test_the_mediator_sees_the_words_and_all_who_will_read_them_before_anything_goes() -> None:
    shown = previewed()
    (preview,) = of_kind(Tell, shown.effects)
    assert preview.conversation == DESK
    assert f"> {WORDS}" in preview.text
    assert "Carl (by mail), Dora (counsel)" in preview.text
    assert not shown.answer, "the words are not put on record"


def test_each_side_gets_it_once_in_its_own_room_and_by_its_own_channel() -> None:
    sent = done(previewed().case, "yes 4F2A")
    assert [(e.conversation, e.text) for e in of_kind(Tell, sent.effects)] == [
        (caucus_of(CASE, "Smith"), TEXT),
        (caucus_of(CASE, "Jones"), TEXT),
    ]
    (letter,) = of_kind(Inform, sent.effects)
    assert (letter.to, letter.conversation, letter.text) == (named(CASE, "Carl").id, caucus_of(CASE, "Jones"), TEXT)
    assert not [e for e in sent.effects if getattr(e, "conversation", None) in {JOINT, DESK}]
    assert WORDS not in sent.answer


@pytest.mark.parametrize("answer", ["no 4F2A", None])
def test_without_a_yes_nothing_goes(answer: str | None) -> None:
    shown = previewed()
    effects = done(shown.case, answer).effects if answer else shown.effects
    assert not of_kind(Inform, effects)
    assert not set(rooms(effects)) - {DESK}


def test_who_came_in_since_the_preview_makes_it_void() -> None:
    case = done(previewed().case, "!party add Eve @eve:example.org as supporter on Smith").case
    sent = done(case, "yes 4F2A")
    assert "void" in sent.answer
    assert not sent.effects


def test_words_of_a_private_room_are_warned_of() -> None:
    known = replace(facts(), elsewhere={"s:we meet on 3 may": frozenset({caucus_of(CASE, "Smith").id})})
    (preview,) = of_kind(Tell, previewed(known=known).effects)
    assert "CAREFUL: this stands in a private room" in preview.text


def test_the_organisation_is_not_asked() -> None:
    sent = done(CASE, f"!broadcast: {WORDS}", facts(None))
    assert len(of_kind(Tell, sent.effects)) == 2
    assert "The organisation writes to each side" in of_kind(Tell, sent.effects)[0].text


def test_a_side_that_rests_gets_nothing_and_a_closed_case_neither() -> None:
    withdrawn = replace(CASE, withdrawn=(named(CASE, "Carl").id,))
    assert rooms(done(withdrawn, f"!broadcast: {WORDS}", facts(None)).effects) == [caucus_of(CASE, "Smith")]
    closed = done(done(CASE, "!close").case, "yes 4F2A").case
    assert "No private room" in refused(closed, f"!broadcast: {WORDS}")
    assert "no words" in refused(CASE, "!broadcast: ")
