"""Each is written to in a language of their own, and none learns which is another's (B6, I1)."""

import re
from dataclasses import replace

import pytest

from bridges.whatsapp.convert_out import LABELS
from catalogue import said, tongue
from catalogue.gather import texts, translated
from policies.acts import create
from policies.case import DESK, JOINT, Case, CaseId
from policies.commands.form import Misunderstood
from policies.commands.opening import NewCase
from policies.commands.vocabulary import parse
from policies.effects import Inform
from policies.message import Text
from policies.networks.whatsapp import HELP, START, STOP, keyword
from policies.outcome import Done
from policies.people.membership import language_in
from policies.releases.release import mark_of
from policies.routing import decide
from policies.status import readers_text
from policies.words.language import Language
from policies.words.text import name_problem
from tests.policies.builders import alike, both_sides, caucus_of, done, facts, message, named, of_kind, refused

CASE = both_sides()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
CARL, ALICE, MIA = (named(CASE, name).id for name in ("Carl", "Alice", "Mia"))
EN, DE, FR = Language.ENGLISH, Language.GERMAN, Language.FRENCH


def spoken(*commands: str) -> Case:
    case = CASE
    for command in commands:
        case = done(case, command).case
    return case


KEYWORDS = {"stop": STOP, "start": START, "help": HELP}


def to_write(text: str) -> list[str]:
    """What the words in capitals do, where they are written to us."""
    words = [keyword(word) for word in re.findall(r"[^\W\d_]+", text) if word.isupper()]
    return sorted(does for does, known in KEYWORDS.items() for word in words if word in known)


@pytest.mark.parametrize("language", tuple(translated()))
def test_the_words_that_people_are_told_to_write_are_understood_in_their_language(language: Language) -> None:
    told = {key: tongue(language).text(key) for key in texts() if isinstance(key, str) and to_write(key)}
    assert {does for english in told for does in to_write(english)} == KEYWORDS.keys()
    for english, text in told.items():
        assert to_write(text) == to_write(english), text


def test_somebody_is_written_to_in_the_language_of_the_case_until_another_is_said() -> None:
    assert CASE.language_of(CARL) is EN
    assert spoken("!language de").language_of(CARL) is DE
    for text in ("fr", "French"):
        case = spoken("!language de", f"!language Carl {text}")
        assert (case.language_of(CARL), case.language_of(ALICE)) == (FR, DE)


def test_mediators_and_their_desk_are_english() -> None:
    case = spoken("!language de")
    assert case.language_of(MIA) is EN
    assert language_in(case, DESK) is EN
    assert "in English" in refused(CASE, "!language Mia de")


def test_a_private_room_is_told_in_the_language_of_its_side_if_it_is_one() -> None:
    case = spoken("!language Carl de")
    assert (language_in(case, HIS), language_in(case, HERS)) == (DE, EN)
    two = done(case, "!party add Bert bert@example.net on Jones").case
    assert language_in(two, HIS) is EN
    assert language_in(done(two, "!language Bert de").case, HIS) is DE


def test_the_joint_room_is_told_in_the_language_of_the_case_whatever_the_parties_said_in_private() -> None:
    assert language_in(spoken("!language Carl de", "!language Alice de"), JOINT) is EN, "neither learns the other's"
    assert language_in(spoken("!language fr", "!language Carl de", "!language Alice de"), JOINT) is FR


def test_a_party_sets_its_own_language_in_its_private_room_and_no_other() -> None:
    carl = replace(facts(CARL), where=HIS)
    heard = decide(CASE, message(CASE, "Carl", HIS, Text("!language de")), carl)
    assert heard.case.language_of(CARL) is DE
    assert heard.case.language is EN
    [told] = of_kind(Inform, heard.effects)
    assert "auf Deutsch" in said(told.text, DE)
    assert "your own language alone" in refused(CASE, "!language Alice de", carl)
    for command in ("!language Xyz de", "!timezone Xyz Europe/Berlin"):
        answer = refused(CASE, command, carl)
        assert "alone" in answer
        assert not any(name in answer for name in ("Mia", "Alice")), "who takes part is not told to whoever guesses"


@pytest.mark.parametrize("wrong", ["!language Carl", "!language Carl xx", "!language"])
def test_a_language_that_nobody_here_speaks_is_refused(wrong: str) -> None:
    found = parse(wrong)
    assert isinstance(found, Misunderstood)
    assert "de (German)" in found.problem


def test_a_language_can_be_taken_back() -> None:
    assert "Nobody here is called" in refused(CASE, "!language Zoe de")
    for command in ("!language de", "!language Carl de"):
        assert alike(spoken(command, "!undo"), CASE)


def test_a_new_case_takes_the_organisations_language() -> None:
    made = create(Case(CaseId("1042"), "x"), NewCase("x", ()), replace(facts(None), language=DE))
    assert isinstance(made, Done)
    assert made.case.language is DE


@pytest.mark.parametrize("language", Language)
def test_nobody_is_called_like_a_label_of_ours_in_any_language(language: Language) -> None:
    """I10: the first word of what says who reads."""
    for text in (*LABELS.values(), readers_text(CASE, HERS), readers_text(CASE, JOINT)):
        label = said(text, language).lstrip("🔒👥 ").split()[0].strip(".,–")
        assert name_problem(label), label
        assert name_problem(f"{label.lower()} mediator"), label


@pytest.mark.parametrize(
    "word", ["Private:", "privat", "Vertraulich –", "privado", "PRIVADA", "privé", "Confidentiel :"]
)
def test_a_mark_of_privacy_is_understood_in_every_language(word: str) -> None:
    assert mark_of(f"{word} I could go lower") == "private"
    assert mark_of(f"I said {word}") is None
