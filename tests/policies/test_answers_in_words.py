"""A yes and a no are understood in every language in which they are asked for, and never taken for one another (I4)."""

import re
from itertools import product

import pytest

from catalogue import said
from policies.effects import Inform, Pose, Post
from policies.message import Text
from policies.questions.asking import in_words, read_answer
from policies.routing import decide
from policies.words.language import Language
from policies.words.phrase import phrase
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind

CASE = both_sides()
CODE = "4F2A"
YES = ("yes", "Ja", "sí", "Sí", "SI", "oui", "agreed", "I accept")
NO = ("no", "No", "nein", "NON", "non", "I refuse")


@pytest.mark.parametrize("language", Language)
def test_what_a_question_asks_for_is_what_is_understood(language: Language) -> None:
    title = phrase("Who should read this?")
    pose = Pose(named(CASE, "Carl").id, caucus_of(CASE, "Jones"), CODE, title, "x", title, AT, of_the_case=True)
    asked = said(in_words(pose, "UTC"), language)
    yes, no = re.findall(rf"[“„«]\s?(\w+ {CODE})\s?[”“»]", asked)
    assert read_answer(yes) == (CODE, True)
    assert read_answer(no) == (CODE, False)


@pytest.mark.parametrize(("word", "form"), [*product(YES + NO, ("{} 4f2a", "{}: 4F2A.", "4F2A {}", "«{} 4F2A»"))])
def test_a_word_is_one_answer_whichever_language_it_is_of(word: str, form: str) -> None:
    assert read_answer(form.format(word)) == (CODE, word in YES)


@pytest.mark.parametrize("word", ["jain", "sino", "nono", "oui non", "ja nein", "si no", "nunca", "doch", "vielleicht"])
def test_what_is_neither_is_no_answer(word: str) -> None:
    assert read_answer(f"{word} {CODE}") is None


@pytest.mark.parametrize(
    "text", ["¿Sí 4F2A?", "yes 4F2A?", "4F2A – oui ?", "yes 4F2A !?", "是 yes 4F2A？", "ja 4F2A？"]
)
def test_who_asks_has_not_said_yes(text: str) -> None:
    assert read_answer(text) is None


@pytest.mark.parametrize("text", ["> yes 4F2A", ">yes 4F2A", "“> ja 4F2A”"])
def test_what_is_quoted_was_said_before(text: str) -> None:
    assert read_answer(text) is None


@pytest.mark.parametrize("text", ["Oui, 9h30.", "Ja, 10am", "Sí, 9h30", "yes, 10th", "no, A380"])
def test_what_can_be_no_code_of_ours_is_no_answer(text: str) -> None:
    assert read_answer(text) is None


def spoken(text: str) -> tuple[list[str], bool]:
    """What Carl's words by mail become in her own room, and whether she hears that no question has that code."""
    own = caucus_of(CASE, "Jones")
    decision = decide(CASE, message(CASE, "Carl", own, Text(text)), facts(named(CASE, "Carl").id))
    posts = [post.content.body for post in of_kind(Post, decision.effects) if isinstance(post.content, Text)]
    return posts, any("does not count" in told.text for told in of_kind(Inform, decision.effects))


@pytest.mark.parametrize(
    ("text", "passed_on", "told"),
    [
        ("Oui, 9h45.", True, False),
        ("ja 23rd", True, True),
        ("yes 7kqz", True, True),
        ("> yes 4F2A", True, False),
        ("no, 42kg", True, False),
        ("Yes, B747", True, True),
        ("yes, 4f2a", True, True),
        ("yes 4F2A", False, True),
        ("«4f2a: Sí.»", False, True),
        ("yes 4F2A?", True, False),
    ],
)
def test_words_that_may_be_no_answer_are_passed_on_and_a_code_of_no_question_is_told(
    text: str, passed_on: bool, told: bool
) -> None:
    assert spoken(text) == ([text] if passed_on else [], told)


@pytest.mark.parametrize("text", ["ja, 23RD", "ja 23rd", "ja 23RD\n>", "<ja 23RD>", "23RD: ja ->"])
def test_however_it_is_written_a_code_that_a_question_has_answers_it(text: str) -> None:
    own, carl = caucus_of(CASE, "Jones"), named(CASE, "Carl").id
    case = done(CASE, "!ask Carl: Does Thursday suit you?", facts(code="23RD")).case
    decision = decide(case, message(case, "Carl", own, Text(text)), facts(carl))
    assert not of_kind(Post, decision.effects)
    assert not decision.case.asks


def test_an_accent_that_comes_apart_from_its_letter_is_the_same() -> None:
    assert read_answer("si\u0301 4F2A") == (CODE, True)
