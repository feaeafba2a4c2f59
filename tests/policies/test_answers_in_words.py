"""A yes and a no are understood in every language in which they are asked for, and never taken for one another (I4)."""

import re
from itertools import product

import pytest

from catalogue import said
from policies.asking import in_words, read_answer
from policies.effects import Pose
from policies.language import Language
from policies.phrase import phrase
from tests.policies.builders import AT, both_sides, caucus_of, named

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


def test_an_accent_that_comes_apart_from_its_letter_is_the_same() -> None:
    assert read_answer("si\u0301 4F2A") == (CODE, True)
