"""The files of the catalogue are whole, and say what the code says, no more and no less."""

import re
from string import Formatter

import pytest
from babel.messages.catalog import Message

from catalogue import entries
from catalogue.gather import gathered, texts, translated
from policies.words.language import Language

OTHERS = tuple(translated())
_TAG = re.compile(r"</?[a-z]+>")


def _texts(entry: Message) -> tuple[str, ...]:
    return (entry.string,) if isinstance(entry.string, str) else tuple(entry.string or ())


def _key(entry: Message) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[0]


def _filled(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def entries_of(language: Language) -> list[Message]:
    return [entry for entry in entries(language) if entry.id]


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_code_has_a_translation(language: Language) -> None:
    known = {_key(entry) for entry in entries_of(language) if all(_texts(entry))}
    missing = {text if isinstance(text, str) else text[0] for text in texts()} - known
    assert not missing, f"make words, and translate: {missing}"


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language: Language) -> None:
    used = {_key(entry) for entry in gathered(language)}
    assert not {_key(entry) for entry in entries_of(language)} - used, "make words"


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_is_filled_in_and_marked_up_in_every_language(language: Language) -> None:
    for entry in entries_of(language):
        # Of one thing, a language may do without the number.
        places = {frozenset(_filled(text) - {"number"}) for text in (_key(entry), *_texts(entry))}
        marks = {tuple(sorted(_TAG.findall(text))) for text in (_key(entry), *_texts(entry))}
        assert len(places) == len(marks) == 1, entry.id
        many = entry.id[1] if not isinstance(entry.id, str) else entry.id
        assert _filled(_texts(entry)[-1]) == _filled(many), entry.id


@pytest.mark.parametrize("language", OTHERS)
def test_commands_marks_and_lines_are_the_same_in_every_language(language: Language) -> None:
    """What has to be typed is not translated; an icon says who reads."""
    signs = re.compile(r"![a-z]+|[🔒👥]|\n")
    for entry in entries_of(language):
        wanted = sorted(signs.findall(_key(entry)))
        assert all(sorted(signs.findall(text)) == wanted for text in _texts(entry)), entry.id


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_begins_or_ends_otherwise(language: Language) -> None:
    for entry in entries_of(language):
        for text in _texts(entry):
            assert (text[:1].isspace(), text[-1:].isspace()) == (_key(entry)[:1].isspace(), _key(entry)[-1:].isspace())
            assert text.isprintable() or "\n" in text
